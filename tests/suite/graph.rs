//! The graph of the console in a real browser: over a running demo, and over meshes of a size that no demo has.

mod views;

use std::time::Duration;

use fantoccini::{Locator, key::Key};
use serde_json::json;
use weft_tests::{
    browser::Browser,
    demo::Demo,
    page::{Page, mesh, two_clusters},
    wait::{ensure, until},
};

const SOON: Duration = Duration::from_secs(30);
const FIND: &str = "[data-testid=graph-search]";
const HIDE: &str = "[data-testid=graph-hide]";

/// How many nodes are drawn.
async fn nodes(browser: &Browser) -> usize {
    browser.page.find_all(Locator::Css("[data-testid=graph-nodes] [data-node]")).await.map_or(0, |all| all.len())
}

async fn nodes_are(browser: &Browser, what: &str, wanted: usize) {
    until(what, SOON, || async {
        let count = nodes(browser).await;
        ensure(count == wanted, || format!("{count} nodes"))
    })
    .await;
}

async fn fragment(browser: &Browser) -> String {
    browser.script("return location.hash").await.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn expressions_find_and_hide_and_the_address_restores_them() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(1440, 900, false).await;
    let console = demo.text("/console");
    browser.open(&format!("{console}/#/graph")).await;
    let payment = "[data-testid=graph-nodes] [data-node=\"shop/payment-service\"]";
    browser.attribute_where("payment is called", payment, "data-rate", SOON, |rate| rate != "0.000").await;
    let all = nodes(&browser).await;

    // Examples in the empty field, completion, and what is wrong in words.
    let find = browser.wait_for(FIND).await;
    find.click().await.unwrap();
    browser.text_where("examples", "#find-offers", SOON, |text| text.contains("ns = shop and error > 1%")).await;
    find.send_keys("name = pay").await.unwrap();
    browser.text_where("completion", "#find-offers", SOON, |text| text.contains("payment-service")).await;
    find.send_keys(&format!("{}{}", Key::Down, Key::Enter)).await.unwrap();
    browser.text_where("what was found", "[data-testid=find-count]", SOON, |text| text.starts_with("1 node")).await;
    find.send_keys("and nmae = x").await.unwrap();
    browser
        .text_where("the mistake", "[data-testid=find-problem]", SOON, |text| text.contains("Did you mean name?"))
        .await;

    // What is hidden leaves with its calls; the address says all of it.
    let hide = browser.wait_for(HIDE).await;
    hide.send_keys("name = legacy-billing").await.unwrap();
    nodes_are(&browser, "legacy-billing is hidden", all - 1).await;
    let address = fragment(&browser).await;
    assert!(address.contains("hide=name%20%3D%20legacy-billing"), "{address}");
    browser.open("about:blank").await;
    browser.open(&format!("{console}/{address}")).await;
    nodes_are(&browser, "the address hides it again", all - 1).await;

    // A focus by the keyboard, on the row of the list.
    browser.open(&format!("{console}/#/graph?list=1")).await;
    nodes_are(&browser, "all are shown", all).await;
    browser.script("document.querySelector('[data-node=\"shop/legacy-billing\"] button').focus()").await;
    browser.page.active_element().await.unwrap().send_keys("f").await.unwrap();
    nodes_are(&browser, "legacy-billing and what it calls", 2).await;
    browser.text_where("the focus says so", "[data-testid=focus]", SOON, |text| text.contains("legacy-billing")).await;

    // The menu of a row, by the keyboard's menu key.
    let row = "document.querySelector('[data-node=\"shop/payment-service\"] button')";
    browser.script(&format!("{row}.focus(); {row}.dispatchEvent(new MouseEvent('contextmenu', {{ bubbles: true, cancelable: true, clientX: 300, clientY: 300 }}))")).await;
    let menu =
        browser.text_where("the menu", "[data-testid=context-menu]", SOON, |text| text.contains("Hide this")).await;
    assert!(
        ["Copy link", "Show its traces", "Explain why calls", "Show the configuration that applies"]
            .iter()
            .all(|words| menu.contains(words)),
        "{menu}"
    );
    browser.page.active_element().await.unwrap().send_keys(&Key::Escape.to_string()).await.unwrap();
    until("the menu is closed and its row has the focus", SOON, || async {
        let back = browser
            .script(&format!("return !document.querySelector('[data-menu]') && document.activeElement === {row}"))
            .await;
        ensure(back == json!(true), || "not yet".to_owned())
    })
    .await;
    assert_eq!(browser.script("return window.__weftErrors || []").await, json!([]), "the page's script failed");
    browser.close().await;
}

#[tokio::test]
async fn a_large_graph_starts_folded_and_stays_put() {
    let page = Page::start(mesh(300, 1_000, 12)).await;
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&format!("{}/#/graph", page.url)).await;
    nodes_are(&browser, "twelve namespaces are twelve nodes", 12).await;
    let canvas = "[data-testid=graph-canvas] canvas";
    let large = |scale: &str| scale.parse::<f64>().is_ok_and(|scale| scale >= 0.55);
    browser.attribute_where("they fill the canvas with their rates", canvas, "data-scale", SOON, large).await;
    browser.open(&format!("{}/#/graph?list=1", page.url)).await;
    nodes_are(&browser, "the same beside the list", 12).await;
    // One opens by the keyboard and folds again; the rest stays folded.
    let shop = "[data-testid=graph-boxes] [data-box=shop] button";
    let row = browser.wait_for(shop).await;
    assert_eq!(row.attr("aria-expanded").await.unwrap().as_deref(), Some("false"));
    row.send_keys(&Key::Enter.to_string()).await.unwrap();
    nodes_are(&browser, "the workloads of one namespace", 11 + 25).await;
    assert!(fragment(&browser).await.contains("open=shop"));
    let stored = "return JSON.stringify(Object.entries(localStorage).filter(([name]) => name.startsWith('weft.layout.')).sort())";
    let before = browser.script(stored).await;
    row.send_keys(&Key::Enter.to_string()).await.unwrap();
    nodes_are(&browser, "it is folded again", 12).await;
    row.send_keys(&Key::Enter.to_string()).await.unwrap();
    nodes_are(&browser, "and open again", 11 + 25).await;
    assert_eq!(browser.script(stored).await, before, "everything stands where it stood");
    // All of it takes longer to lay out than a page may stand still, so a worker does it.
    browser.open("about:blank").await;
    browser.open(&format!("{}/#/graph?list=1&open=*", page.url)).await;
    nodes_are(&browser, "all workloads", 300).await;
    for mark in ["weft.aside", "weft.graph"] {
        until(&format!("the mark {mark}"), SOON, || async {
            let marks = browser.script(&format!("return performance.getEntriesByName('{mark}').length")).await;
            ensure(marks == 1, || format!("{marks}"))
        })
        .await;
    }
    assert_eq!(browser.script("return window.__weftErrors || []").await, json!([]), "the page's script failed");
    browser.close().await;
}

#[tokio::test]
async fn clusters_are_boxes_that_fold() {
    let page = Page::start(two_clusters(mesh(24, 40, 2))).await;
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&format!("{}/#/graph?list=1", page.url)).await;
    nodes_are(&browser, "all workloads of both clusters", 24).await;
    let keys = browser
        .script("return [...document.querySelectorAll('[data-testid=graph-boxes] [data-box]')].map(row => row.dataset.box).join(' ')")
        .await;
    assert_eq!(keys, json!("@east @west identity identity@west shop shop@west"));
    // The box of a cluster folds with what is in it, by the keyboard; the address has it.
    let west = browser.wait_for("[data-testid=graph-boxes] [data-box=\"@west\"] button").await;
    assert_eq!(west.attr("aria-expanded").await.unwrap().as_deref(), Some("true"));
    west.send_keys(&Key::Enter.to_string()).await.unwrap();
    nodes_are(&browser, "one cluster is one node", 12 + 1).await;
    browser.wait_for("[data-testid=graph-nodes] [data-node=\"box:@west\"]").await;
    let address = fragment(&browser).await;
    browser.open("about:blank").await;
    browser.open(&format!("{}/{address}", page.url)).await;
    nodes_are(&browser, "the address folds it again", 12 + 1).await;
    let west = browser.wait_for("[data-testid=graph-boxes] [data-box=\"@west\"] button").await;
    west.send_keys(&Key::Enter.to_string()).await.unwrap();
    nodes_are(&browser, "and it opens", 24).await;
    // A namespace folds in its cluster alone.
    let shop = browser.wait_for("[data-testid=graph-boxes] [data-box=\"shop@west\"] button").await;
    shop.send_keys(&Key::Enter.to_string()).await.unwrap();
    nodes_are(&browser, "six workloads are one node", 24 - 6 + 1).await;
    shop.send_keys(&Key::Enter.to_string()).await.unwrap();
    nodes_are(&browser, "open again", 24).await;
    // A node's panel leads to its page of another program; that of a node elsewhere will not.
    let own = "[data-testid=graph-nodes] [data-node^=\"shop/\"]:not([data-node*=\"@\"]) button";
    browser.wait_for(own).await.send_keys(&Key::Enter.to_string()).await.unwrap();
    let filled = |href: &str| href.starts_with("https://dash.example/shop/") && !href.contains('{');
    browser.attribute_where("its page elsewhere", "[data-testid=node-link]", "href", SOON, filled).await;
    let find = browser.wait_for(FIND).await;
    find.send_keys("cluster = west").await.unwrap();
    browser
        .text_where("what is in the cluster", "[data-testid=find-count]", SOON, |text| text.starts_with("12 nodes"))
        .await;
    let hide = browser.wait_for(HIDE).await;
    hide.send_keys("cluster = east").await.unwrap();
    nodes_are(&browser, "only the other cluster is left", 12).await;
    // The panel of what is elsewhere leads to no traces and no configuration of this cluster.
    let row = browser.wait_for("[data-testid=graph-nodes] [data-node$=\"@west\"] button").await;
    row.send_keys(&Key::Enter.to_string()).await.unwrap();
    browser.wait_for("[data-testid=panel] [data-testid=elsewhere]").await;
    let ways = "return !!document.querySelector('[data-testid=node-traces], [data-testid=node-link]')";
    assert_eq!(browser.script(ways).await, json!(false));
    assert_eq!(browser.script("return window.__weftErrors || []").await, json!([]), "the page's script failed");
    browser.close().await;
}

/// Catches what the page would save.
const CATCH: &str = r#"
    window.files = [];
    const address = URL.createObjectURL;
    URL.createObjectURL = blob => { window.blob = blob; return address.call(URL, blob); };
    HTMLAnchorElement.prototype.click = function () {
        const [name, blob] = [this.download, window.blob];
        blob.arrayBuffer().then(bytes => {
            const start = String.fromCharCode(...new Uint8Array(bytes).slice(1, 4));
            window.files.push([name, blob.type, start, new TextDecoder().decode(bytes)]);
        });
    };
"#;

#[tokio::test]
async fn the_graph_leaves_as_a_file() {
    let page = Page::start(mesh(12, 20, 2)).await;
    let browser = Browser::start(1440, 900, true).await;
    browser.open(&format!("{}/#/graph?list=1", page.url)).await;
    nodes_are(&browser, "a dozen", 12).await;
    browser.script(CATCH).await;
    let mut texts = Vec::new();
    for (kind, media, start) in
        [("svg", "image/svg+xml", "svg"), ("png", "image/png", "PNG"), ("json", "application/json", "\n  ")]
    {
        browser.script(&format!("document.querySelector('[data-testid=export-{kind}]').click()")).await;
        let files = until(kind, SOON, || async {
            let files = browser.script("return window.files").await;
            if files.as_array().is_some_and(|files| files.len() > texts.len()) {
                Ok(files)
            } else {
                Err("none yet".to_owned())
            }
        })
        .await;
        let file = &files[texts.len()];
        assert!(
            file[0].as_str().is_some_and(|name| name.starts_with("weft-graph-") && name.ends_with(kind)),
            "{}",
            file[0]
        );
        assert_eq!((&file[1], &file[2]), (&json!(media), &json!(start)));
        texts.push(file[3].as_str().unwrap_or_default().to_owned());
    }
    let graph: weft_model::graph::Graph = serde_json::from_str(&texts[2]).unwrap();
    assert_eq!(graph.nodes.len(), 12);
    assert!(texts[0].matches("<text").count() > 12, "names are text: {}", texts[0]);
    browser.close().await;
}

#[tokio::test]
async fn parentheses_protocols_and_boxes() {
    let page = Page::start(mesh(40, 80, 4)).await;
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&format!("{}/#/graph?list=1", page.url)).await;
    nodes_are(&browser, "forty are not folded", 40).await;
    let find = browser.wait_for(FIND).await;
    find.send_keys("(ns = shop or ns = identity) and name ~ cart").await.unwrap();
    browser
        .text_where("both namespaces' carts", "[data-testid=find-count]", SOON, |text| text.starts_with("2 nodes"))
        .await;
    let hide = browser.wait_for(HIDE).await;
    hide.send_keys("not (ns = shop or ns = identity)").await.unwrap();
    nodes_are(&browser, "two of four namespaces are left", 20).await;
    // Folding what is left, through the menu of boxes.
    browser.wait_for("[data-testid=boxes] summary").await.click().await.unwrap();
    browser.wait_for("[data-testid=fold-all]").await.click().await.unwrap();
    nodes_are(&browser, "two boxes", 2).await;
    browser.wait_for("[data-testid=open-all]").await.click().await.unwrap();
    nodes_are(&browser, "open again", 20).await;
    // A press outside closes the menu.
    browser.wait_for("[data-testid=graph-canvas]").await.click().await.unwrap();
    until("the menu is closed", SOON, || async {
        let open = browser.page.find_all(Locator::Css("details.menu[open]")).await.map_or(0, |all| all.len());
        ensure(open == 0, || "open".to_owned())
    })
    .await;
    // What is wrong is said in words once the field is left, and the graph stays as it was.
    hide.send_keys(" )").await.unwrap();
    browser.wait_for("[data-testid=graph-canvas]").await.click().await.unwrap();
    browser.text_where("the mistake", "[data-testid=hide-problem]", SOON, |text| text.contains("Column")).await;
    assert_eq!(nodes(&browser).await, 20);
    browser.close().await;
}
