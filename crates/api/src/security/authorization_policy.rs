//! AuthorizationPolicy (<https://istio.io/latest/docs/reference/config/security/authorization-policy/>).

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Selector, TargetRef};
use crate::one_of::words;

/// Who may call what. Without rules, ALLOW lets nobody in.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct AuthorizationPolicy {
    /// Which workloads; none is all of the namespace, or of the mesh in the root namespace.
    pub selector: Option<Selector>,
    /// What it is attached to, in place of a selector, deprecated form.
    pub target_ref: Option<TargetRef>,
    /// What it is attached to, in place of a selector.
    pub target_refs: Vec<TargetRef>,
    /// Any of these must match.
    pub rules: Vec<Rule>,
    /// What a match means.
    pub action: Action,
    /// Who decides, for CUSTOM.
    pub provider: Option<Provider>,
}

words! {
    /// What a match means.
    Action {
        /// Let in; whatever no ALLOW policy of a workload matches is kept out.
        #[default]
        Allow = "ALLOW",
        /// Keep out, whatever other policies say.
        Deny = "DENY",
        /// Note.
        Audit = "AUDIT",
        /// Ask the provider.
        Custom = "CUSTOM",
    }
}

/// Who decides, for CUSTOM.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Provider {
    /// Name of an extension provider in the mesh's settings.
    pub name: String,
}

/// Matches when each of the three that is given does. An empty rule matches everything.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Rule {
    /// Any of these.
    pub from: Vec<From>,
    /// Any of these.
    pub to: Vec<To>,
    /// All of these.
    pub when: Vec<Condition>,
}

/// A source, in its envelope.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct From {
    /// The source.
    pub source: Source,
}

/// Who calls; every list that is given must match with any of its entries (`not…`: with none). Entries are exact,
/// `prefix*`, `*suffix` or `*`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Source {
    /// Peer identities without `spiffe://`.
    pub principals: Vec<String>,
    /// None of these.
    pub not_principals: Vec<String>,
    /// `issuer/subject` of the JWT.
    pub request_principals: Vec<String>,
    /// None of these.
    pub not_request_principals: Vec<String>,
    /// Peer namespaces.
    pub namespaces: Vec<String>,
    /// None of these.
    pub not_namespaces: Vec<String>,
    /// Peer service accounts, `name` or `namespace/name`.
    pub service_accounts: Vec<String>,
    /// None of these.
    pub not_service_accounts: Vec<String>,
    /// Peer addresses or CIDR ranges.
    pub ip_blocks: Vec<String>,
    /// None of these.
    pub not_ip_blocks: Vec<String>,
    /// Original client addresses or CIDR ranges.
    pub remote_ip_blocks: Vec<String>,
    /// None of these.
    pub not_remote_ip_blocks: Vec<String>,
}

/// An operation, in its envelope.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct To {
    /// The operation.
    pub operation: Operation,
}

/// What is called; matched like [`Source`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Operation {
    /// Hosts, case ignored.
    pub hosts: Vec<String>,
    /// None of these.
    pub not_hosts: Vec<String>,
    /// Ports of the workload, as text.
    pub ports: Vec<String>,
    /// None of these.
    pub not_ports: Vec<String>,
    /// Methods.
    pub methods: Vec<String>,
    /// None of these.
    pub not_methods: Vec<String>,
    /// Paths, or path templates with `{*}` and `{**}`.
    pub paths: Vec<String>,
    /// None of these.
    pub not_paths: Vec<String>,
}

/// A further condition.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Condition {
    /// Attribute, such as `request.headers[x-tenant]` or `source.namespace`.
    pub key: String,
    /// Any of these.
    pub values: Vec<String>,
    /// None of these.
    pub not_values: Vec<String>,
}
