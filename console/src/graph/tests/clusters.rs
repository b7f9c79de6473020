use std::sync::Arc;

use axum::{
    Router,
    extract::Path,
    http::header::CONTENT_TYPE,
    routing::{get, post},
};
use parking_lot::Mutex;

use super::*;
use crate::{
    graph::{Clusters, GraphCache, HIDDEN_ID, Moment},
    telemetry::prometheus::Prometheus,
};

/// A call between `name@cluster` and `name@cluster`, all in the namespace `shop`; a cluster `?` is not known.
fn call(reporter: &str, source: &str, destination: &str, rate: f64) -> Flow {
    let end = |end: &str| {
        let (name, cluster) = end.rsplit_once('@').unwrap();
        (name.to_owned(), if cluster == "?" { "unknown".to_owned() } else { cluster.to_owned() })
    };
    let ((s, sc), (d, dc)) = (end(source), end(destination));
    let host = format!("{d}.shop.svc.cluster.local");
    let labels = Labels::from([
        ("reporter", reporter),
        ("source_workload", &s),
        ("source_workload_namespace", "shop"),
        ("source_app", &s),
        ("source_version", "v1"),
        ("source_cluster", &sc),
        ("destination_workload", &d),
        ("destination_workload_namespace", "shop"),
        ("destination_app", &d),
        ("destination_version", "v1"),
        ("destination_cluster", &dc),
        ("destination_service", &host),
        ("request_protocol", "http"),
        ("response_code", "200"),
        ("response_flags", "-"),
        ("connection_security_policy", if reporter == "source" { "unknown" } else { "mutual_tls" }),
    ]);
    Flow::read(&Series { labels, value: rate }).unwrap()
}

/// As the console of `east` sees it.
fn seen(mut requests: Vec<Flow>) -> Observed {
    let clusters = Clusters::of("east", requests.iter());
    clusters.settle(&mut requests);
    Observed { clusters: Arc::new(clusters), ..observed(requests) }
}

fn both(source: &str, destination: &str, rate: f64) -> [Flow; 2] {
    ["source", "destination"].map(|reporter| call(reporter, source, destination, rate))
}

fn two() -> Observed {
    let calls =
        [both("web@east", "pay@east", 5.0), both("web@east", "pay@west", 3.0), both("web@west", "pay@west", 2.0)];
    seen(calls.into_iter().flatten().collect())
}

fn ids(graph: &Graph) -> Vec<&str> {
    graph.nodes.iter().map(|node| node.id.as_str()).collect()
}

#[test]
fn the_same_names_in_two_clusters_stay_apart() {
    let estate = Estate { workloads: [workload("pay", true), workload("quiet", true)].into(), ..Estate::default() };
    let graph = draw(&two(), &estate);
    assert_eq!(ids(&graph), ["shop/pay", "shop/pay@west", "shop/quiet", "shop/web", "shop/web@west"]);
    let rates: Vec<(&str, f64, Lock)> =
        graph.edges.iter().map(|edge| (edge.id.as_str(), edge.rate, edge.lock)).collect();
    assert_eq!(
        rates,
        [
            ("shop/web->shop/pay", 5.0, Lock::Mtls),
            ("shop/web->shop/pay@west", 3.0, Lock::Mtls),
            ("shop/web@west->shop/pay@west", 2.0, Lock::Mtls)
        ],
        "each call once, by both reporters"
    );
    let told: Vec<(&str, bool)> = graph.nodes.iter().map(|node| (node.cluster.as_str(), node.is_foreign())).collect();
    assert_eq!(
        told,
        [("east", false), ("west", true), ("east", false), ("east", false), ("west", true)],
        "what is configured but idle is of the own cluster"
    );
    assert!(graph.nodes.iter().all(|node| node.namespace == "shop"));
}

#[test]
fn a_cluster_that_one_side_does_not_know_is_the_other_sides() {
    let graph = draw(
        &seen(vec![
            call("source", "web@east", "solo@?", 3.0),
            call("destination", "web@east", "solo@west", 3.0),
            call("source", "web@west", "pay@west", 2.0),
            call("destination", "web@?", "pay@west", 2.0),
            call("destination", "ghost@?", "solo@west", 1.0),
        ]),
        &Estate::default(),
    );
    let rates: Vec<(&str, f64)> = graph.edges.iter().map(|edge| (edge.id.as_str(), edge.rate)).collect();
    assert_eq!(
        rates,
        [
            ("shop/ghost@unknown->shop/solo@west", 1.0),
            ("shop/web->shop/solo@west", 3.0),
            ("shop/web@west->shop/pay@west", 2.0)
        ]
    );
}

#[test]
fn one_cluster_is_told_as_if_there_were_none() {
    let plain = |cluster: &str| {
        let web = format!("web@{cluster}");
        vec![call("source", &web, "pay@?", 4.0), call("destination", &web, &format!("pay@{cluster}"), 4.0)]
    };
    for cluster in ["east", "west"] {
        for view in View::ALL {
            let of = |seen: &Observed| {
                let graph = draw_view(seen, &Details::default(), &Estate::default(), view, None);
                serde_json::to_string(&graph).unwrap()
            };
            let told = of(&seen(plain(cluster)));
            assert_eq!(told, of(&observed(plain("?"))), "{view} {cluster}");
            assert!(!told.contains("\"cluster\"") && !told.contains('@'), "{told}");
        }
    }
}

#[test]
fn each_view_tells_clusters_apart() {
    let view = |view| draw_view(&two(), &Details::default(), &Estate::default(), view, None);
    let services = view(View::Service);
    let pay = node(&services, "service:pay.shop.svc.cluster.local@west");
    assert_eq!(
        (pay.kind, pay.workload.as_str(), pay.namespace.as_str(), pay.host.as_str(), pay.cluster.as_str()),
        (NodeKind::Service, "pay", "shop", "pay.shop.svc.cluster.local", "west")
    );
    assert_eq!(pay.workloads, ["shop/pay@west"]);
    assert_eq!(edge(&services, "shop/web->service:pay.shop.svc.cluster.local@west").rate, 3.0);
    assert_eq!(edge(&view(View::App), "app:shop/web->app:shop/pay@west").rate, 3.0);
    let versions = view(View::VersionedApp);
    let pay = node(&versions, "app:shop/pay/v1@west");
    assert_eq!((pay.parent.as_deref(), pay.version.as_str()), (Some("app:shop/pay@west"), "v1"));
    let of: Vec<(&str, &str, f64)> =
        versions.boxes.iter().map(|app| (app.id.as_str(), app.cluster.as_str(), app.rate_in)).collect();
    assert!(of.contains(&("app:shop/pay", "east", 5.0)) && of.contains(&("app:shop/pay@west", "west", 5.0)), "{of:?}");
}

#[test]
fn other_clusters_are_for_those_who_see_the_whole_mesh() {
    for view in View::ALL {
        let graph = draw_view(&two(), &Details::default(), &Estate::default(), view, None);
        let shown = redacted(graph.clone(), &|namespace| namespace == "shop");
        let text = serde_json::to_string(&shown).unwrap();
        assert!(!text.contains("west"), "{view}: {text}");
        let out = shown.edges.iter().find(|edge| edge.destination == HIDDEN_ID).unwrap();
        assert_eq!((out.rate, out.codes.len()), (3.0, 0), "{view}");
        assert_eq!(node(&shown, HIDDEN_ID).rate_in, 5.0, "{view}");
        assert_eq!(redacted(graph.clone(), &|_| true), graph, "{view}");
    }
    // A host outside that only another cluster calls is nobody's business here.
    let mut calls = two().requests;
    calls.push(Flow {
        host: "secret.example.com".into(),
        destination: Arc::default(),
        ..call("source", "web@west", "x@?", 1.0)
    });
    let mut all = two();
    all.clusters.settle(&mut calls[6..]);
    all.requests = calls;
    let shown = redacted(draw(&all, &Estate::default()), &|namespace| namespace == "shop");
    assert!(shown.nodes.iter().all(|node| !node.id.contains("secret")), "{:?}", ids(&shown));
}

#[test]
fn no_name_passes_for_one_of_another_cluster() {
    let mut calls = both("pay@west@east", "pay@east", 1.0).to_vec();
    calls.extend(both("web@west", "pay@west", 2.0));
    let graph = draw(&seen(calls), &Estate::default());
    assert_eq!(ids(&graph), ["shop/pay", "shop/pay@west", "shop/pay\u{fffd}west", "shop/web@west"]);
    assert_eq!(node(&graph, "shop/pay@west").rate_in, 2.0);
}

#[test]
fn a_request_that_reached_nobody_stays_in_its_cluster() {
    let lost = |caller: &str, rate: f64| Flow {
        destination: Arc::default(),
        code: "503".into(),
        flags: "UH".into(),
        ..call("source", caller, "pay@?", rate)
    };
    let mut calls: Vec<Flow> = [both("web@east", "pay@east", 5.0), both("web@west", "pay@west", 2.0)].concat();
    calls.extend([lost("other@west", 1.0), lost("other@east", 4.0)]);
    let estate = Estate {
        hosts: BTreeMap::from([("pay.shop.svc.cluster.local".to_owned(), vec!["shop/pay".into()])]),
        workloads: [workload("pay", true)].into(),
        ..Estate::default()
    };
    let graph = draw(&seen(calls), &estate);
    let none = "service:pay.shop.svc.cluster.local/none";
    assert_eq!(edge(&graph, &format!("shop/other@west->{none}@west")).rate, 1.0);
    assert_eq!(edge(&graph, &format!("shop/other->{none}")).rate, 4.0);
    let told = |id: &str| (node(&graph, id).cluster.clone(), node(&graph, id).is_foreign());
    assert_eq!(told(none), ("east".to_owned(), false));
    assert_eq!(told(&format!("{none}@west")), ("west".to_owned(), true));
}

#[test]
fn clusters_are_asked_for_only_where_there_are_several() {
    for (one, several) in rates(60, false, false).iter().zip(&rates(60, false, true)) {
        assert!(!one.promql.contains("cluster"), "{}", one.promql);
        assert_eq!(several.promql.replace(", source_cluster, destination_cluster", ""), one.promql);
        assert!(several.promql.contains("source_cluster, destination_cluster"), "{}", several.promql);
    }
    for (one, several) in raw(60, false).iter().zip(&raw(60, true)) {
        assert!(!one.promql.contains("cluster"), "{}", one.promql);
        assert_eq!(several.promql.replace(", source_cluster, destination_cluster", ""), one.promql);
    }
}

/// A Prometheus whose index names `clusters` (none when it does not say), with the queries that it was asked.
async fn prometheus(clusters: Option<&'static str>) -> (Prometheus, Arc<Mutex<Vec<String>>>) {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = asked.clone();
    let query = move |body: String| {
        log.lock().push(body);
        async {
            ([(CONTENT_TYPE, "application/json")], r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#)
        }
    };
    let values = move |Path(label): Path<String>| async move {
        assert!(["source_cluster", "destination_cluster"].contains(&label.as_str()), "{label}");
        let body = clusters.map(|names| format!(r#"{{"status":"success","data":[{names}]}}"#));
        body.map(|body| ([(CONTENT_TYPE, "application/json")], body)).ok_or(axum::http::StatusCode::NOT_FOUND)
    };
    let app = Router::new().route("/api/v1/query", post(query)).route("/api/v1/label/{label}/values", get(values));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (Prometheus::new(&url).unwrap(), asked)
}

#[tokio::test]
async fn the_index_says_whether_there_are_several() {
    for (clusters, apart) in [
        (Some(r#""Kubernetes","unknown","""#), false),
        (Some(""), false),
        (Some(r#""Kubernetes","west""#), true),
        // Whoever does not know tells them apart.
        (None, true),
    ] {
        let (prometheus, asked) = prometheus(clusters).await;
        let graphs = GraphCache::new(Some(prometheus));
        let observed = graphs.rates(Moment::last(60)).await;
        // Silence has a question of its own, which names no label.
        let asked: Vec<_> = asked.lock().iter().filter(|query| query.contains("sum+by")).cloned().collect();
        assert_eq!(asked.len(), 3, "{clusters:?}: {asked:?}");
        assert!(asked.iter().all(|query| query.contains("source_cluster") == apart), "{clusters:?}: {asked:?}");
        assert_eq!(observed.clusters.told(), None, "flows decide about what is told");
        assert_eq!(graphs.told().await, None);
    }
}
