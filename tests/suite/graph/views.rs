//! Views of the graph, what their panel and charts say, and views that are saved.

use fantoccini::{Locator, key::Key};
use serde_json::json;
use weft_tests::{
    browser::Browser,
    demo::Demo,
    wait::{ensure, until},
};

use super::{SOON, fragment};

/// Chooses an option of a select, as the page hears of it.
async fn choose(browser: &Browser, css: &str, value: &str) {
    let element = browser.wait_for(css).await;
    element.select_by_value(value).await.unwrap_or_else(|error| panic!("{css}: {error}"));
}

/// Moves the weights of the demo's canary, as the page would.
const MOVE: &str = r#"
    (async () => {
        const { canaries } = await (await fetch('/api/v1/canaries')).json();
        const { object, routeIndex, revision } = canaries.find(one => one.object.name === 'order-service');
        const answer = await fetch('/api/v1/canaries/apply', {
            method: 'POST',
            headers: { 'content-type': 'application/json', 'x-weft-request': '1' },
            body: JSON.stringify({ object, routeIndex, revision, weights: [80, 20] }),
        });
        window.moved = answer.status;
    })();
"#;

#[tokio::test]
async fn views_panel_charts_and_saved_views() {
    let demo = Demo::start(&["--rate=40"]);
    let console = demo.text("/console");
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&format!("{console}/#/graph?list=1")).await;
    let row = |id: &str| format!("[data-testid=graph-nodes] [data-node=\"{id}\"]");
    browser.wait_for(&row("shop/order-service-v2")).await;

    // The four views name their nodes each in its own way.
    for (view, id) in [
        ("app", "app:shop/order-service"),
        ("versioned-app", "app:shop/order-service/v2"),
        ("service", "service:order-service.shop.svc.cluster.local"),
        ("workload", "shop/order-service-v2"),
    ] {
        choose(&browser, "[data-testid=graph-view]", view).await;
        browser.wait_for(&row(id)).await;
    }

    // A node's panel, by the keyboard: figures, charts from Prometheus, their tables; Escape closes it.
    let button = browser.wait_for(&format!("{} button", row("shop/order-service-v1"))).await;
    button.send_keys(&Key::Enter.to_string()).await.unwrap();
    let chart = |key: &str| format!("[data-testid=panel] [data-testid=trends] [data-chart={key}]");
    // Points stand at whole steps of the window, so the first one of a young mesh takes a step to come.
    for key in ["requests", "duration", "requests-out", "bytes"] {
        let svg = format!("{} svg", chart(key));
        let drawn = browser.page.wait().at_most(2 * SOON).for_element(Locator::Css(&svg)).await;
        drawn.unwrap_or_else(|error| panic!("{svg}: {error}"));
    }
    browser
        .text_where("p95 is named", &chart("duration"), SOON, |text| text.contains("p95") && text.contains("ms"))
        .await;
    browser.script("document.querySelector('[data-testid=trends] .as-table summary').click()").await;
    browser.wait_for(&format!("{} td", chart("requests"))).await;
    // What applies to it is told by selectors, hosts and scopes, whatever the objects are called.
    let applies = |object: &str| format!("[data-testid=panel] [data-testid=node-applies] [data-applies=\"{object}\"]");
    for object in [
        "AuthorizationPolicy shop/order-service",
        "PeerAuthentication shop/default",
        "VirtualService shop/order-service",
    ] {
        browser.wait_for(&applies(object)).await;
    }
    let other = applies("PeerAuthentication shop/payment-service");
    assert_eq!(browser.script(&format!("return !!document.querySelector('{other}')")).await, json!(false));
    assert!(fragment(&browser).await.contains("select=node"), "a link restores the panel");
    // The focus is in the panel, which leads to the workload's page; when it closes, the focus is back on the row.
    assert_eq!(browser.script("return document.activeElement.id").await, json!("panel-title"));
    let page = "return document.querySelector('[data-testid=node-page]').getAttribute('href')";
    let page = browser.script(page).await;
    assert!(page.as_str().is_some_and(|page| page.starts_with("#/workloads/shop/order-service-v1")), "{page}");
    browser.page.active_element().await.unwrap().send_keys(&Key::Escape.to_string()).await.unwrap();
    until("the panel is closed", SOON, || async {
        let panels = browser.page.find_all(Locator::Css("[data-testid=panel]")).await.map_or(0, |all| all.len());
        ensure(panels == 0, || "open".to_owned())
    })
    .await;
    until("the row has the focus again", SOON, || async {
        let back =
            "return document.activeElement.closest('[data-node]')?.dataset.node ?? document.activeElement.tagName";
        let back = browser.script(back).await;
        ensure(back == json!("shop/order-service-v1"), || back.to_string())
    })
    .await;
    // Nothing was changed through the console so far; a move of weights appears, and leads to its entry.
    browser.open(&format!("{console}/#/graph?list=1&select=node:shop/order-service-v1")).await;
    let changes = "[data-testid=panel] [data-testid=node-changes]";
    browser.text_where("nothing changed", changes, SOON, |text| text.contains("Nothing that applies here")).await;
    // A key explains: what failed, and the policies that say who may call, in the address as well.
    browser.page.active_element().await.unwrap().send_keys("e").await.unwrap();
    browser.wait_for("[data-testid=explanation] [data-applies=\"AuthorizationPolicy shop/order-service\"]").await;
    assert!(fragment(&browser).await.contains("explain=1"), "{}", fragment(&browser).await);
    browser.page.active_element().await.unwrap().send_keys("e").await.unwrap();
    until("it is put away", SOON, || async {
        let shown = browser.script("return !!document.querySelector('[data-testid=explanation]')").await;
        ensure(shown == json!(false), || "it stands there".to_owned())
    })
    .await;
    browser.script(MOVE).await;
    until("the weights are moved", SOON, || async {
        let moved = browser.script("return window.moved").await;
        ensure(moved == json!(200), || moved.to_string())
    })
    .await;
    let change = format!("{changes} [data-testid=node-change][data-action=weights] a");
    browser.wait_for(&change).await.click().await.unwrap();
    browser.text_where("its entry", "[data-testid=audit-entry]", SOON, |text| text.contains("order-service")).await;
    browser
        .text_where("the filter", "[data-testid=audit-about]", SOON, |text| {
            text.contains("workload shop/order-service-v1")
        })
        .await;
    browser.wait_for("[data-testid=audit-about] button").await.click().await.unwrap();
    until("the filter is gone", SOON, || async {
        let address = fragment(&browser).await;
        ensure(!address.contains("about="), || address)
    })
    .await;
    // A gateway is opened by an object of another name.
    browser.open(&format!("{console}/#/graph?list=1&select=node:istio-ingress/istio-ingressgateway")).await;
    browser.wait_for(&applies("Gateway istio-ingress/public-gateway")).await;
    // A call's panel has its own.
    browser.open(&format!("{console}/#/graph?list=1&select=edge:shop/checkout-bff->shop/order-service-v1")).await;
    for key in ["requests", "duration"] {
        browser.wait_for(&format!("{} svg", chart(key))).await;
    }

    // A view gets a name, another is looked at, and the name brings the first one back.
    browser.open(&format!("{console}/#/graph?list=1&hide=name%20%3D%20legacy-billing&labels=rate,p95&legend=1")).await;
    browser.wait_for("[data-testid=legend-card]").await;
    let menu = "[data-testid=saved-views]";
    browser.wait_for(&format!("{menu} summary")).await.click().await.unwrap();
    browser.text_where("none yet", menu, SOON, |text| text.contains("None yet")).await;
    let name = browser.wait_for("[data-testid=view-name]").await;
    name.send_keys(&format!("Without <b>billing</b>{}", Key::Enter)).await.unwrap();
    browser.text_where("it is listed", menu, SOON, |text| text.contains("Without <b>billing</b>")).await;
    browser.page.active_element().await.unwrap().send_keys(&Key::Escape.to_string()).await.unwrap();
    until("Escape closes the menu", SOON, || async {
        let open = browser.page.find_all(Locator::Css("details.menu[open]")).await.map_or(0, |all| all.len());
        ensure(open == 0, || "open".to_owned())
    })
    .await;
    browser.open("about:blank").await;
    browser.open(&format!("{console}/#/graph?view=app")).await;
    browser.wait_for(&format!("{menu} summary")).await.click().await.unwrap();
    browser.wait_for("[data-testid=saved-view] .menu-all").await.click().await.unwrap();
    browser.wait_for("[data-testid=legend-card]").await;
    let address = fragment(&browser).await;
    for part in ["hide=name%20%3D%20legacy-billing", "labels=rate,p95", "legend=1", "list=1"] {
        assert!(address.contains(part), "{part} in {address}");
    }
    assert!(!address.contains("view=app"), "{address}");
    browser.wait_for(&format!("{menu} summary")).await.click().await.unwrap();
    browser.wait_for("[data-testid=view-remove]").await.click().await.unwrap();
    browser.text_where("it is forgotten", menu, SOON, |text| text.contains("None yet")).await;

    // The past: a step back and the way to now, both in the address.
    browser.open("about:blank").await;
    browser.open(&format!("{console}/#/graph?list=1")).await;
    browser.wait_for("[data-testid=replay]").await.click().await.unwrap();
    let moment = "[data-testid=replay-moment]";
    let zone = "return new Intl.DateTimeFormat([], { timeZoneName: 'short' }).formatToParts(new Date())
        .find(part => part.type === 'timeZoneName').value";
    let zone = browser.script(zone).await.as_str().unwrap_or_default().to_owned();
    assert!(!zone.is_empty());
    let opened = browser.text_where("a moment, and its zone", moment, SOON, |text| text.contains(&zone)).await;
    browser.wait_for("[data-testid=replay-bar] [aria-label=\"One step back\"]").await.click().await.unwrap();
    browser.text_where("a step before", moment, SOON, |text| text != opened).await;
    assert!(fragment(&browser).await.contains("at="), "{}", fragment(&browser).await);
    browser.wait_for("[data-testid=replay-live]").await.click().await.unwrap();
    until("it is live again", SOON, || async {
        let address = fragment(&browser).await;
        ensure(!address.contains("at="), || address)
    })
    .await;
    assert_eq!(browser.script("return window.__weftErrors || []").await, json!([]), "the page's script failed");
    browser.close().await;
}
