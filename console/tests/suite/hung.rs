//! A Prometheus that takes connections and never answers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    http::header::CONTENT_TYPE,
    response::IntoResponse,
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};
use weft_api::ObjectKey;
use weft_console::{
    canary::CanaryService, config::View, graph::GraphCache, operator::Operator, telemetry::prometheus::Prometheus,
};
use weft_model::{canary::Verdict, sync::ObjectAck};
use weft_source::Index;

use crate::{
    http::Running,
    parts::{Acks, SOON, serve, snapshot},
};

/// More than one after the other could be asked in.
const CANARIES: usize = 60;

fn objects() -> Vec<Value> {
    let canary = |n: usize| {
        let to = |subset: &str, weight: u32| json!({"destination": {"host": format!("s{n}"), "subset": subset}, "weight": weight});
        json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": format!("s{n}"), "namespace": "shop"},
            "spec": {"hosts": [format!("s{n}")], "http": [{"route": [to("v1", 90), to("v2", 10)]}]}})
    };
    (0..CANARIES).map(canary).collect()
}

/// Canaries whose weights every proxy has had for an hour, and nothing is read of.
struct Stage {
    service: Arc<CanaryService>,
    hung: TcpListener,
    first: ObjectKey,
    _views: watch::Sender<Arc<View>>,
}

async fn stage(deadline: Duration) -> Stage {
    let hung = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", hung.local_addr().unwrap());
    let prometheus = Prometheus::with_deadline(&url, deadline).unwrap();
    let view = View::new(1, snapshot(&objects()), Index::default(), Vec::new());
    let hour_ago =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap() - Duration::from_secs(3600);
    let acked = |split: &weft_console::canary::Split| ObjectAck {
        object: split.object.clone(),
        content: split.content.clone(),
        changed_at_ms: 0,
        found: false,
        acked_at_ms: Some(u64::try_from(hour_ago.as_millis()).unwrap()),
        pending: vec![],
    };
    let acks = Acks::default();
    acks.set(view.splits.iter().map(acked).collect());
    assert_eq!(view.splits.len(), CANARIES);
    let first = ObjectKey::from(&view.splits[0].object);
    let operator = Operator::new(&format!("http://{}", serve(acks.router()).await)).unwrap();
    let graphs = Arc::new(GraphCache::new(Some(prometheus.clone())));
    let (views, receiver) = watch::channel(Arc::new(view));
    let service = Arc::new(CanaryService::new(Some(prometheus), Some(operator), graphs, receiver));
    Stage { service, hung, first, _views: views }
}

#[tokio::test]
async fn many_canaries_wait_about_as_long_as_one() {
    let deadline = Duration::from_millis(300);
    let stage = stage(deadline).await;
    let began = Instant::now();
    let canaries = stage.service.evaluate().await;
    let took = began.elapsed();
    assert!(took < deadline * u32::try_from(CANARIES).unwrap() / 3, "{took:?}");
    assert_eq!(canaries.canaries.len(), CANARIES);
    for canary in &canaries.canaries {
        assert_eq!(canary.verdict, Verdict::Unknown, "{}", canary.sentence);
        assert!(canary.sentence.contains("Prometheus"), "{}", canary.sentence);
    }
}

#[tokio::test]
async fn whoever_does_not_ask_prometheus_does_not_wait_for_it() {
    let stage = stage(Duration::from_secs(600)).await;
    let service = stage.service.clone();
    let evaluation = tokio::spawn(async move { service.evaluate().await });
    let _kept = tokio::time::timeout(SOON, stage.hung.accept()).await.expect("Prometheus is asked").unwrap();
    let problem = tokio::time::timeout(SOON, stage.service.operator_problem()).await.expect("is known already");
    assert_eq!(problem, None);
    assert_eq!(stage.service.rate(&stage.first, 0), None);
    evaluation.abort();
}

#[tokio::test]
async fn what_is_configured_does_not_wait_for_the_operator() {
    let hung = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let operator = Operator::new(&format!("http://{}", hung.local_addr().unwrap())).unwrap();
    let all = objects();
    let view = |version: u64, canaries: usize| {
        Arc::new(View::new(version, snapshot(&all[..canaries]), Index::default(), Vec::new()))
    };
    let (views, receiver) = watch::channel(view(1, 1));
    let graphs = Arc::new(GraphCache::new(None));
    let service = Arc::new(CanaryService::new(None, Some(operator), graphs, receiver));
    let asking = service.clone();
    let evaluation = tokio::spawn(async move { asking.evaluate().await.canaries.len() });
    let _kept = tokio::time::timeout(SOON, hung.accept()).await.expect("the operator is asked").unwrap();
    // The operator is given up after more than this.
    let limit = Duration::from_secs(2);
    views.send(view(2, 2)).unwrap();
    let shown = tokio::time::timeout(limit, evaluation).await.expect("who waits for it shows what is newer").unwrap();
    assert_eq!(shown, 2);
    views.send(view(3, 3)).unwrap();
    let shown = tokio::time::timeout(limit, service.evaluate()).await.expect("what is newer waits a moment");
    assert_eq!(shown.canaries.len(), 3);
}

fn answer(body: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], body)
}

/// Answers that there is nothing, but for queries that `hangs` affirms: those it never answers.
fn prometheus(hangs: fn(&str) -> bool) -> Router {
    let query = move |body: String| async move {
        if hangs(&body) {
            std::future::pending::<()>().await;
        }
        answer(r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#)
    };
    let names = || async { answer(r#"{"status":"success","data":[]}"#) };
    Router::new().route("/api/v1/query", post(query)).route("/api/v1/label/{name}/values", get(names))
}

#[tokio::test]
async fn lists_and_pages_come_without_quantiles_that_do_not() {
    let address = serve(prometheus(|query| query.contains("edge_") || query.contains("histogram_quantile"))).await;
    let console = Running::start(&[&format!("--prometheus=http://{address}")]).await;
    for path in ["/api/v1/workloads", "/api/v1/workloads/shop/order-service-v1"] {
        // The page gives up after 15 seconds, as does the query of the quantiles.
        let answer = tokio::time::timeout(Duration::from_secs(10), console.json(path)).await.expect(path);
        assert_eq!(answer["sources"]["problem"], Value::Null, "{path}: {answer}");
    }
    console.stop().await;
}

#[tokio::test]
async fn logs_do_not_ask_prometheus() {
    let hung = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let console = Running::start(&[&format!("--prometheus=http://{}", hung.local_addr().unwrap())]).await;
    for path in ["workloads/shop/order-service-v1", "services/shop/order-service", "namespaces/shop"] {
        console.json(&format!("/api/v1/{path}/logs")).await;
    }
    assert_eq!(console.get("/api/v1/workloads/shop/nobody/logs").await.status(), 404);
    // Nobody has asked for anything: what is accepted now is this test's own.
    let own = tokio::net::TcpStream::connect(hung.local_addr().unwrap()).await.unwrap();
    let (_, first) = tokio::time::timeout(SOON, hung.accept()).await.expect("a connection").unwrap();
    assert_eq!(first, own.local_addr().unwrap());
    console.stop().await;
}
