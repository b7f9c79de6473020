use std::time::Duration;

use axum::{Router, http::header::CONTENT_TYPE, routing::post};
use tokio::net::TcpListener;

use super::{Prometheus, QueryError};

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
