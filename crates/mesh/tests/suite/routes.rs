//! VirtualServices: which one holds, which of its routes, and what they do.

use envoy_types::pb::envoy::config::route::v3::{
    HeaderMatcher, header_matcher::HeaderMatchSpecifier, route::Action, route_match::PathSpecifier,
};

use crate::estate::{app, destinations, for_sidecar, names, pair, virtual_host};
use weft_mesh::{Resources, type_url};

const B: &str = "8080/b.shop.svc.cluster.local:8080";

fn vs(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n{spec}\n"
    )
}

fn with(spec: &str) -> Resources {
    for_sidecar(&(pair() + &vs("b", spec)), "shop/a")
}

fn first_destinations(resources: &Resources, host: &str) -> Vec<String> {
    destinations(&virtual_host(resources, host).routes[0])
}

#[test]
fn a_host_without_virtual_service_goes_to_its_service() {
    let resources = for_sidecar(&pair(), "shop/a");
    let host = virtual_host(&resources, B);
    assert_eq!(destinations(&host.routes[0]), ["outbound|8080||b.shop.svc.cluster.local"]);
    assert_eq!(
        host.domains,
        [
            "b.shop.svc.cluster.local:8080",
            "b.shop.svc.cluster.local",
            "b.shop.svc:8080",
            "b.shop.svc",
            "b.shop:8080",
            "b.shop",
            "b:8080",
            "b"
        ]
    );
    assert_eq!(names(&resources, type_url::ROUTE), ["8080"]);
    assert_eq!(virtual_host(&resources, "8080/*:8080").domains, ["*"]);
}

#[test]
fn short_names_mean_the_own_namespace_only() {
    let estate = pair() + &app("pay", "c", [127, 0, 0, 3].into(), "");
    let all = estate.replace("['./*']", "['*/*']");
    let resources = for_sidecar(&all, "shop/a");
    let host = virtual_host(&resources, "8080/c.pay.svc.cluster.local:8080");
    assert!(host.domains.contains(&"c.pay".into()));
    assert!(!host.domains.contains(&"c".into()));
    let own = for_sidecar(&estate, "shop/a");
    assert!(!names(&own, type_url::VIRTUAL_HOST).contains(&"8080/c.pay.svc.cluster.local:8080"));
}

#[test]
fn the_first_matching_route_wins_and_nothing_follows_a_catch_all() {
    let resources = with(
        "  hosts: [b]
  http:
  - match: [{uri: {prefix: /x}}]
    route: [{destination: {host: b, port: {number: 1}}}]
  - route: [{destination: {host: b, port: {number: 2}}}]
  - match: [{uri: {prefix: /y}}]
    route: [{destination: {host: b, port: {number: 3}}}]",
    );
    let host = virtual_host(&resources, B);
    assert_eq!(host.routes.len(), 2);
    assert_eq!(destinations(&host.routes[1]), ["outbound|2||b.shop.svc.cluster.local"]);
}

#[test]
fn weights_of_zero_are_left_out() {
    let weights = |a: u32, b: u32| {
        let resources = with(&format!(
            "  hosts: [b]
  http:
  - route:
    - {{destination: {{host: b, subset: v1}}, weight: {a}}}
    - {{destination: {{host: b, subset: v2}}, weight: {b}}}"
        ));
        first_destinations(&resources, B)
    };
    let v1 = "outbound|8080|v1|b.shop.svc.cluster.local";
    let v2 = "outbound|8080|v2|b.shop.svc.cluster.local";
    assert_eq!(weights(90, 10), [format!("{v1}=90"), format!("{v2}=10")]);
    assert_eq!(weights(100, 0), [v1]);
    assert_eq!(weights(0, 0), [format!("{v1}=1"), format!("{v2}=1")]);
}

#[test]
fn an_exact_host_wins_over_a_wildcard_and_the_older_of_two_wins() {
    let route = |port: u16| format!("  http: [{{route: [{{destination: {{host: b, port: {{number: {port}}}}}}}]}}]");
    let wild = vs("wild", &format!("  hosts: ['*.shop.svc.cluster.local']\n{}", route(1)));
    let exact = vs("exact", &format!("  hosts: [b]\n{}", route(2)));
    let also = vs("zz", &format!("  hosts: [b]\n{}", route(3)));
    let resources = for_sidecar(&(pair() + &wild + &exact + &also), "shop/a");
    assert_eq!(first_destinations(&resources, B), ["outbound|2||b.shop.svc.cluster.local"]);
    assert_eq!(
        first_destinations(&resources, "8080/a.shop.svc.cluster.local:8080"),
        ["outbound|1||b.shop.svc.cluster.local"]
    );
}

#[test]
fn export_to_hides() {
    let hidden = "  hosts: [b.shop.svc.cluster.local]
  exportTo: ['.']
  http: [{route: [{destination: {host: b, port: {number: 7}}}]}]";
    let foreign = vs("b", hidden).replace("namespace: shop", "namespace: other");
    let resources = for_sidecar(&(pair().replace("['./*']", "['*/*']") + &foreign), "shop/a");
    assert_eq!(first_destinations(&resources, B), ["outbound|8080||b.shop.svc.cluster.local"]);
    let shown = foreign.replace("exportTo: ['.']", "exportTo: [shop]");
    let resources = for_sidecar(&(pair().replace("['./*']", "['*/*']") + &shown), "shop/a");
    assert_eq!(first_destinations(&resources, B), ["outbound|7||b.other.svc.cluster.local"]);
}

#[test]
fn source_and_port_are_decided_here() {
    let spec = "  hosts: [b]
  http:
  - match: [{sourceLabels: {app: zzz}}]
    route: [{destination: {host: b, port: {number: 1}}}]
  - match: [{sourceNamespace: other}, {port: 9999}, {gateways: [edge/public]}]
    route: [{destination: {host: b, port: {number: 2}}}]
  - match: [{sourceLabels: {app: a}, sourceNamespace: shop, port: 8080, gateways: [mesh]}]
    route: [{destination: {host: b, port: {number: 3}}}]
  - route: [{destination: {host: b, port: {number: 4}}}]";
    let resources = with(spec);
    let host = virtual_host(&resources, B);
    assert_eq!(host.routes.len(), 1);
    assert_eq!(destinations(&host.routes[0]), ["outbound|3||b.shop.svc.cluster.local"]);
}

#[test]
fn a_virtual_service_that_is_not_for_this_caller_leaves_the_default_route() {
    let resources = with(
        "  hosts: [b]
  http:
  - match: [{sourceLabels: {app: zzz}}]
    route: [{destination: {host: b, port: {number: 1}}}]",
    );
    assert_eq!(first_destinations(&resources, B), ["outbound|8080||b.shop.svc.cluster.local"]);
}

#[test]
fn every_match_condition_reaches_the_proxy() {
    let resources = with(
        "  hosts: [b]
  http:
  - match:
    - uri: {regex: '/v[0-9]+'}
      method: {exact: POST}
      authority: {prefix: b}
      scheme: {exact: http}
      headers: {x-present: {}, x-re: {regex: 'a.*'}}
      withoutHeaders: {x-no: {exact: 'yes'}, x-none: {}}
      queryParams: {q: {exact: '1'}}
    route: [{destination: {host: b}}]
  - match: [{uri: {exact: /CASE}, ignoreUriCase: true}]
    route: [{destination: {host: b}}]",
    );
    let host = virtual_host(&resources, B);
    let first = host.routes[0].r#match.as_ref().unwrap();
    assert!(matches!(&first.path_specifier, Some(PathSpecifier::SafeRegex(r)) if r.regex == "/v[0-9]+"));
    let header = |name: &str| -> &HeaderMatcher { first.headers.iter().find(|h| h.name == name).expect(name) };
    assert!(matches!(header("x-present").header_match_specifier, Some(HeaderMatchSpecifier::PresentMatch(true))));
    assert!(header("x-no").invert_match && header("x-no").treat_missing_header_as_empty);
    assert!(header("x-none").invert_match && !header("x-none").treat_missing_header_as_empty);
    for name in [":method", ":authority", ":scheme", "x-re"] {
        assert!(!header(name).invert_match);
    }
    assert_eq!(first.query_parameters[0].name, "q");
    let second = host.routes[1].r#match.as_ref().unwrap();
    assert_eq!(second.case_sensitive.as_ref().map(|c| c.value), Some(false));
}

#[test]
fn actions_other_than_forwarding() {
    let resources = with("  hosts: [b]
  http:
  - match: [{uri: {prefix: /old}}]
    redirect: {uri: /new, authority: other.example.com, redirectCode: 308, scheme: https, derivePort: FROM_PROTOCOL_DEFAULT}
  - match: [{uri: {prefix: /teapot}}]
    directResponse: {status: 418, body: {string: short and stout}}");
    let host = virtual_host(&resources, B);
    let Some(Action::Redirect(redirect)) = &host.routes[0].action else { panic!() };
    assert_eq!((redirect.port_redirect, redirect.host_redirect.as_str()), (443, "other.example.com"));
    assert_eq!(redirect.response_code, 4);
    let Some(Action::DirectResponse(response)) = &host.routes[1].action else { panic!() };
    assert_eq!(response.status, 418);
}

#[test]
fn forwarding_options() {
    let resources = with(
        "  hosts: [b]
  http:
  - match: [{uri: {prefix: /a}}]
    rewrite: {uri: /z, authority: z.example.com}
    headers:
      request: {set: {x-set: '1'}, add: {x-add: '2'}, remove: [x-gone]}
      response: {remove: [server]}
    mirror: {host: a}
    mirrorPercentage: {value: 0.5}
    corsPolicy: {allowOrigins: [{exact: 'https://x'}], allowMethods: [GET], maxAge: 1h}
    retries: {attempts: 0}
    timeout: 3s
    route:
    - destination: {host: b}
      headers: {request: {set: {x-dest: '3'}}}
  - route: [{destination: {host: b}}]",
    );
    let host = virtual_host(&resources, B);
    let route = &host.routes[0];
    let Some(Action::Route(action)) = &route.action else { panic!() };
    assert_eq!(action.prefix_rewrite, "/z");
    assert_eq!(action.timeout.as_ref().unwrap().seconds, 3);
    assert!(action.retry_policy.is_none());
    assert_eq!(action.request_mirror_policies[0].cluster, "outbound|8080||a.shop.svc.cluster.local");
    let added: Vec<_> = route.request_headers_to_add.iter().map(|h| h.header.clone().unwrap().key).collect();
    assert_eq!(added, ["x-set", "x-add", "x-dest"]);
    assert_eq!(route.request_headers_to_remove, ["x-gone"]);
    assert_eq!(route.response_headers_to_remove, ["server"]);
    assert!(route.typed_per_filter_config.contains_key("envoy.filters.http.cors"));
    let Some(Action::Route(action)) = &host.routes[1].action else { panic!() };
    let retry = action.retry_policy.as_ref().unwrap();
    assert_eq!(retry.retry_on, "connect-failure,refused-stream,unavailable,cancelled");
    assert_eq!(retry.num_retries.as_ref().unwrap().value, 2);
    assert_eq!(action.timeout.as_ref().unwrap().seconds, 0);
}

#[test]
fn delegates_are_put_in_place() {
    let root = vs(
        "root",
        "  hosts: [b]
  http:
  - match: [{uri: {prefix: /api}}]
    timeout: 4s
    delegate: {name: leaf}
  - match: [{uri: {prefix: /gone}}]
    delegate: {name: missing}
  - route: [{destination: {host: b}}]",
    );
    let leaf = vs(
        "leaf",
        "  http:
  - name: deep
    match: [{uri: {prefix: /api/deep}}, {uri: {prefix: /elsewhere}}]
    route: [{destination: {host: a}}]",
    );
    let resources = for_sidecar(&(pair() + &root + &leaf), "shop/a");
    let host = virtual_host(&resources, B);
    assert_eq!(host.routes.len(), 2);
    assert_eq!(host.routes[0].name, "deep");
    assert!(
        matches!(&host.routes[0].r#match.as_ref().unwrap().path_specifier, Some(PathSpecifier::Prefix(p)) if p == "/api/deep")
    );
    let origins: Vec<_> =
        resources.get(type_url::VIRTUAL_HOST, B).unwrap().origins.iter().map(|o| o.name.clone()).collect();
    assert_eq!(origins, ["leaf", "root"]);
}

#[test]
fn hosts_that_only_a_virtual_service_knows_are_routed_too() {
    let resources = with(
        "  hosts: [api.example.com, '*.wild.example.com']
  http: [{route: [{destination: {host: b}}]}]",
    );
    assert_eq!(
        virtual_host(&resources, "8080/api.example.com:8080").domains,
        ["api.example.com:8080", "api.example.com"]
    );
    assert_eq!(
        virtual_host(&resources, "8080/*.wild.example.com:8080").domains,
        ["*.wild.example.com:8080", "*.wild.example.com"]
    );
}

#[test]
fn a_virtual_service_may_take_every_host() {
    let resources = with(
        "  hosts: ['*']
  http: [{route: [{destination: {host: b}}]}]",
    );
    let rest = virtual_host(&resources, "8080/*:8080");
    assert_eq!(rest.domains, ["*"]);
    assert_eq!(destinations(&rest.routes[0]), ["outbound|8080||b.shop.svc.cluster.local"]);
}

#[test]
fn a_missing_subset_breaks_its_own_route_only() {
    let resources = with(
        "  hosts: [b]
  http:
  - match: [{headers: {x: {exact: y}}}]
    route: [{destination: {host: b, subset: nowhere}}]
  - route: [{destination: {host: b}}]",
    );
    let host = virtual_host(&resources, B);
    assert_eq!(destinations(&host.routes[0]), ["outbound|8080|nowhere|b.shop.svc.cluster.local"]);
    assert!(resources.get(type_url::CLUSTER, "outbound|8080|nowhere|b.shop.svc.cluster.local").is_none());
    assert_eq!(destinations(&host.routes[1]), ["outbound|8080||b.shop.svc.cluster.local"]);
}
