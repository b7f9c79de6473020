//! Graph and canary figures from counters that a real Prometheus scraped.

use std::{fmt::Write as _, sync::Arc, time::SystemTime};

use serde_json::{Value, json};
use tokio::sync::watch;
use weft_console::{
    canary::CanaryService,
    config::View,
    graph::{Details, GraphCache, Moment, Observed, draw},
    operator::Operator,
};
use weft_model::{
    canary::{Canary, Verdict},
    graph::{Health, Lock, NodeKind, View as GraphView},
    sync::ObjectAck,
};
use weft_source::Index;

use crate::parts::{Acks, Page, Scraper, serve, snapshot, until};

const ORDER: &str = "order-service.shop.svc.cluster.local";

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// The estate of these tests: two versions of a service, a canary, a caller with a proxy and one without.
fn objects(weights: [u32; 2]) -> Vec<Value> {
    let networking = "networking.istio.io/v1";
    let entry = |name: &str, app: &str, version: &str, meshed: bool| {
        let mut labels = json!({"app": app, "version": version});
        if meshed {
            labels["security.istio.io/tlsMode"] = json!("istio");
        }
        json!({"apiVersion": networking, "kind": "WorkloadEntry", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"address": "127.0.0.1", "labels": labels}})
    };
    let to = |subset: &str, weight: u32| json!({"destination": {"host": "order-service", "subset": subset}, "weight": weight});
    vec![
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "order-service", "namespace": "shop"},
            "spec": {"selector": {"app": "order-service"}, "ports": [{"name": "http", "port": 8080}]}}),
        entry("order-service-v1", "order-service", "v1", true),
        entry("order-service-v2", "order-service", "v2", true),
        entry("checkout-bff", "checkout-bff", "v1", true),
        entry("legacy-billing", "legacy-billing", "v1", false),
        json!({"apiVersion": networking, "kind": "DestinationRule", "metadata": {"name": "order-service", "namespace": "shop"},
            "spec": {"host": "order-service", "trafficPolicy": {"outlierDetection": {}}, "subsets": [
                {"name": "v1", "labels": {"version": "v1"}}, {"name": "v2", "labels": {"version": "v2"}}]}}),
        json!({"apiVersion": networking, "kind": "VirtualService", "metadata": {"name": "order-service", "namespace": "shop"},
            "spec": {"hosts": ["order-service"], "http": [
                {"match": [{"headers": {"x-canary": {"exact": "true"}}}], "route": [to("v2", 100)]},
                {"route": [to("v1", weights[0]), to("v2", weights[1])]}]}}),
    ]
}

fn view(version: u64, weights: [u32; 2]) -> Arc<View> {
    Arc::new(View::new(version, snapshot(&objects(weights)), Index::default(), Vec::new()))
}

/// Lines of `istio_requests_total` and its histogram for one edge.
fn edge(page: &mut String, reporter: &str, source: &str, destination: &str, policy: &str, code: &str, count: u64) {
    let labels = format!(
        "reporter=\"{reporter}\",source_workload=\"{source}\",source_workload_namespace=\"shop\",source_app=\"{source}\",\
         destination_workload=\"{destination}\",destination_workload_namespace=\"shop\",destination_service=\"{ORDER}\",\
         destination_service_name=\"order-service\",request_protocol=\"http\",response_code=\"{code}\",\
         response_flags=\"-\",connection_security_policy=\"{policy}\""
    );
    let _ = writeln!(page, "istio_requests_total{{{labels}}} {count}");
    for (bound, part) in [("5", 0), ("10", count), ("+Inf", count)] {
        let _ = writeln!(page, "istio_request_duration_milliseconds_bucket{{{labels},le=\"{bound}\"}} {part}");
    }
}

fn split(page: &mut String, route: &str, subset: &str, count: u64) {
    let _ = writeln!(
        page,
        "weft_route_requests_total{{virtual_service=\"shop/order-service\",route=\"{route}\",subset=\"{subset}\",\
         host=\"{ORDER}\",source_workload=\"checkout-bff\",source_workload_namespace=\"shop\"}} {count}"
    );
}

#[tokio::test]
async fn the_graph_counts_each_request_once() {
    let page = Page::default();
    page.set("");
    let Some(scraper) = Scraper::start(serve(page.router()).await).await else { return };
    let graphs = GraphCache::new(Some(scraper.client()));
    // Counters that grow by a known ratio: what is checked are ratios, which no scrape's timing changes.
    page.change(|scrape| {
        let mut text = String::new();
        for reporter in ["source", "destination"] {
            let policy = if reporter == "source" { "unknown" } else { "mutual_tls" };
            edge(&mut text, reporter, "checkout-bff", "order-service-v1", policy, "200", scrape * 180);
            edge(&mut text, reporter, "checkout-bff", "order-service-v1", policy, "503", scrape * 20);
        }
        edge(&mut text, "destination", "legacy-billing", "order-service-v1", "none", "200", scrape * 100);
        text
    });
    let view = view(1, [90, 10]);
    let graph = until("both edges have rates and latency", async || {
        let (observed, details) = graphs.seen(Moment::last(10), true).await;
        let graph = draw(&observed, &details, &view.estate, GraphView::Workload, None);
        (graph.edges.len() == 2 && graph.edges.iter().all(|e| e.p95_ms.is_some() && e.rate > 100.0)).then_some(graph)
    })
    .await;

    assert_eq!((graph.sources.asked, graph.sources.answered, graph.sources.problem.clone()), (8, 8, None));
    let find = |id: &str| graph.edges.iter().find(|edge| edge.id == id).unwrap();
    let meshed = find("shop/checkout-bff->shop/order-service-v1");
    let plain = find("shop/legacy-billing->shop/order-service-v1");
    assert!((meshed.rate / plain.rate - 2.0).abs() < 0.05, "{} and {}", meshed.rate, plain.rate);
    assert!((meshed.error_share.unwrap() - 0.1).abs() < 0.01, "{meshed:?}");
    assert_eq!((meshed.lock, plain.lock), (Lock::Mtls, Lock::Plaintext));
    assert_eq!((plain.health, plain.plaintext_share), (Health::Healthy, Some(1.0)));
    assert!(meshed.p95_ms.is_some_and(|ms| (9.0..10.0).contains(&ms)), "{meshed:?}");

    let node = |id: &str| graph.nodes.iter().find(|node| node.id == id).unwrap();
    assert_eq!(graph.nodes.len(), 4);
    assert_eq!(node("shop/order-service-v2").health, Health::Idle);
    assert_eq!(node("shop/legacy-billing").kind, NodeKind::Unmeshed);
    let kinds: Vec<&str> = node("shop/order-service-v1").badges.iter().map(|badge| badge.kind.as_str()).collect();
    assert_eq!(kinds, ["canary", "circuit-breaker"]);
    let sum = meshed.rate + plain.rate;
    assert!((node("shop/order-service-v1").rate_in / sum - 1.0).abs() < 0.01);
}

struct Canaries {
    page: Page,
    acks: Acks,
    views: watch::Sender<Arc<View>>,
    service: CanaryService,
    scraper: Scraper,
}

impl Canaries {
    async fn start(text: &str) -> Option<Self> {
        let page = Page::default();
        page.set(text);
        let scraper = Scraper::start(serve(page.router()).await).await?;
        let acks = Acks::default();
        let operator = Operator::new(&format!("http://{}", serve(acks.router()).await)).unwrap();
        let (views, receiver) = watch::channel(view(1, [90, 10]));
        let graphs = Arc::new(GraphCache::new(Some(scraper.client())));
        let service = CanaryService::new(Some(scraper.client()), Some(operator), graphs, receiver);
        Some(Self { page, acks, views, service, scraper })
    }

    /// Says that every proxy has the present content since now.
    fn acknowledge(&self, acked_at_ms: Option<u64>) {
        let split = self.views.borrow().splits[0].clone();
        let pending = if acked_at_ms.is_some() {
            Vec::new()
        } else {
            vec!["sidecar~127.0.0.9~checkout-bff.shop~shop.svc.cluster.local".to_owned()]
        };
        let (object, content) = (split.object, split.content);
        self.acks.set(vec![ObjectAck { object, content, changed_at_ms: 0, found: false, acked_at_ms, pending }]);
    }

    async fn when(&self, what: &str, holds: impl Fn(&Canary) -> bool) -> Canary {
        until(what, async || {
            let canaries = self.service.evaluate().await;
            assert_eq!(canaries.canaries.len(), 1, "{canaries:?}");
            canaries.canaries.first().filter(|canary| holds(canary)).cloned()
        })
        .await
    }
}

fn counters(testers: u64, v1: u64, v2: u64) -> String {
    let mut text = String::new();
    split(&mut text, "http[0]", "v2", testers);
    split(&mut text, "http[1]", "v1", v1);
    split(&mut text, "http[1]", "v2", v2);
    text
}

#[tokio::test]
async fn the_split_is_counted_from_the_acknowledgement_on() {
    let Some(canaries) = Canaries::start(&counters(70, 5000, 5000)).await else { return };
    let canary = canaries.when("no acknowledgement, no verdict", |_| true).await;
    assert_eq!(canary.verdict, Verdict::Settling, "{}", canary.sentence);
    canaries.acknowledge(None);
    let canary =
        canaries.when("the missing proxy is named", |c| c.sentence.ends_with("waiting for shop/checkout-bff")).await;
    assert_eq!(canary.verdict, Verdict::Settling);

    canaries.acknowledge(Some(now_ms()));
    let canary = canaries.when("what was before does not count", |c| c.verdict == Verdict::TooLittleTraffic).await;
    assert_eq!(canary.shares.iter().map(|share| share.requests).collect::<Vec<_>>(), [0, 0]);
    // The first scrape after the acknowledgement is where counting begins.
    canaries.page.scraped_twice().await;
    canaries.page.set(counters(90, 5000 + 4350, 5000 + 462));
    let canary = canaries.when("the difference is counted to the last request", |c| c.shares[0].requests == 4350).await;
    let requests: Vec<u64> = canary.shares.iter().map(|share| share.requests).collect();
    assert_eq!((requests, canary.verdict), (vec![4350, 462], Verdict::Consistent));
    assert!(canary.sentence.starts_with("v2 gets 9.6 % (8.8–10.5) of 4,812 requests since "), "{}", canary.sentence);
    assert!(canary.sentence.ends_with(": consistent with 10 %"), "{}", canary.sentence);
    assert_eq!((canary.testers[0].matches.as_str(), canary.testers[0].requests), ("x-canary: true", 20));
    assert_eq!(canary.shares[1].configured_percent, 10.0);
    let (low, high) = canary.shares[1].interval.unwrap();
    assert!(low < 9.6 && high > 9.6);

    // A proxy that starts again begins at zero.
    canaries.page.set(counters(0, 100, 10));
    canaries.when("a restart is seen through", |c| c.shares[0].requests == 4450 && c.shares[1].requests == 472).await;
}

#[tokio::test]
async fn a_subset_that_does_not_exist_is_told_before_its_share() {
    let Some(canaries) = Canaries::start(&counters(0, 0, 0)).await else { return };
    let to = |subset: &str| json!({"destination": {"host": "order-service", "subset": subset}, "weight": 50});
    let mut all = objects([50, 50]);
    if let Some(routes) = all.last_mut() {
        routes["spec"] = json!({"hosts": ["order-service"], "http": [{"route": [to("v1"), to("v9")]}]});
    }
    canaries.views.send_replace(Arc::new(View::new(2, snapshot(&all), Index::default(), Vec::new())));
    canaries.acknowledge(Some(now_ms()));
    canaries.page.change(|scrape| {
        let mut text = String::new();
        for subset in ["v1", "v9"] {
            split(&mut text, "http[0]", subset, scrape * 100);
        }
        edge(&mut text, "source", "checkout-bff", "order-service-v1", "unknown", "200", scrape * 100);
        let _ = writeln!(
            text,
            "istio_requests_total{{reporter=\"source\",source_workload=\"checkout-bff\",\
             source_workload_namespace=\"shop\",destination_workload=\"unknown\",\
             destination_workload_namespace=\"unknown\",destination_service=\"{ORDER}\",request_protocol=\"http\",\
             response_code=\"503\",response_flags=\"NC\"}} {}",
            scrape * 100
        );
        text
    });
    let lost = |canary: &Canary| canary.lost().map(|share| share.subset.clone()).collect::<Vec<_>>();
    let canary = canaries.when("what v9 lost is counted", |c| lost(c) == ["v9"] && c.shares[1].requests > 0).await;
    let begins =
        "v9 answers nothing: all its requests fail with 503 NC, because no DestinationRule has such a subset. ";
    assert!(canary.sentence.starts_with(begins), "{}", canary.sentence);
    assert_eq!(canary.shares[0].error_share, Some(0.0));
    // It blames no version in the graph either.
    let graphs = GraphCache::new(Some(canaries.scraper.client()));
    let estate = canaries.views.borrow().estate.clone();
    let graph = until("both parts have rates", async || {
        let (observed, details) = graphs.seen(Moment::last(10), false).await;
        let graph = draw(&observed, &details, &estate, GraphView::Workload, None);
        (graph.edges.len() == 2 && graph.edges.iter().all(|edge| edge.rate > 0.0)).then_some(graph)
    })
    .await;
    let health = |id: &str| graph.nodes.iter().find(|node| node.id == id).map(|node| node.health);
    assert_eq!(health("shop/order-service-v1"), Some(Health::Healthy));
    assert_eq!(health(&format!("service:{ORDER}/none")), Some(Health::Failing));
}

#[tokio::test]
async fn one_request_to_weight_zero_is_a_divergence() {
    let mut text = String::new();
    split(&mut text, "http[1]", "v1", 10);
    let Some(canaries) = Canaries::start(&text).await else { return };
    canaries.views.send_replace(view(2, [100, 0]));
    canaries.acknowledge(Some(now_ms()));
    canaries.when("settled", |c| c.since_ms.is_some()).await;
    canaries.page.scraped_twice().await;
    canaries.page.set(counters(0, 210, 0));
    canaries.when("all to v1 is consistent", |c| c.verdict == Verdict::Consistent).await;
    canaries.page.set(counters(0, 211, 1));
    let canary = canaries.when("one to v2 is not", |c| c.verdict == Verdict::Diverging).await;
    assert!(canary.sentence.starts_with("v2 has weight 0 and got 1 of "), "{}", canary.sentence);
    // New weights, not yet acknowledged: what was counted says nothing about them.
    canaries.views.send_replace(view(3, [50, 50]));
    let canary = canaries.when("new weights settle first", |c| c.verdict == Verdict::Settling).await;
    assert_eq!(canary.shares[1].requests, 0);
}

#[tokio::test]
async fn a_console_that_starts_late_reads_what_was_counted_before() {
    let Some(canaries) = Canaries::start(&counters(0, 100, 100)).await else { return };
    canaries.acknowledge(Some(now_ms()));
    canaries.page.scraped_twice().await;
    canaries.page.set(counters(0, 1000, 200));
    canaries.page.scraped_twice().await;
    canaries.page.set(counters(0, 1900, 300));
    let canary = canaries.when("history is read", |c| c.shares[0].requests == 1800).await;
    assert_eq!(canary.shares[1].requests, 200);
}

/// The same estate, with weights for opaque connections.
fn opaque_view(version: u64) -> Arc<View> {
    let to = |subset: &str, weight: u32| json!({"destination": {"host": "order-service", "subset": subset}, "weight": weight});
    let mut all = objects([90, 10]);
    if let Some(routes) = all.last_mut() {
        routes["spec"] = json!({"hosts": ["order-service"], "tcp": [{"route": [to("v1", 80), to("v2", 20)]}]});
    }
    Arc::new(View::new(version, snapshot(&all), Index::default(), Vec::new()))
}

fn connections(v1: u64, v2: u64) -> String {
    let mut text = String::new();
    for (version, count) in [("v1", v1), ("v2", v2)] {
        let _ = writeln!(
            text,
            "istio_tcp_connections_opened_total{{reporter=\"source\",source_workload=\"checkout-bff\",\
             source_workload_namespace=\"shop\",destination_workload=\"order-service-{version}\",\
             destination_workload_namespace=\"shop\",destination_service=\"{ORDER}\",request_protocol=\"tcp\",\
             response_flags=\"-\"}} {count}"
        );
    }
    text
}

#[tokio::test]
async fn weights_of_connections_are_judged_by_the_workloads_that_take_them() {
    let Some(canaries) = Canaries::start(&connections(5000, 5000)).await else { return };
    canaries.views.send_replace(opaque_view(2));
    canaries.acknowledge(Some(now_ms()));
    let canary = canaries.when("settled", |c| c.since_ms.is_some()).await;
    assert_eq!((canary.route.as_str(), canary.connections, canary.route_index), ("tcp[0]", true, 20_000));
    canaries.page.scraped_twice().await;
    canaries.page.set(connections(5000 + 800, 5000 + 200));
    let canary = canaries.when("each connection is counted", |c| c.shares[0].requests == 800).await;
    assert_eq!((canary.shares[1].requests, canary.verdict), (200, Verdict::Consistent));
    assert!(canary.sentence.starts_with("v2 gets 20.0 % "), "{}", canary.sentence);
    assert!(canary.sentence.contains(" of 1,000 connections since "), "{}", canary.sentence);
}

#[test]
fn two_routes_of_connections_to_one_host_are_not_told_apart() {
    let view = opaque_view(1);
    assert_eq!((view.splits.len(), view.splits[0].ambiguous.clone()), (1, None));
    let mut all = objects([90, 10]);
    let to = |subset: &str| json!({"destination": {"host": "order-service", "subset": subset}});
    if let Some(routes) = all.last_mut() {
        routes["spec"] = json!({"hosts": ["order-service"], "tcp": [
            {"match": [{"port": 1}], "route": [to("v2")]}, {"route": [to("v1"), to("v2")]}]});
    }
    let view = View::new(1, snapshot(&all), Index::default(), Vec::new());
    let split = &view.splits[0];
    assert!(split.ambiguous.as_ref().is_some_and(|why| why.contains("Another route")), "{:?}", split.ambiguous);
    assert_eq!((split.route_index, split.shares()), (20_001, vec![0.5, 0.5]), "none has a weight: all alike");
}

#[tokio::test]
async fn without_prometheus_the_card_says_so() {
    let acks = Acks::default();
    let operator = Operator::new(&format!("http://{}", serve(acks.router()).await)).unwrap();
    let first = view(1, [90, 10]);
    let split = first.splits[0].clone();
    let acked = ObjectAck {
        object: split.object,
        content: split.content,
        changed_at_ms: 0,
        found: false,
        acked_at_ms: Some(now_ms()),
        pending: vec![],
    };
    acks.set(vec![acked]);
    let (_views, receiver) = watch::channel(first);
    let service = CanaryService::new(None, Some(operator), Arc::new(GraphCache::new(None)), receiver);
    let canaries = service.evaluate().await;
    assert_eq!(canaries.canaries[0].verdict, Verdict::Unknown);
    assert!(canaries.canaries[0].sentence.contains("--prometheus"), "{}", canaries.canaries[0].sentence);
    assert_eq!((canaries.sources.answered, canaries.sources.problem.is_some()), (0, true));
}

#[test]
fn names_of_configuration_are_tamed_as_those_of_metrics_are() {
    let long = "x".repeat(10_000);
    let entry = |name: &str, app: &str, version: &str| {
        json!({"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"address": "127.0.0.1", "labels": {"app": app, "version": version}}})
    };
    let objects = [entry("cart", "gnp.\u{202e}exe", &long), entry(&"x".repeat(253), "cart", "v1")];
    let view = View::new(1, snapshot(&objects), Index::default(), Vec::new());
    for nodes in GraphView::ALL {
        let graph = draw(&Observed::default(), &Details::default(), &view.estate, nodes, None);
        assert_eq!(graph.nodes.len(), 2, "{nodes}");
        for node in &graph.nodes {
            for name in [&node.id, &node.namespace, &node.workload, &node.app, &node.version] {
                assert!(name.len() < 600 && !name.contains('\u{202e}'), "{nodes}: {name}");
            }
        }
        let odd = graph.nodes.iter().find(|node| node.app.starts_with("gnp."));
        assert_eq!(odd.map(|node| node.app.as_str()), Some("gnp.\u{fffd}exe"), "{nodes}");
    }
}
