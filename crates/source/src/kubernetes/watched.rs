//! What is followed, and which right that takes.

use kube::api::ApiResource;
use weft_api::{Kind, Scope};

use super::ledger::Name;

/// One kind, as far as one feed follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Watched {
    pub(super) what: What,
    pub(super) version: &'static str,
    /// Only in this namespace.
    pub(super) namespace: Option<String>,
    /// Only the object of this name.
    pub(super) name: Option<String>,
}

/// The resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A kind whose objects are handed on.
    Kind(Kind),
    /// CustomResourceDefinitions, which tell the kinds that there are.
    Definitions,
}

/// Core kinds that are followed from the beginning to the end. Every other one but Secrets is defined by a
/// CustomResourceDefinition.
const CORE: [Kind; 5] = [Kind::Namespace, Kind::Node, Kind::Service, Kind::EndpointSlice, Kind::Pod];

impl Watched {
    /// The definitions of custom kinds.
    pub(super) fn definitions() -> Self {
        Self { what: What::Definitions, version: "v1", namespace: None, name: None }
    }

    /// What is followed whatever the cluster has; `endpoints` says whether EndpointSlices belong to it.
    pub(super) fn always(root_namespace: &str, endpoints: bool) -> Vec<Self> {
        let settings = Self {
            namespace: Some(root_namespace.to_owned()),
            name: Some("istio".to_owned()),
            ..Self::all(Kind::ConfigMap, "v1")
        };
        let core = CORE.into_iter().filter(|kind| endpoints || *kind != Kind::EndpointSlice);
        core.map(|kind| Self::all(kind, kind.versions()[0])).chain([settings]).collect()
    }

    /// All objects of a kind.
    pub(super) fn all(kind: Kind, version: &'static str) -> Self {
        Self { what: What::Kind(kind), version, namespace: None, name: None }
    }

    /// One Secret.
    pub(super) fn secret(name: &Name) -> Self {
        Self {
            what: What::Kind(Kind::Secret),
            version: "v1",
            namespace: Some(name.namespace.to_string()),
            name: Some(name.name.to_string()),
        }
    }

    /// The kind whose objects are handed on, if it is one.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self.what {
            What::Kind(kind) => Some(kind),
            What::Definitions => None,
        }
    }

    /// Whether what a proxy is told depends on it: without a kind that this holds for, proxies had better keep what they
    /// have. Where nodes stand, which Secrets a gateway shows and kinds that are only kept do not count.
    pub(super) fn required(&self) -> bool {
        let spared =
            [Kind::Node, Kind::Secret, Kind::WorkloadGroup, Kind::EnvoyFilter, Kind::ProxyConfig, Kind::WasmPlugin];
        self.kind().is_none_or(|kind| !spared.contains(&kind))
    }

    pub(super) fn resource(&self) -> ApiResource {
        let (group, kind, plural) = self.names();
        let api_version = if group.is_empty() { self.version.to_owned() } else { format!("{group}/{}", self.version) };
        ApiResource {
            group: group.to_owned(),
            version: self.version.to_owned(),
            api_version,
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        }
    }

    /// What people call it.
    pub(super) fn title(&self) -> String {
        let (_, kind, _) = self.names();
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => format!("{kind} {namespace}/{name}"),
            _ => format!("{kind} objects"),
        }
    }

    /// The rule that allows it, as a role has it.
    pub(super) fn rule(&self) -> String {
        let (group, _, plural) = self.names();
        let names = self.name.as_ref().map(|name| format!(" resourceNames: [{name:?}],")).unwrap_or_default();
        let rule =
            format!("apiGroups: [{group:?}], resources: [{plural:?}],{names} verbs: [\"get\", \"list\", \"watch\"]");
        match &self.namespace {
            Some(namespace) => format!("a Role in namespace {namespace} with the rule {{ {rule} }}"),
            None => format!("a ClusterRole with the rule {{ {rule} }}"),
        }
    }

    fn names(&self) -> (&'static str, &'static str, &'static str) {
        match self.what {
            What::Kind(kind) => (kind.group(), kind.name(), kind.plural()),
            What::Definitions => ("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions"),
        }
    }

    /// Whether objects of this kind can be out of sight by namespace.
    pub(super) fn namespaced(&self) -> bool {
        self.kind().is_some_and(|kind| kind.scope() == Scope::Namespaced)
    }
}
