//! The reconciler's hands: applying, listing and deleting objects of any kind.

use std::{collections::BTreeSet, time::Duration};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client,
    api::{
        ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PropagationPolicy,
    },
    core::PartialObjectMeta,
};
use serde_json::Value;
use tokio::time::timeout;
use weft_install::names;

use super::problem::{Problem, Reason};

/// Time for one request.
const REQUEST: Duration = Duration::from_secs(10);

/// A kind and where its objects are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Version.
    pub version: &'static str,
    /// Name.
    pub kind: &'static str,
    /// Whether its objects live in the namespace of the installation.
    pub namespaced: bool,
}

/// Every kind that an installation consists of: what is watched for drift, pruned, and removed. Webhooks come first,
/// because nothing may call a control plane that is being removed.
pub const KINDS: &[Kind] = &[
    Kind {
        group: "admissionregistration.k8s.io",
        version: "v1",
        kind: "MutatingWebhookConfiguration",
        namespaced: false,
    },
    Kind {
        group: "admissionregistration.k8s.io",
        version: "v1",
        kind: "ValidatingWebhookConfiguration",
        namespaced: false,
    },
    Kind { group: "apps", version: "v1", kind: "Deployment", namespaced: true },
    Kind { group: "autoscaling", version: "v2", kind: "HorizontalPodAutoscaler", namespaced: true },
    Kind { group: "policy", version: "v1", kind: "PodDisruptionBudget", namespaced: true },
    Kind { group: "", version: "v1", kind: "Service", namespaced: true },
    Kind { group: "", version: "v1", kind: "ConfigMap", namespaced: true },
    Kind { group: "rbac.authorization.k8s.io", version: "v1", kind: "RoleBinding", namespaced: true },
    Kind { group: "rbac.authorization.k8s.io", version: "v1", kind: "Role", namespaced: true },
    Kind { group: "rbac.authorization.k8s.io", version: "v1", kind: "ClusterRoleBinding", namespaced: false },
    Kind { group: "rbac.authorization.k8s.io", version: "v1", kind: "ClusterRole", namespaced: false },
    Kind { group: "", version: "v1", kind: "ServiceAccount", namespaced: true },
    Kind { group: "scheduling.k8s.io", version: "v1", kind: "PriorityClass", namespaced: false },
];

/// The kind that is there only with the Prometheus operator.
pub const POD_MONITOR: Kind =
    Kind { group: "monitoring.coreos.com", version: "v1", kind: "PodMonitor", namespaced: true };

impl Kind {
    /// Its place in the API.
    pub fn resource(&self) -> ApiResource {
        resource((self.group, self.version, self.kind))
    }

    /// Where its objects are: `namespace`, or nowhere in particular.
    pub fn namespace<'n>(&self, namespace: &'n str) -> &'n str {
        if self.namespaced { namespace } else { "" }
    }
}

/// A kind's place in the API.
pub fn resource((group, version, kind): (&str, &str, &str)) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

/// The Mesh kind.
pub fn mesh_resource() -> ApiResource {
    let kind = weft_api::Kind::Mesh;
    let gvk = GroupVersionKind::gvk(kind.group(), kind.versions()[0], kind.name());
    ApiResource::from_gvk_with_plural(&gvk, kind.plural())
}

/// Names an object within an installation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Kind.
    pub kind: String,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Name {
    /// The name of a rendered object.
    pub fn of(object: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            kind: text(&object["kind"]),
            namespace: text(&object["metadata"]["namespace"]),
            name: text(&object["metadata"]["name"]),
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.namespace.is_empty() {
            true => write!(f, "{} {}", self.kind, self.name),
            false => write!(f, "{} {}/{}", self.kind, self.namespace, self.name),
        }
    }
}

/// An object of ours that is there.
#[derive(Clone, Debug)]
pub struct Present {
    /// Its name.
    pub name: Name,
    /// Its kind.
    pub resource: ApiResource,
    /// UIDs of its owners.
    pub owners: Vec<String>,
    /// Whether it carries our managed-by label.
    pub managed: bool,
    /// Whether it is going already.
    pub terminating: bool,
}

/// What is there and should not be: ours by both labels, owned by this very Mesh, and not rendered any more. Labels alone
/// do not condemn an object: people copy them.
pub fn superfluous<'p>(present: &'p [Present], wanted: &BTreeSet<Name>, mesh_uid: &str) -> Vec<&'p Present> {
    let ours = |object: &&Present| object.managed && object.owners.iter().any(|uid| uid == mesh_uid);
    present.iter().filter(ours).filter(|object| !object.terminating && !wanted.contains(&object.name)).collect()
}

/// Requests, each bounded in time and told as a [`Problem`] when it fails.
#[derive(Clone)]
pub struct Cluster {
    /// The client.
    pub client: Client,
}

impl Cluster {
    /// Waits for a request for as long as one may take.
    pub async fn ask<T>(&self, doing: &str, request: impl Future<Output = kube::Result<T>>) -> Result<T, Problem> {
        match timeout(REQUEST, request).await {
            Ok(answer) => answer.map_err(|error| Problem::of(&error, doing)),
            Err(_) => {
                let seconds = REQUEST.as_secs();
                let message = format!("cannot {doing}: the API server did not answer within {seconds} s; trying again");
                Err(Problem::new(Reason::ApiUnavailable, message))
            }
        }
    }

    /// Where objects of a kind are.
    pub fn api(&self, resource: &ApiResource, namespace: &str) -> Api<DynamicObject> {
        if namespace.is_empty() {
            Api::all_with(self.client.clone(), resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, resource)
        }
    }

    /// Where objects like this one are.
    pub fn api_of(&self, object: &Value) -> Api<DynamicObject> {
        let name = Name::of(object);
        let api_version = object["apiVersion"].as_str().unwrap_or_default();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        self.api(&resource((group, version, &name.kind)), &name.namespace)
    }

    /// Applies an object server-side as ours. Fields that others took over are taken back: they are what the Mesh says.
    /// Whether it was new or changed is told by the resource version that comes back.
    pub async fn apply(&self, object: &Value) -> Result<DynamicObject, Problem> {
        let name = Name::of(object);
        let api = self.api_of(object);
        let params = PatchParams::apply(names::FIELD_MANAGER).force();
        self.ask(&format!("apply {name}"), api.patch(&name.name, &params, &Patch::Apply(object))).await
    }

    /// Objects of a kind that carry a label, metadata only; in one namespace, or everywhere. A kind that is not served has
    /// none.
    pub async fn labelled(
        &self,
        resource: &ApiResource,
        namespace: &str,
        selector: &str,
    ) -> Result<Vec<Present>, Problem> {
        self.listed(resource, namespace, &ListParams::default().labels(selector)).await
    }

    /// Objects of one name in any namespace, metadata only.
    pub async fn named(&self, resource: &ApiResource, name: &str) -> Result<Vec<Present>, Problem> {
        self.listed(resource, "", &ListParams::default().fields(&format!("metadata.name={name}"))).await
    }

    async fn listed(
        &self,
        resource: &ApiResource,
        namespace: &str,
        params: &ListParams,
    ) -> Result<Vec<Present>, Problem> {
        let api = self.api(resource, namespace);
        let doing = format!("list {}", resource.plural);
        match self.ask(&doing, api.list_metadata(params)).await {
            Ok(list) => Ok(list.items.into_iter().map(|found| present(resource, found)).collect()),
            Err(problem) if problem.reason == Reason::MissingKind => Ok(Vec::new()),
            Err(problem) => Err(problem),
        }
    }

    /// Everything of one Mesh, webhooks first.
    pub async fn inventory(&self, mesh: &str, namespace: &str) -> Result<Vec<Present>, Problem> {
        let selector = format!("{}={mesh}", names::MESH_LABEL);
        let mut all = Vec::new();
        let monitor = self.serves_pod_monitors().await?.then_some(&POD_MONITOR);
        for kind in KINDS.iter().chain(monitor) {
            match self.labelled(&kind.resource(), kind.namespace(namespace), &selector).await {
                // The Prometheus operator's kind may be there without any right to it, and then nothing of ours is.
                Err(problem) if *kind == POD_MONITOR && problem.reason == Reason::Forbidden => {}
                found => all.extend(found?),
            }
        }
        Ok(all)
    }

    /// Whether the Prometheus operator's PodMonitor is served. Asked by its definition: a list of a group that is not there
    /// is a 404 that the client logs as a warning, at each pass.
    pub async fn serves_pod_monitors(&self) -> Result<bool, Problem> {
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let found = definitions.get_metadata_opt("podmonitors.monitoring.coreos.com");
        Ok(self.ask("look for the PodMonitor kind", found).await?.is_some())
    }

    /// Deletes an object and what hangs on it. One that is gone already is fine.
    pub async fn delete(&self, object: &Present) -> Result<(), Problem> {
        self.delete_named(&object.resource, &object.name).await
    }

    /// The same by name.
    pub async fn delete_named(&self, resource: &ApiResource, name: &Name) -> Result<(), Problem> {
        let params =
            DeleteParams { propagation_policy: Some(PropagationPolicy::Foreground), ..DeleteParams::default() };
        let api = self.api(resource, &name.namespace);
        match self.ask(&format!("delete {name}"), api.delete(&name.name, &params)).await {
            Err(problem) if problem.reason == Reason::MissingKind => Ok(()),
            answer => answer.map(|_| ()),
        }
    }
}

fn present(resource: &ApiResource, found: PartialObjectMeta<DynamicObject>) -> Present {
    let meta = found.metadata;
    let managed = meta.labels.as_ref().and_then(|labels| labels.get("app.kubernetes.io/managed-by"));
    Present {
        managed: managed.is_some_and(|by| by == names::FIELD_MANAGER),
        terminating: meta.deletion_timestamp.is_some(),
        owners: meta.owner_references.unwrap_or_default().into_iter().map(|owner| owner.uid).collect(),
        name: Name {
            kind: resource.kind.clone(),
            namespace: meta.namespace.unwrap_or_default(),
            name: meta.name.unwrap_or_default(),
        },
        resource: resource.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(name: &str, owner: &str, managed: bool) -> Present {
        Present {
            name: Name { kind: "Service".into(), namespace: "weft-system".into(), name: name.into() },
            resource: resource(("", "v1", "Service")),
            owners: vec![owner.into()],
            managed,
            terminating: false,
        }
    }

    #[test]
    fn only_what_is_ours_by_every_sign_is_pruned() {
        let wanted = BTreeSet::from([there("kept", "u", true).name]);
        let going = Present { terminating: true, ..there("going", "u", true) };
        let present = [
            there("kept", "u", true),
            there("gone", "u", true),
            there("copied-labels", "other", true),
            there("not-managed", "u", false),
            going,
        ];
        let condemned: Vec<_> = superfluous(&present, &wanted, "u").iter().map(|o| o.name.name.as_str()).collect();
        assert_eq!(condemned, ["gone"]);
    }

    #[test]
    fn plurals_are_what_the_api_serves() {
        let plural = |kind| resource(("g", "v1", kind)).plural;
        assert_eq!(plural("PodDisruptionBudget"), "poddisruptionbudgets");
        assert_eq!(plural("PriorityClass"), "priorityclasses");
        assert_eq!(plural("MutatingWebhookConfiguration"), "mutatingwebhookconfigurations");
        assert_eq!(mesh_resource().plural, "meshes");
    }
}
