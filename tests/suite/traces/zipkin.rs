//! Spans in a real Zipkin: the demo's proxies send them there, and its console reads them there.

use serde_json::Value;
use weft_tests::{
    demo::Demo,
    http::get,
    wait::{ensure, until},
    zipkin::Zipkin,
};

use super::SOON;

const TRACE: &str = "5b8aa5a2d2c872e8321cf37308d69df2";
const CALLER: &str = "051581bf3cb55c13";

#[tokio::test]
async fn proxies_send_spans_to_zipkin_and_the_console_reads_them_there() {
    let zipkin = Zipkin::start().await;
    let demo = Demo::start(&[&format!("--zipkin=http://{}", zipkin.address()), "--rate=5"]);
    let (gateway, console) = (demo.text("/gateways/0/http").parse().unwrap(), demo.address("/console"));
    let context = format!("00-{TRACE}-{CALLER}-01");
    let answer = get(gateway, "shop.example.com", "/", &[("traceparent", &context)]).await.unwrap();

    // The gateway's side of the call, below the caller's span, and the application's side below that.
    let (client, server) = until("both sides of a call are in Zipkin", SOON, || async {
        let told = get(zipkin.address(), "zipkin", &format!("/api/v2/trace/{TRACE}"), &[]).await?.json();
        let spans = told.as_array().cloned().unwrap_or_default();
        let below = |parent: &Value| spans.iter().find(|span| span["parentId"] == *parent).cloned();
        let client = below(&CALLER.into()).ok_or_else(|| format!("{} spans, none of the gateway", spans.len()))?;
        let server = below(&client["id"]).ok_or_else(|| format!("{} spans, none below {client}", spans.len()))?;
        Ok((client, server))
    })
    .await;
    assert_eq!((&client["kind"], &server["kind"]), (&"CLIENT".into(), &"SERVER".into()), "{client} {server}");
    assert_eq!((&client["traceId"], &server["traceId"]), (&TRACE.into(), &TRACE.into()));
    assert_eq!(client["tags"]["http.status_code"], answer.status.as_str());
    assert_eq!(server["tags"]["k8s.namespace.name"], "shop");
    assert!(server["tags"]["weft.workload"].as_str().unwrap().starts_with("storefront"), "{server}");
    // Each side calls the other as that calls itself, so that Zipkin draws one box for both.
    assert_eq!(client["remoteEndpoint"]["serviceName"], server["localEndpoint"]["serviceName"], "{client} {server}");
    assert_eq!(server["remoteEndpoint"]["serviceName"], client["localEndpoint"]["serviceName"], "{client} {server}");

    until("the console shows both", SOON, || async {
        let path = format!("/api/v1/traces/{TRACE}");
        let trace = get(console, &console.to_string(), &path, &[]).await?.json();
        let spans = trace["spans"].as_array().cloned().unwrap_or_default();
        let shown = |told: &Value| spans.iter().any(|span| span["spanId"] == told["id"]);
        ensure(shown(&client) && shown(&server), || trace.to_string())
    })
    .await;
}
