//! Spans that come in at an address of their own.

use prometheus_http_query::reqwest::{self, Method, StatusCode, header};
use prost::Message;

use super::{Running, problem, spans::spans};
use crate::parts::until;

#[tokio::test]
async fn spans_come_in_apart_from_people() {
    let console = Running::start(&["--otlp-listen=127.0.0.1:0"]).await;
    let apart = console.otlp.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let export = |url: String| {
        let sent = client.post(url).header(header::CONTENT_TYPE, "application/x-protobuf");
        // Exporters know it by its Service's name.
        sent.header(header::HOST, "weft-console-otlp.weft-system.svc:4318").body(spans(4).encode_to_vec())
    };
    let sent = export(format!("http://{apart}/v1/traces")).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::OK);
    until("the trace is listed", async || {
        console.json("/api/v1/traces?workload=shop/checkout-bff").await["traces"].get(0).cloned()
    })
    .await;
    // Nothing else is there, and a page of the browser's gets nothing in.
    for path in ["/", "/api/v1/meta", "/metrics", "/auth/login", "/v1/other"] {
        assert_eq!(client.get(format!("http://{apart}{path}")).send().await.unwrap().status(), 404, "{path}");
    }
    let page = export(format!("http://{apart}/v1/traces")).header(header::ORIGIN, "http://evil.example");
    assert_eq!(problem(page.send().await.unwrap()).await.0, 403);
    let beside = console.request(Method::POST, "/v1/traces").header(header::CONTENT_TYPE, "application/x-protobuf");
    let (status, words) = problem(beside.body(spans(4).encode_to_vec()).send().await.unwrap()).await;
    assert_eq!((status, words["detail"].as_str().unwrap().contains("--otlp-listen")), (404, true));
    console.stop().await;
}

/// Whoever reaches the page of a console with a public name sends no spans there.
#[tokio::test]
async fn a_public_name_takes_no_spans() {
    let flags = ["--public-url=https://weft.example.org", "--anonymous"];
    let console = Running::start(&flags).await;
    let sent = console.request(Method::POST, "/v1/traces").header(header::CONTENT_TYPE, "application/x-protobuf");
    assert_eq!(problem(sent.body(spans(4).encode_to_vec()).send().await.unwrap()).await.0, 404);
    console.stop().await;
}
