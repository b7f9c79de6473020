//! Every page of the console against axe-core's rules (WCAG 2.1 A and AA, and its best practices), light and dark: no
//! finding that axe calls serious or critical.

use std::{fmt::Write, time::Duration};

use serde_json::Value;
use weft_tests::{
    browser::Browser,
    demo::Demo,
    process::npm_folder,
    wait::{ensure, until},
};

const SOON: Duration = Duration::from_secs(30);

/// Each page: its name, its address, and what is on it once it is drawn.
const PAGES: [(&str, &str, &str); 19] = [
    ("graph", "#/graph", "[data-testid=graph-edges] [data-edge]"),
    ("graph as a list", "#/graph?list=1&legend=1", "[data-testid=legend-card]"),
    ("graph, hidden and past", "#/graph?hide=rate%20%3C%201&at=1", "[data-testid=replay-bar]"),
    ("a node", "#/graph?select=node:shop/order-service-v1", "[data-testid=trends] svg"),
    ("a call", "#/graph?select=edge:shop/legacy-billing->shop/payment-service", "[data-testid=trends] svg"),
    ("canaries", "#/canaries", "[data-testid=canary-course] svg"),
    ("configuration", "#/configuration", "[data-testid=config-row]"),
    (
        "an object",
        "#/configuration?select=networking.istio.io/v1~VirtualService~shop~checkout-preview",
        "main h2, main h1",
    ),
    ("workloads", "#/workloads", "main table, main [data-row]"),
    ("a workload", "#/workloads/shop/order-service-v1", "[data-testid=charts] svg"),
    ("its logs", "#/workloads/shop/order-service-v1?tab=logs", "main"),
    ("its proxy", "#/workloads/shop/order-service-v1?tab=proxy", "main"),
    ("services", "#/services", "main table, main [data-row]"),
    ("applications", "#/apps", "main table, main [data-row]"),
    ("namespaces", "#/namespaces", "main"),
    ("traces", "#/traces", "[data-testid=trace-row]"),
    ("mesh", "#/mesh", "main"),
    ("audit", "#/audit", "main"),
    ("no such place", "#/nowhere", "[data-testid=empty]"),
];

/// Runs axe over the page; each finding with what it is about.
const AUDIT: &str = r#"
    const done = arguments[arguments.length - 1];
    axe.run(document, { resultTypes: ["violations"] }).then(
        result => done(result.violations.flatMap(rule => rule.nodes.map(node => ({
            rule: rule.id, impact: node.impact || rule.impact, help: rule.help,
            target: node.target.join(" "), html: node.html.slice(0, 200), why: (node.failureSummary || "").slice(0, 300),
        })))),
        error => done([{ rule: "axe", impact: "critical", help: String(error), target: "", html: "", why: "" }]));
"#;

/// The findings that count, one a line.
async fn findings(browser: &Browser, page: &str) -> String {
    let found = browser.page.execute_async(AUDIT, Vec::new()).await.unwrap_or_else(|error| panic!("{page}: {error}"));
    let mut text = String::new();
    for finding in found.as_array().into_iter().flatten() {
        let field = |name: &str| finding[name].as_str().unwrap_or_default().replace('\n', " ");
        if matches!(field("impact").as_str(), "serious" | "critical") {
            let [impact, rule, target, html, why] = ["impact", "rule", "target", "html", "why"].map(field);
            let _ = writeln!(text, "{page}: {impact} {rule}: {target}\n    {html}\n    {why}");
        }
    }
    text
}

/// Waits until nothing on the page moves or changes its size any more.
async fn settled(browser: &Browser, page: &str) {
    let look = "return [document.querySelectorAll('*').length, document.querySelectorAll('.skeleton').length]";
    let mut last = Value::Null;
    for _ in 0..3 {
        until(&format!("{page} has settled"), SOON, || async {
            let now = browser.script(look).await;
            ensure(now[1] == 0, || format!("{now}"))
        })
        .await;
        let now = browser.script(look).await;
        if now == last {
            return;
        }
        last = now;
    }
}

async fn audit(dark: bool) {
    let axe = std::fs::read_to_string(npm_folder("axe").join("node_modules/axe-core/axe.min.js")).unwrap();
    let demo = Demo::start(&["--rate=40"]);
    let console = demo.text("/console");
    let browser = Browser::start(1440, 900, dark).await;
    let mut all = String::new();
    for (name, address, drawn) in PAGES {
        browser.open("about:blank").await;
        browser.open(&format!("{console}/{address}")).await;
        browser.wait_for(drawn).await;
        settled(&browser, name).await;
        browser.script(&axe).await;
        all.push_str(&findings(&browser, name).await);
        // Menus and the list of keys lie over a page.
        if name == "graph" {
            browser.script("document.querySelector('#search').focus()").await;
            type_key(&browser, "order").await;
            browser.wait_for("[data-testid=search-option]").await;
            all.push_str(&findings(&browser, "what the search found").await);
            type_key(&browser, "\u{e00c}").await;
            browser.script("document.querySelectorAll('details.menu').forEach(menu => menu.open = true)").await;
            settled(&browser, "the menus").await;
            all.push_str(&findings(&browser, "the graph's menus").await);
            browser.script("document.querySelectorAll('details.menu').forEach(menu => menu.open = false)").await;
            browser.script("document.dispatchEvent(new KeyboardEvent('keydown', { key: '?', bubbles: true }))").await;
            all.push_str(&findings(&browser, "the list of keys").await);
        }
        if name == "canaries" {
            browser.wait_for("[data-testid=canary-preset-50]").await.click().await.unwrap();
            browser.wait_for("[data-testid=canary-diff]").await;
            all.push_str(&findings(&browser, "the preview of a move").await);
        }
    }
    browser.close().await;
    drop(demo);

    // The page that asks who one is.
    let demo = Demo::start(&["--sign-in=link"]);
    let browser = Browser::start(1440, 900, dark).await;
    browser.open(&demo.text("/console")).await;
    browser.wait_for("main").await;
    settled(&browser, "signing in").await;
    browser.script(&axe).await;
    all.push_str(&findings(&browser, "signing in").await);
    browser.close().await;
    assert!(all.is_empty(), "{} findings:\n{all}", all.matches("\n    ").count() / 2);
}

#[tokio::test]
async fn no_serious_finding_in_light() {
    audit(false).await;
}

#[tokio::test]
async fn no_serious_finding_in_dark() {
    audit(true).await;
}

/// Types a key where the focus is.
async fn type_key(browser: &Browser, key: &str) {
    browser.page.active_element().await.unwrap().send_keys(key).await.unwrap();
}

/// Waits until a script about what has the focus says yes.
async fn focus_where(browser: &Browser, what: &str, holds: &str) {
    until(what, SOON, || async {
        let script =
            format!("const active = document.activeElement; return [{holds}, active?.outerHTML.slice(0, 200)]");
        let now = browser.script(&script).await;
        ensure(now[0] == true, || now.to_string())
    })
    .await;
}

#[tokio::test]
async fn dialogs_and_panels_take_the_keyboard_and_give_it_back() {
    const TAB: &str = "\u{e004}";
    const ENTER: &str = "\u{e007}";
    const ESCAPE: &str = "\u{e00c}";
    let demo = Demo::start(&["--rate=20", "--sign-in=link"]);
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&demo.text("/signIn")).await;
    browser.wait_for("[data-testid=person-name]").await;

    // The panel of an entry: the sign-in itself.
    browser.open(&format!("{}/#/audit", demo.text("/console"))).await;
    browser.wait_for("[data-testid=audit-row] [data-row]").await;
    browser.script("document.querySelector('[data-testid=audit-row] [data-row]').focus()").await;
    type_key(&browser, ENTER).await;
    focus_where(&browser, "the panel's heading has the focus", "active?.id === 'panel-title'").await;
    type_key(&browser, ESCAPE).await;
    focus_where(&browser, "its row has it again", "!!active?.closest('[data-testid=audit-row]')").await;

    // The list of keys: Tab stays in it, the page behind it stands still, and Escape gives back.
    browser.script("document.querySelector('.tools [aria-label=Keys]').focus()").await;
    type_key(&browser, ENTER).await;
    let inside = "!!active?.closest('[data-testid=help]')";
    focus_where(&browser, "the dialog has the focus", inside).await;
    for key in [TAB, TAB, TAB, "g", "m"] {
        type_key(&browser, key).await;
        focus_where(&browser, "it keeps it", inside).await;
    }
    assert!(browser.fragment().await.contains("/audit"), "{}", browser.fragment().await);
    type_key(&browser, ESCAPE).await;
    focus_where(&browser, "the button has it again", "active?.getAttribute('aria-label') === 'Keys'").await;
    browser.close().await;
}

#[tokio::test]
async fn every_field_of_a_form_has_a_name() {
    let demo = Demo::start(&["--rate=20"]);
    let browser = Browser::start(1440, 900, false).await;
    for (form, field) in [
        ("traffic-shifting", "/arms/1/weight"),
        ("request-routing", "/rules/0/conditions/0/name"),
        ("authorization-policy", "/rules/0/principals"),
        ("circuit-breaking", "/maxConnections"),
    ] {
        browser.open("about:blank").await;
        let place = format!("{}/#/configuration?wizard={form}&of=shop/order-service", demo.text("/console"));
        browser.open(&place).await;
        browser.wait_for(&format!("[data-at=\"{field}\"]")).await;
        let script = "return [...document.querySelectorAll('main input, main select, main textarea')]
            .filter(field => !field.labels.length && !field.getAttribute('aria-label'))
            .map(field => field.outerHTML.slice(0, 200))";
        let nameless = browser.script(script).await;
        assert_eq!(nameless, serde_json::json!([]), "{form}");
    }
    browser.close().await;
}
