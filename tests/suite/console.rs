//! The console in a real browser, over a running demo.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use fantoccini::Locator;
use serde_json::{Value, json};
use weft_tests::{
    browser::Browser,
    demo::Demo,
    http::{get, send},
    process::signal,
    wait::{ensure, until},
};

const SOON: Duration = Duration::from_secs(30);
/// A verdict needs traffic to rest on.
const VERDICT: Duration = Duration::from_secs(150);
const CARD: &str = "[data-testid=canary-card]";

fn url(demo: &Demo, room: &str) -> String {
    format!("{}/#/{room}", demo.text("/console"))
}

#[tokio::test]
async fn the_page_shows_locks_split_and_badge_and_moves_a_canary() {
    let demo = Demo::start(&["--rate=80"]);
    let browser = Browser::start(1440, 900, false).await;

    // The graph, through its list: a lock, a broken lock, and the badge of the broken VirtualService.
    browser.open(&url(&demo, "graph")).await;
    for (edge, lock) in [
        ("shop/checkout-bff->shop/order-service-v1", "mtls"),
        ("shop/order-service-v1->shop/payment-service", "mtls"),
        ("shop/legacy-billing->shop/payment-service", "plaintext"),
    ] {
        let css = format!("[data-testid=graph-edges] [data-edge=\"{edge}\"]");
        browser.attribute_where(&format!("the lock of {edge}"), &css, "data-lock", SOON, |value| value == lock).await;
    }
    let node = "[data-testid=graph-nodes] [data-node=\"shop/checkout-bff\"]";
    until("the lint badge is on checkout-bff", SOON, || async {
        let element = browser.page.find(Locator::Css(node)).await.map_err(|error| error.to_string())?;
        let html = element.html(false).await.map_err(|error| error.to_string())?;
        ensure(html.contains("lint") || html.contains("finding"), || html.clone())
    })
    .await;
    let errors = browser.script("return window.__weftErrors || []").await;
    assert_eq!(errors, json!([]), "the page's script failed");

    // The canary, as configured and as observed.
    browser.open(&url(&demo, "canaries")).await;
    let configured = format!("{CARD} [data-testid=canary-configured]");
    browser
        .text_where("the configured split", &configured, SOON, |text| text.contains("90") && text.contains("10"))
        .await;
    let verdict = format!("{CARD} [data-testid=canary-verdict]");
    browser
        .attribute_where("90/10 is consistent", &verdict, "data-verdict", VERDICT, |value| value == "consistent")
        .await;

    // The broken VirtualService, listed with its findings.
    browser.open(&url(&demo, "configuration")).await;
    until("checkout-preview is listed with its findings", SOON, || async {
        let rows =
            browser.page.find_all(Locator::Css("[data-testid=config-row]")).await.map_err(|error| error.to_string())?;
        for row in rows {
            let text = row.text().await.map_err(|error| error.to_string())?;
            if text.contains("checkout-preview") {
                return ensure(text.contains('2'), || text.clone());
            }
        }
        Err("not listed".into())
    })
    .await;

    // Ten to fifty percent, by typing and two clicks.
    browser.open(&url(&demo, "canaries")).await;
    let input = browser.wait_for(&format!("{CARD} [data-testid=canary-weight-input]")).await;
    set_value(&input, "50").await;
    browser.wait_for(&format!("{CARD} [data-testid=canary-preview]")).await.click().await.unwrap();
    browser.wait_for("[data-testid=canary-apply]").await.click().await.unwrap();
    browser.text_where("the new split is configured", &configured, SOON, |text| text.contains("50")).await;
    let file = std::fs::read_to_string(demo.manifests().join("order-service.yaml")).unwrap();
    assert_eq!(file.matches("weight: 50").count(), 2, "{file}");
    assert!(file.contains("# Testers always get v2"), "comments stay");
    browser
        .attribute_where("50/50 is consistent", &verdict, "data-verdict", VERDICT, |value| value == "consistent")
        .await;
    let observed = observed_share(demo.address("/console")).await;
    assert!((40.0..60.0).contains(&observed), "v2 is seen to get {observed} %");

    // Undo brings the very bytes back.
    browser.take_back().await;
    browser.text_where("the old split is back", &configured, SOON, |text| text.contains("90")).await;
    browser.close().await;
}

/// Sets an input as a person does: all of it is selected, the new value typed over it, the field left. Clearing it first
/// would be a change of its own, and the page's answer to that (0) would come while the new value is typed.
async fn set_value(input: &fantoccini::elements::Element, value: &str) {
    input.click().await.unwrap();
    // Control and A, then Control let go (WebDriver §17.4.2).
    input.send_keys(&format!("\u{e009}a\u{e000}{value}\t")).await.unwrap();
    let shown = input.prop("value").await.unwrap().unwrap_or_default();
    assert_eq!(shown, value, "the input takes what is typed");
}

#[tokio::test]
async fn a_test_that_fails_leaves_no_browser() {
    let browser = Browser::start(800, 600, false).await;
    browser.open("about:blank").await;
    let group = browser.group();
    assert!(members(group) > 1, "Chromium is in ChromeDriver's group");
    // As a panic does: dropped without having been closed.
    drop(browser);
    until("the group is gone", Duration::from_secs(10), || async {
        let left = members(group);
        ensure(left == 0, || format!("{left} processes"))
    })
    .await;
}

/// Processes of a group, zombies not counted.
fn members(group: u32) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap();
    let stats = entries.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("stat")).ok());
    // After the name in parentheses: state, parent, group.
    let of = |stat: &String| {
        let fields: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        fields.first() != Some(&"Z") && fields.get(2) == Some(&group.to_string().as_str())
    };
    stats.filter(of).count()
}

async fn canaries(console: SocketAddr) -> Result<Value, String> {
    Ok(get(console, &console.to_string(), "/api/v1/canaries", &[]).await?.json())
}

async fn observed_share(console: SocketAddr) -> f64 {
    let json = canaries(console).await.unwrap();
    json["canaries"][0]["shares"][1]["observedPercent"].as_f64().unwrap_or_else(|| panic!("{json}"))
}

#[tokio::test]
async fn on_a_narrow_page_the_graph_stays_legible() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(900, 1000, false).await;
    browser.open(&url(&demo, "graph")).await;
    browser.wait_for("[data-testid=graph-nodes] [data-node=\"shop/storefront\"]").await;
    until("the whole graph fits at a legible size", SOON, || async {
        let scale = browser
            .script("return document.querySelector('[data-testid=graph-canvas] canvas')?.dataset.scale || ''")
            .await;
        let scale = scale.as_str().and_then(|scale| scale.parse::<f64>().ok()).unwrap_or_default();
        ensure(scale >= 0.8, || format!("scale {scale}"))
    })
    .await;
    // A link to a node shows it beside its panel: its menu opens where it is drawn, and within the window.
    browser.open("about:blank").await;
    browser.open(&url(&demo, "graph?select=node:shop/order-service-v2")).await;
    browser.wait_for("[data-testid=graph-nodes] [data-node=\"shop/order-service-v2\"]").await;
    let places = "document.querySelector('[data-node=\"shop/order-service-v2\"] button')
            .dispatchEvent(new MouseEvent('contextmenu', { bubbles: true, cancelable: true }));
        await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
        const menu = document.querySelector('[data-testid=context-menu]')?.getBoundingClientRect();
        const panel = document.querySelector('[data-testid=panel]')?.getBoundingClientRect();
        return menu && panel ? [menu.left < panel.left, menu.bottom <= innerHeight] : []";
    until("the node stands beside its panel", SOON, || async {
        let at = browser.script(&format!("return (async () => {{ {places} }})()")).await;
        ensure(at == json!([true, true]), || at.to_string())
    })
    .await;
    browser.close().await;
}

#[tokio::test]
async fn a_page_out_of_sight_keeps_no_connection_and_an_unknown_address_is_told() {
    let demo = Demo::start(&["--rate=5"]);
    let browser = Browser::start(900, 1000, false).await;
    browser.open(&url(&demo, "nowhere?ns=shop")).await;
    browser.text_where("the page says so", "[data-testid=empty]", SOON, |text| text.contains("#/nowhere")).await;
    browser.wait_for("[data-testid=empty] a[href='#/graph?ns=shop']").await.click().await.unwrap();
    browser.wait_for("[data-testid=live][data-state=live]").await;
    // A browser has six connections for all tabs of a console together, and a stream keeps one.
    browser.script("window.dispatchEvent(new Event('pagehide'))").await;
    browser.wait_for("[data-testid=live][data-state=waiting]").await;
    browser.script("window.dispatchEvent(new Event('pageshow'))").await;
    browser.wait_for("[data-testid=live][data-state=live]").await;
    browser.close().await;
}

#[tokio::test]
async fn without_prometheus_the_page_says_so_and_keeps_the_rest() {
    let demo = Demo::start(&[]);
    let console = demo.address("/console");
    let browser = Browser::start(900, 900, true).await;
    browser.open(&url(&demo, "graph")).await;
    let lock = "[data-testid=graph-edges] [data-edge=\"shop/legacy-billing->shop/payment-service\"]";
    browser.attribute_where("the broken lock", lock, "data-lock", SOON, |value| value == "plaintext").await;
    let (_, _, prometheus) = demo.pids().into_iter().find(|(_, role, _)| role == "prometheus").expect("prometheus");
    // Stopped, not killed: the demo would start it again.
    signal(prometheus, 19);
    browser
        .text_where("the page names Prometheus and a remedy", "body", SOON, |text| {
            text.contains("Prometheus")
                && (text.contains("not answer") || text.contains("cannot be reached") || text.contains("no answer"))
        })
        .await;
    // What was known last is still drawn, and its age is told.
    browser
        .attribute_where("the page says that its data is old", "[data-testid=live]", "data-state", SOON, |state| {
            state == "stale"
        })
        .await;
    let lock = "[data-testid=graph-edges] [data-edge=\"shop/legacy-billing->shop/payment-service\"]";
    browser.attribute_where("the broken lock stays", lock, "data-lock", SOON, |value| value == "plaintext").await;
    let list = get(console, &console.to_string(), "/api/v1/config", &[]).await.unwrap().json();
    assert!(list["rows"].as_array().is_some_and(|rows| rows.len() > 20), "the configuration is still there");
    browser.open(&url(&demo, "configuration")).await;
    browser.wait_for("[data-testid=config-row]").await;
    signal(prometheus, 18);
    browser.close().await;
}

#[tokio::test]
async fn traces_show_a_waterfall_over_every_hop() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&url(&demo, "traces")).await;
    browser.wait_for("[data-testid=trace-row]").await;
    let console = demo.address("/console");
    let trace = until("a trace over the whole application is stored", Duration::from_secs(60), || async {
        let list = get(console, &console.to_string(), "/api/v1/traces?limit=50", &[]).await?.json();
        let rows = list["traces"].as_array().cloned().unwrap_or_default();
        // Gateway, storefront, checkout, order, payment and inventory: a client and a server span for each of five calls.
        let full =
            rows.iter().find(|row| row["spans"].as_u64() >= Some(10)).ok_or_else(|| format!("{} rows", rows.len()))?;
        let id = full["traceId"].as_str().unwrap_or_default().to_owned();
        let trace = get(console, &console.to_string(), &format!("/api/v1/traces/{id}"), &[]).await?.json();
        ensure(trace["missingParents"] == 0, || format!("{} parents are missing", trace["missingParents"]))?;
        Ok(trace)
    })
    .await;
    let spans = trace["spans"].as_array().expect("spans");
    let deepest = spans.iter().filter_map(|span| span["depth"].as_u64()).max();
    assert!(deepest >= Some(7), "{trace:#}");
    browser.open(&url(&demo, "traces")).await;
    browser.wait_for("[data-testid=trace-row]").await;
    // In one step: a row whose trace still grows is drawn anew.
    browser.script("document.querySelector('[data-testid=trace-row]').click()").await;
    browser.wait_for("[data-testid=span-row]").await;
    browser.close().await;
}

#[tokio::test]
async fn writes_from_elsewhere_are_refused() {
    let demo = Demo::start(&[]);
    let console = demo.address("/console");
    let host = console.to_string();
    let canary = canaries(console).await.unwrap()["canaries"][0].clone();
    let edit = json!({ "object": canary["object"], "routeIndex": canary["routeIndex"], "weights": [0, 100], "revision": canary["revision"] });
    let body = Bytes::from(edit.to_string());
    let json_type = ("content-type", "application/json");
    let own_origin = format!("http://{host}");
    let own = [json_type, ("x-weft-request", "1"), ("origin", own_origin.as_str())];
    let refused: [(&str, &[(&str, &str)]); 5] = [
        (&host, &[json_type]),
        (&host, &[("content-type", "text/plain"), ("x-weft-request", "1")]),
        (&host, &[json_type, ("x-weft-request", "1"), ("origin", "http://evil.example")]),
        (&host, &[json_type, ("x-weft-request", "1"), ("sec-fetch-site", "cross-site")]),
        ("evil.example:80", &own),
    ];
    for (host, headers) in refused {
        let answer = send(console, "POST", host, "/api/v1/canaries/apply", headers, body.clone()).await.unwrap();
        assert!(answer.status.is_client_error(), "{host} {headers:?}: {}", answer.status);
    }
    let file = demo.manifests().join("order-service.yaml");
    assert!(std::fs::read_to_string(&file).unwrap().contains("weight: 90"), "nothing was written");
    // A stale revision is a conflict, and the file stays as the other hand left it.
    let text =
        std::fs::read_to_string(&file).unwrap().replace("weight: 90", "weight: 80").replace("weight: 10", "weight: 20");
    std::fs::write(&file, &text).unwrap();
    let answer = send(console, "POST", &host, "/api/v1/canaries/apply", &own, body).await.unwrap();
    assert_eq!(answer.status, 409, "{}", answer.text());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}
