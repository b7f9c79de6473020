mod left_out;
mod telemetry;

use std::sync::Arc;

use weft_api::Change;
use weft_mesh::{Settings, Store};
use weft_source::{Input, read_paths};

use super::*;

const SERVICES: &str = "
apiVersion: v1
kind: Service
metadata: {name: order-service, namespace: shop}
spec: {selector: {app: order-service}, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: payments, namespace: bank}
spec: {ports: [{name: http, port: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: order-service, namespace: shop}
spec:
  host: order-service
  subsets: [{name: stable, labels: {version: v1}}, {name: canary, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public, namespace: edge}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: out, namespace: shop}
spec: {hosts: ['*.example.com'], ports: [{number: 443, name: tls, protocol: TLS}]}
";

fn virtual_service(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}, namespace: shop}}\nspec: {spec}\n"
    )
}

fn lint(text: &str, options: Options) -> Vec<Diagnostic> {
    let estate = read_paths(&[Input::Stdin], text.as_bytes()).unwrap();
    assert!(estate.diagnostics.is_empty(), "{:?}", estate.diagnostics);
    let mut store = Store::new(Settings::default());
    store.apply(estate.objects().map(|object| Change::Put(Arc::clone(object))).collect());
    analyze(&store.snapshot(), &options)
}

/// Code, field and suggestion of the findings about one VirtualService beside the services.
fn found(spec: &str) -> Vec<(String, String, String)> {
    let text = format!("{SERVICES}{}", virtual_service("v", spec));
    let findings = lint(&text, Options::default());
    findings.into_iter().map(|f| (f.code, f.field, f.suggestion.unwrap_or_default())).collect()
}

fn expect(spec: &str, code: code::Code, field: &str, suggestion: &str) {
    let found = found(spec);
    assert_eq!(found, [(code.id.to_owned(), field.to_owned(), suggestion.to_owned())], "{spec}");
}

#[test]
fn what_is_right_is_let_alone() {
    for spec in [
        "{hosts: [order-service], http: [{route: [{destination: {host: order-service, subset: stable}, weight: 90}, {destination: {host: order-service.shop.svc.cluster.local, subset: canary}, weight: 10}]}]}",
        "{hosts: [a.org], gateways: [edge/public, mesh], http: [{route: [{destination: {host: payments.bank.svc.cluster.local}}], mirror: {host: order-service}}]}",
        "{hosts: [a.org], http: [{route: [{destination: {host: api.example.com}}]}, {redirect: {uri: /}}]}",
        "{hosts: [a.org], http: [{route: [{destination: {host: order-service}, weight: 100}]}]}",
    ] {
        assert_eq!(found(spec), [], "{spec}");
    }
}

#[test]
fn subsets() {
    let spec = "{hosts: [a.org], http: [{route: [{destination: {host: order-service, subset: canry}}]}]}";
    expect(spec, code::SUBSET_NOT_FOUND, "spec.http[0].route[0].destination.subset", "did you mean \"canary\"?");
    let spec = "{hosts: [a.org], tcp: [{route: [{destination: {host: payments.bank.svc.cluster.local, subset: v1}}]}]}";
    let suggestion = "add a DestinationRule for \"payments.bank.svc.cluster.local\" with this subset";
    expect(spec, code::SUBSET_NOT_FOUND, "spec.tcp[0].route[0].destination.subset", suggestion);
}

#[test]
fn hosts() {
    let at = "spec.http[0].route[0].destination.host";
    let to =
        |host: &str| format!("{{hosts: [a.org], http: [{{route: [{{destination: {{host: {host}, subset: x}}}}]}}]}}");
    expect(&to("order-servise"), code::HOST_NOT_FOUND, at, "did you mean \"order-service\"?");
    expect(
        &to("payments"),
        code::HOST_NOT_FOUND,
        at,
        "did you mean \"payments.bank.svc.cluster.local\", in namespace bank?",
    );
    expect(&to("payments.bank"), code::HOST_NOT_FOUND, at, "write \"payments.bank.svc.cluster.local\"");
    let typo = "payments.bnak.svc.cluster.local";
    expect(&to(typo), code::HOST_NOT_FOUND, at, "did you mean \"payments.bank.svc.cluster.local\"?");
    expect(&to("nothing-like-it"), code::HOST_NOT_FOUND, at, "");
    // What is no host at all is that object's own error, and said once.
    for none in ["'no host'".to_owned(), "a".repeat(300)] {
        let told = found(&to(&none));
        let told: Vec<_> = told.iter().map(|(code, field, _)| (code.as_str(), field.as_str())).collect();
        assert_eq!(told, [(weft_api::code::INVALID, at)], "{none}");
    }
    let rule = "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: r, namespace: shop}\nspec: {host: ordr-service}\n";
    let findings = lint(&format!("{SERVICES}{rule}"), Options::default());
    assert_eq!((findings[0].code.as_str(), findings[0].field.as_str()), (code::RULE_HOST_NOT_FOUND.id, "spec.host"));
}

#[test]
fn gateways() {
    let on = |gateway: &str| {
        format!(
            "{{hosts: [a.org], gateways: [{gateway}], http: [{{route: [{{destination: {{host: order-service}}}}]}}]}}"
        )
    };
    expect(&on("public"), code::GATEWAY_NOT_FOUND, "spec.gateways[0]", "write \"edge/public\"");
    expect(&on("edge/pubic"), code::GATEWAY_NOT_FOUND, "spec.gateways[0]", "did you mean \"public\"?");
    assert_eq!(found(&on("public.edge.svc.cluster.local")), []);
}

#[test]
fn weights() {
    let split = |a: &str, b: &str| {
        format!(
            "{{hosts: [a.org], http: [{{route: [{{destination: {{host: order-service}}, weight: {a}}}, {{destination: {{host: order-service, subset: canary}}, weight: {b}}}]}}]}}"
        )
    };
    expect(&split("90", "20"), code::WEIGHTS_DO_NOT_ADD_UP, "spec.http[0].route", "");
    // No sum at all is the object's own error, and said once.
    assert_eq!(found(&split("0", "0"))[0].0, weft_api::code::INVALID);
    assert_eq!(found(&split("0", "0")).len(), 1);
    let spec = "{hosts: [a.org], http: [{route: [{destination: {host: order-service}, weight: 10}]}]}";
    expect(spec, code::SINGLE_WEIGHT, "spec.http[0].route[0].weight", "leave the weight out");
}

#[test]
fn two_virtual_services_for_one_host() {
    let spec = "{hosts: [order-service], http: [{route: [{destination: {host: order-service}}]}]}";
    let text = format!("{SERVICES}{}{}", virtual_service("a", spec), virtual_service("b", spec));
    let findings = lint(&text, Options::default());
    assert_eq!(findings.len(), 2);
    assert!(findings.iter().all(|f| f.code == code::DUPLICATE_HOST.id && f.severity == weft_model::Severity::Error));
    assert!(findings[0].message.contains("shop/b") && findings[1].message.contains("this one is not applied"));
    // Seen by nobody in common.
    let own = spec.replace("http:", "exportTo: ['.'], http:");
    let other = spec.replace("http:", "exportTo: [bank], http:");
    let text = format!("{SERVICES}{}{}", virtual_service("a", &own), virtual_service("b", &other));
    assert_eq!(lint(&text, Options::default()), []);
    // A gateway puts the routes of both one after the other.
    let bound = spec.replace("http:", "gateways: [edge/public], http:");
    let text = format!("{SERVICES}{}{}", virtual_service("a", &bound), virtual_service("b", &bound));
    assert!(lint(&text, Options::default()).iter().all(|f| f.code == code::DUPLICATE_GATEWAY_HOST.id));
}

#[test]
fn two_destination_rules_for_one_host() {
    let rule = "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: again, namespace: shop}\nspec: {host: order-service.shop.svc.cluster.local}\n";
    let findings = lint(&format!("{SERVICES}{rule}"), Options::default());
    assert_eq!(findings.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(), [code::DUPLICATE_RULE.id; 2]);
}

#[test]
fn a_partial_estate_may_have_more_elsewhere() {
    let partial = Options { assume_partial: true };
    let text = virtual_service(
        "v",
        "{hosts: [a.org], gateways: [nowhere], http: [{route: [{destination: {host: nobody, subset: v1}}]}]}",
    );
    assert_eq!(lint(&text, partial), []);
    // What is here says enough.
    let spec = "{hosts: [a.org], http: [{route: [{destination: {host: order-service, subset: canry}}]}]}";
    let findings = lint(&format!("{SERVICES}{}", virtual_service("v", spec)), partial);
    assert_eq!(findings[0].code, code::SUBSET_NOT_FOUND.id);
}

#[test]
fn envoy_filters_are_not_applied() {
    let text =
        "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: f}\nspec: {configPatches: []}\n";
    assert_eq!(lint(text, Options::default())[0].code, code::NOT_APPLIED.id);
}

#[test]
fn codes_are_unique() {
    let ids: std::collections::BTreeSet<_> = code::ALL.iter().map(|code| code.id).collect();
    assert_eq!(ids.len(), code::ALL.len());
}

#[test]
fn names_that_nobody_looks_up() {
    let entry = |spec: &str| {
        let text = format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: e, namespace: shop}}\nspec: {spec}\n"
        );
        let findings = lint(&text, Options::default());
        findings.into_iter().map(|f| (f.code, f.field)).collect::<Vec<_>>()
    };
    let ports = "ports: [{number: 80, name: http, protocol: HTTP}]";
    let found = |field: &str| vec![(code::NAME_NOT_LOOKED_UP.id.to_owned(), field.to_owned())];
    assert_eq!(entry(&format!("{{hosts: [a.example.com], {ports}, resolution: DNS}}")), found("spec.resolution"));
    let mixed = "endpoints: [{address: 10.0.0.1}, {address: b.example.com}]";
    assert_eq!(
        entry(&format!("{{hosts: [a.example.com], {ports}, resolution: DNS, {mixed}}}")),
        found("spec.endpoints[1].address")
    );
    for fine in ["resolution: DNS, endpoints: [{address: 10.0.0.1}]", "resolution: NONE"] {
        assert_eq!(entry(&format!("{{hosts: [a.example.com], {ports}, {fine}}}")), [], "{fine}");
    }
}

/// What `kubectl get -o yaml` gives of a cluster that is well.
#[test]
fn a_dump_of_a_cluster_has_no_findings() {
    let text = "
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {topology.kubernetes.io/region: eu}}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-0, namespace: shop, labels: {app: cart}}
spec: {nodeName: n1, containers: [{name: c}]}
status: {phase: Running, podIP: 10.1.0.1}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1], selector: {app: cart}, ports: [{name: http, port: 80, protocol: TCP}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: cart-x, namespace: shop, labels: {kubernetes.io/service-name: cart}}
addressType: IPv4
endpoints: [{addresses: [10.1.0.1], targetRef: {kind: Pod, name: cart-0}}]
ports: [{name: http, port: 80, protocol: TCP}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec: {hosts: [cart], http: [{route: [{destination: {host: cart}}]}]}
";
    assert_eq!(lint(text, Options::default()), []);
}

/// A Service, a rule for it and a route to it, which says who sees it, who sees the rule and who applies the route.
fn exported(service: &str, rule: &str, route: &str) -> Vec<(String, String)> {
    let kind = |kind: &str, name: &str, namespace: &str, spec: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{{spec}}}\n---\n"
        )
    };
    let text = [
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: a, namespace: n1, annotations: {{{service}}}}}\nspec: {{ports: [{{name: http, port: 80}}]}}\n---\n"
        ),
        kind(
            "DestinationRule",
            "a",
            "n1",
            &format!("host: a, {rule} subsets: [{{name: v1, labels: {{version: v1}}}}]"),
        ),
        kind(
            "Gateway",
            "public",
            "edge",
            "selector: {istio: gw}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]",
        ),
        kind(
            "VirtualService",
            "v",
            "n2",
            &format!(
                "hosts: [a.n1.svc.cluster.local], {route} http: [{{route: [{{destination: {{host: a.n1.svc.cluster.local, subset: v1}}}}]}}]"
            ),
        ),
    ];
    let findings = lint(&text.concat(), Options::default());
    findings.into_iter().map(|f| (f.code, format!("{}; {}", f.message, f.suggestion.unwrap_or_default()))).collect()
}

#[test]
fn what_is_not_exported_to_its_users() {
    let (hidden, own) = ("networking.istio.io/exportTo: '.'", "exportTo: ['.'],");
    assert_eq!(exported("", "", ""), []);
    let host = "proxies in n2 do not see the host \"a.n1.svc.cluster.local\": Service n1/a is exported to n1 alone; \
        let the annotation networking.istio.io/exportTo of Service n1/a include \"n2\"";
    let subset = "proxies in n2 do not see the subset \"v1\" of \"a.n1.svc.cluster.local\": DestinationRule n1/a is \
        exported to n1 alone; let spec.exportTo of DestinationRule n1/a include \"n2\"";
    let (host, subset) = (
        (code::HOST_NOT_VISIBLE.id.to_owned(), host.to_owned()),
        (code::SUBSET_NOT_VISIBLE.id.to_owned(), subset.to_owned()),
    );
    assert_eq!(exported(hidden, own, ""), [host.clone(), subset.clone()]);
    assert_eq!(exported(hidden, "", ""), [host]);
    assert_eq!(exported("", own, ""), [subset]);
    // Told to the right namespace, or used only where it is seen.
    assert_eq!(exported("networking.istio.io/exportTo: '.,n2'", "exportTo: ['.', n2],", ""), []);
    assert_eq!(exported(hidden, own, "exportTo: [n1],"), []);
    assert_eq!(exported("networking.istio.io/exportTo: '~'", "", "").len(), 2);
}

#[test]
fn what_is_not_exported_to_gateways_and_to_rules() {
    let bound = "gateways: [edge/public],";
    let to_users = "networking.istio.io/exportTo: n2";
    let told = exported(to_users, "exportTo: [n2],", bound);
    assert_eq!(told.iter().map(|(code, _)| code.as_str()).collect::<Vec<_>>(), ["WEFT0112", "WEFT0113"]);
    assert!(told[0].1.starts_with("proxies in edge do not see") && told[0].1.ends_with("include \"edge\""), "{told:?}");
    assert_eq!(exported("networking.istio.io/exportTo: edge", "exportTo: [edge],", bound), []);
    // The rule's own namespace does not see the Service that it is for.
    let told = exported("networking.istio.io/exportTo: n2", "", "");
    assert_eq!(told.iter().map(|(code, _)| code.as_str()).collect::<Vec<_>>(), [code::RULE_HOST_NOT_VISIBLE.id]);
}

#[test]
fn the_meshs_defaults_say_who_sees_what() {
    let mesh = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    defaultServiceExportTo: ['.']\n    defaultDestinationRuleExportTo: ['.']\n";
    let text = format!(
        "{SERVICES}{}---\n{mesh}",
        virtual_service(
            "v",
            "{hosts: [a.org], http: [{route: [{destination: {host: payments.bank.svc.cluster.local}}]}]}"
        )
    );
    let findings = lint(&text, Options::default());
    let codes: Vec<&str> = findings.iter().map(|f| f.code.as_str()).collect();
    assert_eq!(codes, [code::HOST_NOT_VISIBLE.id], "{findings:?}");
}

#[test]
fn sources_that_are_nobody() {
    let policy = |namespace: &str| {
        format!(
            "{SERVICES}---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: p, namespace: shop}}\nspec:\n  rules:\n    - from:\n        - source: {{namespaces: [edge]}}\n        - source: {{principals: [cluster.local/ns/shop/sa/cart], namespaces: [{namespace}]}}\n"
        )
    };
    assert_eq!(lint(&policy("shop"), Options::default()), []);
    let findings = lint(&policy("edge"), Options::default());
    let [found] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((found.code.as_str(), found.field.as_str()), ("WEFT0117", "spec.rules[0].from[1].source"));
    assert!(found.message.contains("\"edge\""), "{}", found.message);
}
