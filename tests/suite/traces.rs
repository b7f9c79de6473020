//! Traces in a real browser, over a running demo: found, narrowed, opened, compared, and the way to the graph and back.

mod instrumented;
mod zipkin;

use std::{cell::Cell, net::SocketAddr, time::Duration};

use fantoccini::key::Key;
use serde_json::{Value, json};
use weft_tests::{
    browser::Browser,
    demo::Demo,
    http::get,
    wait::{ensure, until, within},
};

const SOON: Duration = Duration::from_secs(30);
const ROW: &str = "[data-testid=trace-row]";

/// Calls through the gateway that fail behind order-service, until the console holds a trace in which the proxy of
/// checkout-bff tried again; gives its id. Only the policy is changed; the rest is the demo as anybody has it.
async fn retried(demo: &Demo) -> String {
    let file = demo.manifests().join("order-service.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let policy = "retryOn: connect-failure,refused-stream,503";
    assert!(text.contains(policy), "{text}");
    std::fs::write(&file, text.replace(policy, "retryOn: 5xx")).unwrap();
    let (gateway, console) = (demo.text("/gateways/0/http").parse().unwrap(), demo.address("/console"));
    until("a call was tried again", Duration::from_secs(90), || async {
        get(gateway, "shop.example.com", "/", &[("x-test-fault", "enabled")]).await?;
        let path = "/api/v1/traces?workload=shop/checkout-bff&tag=retry.attempts%3D1&limit=5";
        let list = get(console, &console.to_string(), path, &[]).await?.json();
        let rows = list["traces"].as_array().cloned().unwrap_or_default();
        for row in &rows {
            let id = row["traceId"].as_str().unwrap_or_default();
            let trace = get(console, &console.to_string(), &format!("/api/v1/traces/{id}"), &[]).await?.json();
            let spans = trace["spans"].as_array().cloned().unwrap_or_default();
            if spans.iter().filter(|span| span["attempt"]["of"] == 2).count() == 2 {
                return Ok(id.to_owned());
            }
        }
        Err(format!("{} traces, none with both attempts", rows.len()))
    })
    .await
}

/// Waits until rows are listed and all of them failed.
async fn only_failed(browser: &Browser) {
    until("only failed ones are listed", SOON, || async {
        let rows =
            browser.script(&format!("return [...document.querySelectorAll('{ROW}')].map(r => r.dataset.error)")).await;
        let rows = rows.as_array().cloned().unwrap_or_default();
        ensure(!rows.is_empty() && rows.iter().all(|failed| failed == "true"), || format!("{rows:?}"))
    })
    .await;
}

#[tokio::test]
async fn a_retry_is_found_and_leads_to_the_graph_and_back() {
    let demo = Demo::start(&[]);
    let id = retried(&demo).await;
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&format!("{}/#/traces?window=3600", demo.text("/console"))).await;
    browser.wait_for(ROW).await;

    // A search: errors only, a workload, a tag.
    browser.click("[data-testid=trace-errors]").await;
    only_failed(&browser).await;
    let searched = browser.fragment().await;
    assert!(searched.contains("errors=1"), "{searched}");
    browser.click("[data-testid=trace-errors]").await;
    let field = browser.wait_for("[data-testid=trace-workload]").await;
    field.send_keys(&format!("shop/checkout-bff{}", char::from(Key::Enter))).await.unwrap();
    let tag = browser.wait_for("[data-testid=trace-tag]").await;
    tag.send_keys(&format!("retry.attempts=1{}", char::from(Key::Enter))).await.unwrap();
    browser.wait_for("[data-testid=trace-chip]").await;
    // Whatever was tried again failed once.
    only_failed(&browser).await;
    let searched = browser.fragment().await;
    for part in ["workload=shop/checkout-bff", "tag=retry.attempts=1"] {
        assert!(searched.contains(part), "{searched}");
    }

    // The map by keyboard: a cell with errors is chosen, and the list is of that cell.
    browser.wait_for("[data-testid=heat-cell]:not([data-errors='0'])").await;
    let pressed = "document.querySelector('[data-testid=heat-cell][tabindex=\"0\"]').focus()";
    browser.script(pressed).await;
    browser
        .script("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true}))")
        .await;
    until("the cell is in the address", SOON, || async {
        let fragment = browser.fragment().await;
        ensure(fragment.contains("cell="), || fragment)
    })
    .await;
    let narrowed = browser.fragment().await;
    browser.wait_for(ROW).await;
    let words = browser.wait_for("[data-testid=trace-chip]:last-child").await.text().await.unwrap();
    assert!(words.contains(" – "), "{words}");

    // Whoever opens the copied link sees the same search.
    browser.open("about:blank").await;
    browser
        .open(&format!(
            "{}/{}",
            demo.text("/console"),
            narrowed.replace("tag=retry.attempts=1", "tag=retry.attempts%3D1")
        ))
        .await;
    browser.wait_for(ROW).await;
    let restored = browser.script("return [...document.querySelectorAll('[data-testid=trace-chip]')].length").await;
    assert_eq!(restored, json!(2), "the tag and the cell");
    // A click takes the cell away again.
    browser.click("[data-testid=trace-chip]:last-child button").await;

    // The waterfall: both attempts below the call, its parts within it, nothing to the left of the beginning.
    browser.open(&format!("{}/#/traces?window=3600&select={id}", demo.text("/console"))).await;
    browser.wait_for("[data-testid=span-row][data-attempt='1']").await;
    browser.wait_for("[data-testid=span-row][data-attempt='2']").await;
    browser.wait_for("[data-testid=trace-totals] [data-tone=network]").await;
    browser.wait_for("[data-testid=trace-totals] [data-tone=proxy]").await;
    browser.wait_for("[data-testid=trace-totals] [data-tone=application]").await;
    let bars = browser
        .script("return [...document.querySelectorAll('.track i')].map(i => [parseFloat(i.style.left), parseFloat(i.style.width)])")
        .await;
    let inside = |bar: &Value| {
        let (left, width) = (bar[0].as_f64().unwrap_or(-1.0), bar[1].as_f64().unwrap_or(-1.0));
        left >= 0.0 && width >= 0.0 && left + width <= 100.01
    };
    let bars = bars.as_array().cloned().unwrap_or_default();
    assert!(bars.len() > 10 && bars.iter().all(inside), "{bars:?}");

    // From a hop to its call in the graph, and from there to its traces.
    browser.click("[data-testid=span-row][data-attempt='1'] .span-line").await;
    browser.click("[data-testid=span-edge]").await;
    until("the graph shows the call", SOON, || async {
        let fragment = browser.fragment().await;
        ensure(
            fragment.starts_with("#/graph") && fragment.contains("select=edge:shop/checkout-bff->shop/order-service"),
            || fragment,
        )
    })
    .await;
    let there = browser.fragment().await;
    browser.click("[data-testid=edge-traces]").await;
    browser.wait_for(ROW).await;
    let back = browser.fragment().await;
    let called = there.split("->shop/").nth(1).unwrap_or_default().split('&').next().unwrap_or_default().to_owned();
    assert!(
        back.contains("workload=shop/checkout-bff") && back.contains(&format!("destination.workload={called}")),
        "{back}"
    );
    assert_eq!(browser.script("return window.__weftErrors || []").await, json!([]), "the page's script failed");
    browser.close().await;
}

/// Calls through the gateway, and says who calls.
async fn call(gateway: SocketAddr, agent: &str, context: Option<&str>) -> Result<(), String> {
    let mut headers = vec![("user-agent", agent)];
    headers.extend(context.map(|context| ("traceparent", context)));
    get(gateway, "shop.example.com", "/", &headers).await.map(drop)
}

/// Refused until the console holds a trace of a call by `agent`.
async fn traced(console: SocketAddr, agent: &str) -> Result<(), String> {
    let path = format!("/api/v1/traces?tag=user_agent%3D{agent}&limit=5");
    let list = get(console, &console.to_string(), &path, &[]).await?.json();
    let rows = list["traces"].as_array().ok_or_else(|| format!("no list: {list}"))?;
    ensure(!rows.is_empty(), || format!("no trace of {agent}"))
}

/// Calls until one that begins a trace is found in the console.
async fn until_traced(gateway: SocketAddr, console: SocketAddr, word: &str) {
    let rounds = Cell::new(0_u32);
    until(&format!("calls {word} are traced"), Duration::from_secs(60), || {
        rounds.set(rounds.get() + 1);
        let agent = format!("{word}-{}", rounds.get());
        async move {
            call(gateway, &agent, None).await?;
            within(Duration::from_secs(5), || traced(console, &agent)).await
        }
    })
    .await;
}

/// Calls until one that could have begun a trace did not. Spans leave a proxy in order: where a later call of a trace that is
/// under way has come in, the earlier one would have.
async fn until_silent(gateway: SocketAddr, console: SocketAddr) {
    let rounds = Cell::new(0_u32);
    until("no call begins a trace", Duration::from_secs(60), || {
        rounds.set(rounds.get() + 1);
        let round = rounds.get();
        async move {
            let (quiet, under_way) = (format!("quiet-{round}"), format!("under-way-{round}"));
            call(gateway, &quiet, None).await?;
            call(gateway, &under_way, Some(&format!("00-{round:032x}-00f067aa0ba902b7-01"))).await?;
            within(SOON, || traced(console, &under_way)).await?;
            ensure(traced(console, &quiet).await.is_err(), || format!("{quiet} began a trace"))
        }
    })
    .await;
}

#[tokio::test]
async fn a_telemetry_stops_new_traces_and_brings_them_back() {
    let demo = Demo::start(&[]);
    let (gateway, console) = (demo.address("/gateways/0/http"), demo.address("/console"));
    let file = demo.manifests().join("telemetry.yaml");
    let write = |percent: u32| {
        let text = format!(
            "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: mesh-default, namespace: istio-system}}\n\
             spec:\n  tracing:\n  - randomSamplingPercentage: {percent}\n"
        );
        std::fs::write(&file, text).unwrap();
    };
    until_traced(gateway, console, "before").await;
    write(0);
    until_silent(gateway, console).await;
    write(100);
    until_traced(gateway, console, "after").await;
}
