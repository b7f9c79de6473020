use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{any, post},
};
use serde_json::json;
use tokio::net::TcpListener;

use super::{Prometheus, PrometheusArgs, QueryError};

/// A server that answers each query with `body`, for shapes that a real Prometheus gives too rarely to test with one.
async fn answering(status: u16, media: &'static str, body: &'static str) -> Prometheus {
    let reply =
        move || async move { (axum::http::StatusCode::from_u16(status).unwrap(), [(CONTENT_TYPE, media)], body) };
    let app = Router::new().route("/api/v1/query", post(reply));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    Prometheus::new(&url).unwrap()
}

#[tokio::test]
async fn numbers_are_kept_and_not_a_number_is_not() {
    let body = r#"{"status":"success","data":{"resultType":"vector","result":[
        {"metric":{"a":"1"},"value":[1700000000.1,"NaN"]},
        {"metric":{"a":"2"},"value":[1700000000.1,"+Inf"]},
        {"metric":{"a":"3"},"value":[1700000000.1,"0.25"]}]}}"#;
    let prometheus = answering(200, "application/json", body).await;
    let series = prometheus.instant("x", None).await.unwrap();
    assert_eq!(series.len(), 1);
    assert_eq!((series[0].labels.get("a"), series[0].labels.get("b"), series[0].value), ("3", "", 0.25));
}

#[tokio::test]
async fn an_empty_answer_is_an_answer() {
    let body = r#"{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["a warning"]}"#;
    assert_eq!(answering(200, "application/json", body).await.instant("x", None).await, Ok(Vec::new()));
}

#[tokio::test]
async fn raw_samples_keep_their_own_times() {
    let body = r#"{"status":"success","data":{"resultType":"matrix","result":[
        {"metric":{"a":"1"},"values":[[100.5,"3"],[105.5,"NaN"],[110.5,"7"]]},{"metric":{"a":"2"},"values":[[1,"NaN"]]}]}}"#;
    let tracks = answering(200, "application/json", body).await.samples("x[10s]", 111.0).await.unwrap();
    assert_eq!(tracks.len(), 1);
    let points: Vec<_> = tracks[0].points.iter().map(|p| (p.at, p.value)).collect();
    assert_eq!(points, [(100.5, 3.0), (110.5, 7.0)]);
}

#[tokio::test]
async fn each_failure_says_what_to_do() {
    let refused =
        r#"{"status":"error","errorType":"execution","error":"query processing would load too many samples"}"#;
    let error = answering(422, "application/json", refused).await.instant("x", None).await.unwrap_err();
    assert!(matches!(&error, QueryError::Refused { overloaded: true, .. }), "{error}");
    assert!(
        error.to_string().contains("too many samples") && error.to_string().contains("shorter time window"),
        "{error}"
    );

    let page = answering(200, "text/html", "<p>hello</p>").await;
    assert!(matches!(page.instant("x", None).await, Err(QueryError::Shape { .. })));
    let scalar =
        answering(200, "application/json", r#"{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}"#);
    assert!(matches!(scalar.await.instant("x", None).await, Err(QueryError::Shape { .. })));

    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = Prometheus::new(&format!("http://{free}")).unwrap().instant("x", None).await.unwrap_err();
    assert!(matches!(&error, QueryError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("start it"), "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let prometheus = Prometheus::with_deadline(&url, Duration::from_millis(50)).unwrap();
    assert!(matches!(prometheus.instant("x", None).await, Err(QueryError::Late { .. })));
}

#[test]
fn a_bad_address_is_refused_at_once() {
    assert!(matches!(Prometheus::new("not a url"), Err(QueryError::Address { .. })));
}

/// A server that lets in whoever shows `wanted` in the name of a tenant, and what it was shown.
async fn guarded(wanted: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let seen = shown.clone();
    let answer = move |headers: HeaderMap| {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("none").to_owned();
        let proof = header("authorization");
        seen.lock().unwrap().push(format!("{proof} of {}", header("x-scope-orgid")));
        let answer = if proof == wanted { whole() } else { (StatusCode::UNAUTHORIZED, "Unauthorized").into_response() };
        async move { answer }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/api/v1/{*rest}", any(answer));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, shown)
}

/// Nothing, in the shape that each question takes.
fn whole() -> Response {
    Json(json!({"status": "success", "data": {"resultType": "matrix", "result": []}})).into_response()
}

#[tokio::test]
async fn every_question_shows_the_token_as_it_is_now() {
    let (url, shown) = guarded("Bearer second").await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let args = PrometheusArgs {
        prometheus: Some(url),
        prometheus_token_file: Some(file.path().to_owned()),
        prometheus_tenant: Some("team".to_owned()),
        ..PrometheusArgs::default()
    };
    let prometheus = Prometheus::open(&args).unwrap().unwrap();
    let ask = async || {
        [
            prometheus.samples("x[1m]", 1.0).await.err(),
            prometheus.range("x", 0.0, 60.0, 15.0).await.err(),
            prometheus.label_values("a", &["x"], 0.0, 60.0).await.err(),
            prometheus.fold("x", 1.0, (), |_, _, _| {}).await.err(),
        ]
    };
    assert!(ask().await.iter().all(|error| matches!(error, Some(QueryError::Token { .. }))), "the file is empty");
    assert!(shown.lock().unwrap().is_empty(), "nothing is asked without it");
    std::fs::write(file.path(), "first").unwrap();
    for error in ask().await {
        assert!(matches!(&error, Some(QueryError::Forbidden { status: 401, .. })), "{error:?}");
        assert!(!error.unwrap().to_string().contains("first"));
    }
    std::fs::write(file.path(), "second").unwrap();
    assert!(ask().await.iter().all(|error| !matches!(error, Some(QueryError::Forbidden { .. }))));
    let shown = shown.lock().unwrap();
    assert_eq!(shown[..4], ["Bearer first of team"; 4]);
    assert_eq!(shown[4..], ["Bearer second of team"; 4]);
}

/// It would stand in what pages tell of Prometheus.
#[test]
fn a_password_does_not_belong_in_the_address() {
    let error = Prometheus::new("http://ada:secret@127.0.0.1:9090").err().unwrap();
    assert!(matches!(&error, QueryError::Flag { flag: "--prometheus", .. }), "{error}");
    assert!(!error.to_string().contains("secret") && error.to_string().contains("--prometheus-user"), "{error}");
    assert!(Prometheus::open(&PrometheusArgs::default()).unwrap().is_none());
    assert!(Prometheus::new("https://prometheus.example").is_ok());
}
