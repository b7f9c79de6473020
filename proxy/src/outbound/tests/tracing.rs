//! What becomes of a request's trace.

use std::net::SocketAddr;

use envoy_types::pb::envoy::{
    extensions::filters::network::http_connection_manager::v3::{
        HttpConnectionManager, http_connection_manager::Tracing,
    },
    r#type::v3::Percent,
};
use http::{HeaderValue, StatusCode};

use super::{config::*, fixture::*};

/// Without tracing a proxy has no spans, and is in nobody's way.
#[tokio::test]
async fn a_trace_passes_a_proxy_that_reports_no_spans() {
    const CONTEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let origin = Origin::start(|_, request| {
        Box::pin(async move {
            let context = request.headers().get("traceparent").map(|value| value.to_str().unwrap().to_owned());
            text(StatusCode::OK, &context.unwrap_or_else(|| "none".into()))
        })
    })
    .await;
    let (proxy, silent, traced) = (Proxy::start("web"), free(), free());
    let without = manager(table(vec![to("order", |_| {})]));
    let nothing = Percent { value: 0.0 };
    let with = HttpConnectionManager {
        tracing: Some(Tracing { random_sampling: Some(nothing), ..Tracing::default() }),
        ..without.clone()
    };
    let resources = Resources::default()
        .cluster(cluster("order", &[origin.address]))
        .listener(listener("silent", silent, vec![http_chain(&without)]))
        .listener(listener("traced", traced, vec![http_chain(&with)]));
    proxy.apply(resources).await;
    let seen = async |address: SocketAddr, context: Option<&'static str>| {
        let mut request = get("/");
        if let Some(context) = context {
            request.headers_mut().insert("traceparent", HeaderValue::from_static(context));
        }
        let answer = Client::connect(address).await.send(request).await.unwrap();
        String::from_utf8(answer.body.to_vec()).unwrap()
    };
    assert_eq!(seen(silent, Some(CONTEXT)).await, CONTEXT);
    assert_eq!(seen(silent, None).await, "none");
    // With tracing, the trace is the caller's and the span is the proxy's own; none is begun that is sampled.
    let passed = seen(traced, Some(CONTEXT)).await;
    assert!(passed.starts_with(&CONTEXT[..36]) && passed.ends_with("-01") && passed != CONTEXT, "{passed}");
    let begun = seen(traced, None).await;
    assert!(begun.starts_with("00-") && begun.ends_with("-00"), "{begun}");
}
