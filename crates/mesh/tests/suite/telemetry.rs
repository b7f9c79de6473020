//! What proxies trace, as Telemetry objects have it.

use envoy_types::pb::envoy::{
    config::listener::v3::{Listener, filter::ConfigType},
    extensions::filters::network::http_connection_manager::v3::{
        HttpConnectionManager, http_connection_manager::Tracing,
    },
    r#type::tracing::v3::custom_tag::Type,
};
use prost::Message;
use weft_mesh::Resources;

use crate::estate::{app, for_gateway, for_sidecar, listener, pair};

fn telemetry(name: &str, namespace: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"
    )
}

/// The tracing of a listener's HTTP chains, which all have the same.
fn tracing(listener: &Listener) -> Option<Tracing> {
    let filters = listener.filter_chains.iter().flat_map(|chain| &chain.filters);
    let mut found: Vec<Option<Tracing>> = Vec::new();
    for filter in filters.filter(|filter| filter.name.ends_with("http_connection_manager")) {
        let Some(ConfigType::TypedConfig(any)) = &filter.config_type else { panic!("{filter:?}") };
        found.push(HttpConnectionManager::decode(&any.value[..]).unwrap().tracing);
    }
    found.dedup();
    let [one] = found.as_slice() else { panic!("{found:?}") };
    one.clone()
}

fn percent(tracing: Option<Tracing>) -> Option<f64> {
    tracing.map(|tracing| tracing.random_sampling.expect("a share").value)
}

/// Of shop/b, in and out.
fn both(resources: &Resources) -> (Option<f64>, Option<f64>) {
    let of = |name: &str| percent(tracing(&listener(resources, name)));
    (of("127.0.0.2_8080"), of("127.0.9.1_8080"))
}

fn sampled(objects: &[&str]) -> (Option<f64>, Option<f64>) {
    both(&for_sidecar(&(pair() + &objects.concat()), "shop/b"))
}

#[test]
fn the_narrowest_that_says_something_counts() {
    let share = |percent: &str| format!("{{tracing: [{{randomSamplingPercentage: {percent}}}]}}");
    assert_eq!(sampled(&[]), (Some(1.0), Some(1.0)), "the mesh's own default");
    let mesh = telemetry("default", "istio-system", &share("20"));
    assert_eq!(sampled(&[&mesh]), (Some(20.0), Some(20.0)));
    let namespace = telemetry("default", "shop", &share("30.25"));
    assert_eq!(sampled(&[&mesh, &namespace]), (Some(30.25), Some(30.25)));
    let workload = telemetry(
        "b",
        "shop",
        "{selector: {matchLabels: {app: b}}, tracing: [{randomSamplingPercentage: 0, match: {mode: SERVER}}]}",
    );
    assert_eq!(sampled(&[&workload, &namespace, &mesh]), (Some(0.0), Some(30.25)), "zero is no absence");
    // What is left out is as the wider ones have it.
    let silent = telemetry("b", "shop", "{selector: {matchLabels: {app: b}}, tracing: [{providers: [{name: otel}]}]}");
    assert_eq!(sampled(&[&silent, &namespace]), (Some(30.25), Some(30.25)));
    let nothing = telemetry("default", "shop", "{tracing: [{randomSamplingPercentage: null}]}");
    assert_eq!(sampled(&[&nothing, &mesh]), (Some(20.0), Some(20.0)));
    // Another workload's, and one that is attached to something.
    let other = telemetry("a", "shop", "{selector: {matchLabels: {app: a}}, tracing: [{randomSamplingPercentage: 7}]}");
    let attached = telemetry(
        "attached",
        "shop",
        "{targetRefs: [{kind: Service, name: b}], tracing: [{randomSamplingPercentage: 8}]}",
    );
    assert_eq!(sampled(&[&other, &attached]), (Some(1.0), Some(1.0)));
}

#[test]
fn a_selector_looks_no_further_than_its_namespace() {
    let rooted =
        telemetry("b", "istio-system", "{selector: {matchLabels: {app: b}}, tracing: [{randomSamplingPercentage: 9}]}");
    assert_eq!(sampled(&[&rooted]), (Some(1.0), Some(1.0)));
}

#[test]
fn the_oldest_of_one_scope_counts() {
    let at = |name: &str, year: u32, percent: u32| {
        telemetry(name, "shop", &format!("{{tracing: [{{randomSamplingPercentage: {percent}}}]}}"))
            .replace("namespace: shop}", &format!("namespace: shop, creationTimestamp: '{year}-01-01T00:00:00Z'}}"))
    };
    assert_eq!(sampled(&[&at("a", 2025, 5), &at("z", 2024, 6)]), (Some(6.0), Some(6.0)));
    assert_eq!(sampled(&[&at("z", 2024, 6), &at("a", 2024, 5)]), (Some(5.0), Some(5.0)), "then by name");
}

#[test]
fn sides_are_apart_and_the_last_entry_counts() {
    let entries = telemetry(
        "default",
        "shop",
        "{tracing: [{randomSamplingPercentage: 10}, {match: {mode: CLIENT}, randomSamplingPercentage: 20}, {match: {mode: SERVER}, disableSpanReporting: true}]}",
    );
    assert_eq!(sampled(&[&entries]), (None, Some(20.0)));
    // A narrower one takes it back.
    let again = telemetry("b", "shop", "{selector: {matchLabels: {app: b}}, tracing: [{disableSpanReporting: false}]}");
    assert_eq!(sampled(&[&entries, &again]), (Some(10.0), Some(20.0)));
}

#[test]
fn an_edge_is_on_the_side_of_clients() {
    let gateway = "---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public, namespace: edge}
spec:
  selector: {app: in}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]
";
    let estate = app("edge", "in", [127, 0, 0, 3].into(), "") + gateway;
    let of = |spec: &str| {
        let resources = for_gateway(&(estate.clone() + &telemetry("t", "edge", spec)), "edge/in");
        percent(tracing(&listener(&resources, "127.0.0.3_80")))
    };
    assert_eq!(of("{tracing: [{match: {mode: SERVER}, randomSamplingPercentage: 50}]}"), Some(1.0));
    assert_eq!(of("{tracing: [{match: {mode: CLIENT}, randomSamplingPercentage: 50}]}"), Some(50.0));
    assert_eq!(of("{tracing: [{disableSpanReporting: true}]}"), None);
}

#[test]
fn tags_of_a_narrower_object_take_the_place_of_all() {
    let wide = telemetry("default", "istio-system", "{tracing: [{customTags: {mesh: {literal: {value: m1}}}}]}");
    let own = telemetry(
        "default",
        "shop",
        "{tracing: [{customTags: {tenant: {header: {name: x-tenant, defaultValue: none}}, zone: {environment: {name: ZONE}}, empty: {}}}, {randomSamplingPercentage: 3}]}",
    );
    let tags = |objects: &[&str]| {
        let resources = for_sidecar(&(pair() + &objects.concat()), "shop/b");
        let tracing = tracing(&listener(&resources, "127.0.9.1_8080")).expect("tracing");
        let tag = |tag: envoy_types::pb::envoy::r#type::tracing::v3::CustomTag| match tag.r#type {
            Some(Type::Literal(literal)) => format!("{}={}", tag.tag, literal.value),
            Some(Type::Environment(of)) => format!("{}=${}|{}", tag.tag, of.name, of.default_value),
            Some(Type::RequestHeader(of)) => format!("{}=%{}|{}", tag.tag, of.name, of.default_value),
            other => panic!("{other:?}"),
        };
        tracing.custom_tags.into_iter().map(tag).collect::<Vec<_>>()
    };
    assert_eq!(tags(&[&wide]), ["mesh=m1"]);
    assert_eq!(tags(&[&wide, &own]), ["tenant=%x-tenant|none", "zone=$ZONE|"]);
}
