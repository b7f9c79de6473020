//! AuthorizationPolicies as RBAC filters. Where a rule cannot be expressed (HTTP fields on opaque TCP, CUSTOM
//! providers) an ALLOW loses that rule and a DENY loses only that condition, so that doubt always keeps out.

mod condition;
mod rule;
mod text;

use std::collections::BTreeMap;

use envoy_types::pb::envoy::{
    config::{
        listener::v3::{Filter, filter},
        rbac::v3::{Policy, Rbac, rbac::Action},
    },
    extensions::filters::{
        http::rbac::v3::Rbac as HttpRbac,
        network::{http_connection_manager::v3::HttpFilter, rbac::v3::Rbac as NetworkRbac},
    },
};
use weft_api::security::AuthorizationPolicy;

use super::hcm::http_filter;
use crate::{Proxy, canonical::pack, resolve::authorization, resolve::scope::Scope, snapshot::Typed};

const HTTP_RBAC: &str = "envoy.filters.http.rbac";
const NETWORK_RBAC: &str = "envoy.filters.network.rbac";

/// What a rule is translated for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    /// Opaque TCP: there is no request to look at.
    tcp: bool,
    /// Whether a condition that cannot be expressed voids its rule (ALLOW) or only itself.
    strict: bool,
    /// The mesh's trust domain, then its aliases.
    trust_domains: &'a [String],
    /// The policy's namespace.
    namespace: &'a str,
}

/// One RBAC filter's rules, by policy name.
type Rules = (Action, BTreeMap<String, Policy>);

/// The HTTP filters for a workload, in order: CUSTOM (not supported, so it keeps out), AUDIT, DENY, ALLOW.
pub(super) fn http_filters(scope: &Scope<'_>, proxy: &Proxy) -> Vec<HttpFilter> {
    rules(scope, proxy, false)
        .into_iter()
        .map(|rules| {
            let config = HttpRbac { rules: Some(rbac(rules)), ..HttpRbac::default() };
            http_filter(HTTP_RBAC, pack(&config))
        })
        .collect()
}

/// The network filters for a workload's opaque TCP ports.
pub(super) fn network_filters(scope: &Scope<'_>, proxy: &Proxy) -> Vec<Filter> {
    rules(scope, proxy, true)
        .into_iter()
        .map(|rules| {
            let config = NetworkRbac { rules: Some(rbac(rules)), stat_prefix: "tcp.".into(), ..NetworkRbac::default() };
            Filter { name: NETWORK_RBAC.into(), config_type: Some(filter::ConfigType::TypedConfig(pack(&config))) }
        })
        .collect()
}

fn rbac((action, policies): Rules) -> Rbac {
    Rbac { action: action as i32, policies: policies.into_iter().collect(), audit_logging_options: None }
}

fn rules(scope: &Scope<'_>, proxy: &Proxy, tcp: bool) -> Vec<Rules> {
    let found = authorization::policies(scope.view, proxy.namespace(), &proxy.labels);
    let trust_domains = &scope.view.mesh().trust_domains;
    let translate = |policies: &[&Typed<AuthorizationPolicy>], action: Action, note: &str| -> Rules {
        let mut named = BTreeMap::new();
        for policy in policies {
            let context =
                Context { tcp, strict: action == Action::Allow, trust_domains, namespace: policy.namespace() };
            for (index, rule) in policy.rules.iter().enumerate() {
                if let Some(translated) = rule::translate(rule, &context) {
                    named.insert(
                        format!("{note}ns[{}]-policy[{}]-rule[{index}]", policy.namespace(), policy.name()),
                        translated,
                    );
                }
            }
        }
        (action, named)
    };
    let mut filters = Vec::new();
    if !found.custom.is_empty() {
        filters.push(translate(&found.custom, Action::Deny, "custom-not-supported-"));
    }
    if !found.audit.is_empty() {
        filters.push(translate(&found.audit, Action::Log, ""));
    }
    if !found.deny.is_empty() {
        filters.push(translate(&found.deny, Action::Deny, ""));
    }
    if !found.allow.is_empty() {
        // Also without any rule left: then nobody is let in.
        filters.push(translate(&found.allow, Action::Allow, ""));
    }
    // A DENY, AUDIT or CUSTOM without rules matches nothing.
    filters.retain(|(action, policies)| *action == Action::Allow || !policies.is_empty());
    filters
}
