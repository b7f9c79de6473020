use std::collections::BTreeMap;

use weft_model::graph::{Edge, Graph, Health, Lock, Node, NodeKind, Sources, View};

use super::{
    Details, Observed, draw as draw_view,
    flow::Flow,
    mtls_share,
    queries::{rates, raw, recorded},
    redact,
};
use crate::{
    estate::{Estate, Workload},
    telemetry::prometheus::{Labels, QueryError, Series},
};

/// A series as the requests query gives it: `reporter source destination host protocol code flags policy`, `-` for an
/// unknown workload.
fn flow(spec: &str, rate: f64) -> Flow {
    let parts: Vec<&str> = spec.split(' ').collect();
    let [reporter, source, destination, host, protocol, code, flags, policy] = parts[..] else { panic!("{spec}") };
    let name = |part: &str| if part == "-" { "unknown".to_owned() } else { part.to_owned() };
    let (source, destination) = (name(source), name(destination));
    let namespace = |name: &str| if name == "unknown" { "unknown" } else { "shop" };
    let labels = Labels::from([
        ("reporter", reporter),
        ("source_workload", &source),
        ("source_workload_namespace", namespace(&source)),
        ("source_app", &source),
        ("source_version", "v1"),
        ("destination_workload", &destination),
        ("destination_workload_namespace", namespace(&destination)),
        ("destination_app", &destination),
        ("destination_version", "v1"),
        ("destination_service", host),
        ("request_protocol", protocol),
        ("response_code", code),
        ("response_flags", flags),
        ("connection_security_policy", policy),
    ]);
    Flow::read(&Series { labels, value: rate }).unwrap()
}

fn draw(observed: &Observed, estate: &Estate) -> Graph {
    draw_view(observed, &Details::default(), estate, View::Workload, None)
}

/// What somebody is shown, where any word may be the name of a namespace.
fn redacted(graph: Graph, sees: &dyn Fn(&str) -> bool) -> Graph {
    redact(graph, sees, &|_| true)
}

fn observed(requests: Vec<Flow>) -> Observed {
    Observed { window_s: 60, requests, ..Observed::default() }
}

fn workload(name: &str, meshed: bool) -> (String, Workload) {
    let known = Workload {
        namespace: "shop".into(),
        name: name.into(),
        app: name.into(),
        meshed,
        listed: true,
        ..Workload::default()
    };
    (format!("shop/{name}"), known)
}

const PAY: &str = "payment-service.shop.svc.cluster.local";

#[test]
fn both_reporters_make_one_edge() {
    let seen = observed(vec![
        flow(&format!("source checkout payment {PAY} http 200 - unknown"), 9.0),
        flow(&format!("source checkout payment {PAY} http 503 UF unknown"), 1.0),
        flow(&format!("destination checkout payment {PAY} http 200 - mutual_tls"), 8.5),
    ]);
    let graph = draw(&seen, &Estate::default());
    assert_eq!(graph.edges.len(), 1);
    let edge = &graph.edges[0];
    assert_eq!((edge.id.as_str(), edge.rate, edge.error_share), ("shop/checkout->shop/payment", 10.0, Some(0.1)));
    assert_eq!((edge.lock, edge.plaintext_share, edge.health), (Lock::Mtls, Some(0.0), Health::Failing));
    assert_eq!(edge.codes[1].flags, "UF");
    let payment = graph.nodes.iter().find(|n| n.id == "shop/payment").unwrap();
    assert_eq!((payment.rate_in, payment.rate_out, payment.error_share), (10.0, 0.0, Some(0.1)));
    let checkout = graph.nodes.iter().find(|n| n.id == "shop/checkout").unwrap();
    assert_eq!((checkout.rate_in, checkout.rate_out, checkout.health), (0.0, 10.0, Health::Failing));
    assert_eq!(checkout.error_share, Some(0.1), "what it sends gives its health, so that it is shown");
    assert_eq!(mtls_share(&seen), Some(1.0));
}

#[test]
fn a_caller_without_a_proxy_is_counted_where_it_arrives() {
    let seen = observed(vec![
        flow(&format!("destination legacy-billing payment {PAY} http 200 - none"), 2.0),
        flow(&format!("destination - payment {PAY} http 200 - none"), 0.5),
        flow(&format!("source checkout payment {PAY} http 200 - unknown"), 6.0),
        flow(&format!("destination checkout payment {PAY} http 200 - mutual_tls"), 4.5),
        flow(&format!("destination checkout payment {PAY} http 200 - none"), 1.5),
    ]);
    let estate = Estate {
        workloads: [workload("legacy-billing", false), workload("payment", true)].into(),
        ..Estate::default()
    };
    let graph = draw(&seen, &estate);
    let edge = |id: &str| graph.edges.iter().find(|e| e.id == id).unwrap();
    let legacy = edge("shop/legacy-billing->shop/payment");
    assert_eq!((legacy.rate, legacy.lock, legacy.plaintext_share), (2.0, Lock::Plaintext, Some(1.0)));
    let mixed = edge("shop/checkout->shop/payment");
    assert_eq!((mixed.rate, mixed.lock, mixed.plaintext_share), (6.0, Lock::Mixed, Some(0.25)));
    assert_eq!(edge("unknown->shop/payment").rate, 0.5);
    let kind = |id: &str| graph.nodes.iter().find(|n| n.id == id).unwrap().kind;
    assert_eq!(kind("unknown"), NodeKind::Unknown);
    assert_eq!(kind("shop/legacy-billing"), NodeKind::Unmeshed);
    assert_eq!(kind("shop/payment"), NodeKind::Workload);
    let legacy = graph.nodes.iter().find(|n| n.id == "shop/legacy-billing").unwrap();
    assert_eq!(legacy.badges[0].kind, "missing-sidecar");
}

#[test]
fn what_reached_no_workload_is_the_services_and_blames_no_version() {
    let host = "order.shop.svc.cluster.local";
    let mut seen = observed(vec![
        flow(&format!("source bff order-v1 {host} http 200 - unknown"), 9.0),
        flow(&format!("source bff order-v2 {host} http 200 - unknown"), 1.0),
        flow(&format!("destination bff order-v1 {host} http 200 - mutual_tls"), 9.0),
        // Half of all goes to a subset that does not exist.
        flow(&format!("source bff - {host} http 503 NC unknown"), 10.0),
        flow(&format!("source loader - {host} http 503 UH unknown"), 4.0),
        flow("source bff - api.example.com http 200 - unknown", 3.0),
    ]);
    seen.tcp =
        vec![Flow { what: "opened".into(), ..flow("source bff - order.shop.svc.cluster.local tcp  UH unknown", 2.0) }];
    let estate = Estate {
        hosts: BTreeMap::from([(host.to_owned(), vec!["shop/order-v1".into(), "shop/order-v2".into()])]),
        workloads: [workload("order-v1", true), workload("order-v2", true)].into(),
        ..Estate::default()
    };
    let graph = draw(&seen, &estate);
    let rate = |id: &str| graph.edges.iter().find(|e| e.id == id).map(|e| e.rate).unwrap();
    assert_eq!((rate("shop/bff->shop/order-v1"), rate("shop/bff->shop/order-v2")), (9.0, 1.0));
    let v1 = node(&graph, "shop/order-v1");
    assert_eq!((v1.rate_in, v1.error_share, v1.health), (9.0, Some(0.0), Health::Healthy));
    let none = format!("service:{host}/none");
    let lost = edge(&graph, &format!("shop/bff->{none}"));
    assert_eq!((lost.rate, lost.opened, lost.error_share), (10.0, 2.0, Some(1.0)));
    assert_eq!((lost.lock, lost.codes[0].flags.as_str()), (Lock::Unknown, "NC"), "nothing was encrypted");
    assert_eq!(rate(&format!("shop/loader->{none}")), 4.0);
    let service = node(&graph, &none);
    assert_eq!((service.kind, service.host.as_str(), service.namespace.as_str()), (NodeKind::Service, host, "shop"));
    assert_eq!((service.workload.as_str(), service.rate_in, service.health), ("order", 14.0, Health::Failing));
    assert!(service.workloads.is_empty());
    for view in [View::App, View::VersionedApp] {
        let graph = draw_view(&seen, &Details::default(), &estate, view, None);
        assert_eq!(node(&graph, &none).rate_in, 14.0, "{view}");
        assert!(graph.nodes.iter().all(|node| node.app != "order-v1" || node.error_share == Some(0.0)), "{view}");
    }
    // The service has all of it, whether it arrived or not.
    let services = draw_view(&seen, &Details::default(), &estate, View::Service, None);
    let order = node(&services, &format!("service:{host}"));
    assert_eq!((order.rate_in, order.workloads.len()), (24.0, 2));
    assert!(services.nodes.iter().all(|node| node.id != none));
    assert_eq!(rate("shop/bff->external:api.example.com"), 3.0);
    let external = graph.nodes.iter().find(|n| n.id == "external:api.example.com").unwrap();
    assert_eq!((external.kind, external.workload.as_str()), (NodeKind::External, "api.example.com"));
}

#[test]
fn tcp_and_grpc_keep_their_kind() {
    let tcp = |what: &str, spec: &str, rate| Flow { what: what.into(), ..flow(spec, rate) };
    let db = "source bff db db.shop.svc.cluster.local tcp  - unknown";
    let mut seen = observed(vec![flow("source bff quotes quotes.shop.svc.cluster.local grpc 200 - unknown", 1.0)]);
    seen.tcp = vec![
        tcp("opened", db, 0.2),
        tcp("closed", db, 0.1),
        tcp("sent", db, 9000.0),
        tcp("received", "destination bff old old.shop.svc.cluster.local tcp  - mutual_tls", 100.0),
    ];
    let graph = draw(&seen, &Estate::default());
    let edge = |id: &str| graph.edges.iter().find(|e| e.id == id).unwrap();
    let db = edge("shop/bff->shop/db");
    assert_eq!((db.protocol.as_str(), db.rate, db.error_share, db.health), ("tcp", 0.2, Some(0.0), Health::Healthy));
    assert_eq!((db.opened, db.closed, db.bytes_sent, db.bytes_received), (0.2, 0.1, 9000.0, 0.0));
    let old = edge("shop/bff->shop/old");
    assert_eq!((old.rate, old.error_share, old.lock, old.health), (0.0, None, Lock::Mtls, Health::Healthy));
    assert_eq!(edge("shop/bff->shop/quotes").protocol, "grpc");
}

#[test]
fn without_rates_nothing_is_called_idle() {
    let estate = Estate { workloads: [workload("payment", true)].into(), ..Estate::default() };
    let seen = Observed { rates_problem: Some(QueryError::NotConfigured), ..Observed::default() };
    assert_eq!(draw(&seen, &estate).nodes[0].health, Health::Unknown);
    let seen = Observed::default();
    assert_eq!(draw(&seen, &estate).nodes[0].health, Health::Idle);
}

#[test]
fn latency_is_that_of_the_side_that_gave_the_rate() {
    let seen = observed(vec![flow(&format!("destination - payment {PAY} http 200 - none"), 2.0)]);
    let row = |reporter: &str, value| {
        let labels = Labels::from([
            ("reporter", reporter),
            ("source_workload", "unknown"),
            ("destination_workload", "payment"),
            ("destination_workload_namespace", "shop"),
            ("quantile", "0.95"),
        ]);
        Flow::read(&Series { labels, value }).unwrap()
    };
    let mut details = Details::default();
    details.add(&[row("source", 7.0), row("destination", 9.0)], None);
    let edge = &draw_view(&seen, &details, &Estate::default(), View::Workload, None).edges[0];
    assert_eq!((edge.p50_ms, edge.p95_ms), (None, Some(9.0)));
}

#[test]
fn at_most_eight_queries() {
    assert!(rates(60, true, true).len() + 1 + raw(60, true).len() <= 8);
    // Where nothing moves, presence is asked and raw histograms are not.
    assert!(rates(60, true, false).len() + 2 <= 8);
    assert!(recorded("1m").promql.contains("window=\"1m\""));
}

#[test]
fn one_missing_answer_is_not_an_absent_prometheus() {
    let mut seen = observed(vec![]);
    seen.sources = Sources {
        asked: 3,
        answered: 2,
        problem: Some("it did not answer within 4 s".into()),
        words: Some("Prometheus answered 2 of 3 queries; missing: TCP.".into()),
        ..Sources::default()
    };
    let told = seen.prometheus();
    assert!(told.up);
    assert_eq!(
        told.problem.as_deref(),
        Some("Prometheus answered 2 of 3 queries; missing: TCP (it did not answer within 4 s)")
    );
    seen.sources.answered = 0;
    assert!(!seen.prometheus().up);
}

#[test]
fn a_mesh_that_nobody_scrapes_is_not_told_as_a_quiet_one() {
    let estate = Estate { workloads: [workload("payment", true)].into(), ..Estate::default() };
    let note = |seen: &Observed, estate: &Estate| draw(seen, estate).sources.note;
    let mut seen = Observed { scraped: Some(false), ..observed(vec![]) };
    assert!(note(&seen, &estate).is_some_and(|note| note.contains("is it scraping the proxies?")));
    assert_eq!(note(&seen, &Estate::default()), None, "without workloads there is nothing to scrape");
    seen.scraped = Some(true);
    assert_eq!(note(&seen, &estate), None, "scraped, and quiet");
    seen.odd = 2;
    assert!(note(&seen, &estate).is_some_and(|note| note.starts_with("2 series are left out")));
}

#[test]
fn what_was_known_last_is_shown_on_for_a_while() {
    let good = Observed { at_ms: 1_000_000, requests: vec![], ..Observed::default() };
    let failed = |at_ms| Observed {
        at_ms,
        rates_problem: Some(QueryError::NotConfigured),
        sources: Sources { asked: 3, answered: 0, problem: Some("away".into()), ..Sources::default() },
        ..Observed::default()
    };
    let kept = failed(1_020_000).or_last(Some(&good));
    assert_eq!((kept.at_ms, kept.age_ms, kept.rates_problem.clone()), (1_000_000, 20_000, None));
    assert_eq!((kept.sources.answered, kept.outdated.clone()), (0, Some(QueryError::NotConfigured)));
    // It goes on ageing from the moment that it was true.
    let later = failed(1_060_000).or_last(Some(&kept));
    assert_eq!(later.age_ms, 60_000);
    assert!(failed(1_000_000 + 3_600_000).or_last(Some(&later)).rates_problem.is_some(), "too old");
    assert!(failed(1).or_last(None).rates_problem.is_some());
    let back = Observed { at_ms: 1_070_000, ..good }.or_last(Some(&later));
    assert_eq!((back.age_ms, back.outdated), (0, None));
}

mod clusters;
mod redaction;
mod views;

fn edge<'a>(graph: &'a Graph, id: &str) -> &'a Edge {
    graph
        .edges
        .iter()
        .find(|edge| edge.id == id)
        .unwrap_or_else(|| panic!("no {id} in {:?}", graph.edges.iter().map(|edge| &edge.id).collect::<Vec<_>>()))
}

fn node<'a>(graph: &'a Graph, id: &str) -> &'a Node {
    graph
        .nodes
        .iter()
        .find(|node| node.id == id)
        .unwrap_or_else(|| panic!("no {id} in {:?}", graph.nodes.iter().map(|node| &node.id).collect::<Vec<_>>()))
}
