use super::*;

const TO: &str = "route: [{destination: {host: order-service}}]";

/// A VirtualService of the mesh for a host, with routes that have these matches.
fn matching(host: &str, matches: &[&str]) -> String {
    let routes: Vec<String> = matches.iter().map(|matching| format!("{{match: {matching}, {TO}}}")).collect();
    format!("{{hosts: [{host}], http: [{}]}}", routes.join(", "))
}

#[test]
fn a_service_that_answers_only_testers() {
    let suggestion = "add a route without match at the end";
    for matches in [
        &["[{headers: {end-user: {exact: jason}}}]"][..],
        &["[{headers: {end-user: {exact: jason}}}, {queryParams: {beta: {exact: '1'}}}]"],
        &["[{headers: {x-canary: {}}}]", "[{headers: {x-canary: {exact: a}}, method: {exact: GET}}]"],
        &["[{method: {exact: GET}}]"],
        &["[{headers: {x-canary: {}}}]", "[{method: {exact: GET}}]"],
    ] {
        expect(&matching("order-service", matches), code::REQUESTS_LEFT_OUT, "spec.http", suggestion);
    }
    // Also where it holds at a gateway beside, and for a host of a ServiceEntry.
    let both =
        matching("order-service", &["[{headers: {a: {}}}]"]).replace("http:", "gateways: [edge/public, mesh], http:");
    expect(&both, code::REQUESTS_LEFT_OUT, "spec.http", suggestion);
    let outside = matching("api.example.com, order-service, a.org", &["[{headers: {a: {}}}]"]);
    let findings = lint(&format!("{SERVICES}{}", virtual_service("v", &outside)), Options::default());
    let words =
        "requests for \"api.example.com\" and \"order-service\" that fit none of its routes are answered with 404";
    assert_eq!(findings.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>(), [words]);
    assert_eq!(findings[0].severity, weft_model::Severity::Info);
}

#[test]
fn who_leaves_nobody_out_or_means_it_is_let_alone() {
    let header = "[{headers: {end-user: {exact: jason}}}]";
    for matches in [
        // All that there is of a service, or everything.
        &["[{uri: {exact: /productpage}}, {uri: {prefix: /static}}, {uri: {exact: /login}}]"][..],
        &[header, "[{uri: {prefix: /}}]"],
        &[header, "[{}]"],
        &[header, "[]"],
        &[header, "[{headers: {end-user: {exact: jason}}}, {name: rest}]"],
        // One way or the other.
        &[header, "[{withoutHeaders: {end-user: {exact: jason}}}]"],
        &["[{method: {exact: GET}}]", "[{method: {exact: POST}}]"],
        &["[{method: {regex: '.*'}}]"],
        &["[{headers: {host: {exact: order-service}}}]"],
        // Of some callers only.
        &["[{headers: {end-user: {exact: jason}}, sourceLabels: {app: web}}]"],
        &["[{headers: {end-user: {exact: jason}}, sourceNamespace: shop}]"],
        &["[{headers: {end-user: {exact: jason}}, port: 8080}]"],
    ] {
        assert_eq!(found(&matching("order-service", matches)), [], "{matches:?}");
    }
    // At a gateway nothing is taken from anybody, and nobody answers for a host that is no service.
    let bound = matching("order-service", &[header]).replace("http:", "gateways: [edge/public], http:");
    assert_eq!(found(&bound), []);
    assert_eq!(found(&matching("a.org", &[header])), []);
    assert_eq!(found(&matching("'*.example.com'", &[header])), []);
    assert_eq!(found(&format!("{{hosts: [order-service], tcp: [{{{TO}}}]}}")), []);
    // Two that claim a host are told as that.
    let rest = format!("{{hosts: [order-service], http: [{{{TO}}}]}}");
    let two = virtual_service("a", &matching("order-service", &[header])) + &virtual_service("b", &rest);
    let findings = lint(&format!("{SERVICES}{two}"), Options::default());
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, [code::DUPLICATE_HOST.id; 2], "{findings:?}");
}
