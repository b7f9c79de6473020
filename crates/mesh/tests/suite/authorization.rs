//! AuthorizationPolicies as they reach the proxy.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::{
    config::{
        listener::v3::{FilterChain, filter},
        rbac::v3::{Policy, rbac::Action},
    },
    extensions::filters::{
        http::rbac::v3::Rbac as HttpRbac,
        network::{
            http_connection_manager::v3::{HttpConnectionManager, http_filter},
            rbac::v3::Rbac as NetworkRbac,
        },
    },
};
use prost::Message;

use crate::{
    debug_text,
    estate::{for_sidecar, listener, pair},
};

type Filters = Vec<(Action, BTreeMap<String, Policy>)>;

fn policy(name: &str, namespace: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n{spec}\n"
    )
}

fn chain(policies: &str, http: bool) -> FilterChain {
    let mut estate = pair();
    if !http {
        estate = estate.replace("protocol: HTTP, name: http", "protocol: TCP, name: tcp");
    }
    listener(&for_sidecar(&(estate + policies), "shop/b"), "127.0.0.2_8080").filter_chains.remove(0)
}

fn http(policies: &str) -> Filters {
    let chain = chain(policies, true);
    let Some(filter::ConfigType::TypedConfig(any)) = &chain.filters[0].config_type else { panic!() };
    let manager = HttpConnectionManager::decode(any.value.as_slice()).unwrap();
    let rbac = manager.http_filters.iter().filter(|f| f.name == "envoy.filters.http.rbac");
    rbac.map(|f| {
        let Some(http_filter::ConfigType::TypedConfig(any)) = &f.config_type else { panic!() };
        let rules = HttpRbac::decode(any.value.as_slice()).unwrap().rules.unwrap();
        (rules.action(), rules.policies.into_iter().collect())
    })
    .collect()
}

fn tcp(policies: &str) -> Filters {
    let chain = chain(policies, false);
    let rbac = chain.filters.iter().filter(|f| f.name == "envoy.filters.network.rbac");
    rbac.map(|f| {
        let Some(filter::ConfigType::TypedConfig(any)) = &f.config_type else { panic!() };
        let rules = NetworkRbac::decode(any.value.as_slice()).unwrap().rules.unwrap();
        (rules.action(), rules.policies.into_iter().collect())
    })
    .collect()
}

fn only(filters: &Filters) -> &Policy {
    assert_eq!(filters.len(), 1);
    assert_eq!(filters[0].1.len(), 1, "{:?}", filters[0].1.keys());
    filters[0].1.values().next().unwrap()
}

fn text(policy: &Policy) -> String {
    debug_text::of(policy).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn no_policy_no_filter() {
    assert!(http("").is_empty());
    assert!(http(&policy("p", "shop", "  selector: {matchLabels: {app: other}}\n  rules: [{}]")).is_empty());
    assert!(http(&policy("p", "pay", "  rules: [{}]")).is_empty());
}

#[test]
fn an_allow_without_rules_lets_nobody_in() {
    let filters = http(&policy("p", "shop", "  action: ALLOW"));
    assert_eq!(filters[0].0, Action::Allow);
    assert!(filters[0].1.is_empty());
    assert!(http(&policy("p", "shop", "  action: DENY")).is_empty());
}

#[test]
fn deny_comes_before_allow_and_the_root_namespace_is_mesh_wide() {
    let allow = policy("a", "shop", "  rules: [{}]");
    let deny = policy("d", "istio-system", "  action: DENY\n  rules: [{from: [{source: {namespaces: [bad]}}]}]");
    let filters = http(&(allow + &deny));
    assert_eq!(filters.iter().map(|f| f.0).collect::<Vec<_>>(), [Action::Deny, Action::Allow]);
    assert_eq!(filters[0].1.keys().collect::<Vec<_>>(), ["ns[istio-system]-policy[d]-rule[0]"]);
    assert_eq!(text(&filters[1].1["ns[shop]-policy[a]-rule[0]"]), "permissions: - Any: true principals: - Any: true");
}

#[test]
fn custom_is_not_supported_and_keeps_out() {
    let filters = http(&policy("c", "shop", "  action: CUSTOM\n  provider: {name: x}\n  rules: [{}]"));
    assert_eq!(filters[0].0, Action::Deny);
    assert_eq!(filters[0].1.keys().collect::<Vec<_>>(), ["custom-not-supported-ns[shop]-policy[c]-rule[0]"]);
}

#[test]
fn principals_are_exact_prefix_suffix_or_any() {
    let with = |p: &str| {
        text(only(&http(&policy("p", "shop", &format!("  rules: [{{from: [{{source: {{principals: ['{p}']}}}}]}}]")))))
    };
    assert!(with("other.org/ns/a/sa/b").contains("Exact: \"spiffe://other.org/ns/a/sa/b\""));
    assert!(with("other.org/ns/a/*").contains("Prefix: \"spiffe://other.org/ns/a/\""));
    assert!(with("*/sa/b").contains("Suffix: \"/sa/b\""));
    assert!(with("*").contains("regex: \".+\""));
}

#[test]
fn cluster_local_stands_for_the_meshs_trust_domain() {
    let mesh = "---
apiVersion: weft.dev/v1alpha1
kind: Mesh
metadata: {name: m}
spec: {meshConfig: {trustDomainAliases: [old.example.com]}}
";
    let found = text(only(&http(
        &(policy("p", "shop", "  rules: [{from: [{source: {principals: [old.example.com/ns/a/sa/b]}}]}]") + mesh),
    )));
    assert!(found.contains("spiffe://cluster.local/ns/a/sa/b") && found.contains("spiffe://old.example.com/ns/a/sa/b"));
}

#[test]
fn sources_operations_and_conditions() {
    let spec = "  rules:
  - from:
    - source: {namespaces: [shop], notPrincipals: [x/ns/a/sa/b], ipBlocks: [10.1.2.3/8], serviceAccounts: [s, other/t]}
    to:
    - operation: {hosts: [A.example.com], ports: ['8080'], methods: [GET], paths: ['/a/{*}/b', '*.png'], notPaths: [/secret]}
    when:
    - {key: 'request.headers[x-tenant]', values: [one, 'two*']}
    - {key: connection.sni, notValues: [bad]}
    - {key: source.ip, values: [::1]}
    - {key: destination.port, values: ['8080']}";
    let filters = http(&policy("p", "shop", spec));
    let found = text(only(&filters));
    for part in [
        "regex: \"spiffe://[^/]+/ns/shop/sa/.+\"",
        "regex: \"spiffe://[^/]+/ns/shop/sa/s\"",
        "regex: \"spiffe://[^/]+/ns/other/sa/t\"",
        "NotId: Authenticated",
        "address_prefix: \"10.0.0.0\" prefix_len: 8",
        "address_prefix: \"::1\" prefix_len: 128",
        "ignore_case: true Exact: \"A.example.com\"",
        "DestinationPort: 8080",
        "regex: \"/a/[^/]+/b\"",
        "Suffix: \".png\"",
        "NotRule: UrlPath",
        "name: \"x-tenant\"",
        "Prefix: \"two\"",
        "NotRule: RequestedServerName",
    ] {
        assert!(found.contains(part), "{part} not in {found}");
    }
}

#[test]
fn http_fields_on_tcp_void_an_allow_and_widen_a_deny() {
    let rule =
        "  rules: [{from: [{source: {namespaces: [shop]}}], to: [{operation: {methods: [GET], ports: ['8080']}}]}]";
    let allow = tcp(&policy("p", "shop", rule));
    assert_eq!(allow[0].0, Action::Allow);
    assert!(allow[0].1.is_empty(), "the rule is gone, nobody is let in");
    let deny = tcp(&policy("p", "shop", &format!("  action: DENY\n{rule}")));
    let found = text(only(&deny));
    assert!(found.contains("DestinationPort: 8080") && !found.contains(":method"), "{found}");
}

#[test]
fn claims_of_tokens_never_match() {
    let allow = http(&policy("p", "shop", "  rules: [{from: [{source: {requestPrincipals: ['*']}}]}]"));
    assert!(text(only(&allow)).contains("NotId: Any: true"));
    let unknown = http(&policy("p", "shop", "  rules: [{when: [{key: nonsense, values: [x]}]}]"));
    assert!(unknown[0].1.is_empty());
}

#[test]
fn policies_in_a_dry_run_or_attached_elsewhere_do_not_hold() {
    let dry =
        policy("p", "shop", "  action: ALLOW").replace("name: p,", "name: p, annotations: {istio.io/dry-run: 'true'},");
    assert!(http(&dry).is_empty());
    let attached = policy("p", "shop", "  targetRefs: [{kind: Service, name: b}]");
    assert!(http(&attached).is_empty());
}
