//! Gateways.

use weft_mesh::{Resources, type_url};

use crate::estate::{app, destinations, for_gateway, listener, names, route_config, virtual_host};

fn estate(servers: &str, services: &str, routes: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: public, namespace: edge}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
{servers}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: ingress, namespace: edge}}
spec:
  address: 127.0.0.9
  labels: {{istio: ingressgateway}}
{services}{}{routes}",
        app("shop", "b", [127, 0, 0, 2].into(), "")
    )
}

fn ingress(text: &str) -> Resources {
    for_gateway(text, "edge/ingress")
}

fn vs(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n{spec}\n"
    )
}

const HTTP: &str = "  - port: {number: 80, name: http, protocol: HTTP}\n    hosts: ['*.example.com']";
const TO_B: &str = "  hosts: [api.example.com]
  gateways: [edge/public]
  http: [{route: [{destination: {host: b, port: {number: 8080}}}]}]";

#[test]
fn the_services_target_port_is_bound() {
    let service = "---
apiVersion: v1
kind: Service
metadata: {name: ingress, namespace: edge}
spec:
  selector: {istio: ingressgateway}
  ports: [{name: http, port: 80, targetPort: 8085}]
";
    let resources = ingress(&estate(HTTP, service, &vs("v", TO_B)));
    assert_eq!(names(&resources, type_url::LISTENER), ["127.0.0.9_8085"]);
    assert_eq!(names(&resources, type_url::ROUTE), ["http.8085"]);
    let host = virtual_host(&resources, "http.8085/api.example.com:80");
    assert_eq!(host.domains, ["api.example.com"]);
    assert!(route_config(&resources, "http.8085").ignore_port_in_host_matching);
    assert_eq!(destinations(&host.routes[0]), ["outbound|8080||b.shop.svc.cluster.local"]);
    let without = ingress(&estate(HTTP, "", &vs("v", TO_B)));
    assert_eq!(names(&without, type_url::LISTENER), ["127.0.0.9_80"]);
}

#[test]
fn only_bound_virtual_services_with_common_hosts_count() {
    let elsewhere = TO_B.replace("edge/public", "public");
    let other_host = TO_B.replace("api.example.com", "api.example.org");
    let mesh = TO_B.replace("  gateways: [edge/public]\n", "");
    let routes = vs("a", &elsewhere) + &vs("b", &other_host) + &vs("c", &mesh);
    let resources = ingress(&estate(HTTP, "", &routes));
    assert!(names(&resources, type_url::VIRTUAL_HOST).is_empty());
    assert_eq!(names(&resources, type_url::CLUSTER), ["BlackHoleCluster"]);
    assert_eq!(names(&resources, type_url::LISTENER), ["127.0.0.9_80"]);
    let scoped = HTTP.replace("'*.example.com'", "'pay/*.example.com'");
    assert!(names(&ingress(&estate(&scoped, "", &vs("v", TO_B))), type_url::VIRTUAL_HOST).is_empty());
    let scoped = HTTP.replace("'*.example.com'", "'shop/*.example.com'");
    assert_eq!(names(&ingress(&estate(&scoped, "", &vs("v", TO_B))), type_url::VIRTUAL_HOST).len(), 1);
}

#[test]
fn routes_of_several_virtual_services_come_together_catch_alls_last() {
    let narrow =
        TO_B.replace("  http: [{route", "  http: [{match: [{uri: {prefix: /x}}], route").replace("8080", "8081");
    let resources = ingress(&estate(HTTP, "", &(vs("a-wide", TO_B) + &vs("b-narrow", &narrow))));
    let host = virtual_host(&resources, "http.80/api.example.com:80");
    assert_eq!(destinations(&host.routes[0]), ["outbound|8081||b.shop.svc.cluster.local"]);
    assert_eq!(destinations(&host.routes[1]), ["outbound|8080||b.shop.svc.cluster.local"]);
    assert_eq!(resources.get(type_url::VIRTUAL_HOST, &host.name).unwrap().origins.len(), 2);
}

#[test]
fn servers_behind_tls_are_told_apart_by_name() {
    let servers = "  - port: {number: 443, name: one, protocol: HTTPS}
    tls: {mode: SIMPLE, credentialName: one}
    hosts: [api.example.com]
  - port: {number: 443, name: two, protocol: HTTPS}
    tls: {mode: MUTUAL, credentialName: two}
    hosts: [pay.example.com]
  - port: {number: 443, name: pass, protocol: TLS}
    tls: {mode: PASSTHROUGH}
    hosts: ['*.raw.example.com']";
    let secrets = "---
apiVersion: v1
kind: Secret
metadata: {name: one, namespace: edge}
stringData: {tls.crt: c, tls.key: k}
---
apiVersion: v1
kind: Secret
metadata: {name: two, namespace: edge}
stringData: {cert: c, key: k, cacert: r}
---
apiVersion: v1
kind: Secret
metadata: {name: one, namespace: shop}
stringData: {tls.crt: not, tls.key: ours}
";
    let tls = "  hosts: [db.raw.example.com]
  gateways: [edge/public]
  tls: [{match: [{sniHosts: [db.raw.example.com]}], route: [{destination: {host: b}}]}]";
    let resources = ingress(&estate(servers, secrets, &(vs("v", TO_B) + &vs("t", tls))));
    let listener = listener(&resources, "127.0.0.9_443");
    let by_name: Vec<_> = listener
        .filter_chains
        .iter()
        .map(|c| (c.filter_chain_match.as_ref().unwrap().server_names.join(","), c.transport_socket.is_some()))
        .collect();
    assert_eq!(
        by_name,
        [
            ("api.example.com".to_owned(), true),
            ("pay.example.com".to_owned(), true),
            ("db.raw.example.com".to_owned(), false)
        ]
    );
    assert_eq!(
        names(&resources, type_url::SECRET),
        ["kubernetes://one", "kubernetes://two", "kubernetes://two-cacert"]
    );
    assert_eq!(names(&resources, type_url::ROUTE), ["https.443.one.public.edge", "https.443.two.public.edge"]);
    assert!(names(&resources, type_url::VIRTUAL_HOST).contains(&"https.443.one.public.edge/api.example.com:443"));
}

#[test]
fn a_redirect_needs_no_virtual_service() {
    let servers = HTTP.replace("    hosts", "    tls: {httpsRedirect: true}\n    hosts");
    let resources = ingress(&estate(&servers, "", ""));
    let host = virtual_host(&resources, "http.80/*.example.com:80");
    assert_eq!(host.require_tls, 2);
    assert!(host.routes.is_empty());
}

#[test]
fn opaque_tcp_goes_where_the_tcp_route_says() {
    let servers = "  - port: {number: 5432, name: db, protocol: TCP}\n    hosts: ['*']";
    let tcp = "  hosts: ['*']
  gateways: [edge/public]
  tcp:
  - match: [{port: 1}]
    route: [{destination: {host: nope}}]
  - route: [{destination: {host: b, port: {number: 8080}}}]";
    let resources = ingress(&estate(servers, "", &vs("t", tcp)));
    let bytes = &resources.get(type_url::LISTENER, "127.0.0.9_5432").unwrap().value;
    assert!(String::from_utf8_lossy(bytes).contains("outbound|8080||b.shop.svc.cluster.local"));
}
