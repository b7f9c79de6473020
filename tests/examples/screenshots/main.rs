//! `make screenshots`: what a newcomer sees of the demo, page by page, light and dark, wide and narrow, for docs/console.md.

mod palette;

use std::{fs, path::Path, time::Duration};

use weft_tests::{
    browser::Browser,
    demo::Demo,
    http::get,
    process::root,
    wait::{ensure, until},
};

/// A page: its name, its address, what is on it once it is drawn, and what is pressed before the picture is taken.
struct Shot {
    name: &'static str,
    at: &'static str,
    drawn: &'static str,
    press: &'static str,
}

const fn shot(name: &'static str, at: &'static str, drawn: &'static str) -> Shot {
    Shot { name, at, drawn, press: "" }
}

const fn press(name: &'static str, at: &'static str, press: &'static str, drawn: &'static str) -> Shot {
    Shot { name, at, drawn, press }
}

const ORDER: &str = "#/configuration?select=networking.istio.io/v1~VirtualService~shop~order-service";
/// Requests a second.
const RATE: f64 = 40.0;
const WIZARD: &str = "[data-testid=wizard-part]";

/// Every page, in the order of docs/console.md.
const PAGES: [Shot; 32] = [
    shot("graph", "#/graph", "[data-testid=graph-edges] [data-lock=plaintext]"),
    shot("graph-panel", "#/graph?select=node:shop/order-service-v2", "[data-testid=trends] svg"),
    shot("graph-list", "#/graph?list=1&legend=1", "[data-testid=legend-card]"),
    shot("canaries", "#/canaries", "[data-testid=canary-course] svg"),
    shot("configuration", "#/configuration", "[data-testid=config-row]"),
    shot(
        "configuration-object",
        "#/configuration?select=networking.istio.io/v1~VirtualService~shop~checkout-preview",
        "[data-testid=config-source]",
    ),
    press("configuration-editor", ORDER, "[data-testid=config-edit]", "[data-testid=config-text]"),
    shot("wizard-traffic-shifting", "#/configuration?wizard=traffic-shifting&of=shop/order-service", WIZARD),
    shot("wizard-request-routing", "#/configuration?wizard=request-routing&of=shop/order-service", WIZARD),
    shot("wizard-faults", "#/configuration?wizard=faults&of=shop/order-service", WIZARD),
    shot("wizard-timeouts", "#/configuration?wizard=timeouts&of=shop/order-service", WIZARD),
    shot("wizard-circuit-breaking", "#/configuration?wizard=circuit-breaking&of=shop/order-service", WIZARD),
    shot("wizard-peer-authentication", "#/configuration?wizard=peer-authentication&of=shop/payment-service", WIZARD),
    shot("wizard-authorization-policy", "#/configuration?wizard=authorization-policy&of=shop/order-service", WIZARD),
    shot("namespaces", "#/namespaces", "[data-testid=inventory-row]"),
    shot("namespace", "#/namespaces/shop", "[data-testid=charts] svg"),
    shot("applications", "#/apps", "[data-testid=inventory-row]"),
    shot("application", "#/apps/shop/order-service", "[data-testid=charts] svg"),
    shot("workloads", "#/workloads", "[data-testid=inventory-row]"),
    shot("workload", "#/workloads/shop/order-service-v2", "[data-testid=charts] svg"),
    shot("workload-instances", "#/workloads/shop/order-service-v2?tab=instances", "[data-testid=instance]"),
    shot("workload-configuration", "#/workloads/shop/order-service-v2?tab=config", "[data-testid=applies]"),
    shot("workload-logs", "#/workloads/shop/order-service-v2?tab=logs", "[data-testid=log-line]"),
    shot("workload-proxy", "#/workloads/shop/order-service-v2?tab=proxy", "[data-testid=proxy-row]"),
    shot("services", "#/services", "[data-testid=inventory-row]"),
    shot("service", "#/services/shop/order-service?split=response_code", "[data-testid=charts] svg"),
    shot("traces", "#/traces", "[data-testid=trace-row]"),
    press("trace", "#/traces?errors=1&window=300", "[data-testid=trace-row] a", "[data-testid=span-row]"),
    shot("mesh", "#/mesh", "[data-testid=mesh-proxy]"),
    shot("audit", "#/audit", "[data-testid=audit-row]"),
    press("audit-entry", "#/audit", "[data-testid=audit-row] button", "[data-testid=audit-entry]"),
    shot("not-found", "#/nowhere", "[data-testid=empty]"),
];

/// Pages of a demo that people sign in to.
const GATES: [Shot; 2] =
    [shot("sign-in", "", "[data-testid=sign-in-link]"), shot("signed-out", "signed-out", "[data-testid=signed-out]")];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (demo, guarded) = (Demo::start(&[&format!("--rate={RATE}")]), Demo::start(&["--rate=1", "--sign-in=link"]));
    change_a_weight(&demo).await;
    traffic(&demo).await;
    let dir = root().join("docs/screenshots");
    fs::create_dir_all(&dir).expect("docs/screenshots");
    let mut bytes = 0;
    for (theme, dark) in [("light", false), ("dark", true)] {
        for (width, height) in [(1440, 900), (900, 1000)] {
            let browser = Browser::start(width, height, dark).await;
            for (demo, shots) in [(&demo, PAGES.as_slice()), (&guarded, GATES.as_slice())] {
                for shot in shots {
                    let path = dir.join(format!("{}-{theme}-{width}.png", shot.name));
                    take(&browser, &demo.text("/console"), shot, &path).await;
                    bytes += small(&path);
                    println!("{}", path.display());
                }
            }
            browser.close().await;
        }
    }
    println!("{} kB in all", bytes / 1000);
}

async fn take(browser: &Browser, console: &str, shot: &Shot, path: &Path) {
    browser.open("about:blank").await;
    browser.open(&format!("{console}/{}", shot.at)).await;
    if !shot.press.is_empty() {
        browser.wait_for(shot.press).await.click().await.expect("a press");
    }
    browser.wait_for(shot.drawn).await;
    let wanted = "return document.querySelectorAll('.skeleton').length
        + document.querySelectorAll('[data-testid=live]:not([data-state=live])').length";
    until(&format!("{} is drawn", shot.name), Duration::from_secs(30), || async {
        let left = browser.script(wanted).await;
        ensure(left == 0, || format!("{left} parts are not there yet"))
    })
    .await;
    // The canvas follows in the next frames.
    browser
        .script("return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
        .await;
    browser.screenshot(path).await;
}

/// Waits until rates over the shortest window are the true ones.
async fn traffic(demo: &Demo) {
    let console = demo.address("/console");
    until("a minute of traffic", Duration::from_secs(120), || async {
        let graph = get(console, &console.to_string(), "/api/v1/graph?window=60", &[]).await?.json();
        let edges = graph["edges"].as_array().cloned().unwrap_or_default();
        let fastest = edges.iter().filter_map(|edge| edge["rate"].as_f64()).fold(0.0, f64::max);
        ensure(fastest >= 0.99 * RATE, || format!("{fastest} of {RATE} requests a second"))
    })
    .await;
}

/// Moves a weight there and back, so that the audit has something to tell.
async fn change_a_weight(demo: &Demo) {
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&format!("{}/#/canaries", demo.text("/console"))).await;
    for (percent, whole) in [("25", "75.00,25.00"), ("10", "90.00,10.00")] {
        browser.wait_for(&format!("[data-testid=canary-preset-{percent}]")).await.click().await.expect("a preset");
        browser.wait_for("[data-testid=canary-apply]:not(:disabled)").await.click().await.expect("apply");
        let configured = "[data-testid=canary-card] [data-testid=canary-configured]";
        let soon = Duration::from_secs(30);
        browser.attribute_where("the weights are moved", configured, "data-percent", soon, |now| now == whole).await;
    }
    browser.close().await;
}

/// Writes a picture with a palette in place of what the browser wrote; its size in bytes.
fn small(path: &Path) -> usize {
    let png = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let reduced = palette::reduce(&png).filter(|reduced| reduced.len() < png.len());
    if let Some(reduced) = &reduced {
        fs::write(path, reduced).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    reduced.map_or(png.len(), |reduced| reduced.len())
}
