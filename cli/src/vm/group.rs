//! The WorkloadGroup, and the WorkloadEntry that a machine gets from it.

use std::{collections::BTreeMap, net::IpAddr};

use kube::{
    Api, Error, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use weft_api::error::did_you_mean;
use weft_model::xds;
use weft_runtime::StartupError;

use super::Capture;
use crate::cluster::{Cluster, explain};

/// Who the fields belong to that this command sets.
const MANAGER: &str = "weft-vm";
/// Annotation of a WorkloadEntry: the group that it was made from.
const GROUP: &str = "weft.dev/workload-group";

/// A WorkloadGroup.
#[derive(Clone, Debug)]
pub struct Group {
    name: String,
    namespace: String,
    uid: String,
    spec: Spec,
}

/// What we read of it. The template is kept as written, so that nothing of it is lost on the way.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    metadata: Metadata,
    template: Map<String, Value>,
    probe: Option<Value>,
}

/// What entries carry.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

/// What became of the WorkloadEntry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new.
    Created,
    /// It was there, and now is as the group says.
    Updated,
}

/// The group of this name in the namespace that was asked for.
pub async fn find(cluster: &Cluster, name: &str) -> anyhow::Result<Group> {
    let what = format!("read WorkloadGroup {}/{name}", cluster.namespace);
    let groups = api(cluster, "WorkloadGroup", "workloadgroups");
    match groups.get(name).await {
        Ok(object) => Ok(Group::read(&object)?),
        Err(Error::Api(status)) if status.code == 404 => {
            let (why, remedy) = absent(cluster, name).await;
            Err(StartupError::new(format!("cannot {what}"), why, remedy).into())
        }
        Err(error) => Err(explain(&what, &error).into()),
    }
}

fn api(cluster: &Cluster, kind: &str, plural: &str) -> Api<DynamicObject> {
    Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &resource(kind, plural))
}

fn resource(kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("networking.istio.io", "v1", kind), plural)
}

/// Why there is no such group, and what to do: perhaps it is called otherwise, or lies elsewhere.
async fn absent(cluster: &Cluster, name: &str) -> (String, String) {
    let everywhere: Api<DynamicObject> =
        Api::all_with(cluster.client.clone(), &resource("WorkloadGroup", "workloadgroups"));
    let here = api(cluster, "WorkloadGroup", "workloadgroups");
    let listed = match everywhere.list(&ListParams::default()).await {
        // Who may not look everywhere may perhaps look here.
        Err(Error::Api(status)) if status.code == 403 => here.list(&ListParams::default()).await,
        other => other,
    };
    match listed {
        Err(Error::Api(status)) if status.code == 404 => (
            "the cluster does not know this kind".into(),
            "install Weft first, with weft install or its Helm chart".into(),
        ),
        Err(_) => ("there is none of this name".into(), CREATE.into()),
        Ok(list) => {
            let found: Vec<_> =
                list.items.iter().map(|group| (group.namespace().unwrap_or_default(), group.name_any())).collect();
            ("there is none of this name".into(), remedy(&cluster.namespace, name, &found))
        }
    }
}

const CREATE: &str = "kubectl get workloadgroups -A lists those that there are; apply one first";

/// `found` are namespaces and names.
fn remedy(namespace: &str, name: &str, found: &[(String, String)]) -> String {
    let here = found.iter().filter(|(place, _)| place == namespace).map(|(_, name)| name.as_str());
    let elsewhere = found.iter().find(|(_, other)| other == name).map(|(place, _)| format!("did you mean -n {place}?"));
    elsewhere.or_else(|| did_you_mean(name, here)).unwrap_or_else(|| CREATE.to_owned())
}

impl Group {
    fn read(object: &DynamicObject) -> Result<Self, StartupError> {
        let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
        let spec = object.data.get("spec").cloned().unwrap_or_else(|| json!({}));
        let spec = serde_json::from_value(spec).map_err(|error| {
            let what = format!("cannot use WorkloadGroup {namespace}/{name}");
            StartupError::new(what, error, "correct its spec with kubectl edit workloadgroup")
        })?;
        Ok(Self { uid: object.uid().unwrap_or_default(), name, namespace, spec })
    }

    /// Under whose name its machines run.
    pub fn service_account(&self) -> &str {
        let account = self.spec.template.get("serviceAccount").and_then(Value::as_str).unwrap_or_default();
        if account.is_empty() { "default" } else { account }
    }

    /// The WorkloadEntry of one machine, as Istio makes those that register themselves. It has a proxy, so peers speak
    /// mutual TLS to it.
    pub fn entry(&self, name: &str, address: IpAddr) -> Value {
        let mut spec = self.spec.template.clone();
        let mut labels = spec.get("labels").and_then(Value::as_object).cloned().unwrap_or_default();
        labels.extend(self.spec.metadata.labels.iter().map(|(key, value)| (key.clone(), json!(value))));
        labels.insert(xds::TLS_MODE_LABEL.to_owned(), json!(xds::TLS_MODE_ISTIO));
        let mut annotations = self.spec.metadata.annotations.clone();
        annotations.insert(GROUP.to_owned(), self.name.clone());
        spec.insert("address".to_owned(), json!(address.to_string()));
        spec.insert("serviceAccount".to_owned(), json!(self.service_account()));
        spec.insert("labels".to_owned(), Value::Object(labels.clone()));
        let owner = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "WorkloadGroup", "name": self.name, "uid": self.uid,
            "controller": true,
        });
        json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "WorkloadEntry",
            "metadata": {
                "name": name, "namespace": self.namespace, "labels": labels, "annotations": annotations,
                "ownerReferences": [owner],
            },
            "spec": spec,
        })
    }

    /// Creates the entry, or brings the one that is there up to date. What somebody else manages is not overwritten.
    pub async fn register(&self, cluster: &Cluster, name: &str, entry: &Value) -> anyhow::Result<Change> {
        let what = format!("apply WorkloadEntry {}/{name}", self.namespace);
        let entries = api(cluster, "WorkloadEntry", "workloadentries");
        let before = entries.get_opt(name).await.map_err(|error| explain(&what, &error))?;
        if let Some(other) = before.as_ref().and_then(|before| before.annotations().get(GROUP))
            && *other != self.name
        {
            let why = format!("it is of WorkloadGroup {other}");
            return Err(StartupError::new(format!("cannot {what}"), why, "choose another --name").into());
        }
        let applied = entries.patch(name, &PatchParams::apply(MANAGER), &Patch::Apply(entry)).await;
        applied.map_err(|error| refused(&what, &error))?;
        Ok(if before.is_some() { Change::Updated } else { Change::Created })
    }

    /// What one may not expect of us.
    pub fn notes(&self, capture: Capture) -> Vec<String> {
        let probe = self.spec.probe.as_ref().map(|_| {
            "the group's probe is not run: the machine gets requests as long as its WorkloadEntry is there".to_owned()
        });
        let dialled = (capture == Capture::None).then(|| {
            "nothing is redirected: a Sidecar with captureMode NONE says what the proxy listens on".to_owned()
        });
        probe.into_iter().chain(dialled).collect()
    }
}

fn refused(what: &str, error: &Error) -> StartupError {
    let Error::Api(status) = error else { return explain(what, error) };
    let remedy = match status.code {
        409 => "somebody else manages these fields: change them there, or choose another --name",
        400 | 422 => "correct the WorkloadGroup's template, or choose another --name",
        _ => return explain(what, error),
    };
    StartupError::new(format!("cannot {what}"), &status.message, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(spec: Value) -> Group {
        let mut object = DynamicObject::new("db", &resource("WorkloadGroup", "workloadgroups")).within("vms");
        object.metadata.uid = Some("u-1".into());
        object.data = json!({ "spec": spec });
        Group::read(&object).unwrap()
    }

    #[test]
    fn an_entry_has_all_that_the_template_says() {
        let group = group(json!({
            "metadata": {"labels": {"app": "db", "version": "v2"}, "annotations": {"team": "storage"}},
            "template": {"ports": {"http": 8080}, "labels": {"app": "old", "tier": "back"}, "network": "lab",
                "locality": "eu/a", "weight": 3, "serviceAccount": "db", "address": "1.1.1.1"},
        }));
        let entry = group.entry("db-1", "10.0.0.5".parse().unwrap());
        let labels = json!({"app": "db", "version": "v2", "tier": "back", "security.istio.io/tlsMode": "istio"});
        assert_eq!(
            entry["spec"],
            json!({
                "address": "10.0.0.5", "ports": {"http": 8080}, "labels": labels, "network": "lab", "locality": "eu/a",
                "weight": 3, "serviceAccount": "db",
            })
        );
        assert_eq!(entry["metadata"]["labels"], labels);
        assert_eq!(entry["metadata"]["annotations"], json!({"team": "storage", "weft.dev/workload-group": "db"}));
        assert_eq!(
            (&entry["metadata"]["ownerReferences"][0]["uid"], &entry["metadata"]["namespace"]),
            (&json!("u-1"), &json!("vms"))
        );
        assert!(group.notes(Capture::Redirect).is_empty());
    }

    #[test]
    fn an_empty_group_will_do() {
        let group = group(json!({"probe": {"httpGet": {"port": 80}}}));
        assert_eq!(group.service_account(), "default");
        assert_eq!(group.entry("x", "10.0.0.5".parse().unwrap())["spec"]["serviceAccount"], "default");
        assert_eq!(group.notes(Capture::None).len(), 2);
    }

    #[test]
    fn a_group_that_is_not_there_is_looked_for() {
        let found = [("vms".to_owned(), "database".to_owned()), ("shop".to_owned(), "cache".to_owned())];
        assert_eq!(remedy("vms", "databse", &found), "did you mean \"database\"?");
        assert_eq!(remedy("vms", "cache", &found), "did you mean -n shop?");
        assert!(remedy("vms", "queue", &found).contains("kubectl get workloadgroups"));
    }
}
