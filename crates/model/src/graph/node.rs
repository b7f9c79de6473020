use serde::{Deserialize, Serialize};

use crate::Severity;

/// The state of health of a node or an edge; each has its own colour and its own shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Known not to carry traffic.
    #[default]
    Idle,
    /// Not known: the data to tell is missing.
    Unknown,
    /// Within thresholds.
    Healthy,
    /// Above the degraded threshold.
    Degraded,
    /// Above the failing threshold.
    Failing,
}

/// What a node stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    /// A workload with a proxy; in the versioned-app view, a version of an app.
    #[default]
    Workload,
    /// A workload without a proxy.
    Unmeshed,
    /// An ingress gateway.
    Gateway,
    /// An egress gateway.
    Egress,
    /// A service, in the service view.
    Service,
    /// An app, its versions taken together.
    App,
    /// A host outside the mesh: one that a ServiceEntry names, or one that a proxy passed through to.
    External,
    /// Callers that cannot be told apart.
    Unknown,
    /// Everything that the reader may not see, taken together: totals, no names.
    Hidden,
}

/// A mark on a node, each with words of its own on hover.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Badge {
    /// `canary`, `fault`, `circuit-breaker`, `missing-sidecar` or `lint`.
    pub kind: String,
    /// The worst finding's severity, for `lint`.
    pub severity: Option<Severity>,
    /// What hovering says.
    pub text: String,
    /// Namespace of the object that it follows from, which decides who is shown the words. It is never sent.
    #[serde(skip)]
    pub namespace: String,
}

/// Begins the id of a host outside the mesh. Neither this nor what follows can begin the id of a workload: no namespace
/// has a colon in its name.
pub const EXTERNAL: &str = "external:";
/// Begins the id of a service.
pub const SERVICE: &str = "service:";
/// Ends the id of a service that stands for none of its workloads: for what was asked of it and reached none.
pub const UNREACHED: &str = "/none";
/// Begins the id of an application, and of one of its versions.
pub const APP: &str = "app:";

/// Stands behind the name of a service of which no workload was reached.
pub const NO_WORKLOAD: &str = " (no workload)";

/// What the node of an id is called: a service by namespace and name, as lists have it, and with a word more where it stands
/// for none of its workloads ([`NO_WORKLOAD`]), one of which may have the same name; everything else by the id.
pub fn called(id: &str) -> String {
    let Some(host) = id.strip_prefix(SERVICE) else { return id.to_owned() };
    let (host, cluster) = host.split_at(host.find('@').unwrap_or(host.len()));
    let (host, none) = host.strip_suffix(UNREACHED).map_or((host, ""), |host| (host, NO_WORKLOAD));
    let mut parts = host.split('.');
    let name = match (parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(namespace), Some("svc")) => format!("{namespace}/{name}"),
        _ => host.to_owned(),
    };
    format!("{name}{cluster}{none}")
}

/// One node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Stable across refreshes: `namespace/workload`, `service:HOST`, `service:HOST/none` for what reached none of its
    /// workloads, `app:namespace/APP`, `app:namespace/APP/VERSION`, `external:HOST`, `unknown` or `hidden`. Where several
    /// clusters are told apart, what is of another one than the console's own has `@CLUSTER` behind it.
    pub id: String,
    /// What it stands for.
    pub kind: NodeKind,
    /// Namespace; empty when not known.
    pub namespace: String,
    /// Workload name; of a service its name, of an app the app's, of a version the version's workload.
    pub workload: String,
    /// `app` label.
    pub app: String,
    /// `version` label.
    pub version: String,
    /// Health of the traffic that it receives.
    pub health: Health,
    /// Requests per second that come in.
    pub rate_in: f64,
    /// Requests per second that go out.
    pub rate_out: f64,
    /// Share of incoming requests that fail (5xx, no answer, failed gRPC), 0 to 1, or of outgoing ones where none come in, as
    /// health has it; `None` without traffic.
    pub error_share: Option<f64>,
    /// Share of incoming requests that are answered with 4xx, 0 to 1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub client_error_share: f64,
    /// Bytes per second that come in and that go out, request bodies and TCP.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes_in: f64,
    /// See [`Node::bytes_in`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes_out: f64,
    /// TCP connections opened per second, incoming.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub connections_in: f64,
    /// Full host name, of a service or an external host.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// Cluster, where the window's series name more than one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// The box that it stands in, if any: id of one of [`super::Graph::boxes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Of a service, an app or a version: ids (`namespace/workload`) of the workloads that it stands for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<String>,
    /// Of an external host: why it is one, in words (`configured by ServiceEntry shop/mail`, `passed through`).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub origin: String,
    /// Marks.
    pub badges: Vec<Badge>,
}

/// A box around the versions of one app.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AppBox {
    /// `app:namespace/APP`, with `@CLUSTER` behind it as of [`Node::id`].
    pub id: String,
    /// Namespace.
    pub namespace: String,
    /// `app` label.
    pub app: String,
    /// Cluster, where the window's series name more than one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// The worst of its versions.
    pub health: Health,
    /// Requests per second that come in from outside of the box.
    pub rate_in: f64,
}

impl Node {
    /// Whether it is of another cluster than the console's own.
    pub fn is_foreign(&self) -> bool {
        is_foreign(&self.id, &self.cluster)
    }
}

impl AppBox {
    /// Whether it is of another cluster than the console's own.
    pub fn is_foreign(&self) -> bool {
        is_foreign(&self.id, &self.cluster)
    }
}

/// Whether the id of something in `cluster` says that this is another cluster than the console's own.
pub fn is_foreign(id: &str, cluster: &str) -> bool {
    !cluster.is_empty() && id.strip_suffix(cluster).is_some_and(|rest| rest.ends_with('@'))
}

#[allow(clippy::trivially_copy_pass_by_ref)]
pub(super) fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

#[cfg(test)]
mod tests {
    use super::called;

    #[test]
    fn a_service_is_called_as_lists_call_it() {
        for (id, name) in [
            ("service:pay.shop.svc.cluster.local", "shop/pay"),
            ("service:pay.shop.svc.cluster.local/none", "shop/pay (no workload)"),
            ("service:pay.shop.svc/none@arn:aws/west", "shop/pay@arn:aws/west (no workload)"),
            ("service:api.pay.example/none", "api.pay.example (no workload)"),
            ("shop/pay", "shop/pay"),
            ("external:api.pay.example", "external:api.pay.example"),
        ] {
            assert_eq!(called(id), name, "{id}");
        }
    }
}
