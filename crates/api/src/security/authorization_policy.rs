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

impl Source {
    /// Those of the principals that are in none of the namespaces, so that nobody is both. A pattern that does not say
    /// its namespace may fit any.
    pub fn strangers(&self) -> Vec<&str> {
        let in_none = |principal: &&str| {
            let namespace = namespace_of(principal);
            namespace.is_some_and(|name| !self.namespaces.iter().any(|pattern| fits(pattern, name)))
        };
        let all = self.principals.iter().map(String::as_str);
        if self.namespaces.is_empty() { Vec::new() } else { all.filter(in_none).collect() }
    }

    /// Whether nobody can match, because every principal is in another namespace than those that are asked for.
    pub fn is_nobody(&self) -> bool {
        !self.principals.is_empty() && self.strangers().len() == self.principals.len()
    }
}

/// The namespace in `…/ns/<namespace>/sa/…`, where it is written out.
fn namespace_of(principal: &str) -> Option<&str> {
    let (name, _) = principal.split_once("/ns/")?.1.split_once('/')?;
    (!name.contains('*')).then_some(name)
}

/// Exact, `prefix*`, `*suffix` or `*`.
fn fits(pattern: &str, text: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(suffix), _) if text.ends_with(suffix) => true,
        (_, Some(prefix)) => text.starts_with(prefix),
        _ => pattern == text,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn source(principals: &[&str], namespaces: &[&str]) -> Source {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Source { principals: owned(principals), namespaces: owned(namespaces), ..Source::default() }
    }

    #[test]
    fn a_source_that_is_nobody_is_known() {
        let cart = "cluster.local/ns/shop/sa/cart";
        for namespaces in [&["bank"][..], &["bank", "sho"], &["*-shop"], &["shops*"]] {
            assert!(source(&[cart], namespaces).is_nobody(), "{namespaces:?}");
            assert!(source(&["*/ns/shop/sa/cart"], namespaces).is_nobody(), "{namespaces:?}");
            let one_more = source(&[cart, "cluster.local/ns/bank/sa/*"], &["bank"]);
            assert!(!one_more.is_nobody());
            assert_eq!(one_more.strangers(), [cart]);
        }
        for namespaces in [&["shop"][..], &[], &["bank", "shop"], &["*"], &["sh*"], &["*op"]] {
            assert!(!source(&[cart], namespaces).is_nobody(), "{namespaces:?}");
        }
        // A pattern may be of any namespace.
        for principal in ["*", "*/sa/cart", "cluster.local/ns/sh*", "cluster.local/ns/*/sa/cart", "odd"] {
            assert!(!source(&[principal], &["bank"]).is_nobody(), "{principal}");
        }
        assert!(!source(&[], &["bank"]).is_nobody());
    }
}
