//! The namespace of the installation, and what others keep in it: that would go with it.

use k8s_openapi::{api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Error, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams},
    discovery::{Discovery, Scope, verbs},
};
use weft_install::names;
use weft_operator::reconcile::conditions::first;

use super::report::End;
use crate::cluster::{Cluster, explain};

/// Why a namespace stays that somebody else made.
const NOT_OURS: &str = "weft install did not make it";
/// Groups whose objects Kubernetes makes of others, or nobody would miss; some are served by add-ons that may be away. Ours has
/// nothing in namespaces, and is on its way out when a removal is repeated.
const DERIVED: [&str; 7] = [
    "weft.dev",
    "metrics.k8s.io",
    "custom.metrics.k8s.io",
    "external.metrics.k8s.io",
    "events.k8s.io",
    "discovery.k8s.io",
    "coordination.k8s.io",
];
/// The same of the group without a name.
const DERIVED_KINDS: [&str; 2] = ["Event", "Endpoints"];
/// What is put into every namespace.
const EVERYWHERE: [(&str, &str); 5] = [
    ("ServiceAccount", "default"),
    ("ConfigMap", "kube-root-ca.crt"),
    ("ConfigMap", "openshift-service-ca.crt"),
    ("ConfigMap", "istio-ca-root-cert"),
    ("ConfigMap", names::ROOT_CONFIG_MAP),
];
/// How many objects of one kind are looked at: one that is not ours is enough to keep the namespace.
const LOOK: u32 = 500;

/// What becomes of the namespace when the operator goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes.
    Goes,
    /// It is not there.
    Absent,
    /// `weft install` did not make it.
    NotOurs,
    /// It stays because of these, each as `Kind name` or as the reason why it cannot be known.
    Holds(Vec<String>),
}

impl Fate {
    /// Whether it is removed; `all` of it, if need be.
    pub(super) fn goes(&self, all: bool) -> bool {
        match self {
            Self::Goes => true,
            Self::Absent | Self::NotOurs => false,
            Self::Holds(_) => all,
        }
    }

    /// What becomes of it and of what others keep in it (the first ten, and how many more there are); nothing where that is
    /// what anybody expects.
    pub(super) fn told(&self, namespace: &str, all: bool) -> Option<String> {
        let held = match self {
            Self::Holds(held) => held,
            Self::Goes => return None,
            Self::Absent => return all.then(|| format!("Namespace {namespace} is not there")),
            Self::NotOurs => {
                return all.then(|| {
                    format!("Namespace {namespace} stays: {NOT_OURS} (kubectl delete namespace {namespace} removes it)")
                });
            }
        };
        let held = first(held, 10, ", ");
        Some(if all {
            format!("Namespace {namespace} goes with what is not Weft's: {held}")
        } else {
            format!("Namespace {namespace} stays for what is not Weft's: {held} (--delete-namespace removes it all)")
        })
    }

    /// What keeps it.
    pub(super) fn held(self) -> Vec<String> {
        match self {
            Self::Holds(held) => held,
            Self::Goes | Self::Absent | Self::NotOurs => Vec::new(),
        }
    }

    /// The same for programs; `all` of it goes, if need be.
    pub(super) fn end(&self, namespace: &str, all: bool) -> End {
        match self {
            Self::Absent => End::absent(namespace),
            _ if self.goes(all) => End::removed(namespace),
            Self::NotOurs | Self::Goes => End::kept(namespace, NOT_OURS),
            Self::Holds(_) => End::kept(namespace, "it holds what is not Weft's"),
        }
    }
}

/// Looks at the namespace of the installation.
///
/// # Errors
/// When the namespace itself cannot be looked at.
pub(super) async fn fate(cluster: &Cluster) -> anyhow::Result<Fate> {
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    let doing = format!("look at Namespace {}", cluster.system);
    let found = api.get_opt(&cluster.system).await.map_err(|error| explain(&doing, &error))?;
    let Some(space) = found else { return Ok(Fate::Absent) };
    let label = space.metadata.labels.and_then(|mut labels| labels.remove("app.kubernetes.io/part-of"));
    if label.as_deref() != Some("weft") {
        return Ok(Fate::NotOurs);
    }
    // What cannot be seen may be dear to somebody.
    let held = others(cluster).await.unwrap_or_else(|error| {
        let unknown = explain(&format!("see what else is in Namespace {}", cluster.system), &error);
        vec![unknown.to_string()]
    });
    Ok(if held.is_empty() { Fate::Goes } else { Fate::Holds(held) })
}

/// Everything in the namespace that is not Weft's, as `Kind name`.
async fn others(cluster: &Cluster) -> Result<Vec<String>, Error> {
    let known = Discovery::new(cluster.client.clone()).exclude(&DERIVED).run().await?;
    let mut found = Vec::new();
    for (kind, can) in known.groups_alphabetical().into_iter().flat_map(|group| group.recommended_resources()) {
        let derived = kind.group.is_empty() && DERIVED_KINDS.contains(&kind.kind.as_str());
        if can.scope == Scope::Namespaced && can.supports_operation(verbs::LIST) && !derived {
            found.extend(of_kind(cluster, &kind).await?);
        }
    }
    Ok(found)
}

async fn of_kind(cluster: &Cluster, kind: &ApiResource) -> Result<Vec<String>, Error> {
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), &cluster.system, kind);
    match api.list_metadata(&ListParams::default().limit(LOOK)).await {
        Ok(list) => {
            let others = list.items.iter().filter(|object| is_others(&kind.kind, &object.metadata));
            Ok(others.map(|object| format!("{} {}", kind.kind, object.name_any())).collect())
        }
        // It went meanwhile, or is no kind that keeps objects.
        Err(Error::Api(status)) if matches!(status.code, 404..=406) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Whether somebody else made an object, and not as a part of another one.
fn is_others(kind: &str, meta: &ObjectMeta) -> bool {
    let label = |name: &str| meta.labels.as_ref().and_then(|labels| labels.get(name)).map(String::as_str);
    let ours = label("app.kubernetes.io/part-of") == Some("weft")
        || label("app.kubernetes.io/managed-by") == Some(names::FIELD_MANAGER)
        || label(names::MESH_LABEL).is_some();
    let owned = meta.owner_references.as_ref().is_some_and(|owners| !owners.is_empty());
    let name = meta.name.as_deref().unwrap_or_default();
    !ours && !owned && !EVERYWHERE.contains(&(kind, name)) && meta.deletion_timestamp.is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_namespace_of_others_goes_only_when_it_is_said() {
        let held = || Fate::Holds(vec!["Secret shop-tls".into()]);
        assert!(Fate::Goes.goes(false) && !Fate::NotOurs.goes(true));
        assert!(!held().goes(false) && held().goes(true));
        assert_eq!((held().held().len(), Fate::NotOurs.held().len()), (1, 0));
        assert_eq!(Fate::Goes.told("weft-system", true), None);
        // Asked for and not done: never in silence.
        for (fate, word) in
            [(Fate::Absent, "is not there"), (Fate::NotOurs, "weft install did not make it (kubectl delete")]
        {
            assert_eq!(fate.told("weft-system", false), None);
            let told = fate.told("weft-system", true).unwrap();
            assert!(told.contains("weft-system") && told.contains(word), "{told}");
        }
        let end = |fate: Fate, all| serde_json::to_value(fate.end("weft-system", all)).unwrap();
        assert_eq!(end(Fate::Goes, false), json!({"name": "weft-system", "outcome": "removed"}));
        assert_eq!(end(Fate::Absent, true), json!({"name": "weft-system", "outcome": "absent"}));
        assert_eq!(end(Fate::NotOurs, true)["why"], "weft install did not make it");
        assert_eq!(
            end(held(), false),
            json!({"name": "weft-system", "outcome": "kept", "why": "it holds what is not Weft's"})
        );
        assert_eq!(end(held(), true)["outcome"], "removed");
        let many = Fate::Holds((0..12).map(|n| format!("Secret tls-{n}")).collect());
        let told = many.told("weft-system", false).unwrap();
        assert!(told.contains("stays") && told.contains("Secret tls-9 and 2 more (--delete-namespace"), "{told}");
        assert!(many.told("weft-system", true).unwrap().contains("goes with"));
    }

    #[test]
    fn what_others_made_is_told_from_ours_and_from_what_is_everywhere() {
        let others = |kind: &str, meta: Value| is_others(kind, &serde_json::from_value(meta).unwrap());
        assert!(others("Secret", json!({"name": "shop-tls"})));
        assert!(others("ConfigMap", json!({"name": "default", "labels": {"app.kubernetes.io/part-of": "shop"}})));
        for ours in [
            json!({"app.kubernetes.io/part-of": "weft"}),
            json!({"app.kubernetes.io/managed-by": "weft-operator"}),
            json!({"weft.dev/mesh": "main"}),
        ] {
            assert!(!others("Secret", json!({"name": "weft-ca", "labels": ours})));
        }
        let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "a", "uid": "1"}]);
        assert!(!others("Pod", json!({"name": "a-1", "ownerReferences": owner})));
        assert!(!others("ServiceAccount", json!({"name": "default"})));
        assert!(!others("ConfigMap", json!({"name": "kube-root-ca.crt"})));
        assert!(!others("Secret", json!({"name": "a", "deletionTimestamp": "2026-11-23T20:00:00Z"})));
    }
}
