use super::*;
use crate::graph::{details::Figures, within};

const ORDER: &str = "order.shop.svc.cluster.local";

fn versions() -> (Observed, Estate) {
    let mut seen = observed(vec![
        flow(&format!("source bff order-v1 {ORDER} http 200 - unknown"), 9.0),
        flow(&format!("source bff order-v2 {ORDER} http 503 UF unknown"), 1.0),
        flow(&format!("destination bff order-v1 {ORDER} http 200 - mutual_tls"), 9.0),
        flow(&format!("source order-v1 payment {PAY} grpc 200 - unknown"), 4.0),
        flow(&format!("source order-v2 order-v1 {ORDER} http 200 - unknown"), 0.5),
        flow("source order-v1 - api.example.com http 200 - unknown", 1.0),
    ]);
    seen.tcp = vec![Flow {
        what: "opened".into(),
        ..flow("source order-v1 payment payment-service.shop.svc.cluster.local tcp  - unknown", 0.2)
    }];
    let of = |name: &str, app: &str, version: &str| {
        let (id, known) = workload(name, true);
        (id, Workload { app: app.into(), version: version.into(), ..known })
    };
    let estate = Estate {
        workloads: [
            of("bff", "bff", ""),
            of("order-v1", "order", "v1"),
            of("order-v2", "order", "v2"),
            of("payment", "payment", ""),
        ]
        .into(),
        hosts: [
            (ORDER.to_owned(), vec!["shop/order-v1".into(), "shop/order-v2".into()]),
            (PAY.to_owned(), vec!["shop/payment".into()]),
        ]
        .into(),
        ..Estate::default()
    };
    (seen, estate)
}

fn view(of: View) -> Graph {
    let (seen, estate) = versions();
    draw_view(&seen, &Details::default(), &estate, of, None)
}

#[test]
fn apps_take_their_versions_together() {
    let graph = view(View::App);
    let order = edge(&graph, "app:shop/bff->app:shop/order");
    assert_eq!((order.rate, order.error_share, order.lock), (10.0, Some(0.1), Lock::Mtls));
    assert_eq!(edge(&graph, "app:shop/order->app:shop/order").rate, 0.5);
    let app = node(&graph, "app:shop/order");
    assert_eq!((app.kind, app.workload.as_str(), app.version.as_str()), (NodeKind::App, "order", ""));
    assert_eq!(app.workloads, ["shop/order-v1", "shop/order-v2"]);
    assert!(graph.boxes.is_empty());
}

#[test]
fn versions_stand_in_the_box_of_their_app() {
    let graph = view(View::VersionedApp);
    assert_eq!(edge(&graph, "app:shop/bff/unknown->app:shop/order/v2").health, Health::Failing);
    let v1 = node(&graph, "app:shop/order/v1");
    assert_eq!(
        (v1.parent.as_deref(), v1.version.as_str(), v1.kind),
        (Some("app:shop/order"), "v1", NodeKind::Workload)
    );
    let order = graph.boxes.iter().find(|app| app.id == "app:shop/order").unwrap();
    // Ten from outside; the half between two versions stays inside.
    assert_eq!((order.rate_in, order.health, order.app.as_str()), (10.0, Health::Failing, "order"));
}

#[test]
fn services_stand_for_the_workloads_behind_them() {
    let graph = view(View::Service);
    let to_order = edge(&graph, &format!("shop/bff->service:{ORDER}"));
    assert_eq!((to_order.rate, to_order.error_share), (10.0, Some(0.1)));
    let order = node(&graph, &format!("service:{ORDER}"));
    assert_eq!((order.kind, order.workload.as_str(), order.namespace.as_str()), (NodeKind::Service, "order", "shop"));
    assert_eq!(order.workloads, ["shop/order-v1", "shop/order-v2"]);
    // Whoever is called as a service calls as it too.
    assert_eq!(edge(&graph, &format!("service:{ORDER}->service:{PAY}")).rate, 4.0);
    let outside = node(&graph, "external:api.example.com");
    assert_eq!((outside.kind, outside.host.as_str()), (NodeKind::External, "api.example.com"));
    assert!(outside.origin.contains("no ServiceEntry"), "{}", outside.origin);
}

#[test]
fn edges_say_protocol_share_and_throughput() {
    let (seen, estate) = versions();
    let mut details = Details::default();
    let row = |what: &str, value: f64| Flow {
        what: what.into(),
        ..flow(&format!("source bff order-v1 {ORDER} http 200 - unknown"), value)
    };
    details.add(&[row("request_bytes", 1000.0), row("response_bytes", 5000.0), row("0.99", 123.456)], None);
    let graph = draw_view(&seen, &details, &estate, View::Workload, None);
    let mixed = edge(&graph, "shop/order-v1->shop/payment");
    assert_eq!((mixed.protocol.as_str(), mixed.rate, mixed.opened, mixed.share), ("mixed", 4.0, 0.2, Some(0.8)));
    let order = edge(&graph, "shop/bff->shop/order-v1");
    assert_eq!((order.bytes_sent, order.bytes_received, order.p99_ms), (1000.0, 5000.0, Some(123.0)));
    assert_eq!((order.share, edge(&graph, "shop/bff->shop/order-v2").share), (Some(0.9), Some(0.1)));
    let known = Figures { quantiles: [None, None, Some(123.456)], bytes: [1000.0, 5000.0], messages: [0.0; 2] };
    let peer = &seen.requests[0];
    assert_eq!(details.get(peer.reporter, &peer.source.id, &peer.destination.id), Some(&known));
}

#[test]
fn silence_is_shown_where_it_is_asked_for() {
    let (mut seen, estate) = versions();
    seen.idle = true;
    seen.requests.push(flow(&format!("source bff payment {PAY} http 200 - unknown"), 0.0));
    let of = |idle| draw_view(&seen, &Details::default(), &estate, View::Workload, idle);
    let silent = of(Some(true));
    let quiet = edge(&silent, "shop/bff->shop/payment");
    assert_eq!((quiet.rate, quiet.error_share, quiet.health, quiet.codes.len()), (0.0, None, Health::Idle, 0));
    assert_eq!(of(None).edges.len() + 1, silent.edges.len());
    let lonely = Estate { workloads: [workload("lonely", true)].into(), ..estate };
    let of = |idle| draw_view(&seen, &Details::default(), &lonely, View::Workload, idle);
    assert_eq!(node(&of(None), "shop/lonely").health, Health::Idle);
    assert!(of(Some(false)).nodes.iter().all(|node| node.id != "shop/lonely"));
}

#[test]
fn a_part_of_the_answers_is_told_as_one() {
    let (mut seen, estate) = versions();
    seen.sources = Sources { asked: 3, answered: 2, problem: Some("away".into()), ..Sources::default() };
    seen.missing = vec!["TCP"];
    let details = Details {
        sources: Sources { asked: 2, answered: 1, problem: None, ..Sources::default() },
        missing: vec!["p99"],
        ..Details::default()
    };
    let graph = draw_view(&seen, &details, &estate, View::Workload, None);
    assert_eq!(graph.sources.words.as_deref(), Some("Prometheus answered 3 of 5 queries; missing: TCP and p99."));
    let estate = Estate { workloads: [workload("lonely", true)].into(), ..estate };
    let graph = draw_view(&seen, &details, &estate, View::Workload, None);
    assert_eq!(node(&graph, "shop/lonely").health, Health::Unknown, "silence may be for want of an answer");
}

#[test]
fn namespaces_keep_their_neighbours() {
    let graph = within(view(View::Workload), &["elsewhere".to_owned()]);
    assert!(graph.nodes.is_empty() && graph.edges.is_empty());
    let all = view(View::VersionedApp);
    assert_eq!(within(all.clone(), &["shop".to_owned()]), all);
}

#[test]
fn an_annotation_judges_what_its_workload_receives() {
    let (seen, mut estate) = versions();
    let rules = crate::graph::health::Rules::parse("5XX,50,60,http,inbound").unwrap();
    let host = || ORDER.to_owned();
    estate.tolerances.hosts = [(host(), std::sync::Arc::new(rules))].into();
    let graph = draw_view(&seen, &Details::default(), &estate, View::App, None);
    assert_eq!(node(&graph, "app:shop/order").health, Health::Healthy);
    assert_eq!(edge(&graph, "app:shop/bff->app:shop/order").health, Health::Healthy);
}

#[test]
fn the_mesh_says_what_it_tolerates_and_an_annotation_goes_before_it() {
    use crate::graph::health::{HealthConfig, Rules};
    let (seen, mut estate) = versions();
    let lax = "rate:\n- {kind: app, name: ^order$, tolerance: [{code: 5XX, degraded: 50, failure: 60}]}\n";
    estate.tolerances.mesh = std::sync::Arc::new(HealthConfig::parse(lax).unwrap());
    let apps = |estate: &Estate| draw_view(&seen, &Details::default(), estate, View::App, None);
    assert_eq!(node(&apps(&estate), "app:shop/order").health, Health::Healthy);
    let workloads = draw_view(&seen, &Details::default(), &estate, View::Workload, None);
    assert_eq!(node(&workloads, "shop/order-v2").health, Health::Failing, "the entry is about apps");
    let strict = Rules::parse("5XX,1,2,http,inbound").unwrap();
    estate.tolerances.hosts = [(ORDER.to_owned(), std::sync::Arc::new(strict))].into();
    assert_eq!(node(&apps(&estate), "app:shop/order").health, Health::Failing);
}
