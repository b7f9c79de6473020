//! Applications that are instrumented themselves: their spans and those of the proxies beside them are one tree.

use std::{cell::Cell, collections::BTreeMap, net::SocketAddr, time::Duration};

use weft_model::trace::{Span, Trace};
use weft_tests::{
    demo::Demo,
    http::get,
    wait::{ensure, until, within},
};

/// Calls of the demo's shop, from the gateway on: to storefront, checkout-bff and order-service, which calls two others.
const CALLS: usize = 5;

/// Whose a span is: of a proxy or of an application, and which side of a call.
fn side(span: &Span) -> (&'static str, &str) {
    let by_proxy = span.attributes.iter().any(|(name, value)| name == "component" && value == "proxy");
    (if by_proxy { "proxy" } else { "application" }, span.kind.as_str())
}

/// The service that a span is of, whatever version of it.
fn service(span: &Span) -> &str {
    span.workload.trim_end_matches("-v1").trim_end_matches("-v2")
}

/// The one trace of a call by `agent`, once every span of it is in the console.
async fn whole(console: SocketAddr, agent: &str) -> Result<Trace, String> {
    let ask = async |path: &str| get(console, &console.to_string(), path, &[]).await;
    let list = ask(&format!("/api/v1/traces?tag=user_agent%3D{agent}&limit=5")).await?.json();
    let rows = list["traces"].as_array().cloned().unwrap_or_default();
    ensure(rows.len() == 1, || format!("{} traces of {agent}: {list}", rows.len()))?;
    let id = rows[0]["traceId"].as_str().unwrap_or_default();
    let answer = ask(&format!("/api/v1/traces/{id}")).await?;
    let trace: Trace = serde_json::from_slice(&answer.body).map_err(|error| format!("{error}: {}", answer.text()))?;
    // Both sides of each call by proxies, its answer by an application, and all calls but the gateway's by one.
    let all = CALLS * 4 - 1;
    ensure(trace.spans.len() == all && trace.gaps == 0, || format!("of {all} spans: {}", answer.text()))?;
    Ok(trace)
}

#[tokio::test]
async fn spans_of_applications_and_of_their_proxies_are_one_tree() {
    let demo = Demo::start(&["--app-spans", "--rate=2"]);
    let (gateway, console) = (demo.address("/gateways/0/http"), demo.address("/console"));
    // Some calls fail in the demo, or are tried again: those have more or fewer spans.
    let rounds = Cell::new(0_u32);
    let trace = until("a call has every span", Duration::from_secs(90), || {
        rounds.set(rounds.get() + 1);
        let agent = format!("instrumented-{}", rounds.get());
        async move {
            let answer = get(gateway, "shop.example.com", "/", &[("user-agent", &agent)]).await?;
            ensure(answer.status == 200, || format!("{answer:?}"))?;
            within(Duration::from_secs(10), || whole(console, &agent)).await
        }
    })
    .await;

    assert_eq!(trace.missing_parents, 0, "{trace:?}");
    let mut counted: BTreeMap<_, usize> = BTreeMap::new();
    for span in &trace.spans {
        *counted.entry(side(span)).or_default() += 1;
        let Some(parent) = trace.spans.iter().find(|parent| parent.span_id == span.parent_id) else {
            // Nobody else begins a trace: it would be a tree of its own.
            assert_eq!((side(span), span.depth), (("proxy", "client"), 0), "the gateway: {span:?}");
            assert!(span.parent_id.is_empty() && span.workload.starts_with("istio-ingress/"), "{span:?}");
            continue;
        };
        let above = match side(span) {
            ("proxy", "client") => ("application", "client"),
            ("proxy", _) => ("proxy", "client"),
            (_, "server") => ("proxy", "server"),
            _ => ("application", "server"),
        };
        assert_eq!(side(parent), above, "{span:?} below {parent:?}");
        // From one proxy to the other is from one workload to the other; the rest is within one.
        let crosses = side(span) == ("proxy", "server");
        assert_eq!(service(span) != service(parent), crosses, "{span:?} below {parent:?}");
        assert_eq!(span.depth, parent.depth + 1, "{span:?} below {parent:?}");
    }
    let expected = [
        (("application", "client"), CALLS - 1),
        (("application", "server"), CALLS),
        (("proxy", "client"), CALLS),
        (("proxy", "server"), CALLS),
    ];
    assert_eq!(counted, BTreeMap::from(expected), "{trace:?}");
}
