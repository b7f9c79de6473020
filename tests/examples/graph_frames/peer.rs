//! Cytoscape.js with the same mesh, as a measure of what the machine is worth today. Kiali drew its graph with it until
//! PatternFly Topology became the default in late 2024 (kiali/kiali#7785); it was removed in March 2025 (kiali/kiali#8252).

use serde_json::{Value, json};
use weft_model::graph::Graph;
use weft_tests::{browser::Browser, page::Page, process::npm_folder};

use crate::{CATEGORIES, drawn, frames, gesture, summary};

/// A page with nothing of its own.
const EMPTY: &str = "data:text/html,<!doctype html><meta charset=utf-8><title>peer</title>";
/// How the view lies and how far it was zoomed into.
const VIEW: &str =
    "return [window.peer.cy.zoom(), window.peer.largest, window.peer.cy.pan().x, window.peer.cy.pan().y]";
/// The wheel zooms by so much in 39 steps, and no further than to [`MOST`].
const ZOOMED: f64 = 10.381;
const MOST: f64 = 2.5;

/// What a frame costs it with `graph`, with the nodes where `page` has them; and what it is called.
///
/// Panics when it did not go through the gesture as our page does, for then there is nothing to compare.
pub async fn measure(graph: &Graph, page: &Page) -> (Value, String) {
    let seen = seen(page).await;
    let folder = npm_folder("cytoscape");
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let browser = Browser::traced(1440, 900, &CATEGORIES).await;
    browser.open(EMPTY).await;
    browser.script(&read("node_modules/cytoscape/dist/cytoscape.min.js")).await;
    let given = vec![serde_json::to_value(graph).expect("a graph is JSON"), seen];
    let made = browser.page.execute_async(&read("peer.js"), given).await.expect("peer.js draws the graph");
    assert_eq!((&made["nodes"], &made["edges"]), (&json!(graph.nodes.len()), &json!(graph.edges.len())), "{made}");

    let before = view(&browser).await;
    let events = gesture(&browser).await;
    let after = view(&browser).await;
    let [scale, _, x, y] = before;
    let [_, largest, right, down] = after;
    let wanted = (scale * ZOOMED).min(MOST);
    assert!((largest / wanted - 1.0).abs() < 0.02, "zoomed to {largest}, not to {wanted}: {before:?} {after:?}");
    if wanted < MOST {
        // Every second pan goes back; the wheel leads back to where it began.
        let moved = (right - x, down - y);
        assert!((moved.0 + 360.0).abs() < 12.0 && (moved.1 + 180.0).abs() < 12.0, "panned by {moved:?}");
    }
    browser.close().await;
    (summary(&frames(&events)), format!("Cytoscape.js {}", made["version"].as_str().unwrap_or_default()))
}

/// What `page` shows, as `seen.js` says it; in a browser of its own, so that nothing of it is left for the measured ones.
async fn seen(page: &Page) -> Value {
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&format!("{}/#/graph?open=*", page.url)).await;
    drawn(&browser).await;
    let seen = browser.page.execute_async(include_str!("seen.js"), Vec::new()).await.expect("the exported graph");
    browser.close().await;
    seen
}

async fn view(browser: &Browser) -> [f64; 4] {
    let numbers = browser.script(VIEW).await;
    std::array::from_fn(|index| numbers[index].as_f64().unwrap_or(f64::NAN))
}
