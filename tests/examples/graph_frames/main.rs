//! What a frame of the console's graph costs while it is panned and zoomed, at 300 nodes with 1,000 edges and at 1,000
//! nodes with 3,000: everything that the page's main thread does for it, in a trace of headless Chromium, script and paint
//! together, in time of the processor; and the longest task until it is drawn first. Machines differ and have slow hours,
//! so Cytoscape.js draws the same mesh at the same places and goes through the same gesture in the same run: the ratio is
//! what carries over. One line of JSON. With a directory as argument it saves what 20, 60, 300 and 1,000 nodes look like
//! instead.

mod peer;

use std::{path::PathBuf, time::Duration};

use fantoccini::wd::TimeoutConfiguration;
use serde_json::{Value, json};
use weft_tests::{
    browser::Browser,
    page::{Page, mesh},
    wait::{ensure, until},
};

const CATEGORIES: [&str; 3] = ["blink.user_timing", "devtools.timeline", "disabled-by-default-devtools.timeline"];
const GESTURE: &str = include_str!("gesture.js");
/// How often it does the same in one trace, an odd number; and the frames that it takes each time.
const TIMES: usize = 3;
const FRAMES: usize = 140;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    if let Some(dir) = std::env::args().nth(1).map(PathBuf::from) {
        look(&dir).await;
        return;
    }
    let mut out = serde_json::Map::new();
    let mut name = String::new();
    for (size, nodes, edges, spaces, limit) in [("300", 300, 1_000, 12, 8), ("1000", 1_000, 3_000, 24, 25)] {
        let graph = mesh(nodes, edges, spaces);
        let page = Page::start(graph.clone()).await;
        let ours = our_page(&page).await;
        let (peer, version) = peer::measure(&graph, &page).await;
        name = version;
        let ratio = |key: &str| {
            let of = |costs: &Value| costs[key].as_f64().unwrap_or(f64::NAN);
            round(of(&ours) / of(&peer))
        };
        let (median, p95) = (ratio("medianMs"), ratio("p95Ms"));
        out.insert(
            size.to_owned(),
            json!({ "ours": ours, "peer": peer, "ratioMedian": median, "ratioP95": p95, "limitMs": limit }),
        );
    }
    println!("{}", json!({ "graphFrameMs": out, "peer": name }));
}

/// What a frame of our page costs.
async fn our_page(page: &Page) -> Value {
    let browser = Browser::traced(1440, 900, &CATEGORIES).await;
    browser.open(&format!("{}/#/graph?open=*", page.url)).await;
    drawn(&browser).await;
    let events = gesture(&browser).await;
    browser.close().await;
    let mut costs = summary(&frames(&events));
    costs["longestTaskBeforeDrawnMs"] = json!(round(longest(&events)));
    costs
}

/// Goes through the gesture on a graph that is drawn; the events of the trace.
async fn gesture(browser: &Browser) -> Vec<Value> {
    // A slow machine may take longer for it than a script has otherwise.
    let timeouts = TimeoutConfiguration::new(Some(Duration::from_secs(300)), None, None);
    browser.page.update_timeouts(timeouts).await.expect("the browser takes timeouts");
    // What the first drawing left to do is done.
    tokio::time::sleep(Duration::from_secs(2)).await;
    // Nothing is asked of the page meanwhile, which would cost it time, and nothing of the trace before: ChromeDriver
    // gives it once.
    browser.page.execute_async(GESTURE, vec![json!(TIMES)]).await.expect("the gesture");
    browser.trace().await
}

/// Costs of frames in order of time, in milliseconds, as they are reported: those of all of them, and beside them those of
/// the first gesture, in which the browser compiles and pages things in.
///
/// Panics when frames are missing from the trace: what is left of them says nothing.
fn summary(costs: &[f64]) -> Value {
    assert!(costs.len().abs_diff(TIMES * FRAMES) <= TIMES, "{} frames in the trace", costs.len());
    let at = |costs: &[f64], part: f64| {
        let mut costs = costs.to_vec();
        costs.sort_by(f64::total_cmp);
        round(costs.get(((costs.len() as f64 - 1.0) * part) as usize).copied().unwrap_or(f64::NAN))
    };
    json!({
        "frames": costs.len(),
        "medianMs": at(costs, 0.5),
        "p95Ms": at(costs, 0.95),
        "firstP95Ms": at(&costs[..costs.len() / TIMES], 0.95),
        "worstMs": at(costs, 1.0),
    })
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

async fn drawn(browser: &Browser) {
    until("the graph is drawn", Duration::from_secs(120), || async {
        let time = browser.script("return performance.getEntriesByName('weft.graph').length").await;
        ensure(time == json!(1), || "not yet".to_owned())
    })
    .await;
}

/// The main thread's work for each frame of the gestures in milliseconds, in order of time.
fn frames(events: &[Value]) -> Vec<f64> {
    let number = |event: &Value, key: &str| event[key].as_f64().unwrap_or(0.0);
    let named = |name: &'static str| events.iter().filter(move |event| event["name"] == name);
    let mark = |name: &'static str| named(name).map(|event| number(event, "ts")).next();
    let (Some(start), Some(end)) = (mark("gesture-start"), mark("gesture-end")) else { return Vec::new() };
    // The page's own thread is the one that the marks are on.
    let thread = named("gesture-start").map(|event| (event["pid"].clone(), event["tid"].clone())).next();
    let own = |event: &&Value| {
        thread.as_ref().is_some_and(|(pid, tid)| event["pid"] == *pid && event["tid"] == *tid)
            && (start..=end).contains(&number(event, "ts"))
    };
    let mut fired: Vec<f64> = named("FireAnimationFrame").filter(own).map(|event| number(event, "ts")).collect();
    fired.sort_by(f64::total_cmp);
    // The gesture's callback and the page's run in one task: that is where a frame begins.
    let holds_one = |task: &&Value| {
        let (from, until) = (number(task, "ts"), number(task, "ts") + number(task, "dur"));
        fired.partition_point(|at| *at < from) < fired.partition_point(|at| *at <= until)
    };
    let tasks = || named("RunTask").filter(own);
    let mut begins: Vec<f64> = tasks().filter(holds_one).map(|task| number(task, "ts")).collect();
    begins.sort_by(f64::total_cmp);
    let mut costs = vec![0.0; begins.len()];
    // Tasks do not nest: the work between two frames belongs to the earlier.
    for task in tasks() {
        let middle = number(task, "ts") + number(task, "dur") / 2.0;
        let frame = begins.partition_point(|begin| *begin <= middle);
        if let Some(cost) = frame.checked_sub(1).and_then(|frame| costs.get_mut(frame)) {
            // Time of the thread, not of the clock: others run on this machine, too.
            *cost += task["tdur"].as_f64().unwrap_or_else(|| number(task, "dur")) / 1000.0;
        }
    }
    costs
}

/// The longest task of the main thread until the graph was drawn first, in milliseconds of the thread: for so long the page
/// answers to nobody while it loads.
fn longest(events: &[Value]) -> f64 {
    let number = |event: &Value, key: &str| event[key].as_f64().unwrap_or(0.0);
    let Some(mark) = events.iter().find(|event| event["name"] == "weft.graph") else { return f64::NAN };
    let own = |event: &&Value| {
        event["name"] == "RunTask"
            && (&event["pid"], &event["tid"]) == (&mark["pid"], &mark["tid"])
            && number(event, "ts") <= number(mark, "ts")
    };
    events.iter().filter(own).map(|task| number(task, "tdur") / 1000.0).fold(0.0, f64::max)
}

/// Zooms out, a step in each frame, and is done while the view still moves.
const MOVE: &str = r#"
    const done = arguments[arguments.length - 1];
    const board = document.querySelector("[data-testid=graph-canvas]");
    const { x, y, width, height } = board.getBoundingClientRect();
    const at = { bubbles: true, cancelable: true, clientX: x + width * 0.6, clientY: y + height * 0.5 };
    let left = 34;
    const step = () => {
        board.dispatchEvent(new WheelEvent("wheel", { ...at, deltaY: left > 14 ? -40 : 40 }));
        left -= 1;
        if (left) requestAnimationFrame(step); else done();
    };
    requestAnimationFrame(step);
"#;

/// What graphs of several sizes look like, folded and open, light and dark, at rest and while they move.
async fn look(dir: &std::path::Path) {
    std::fs::create_dir_all(dir).expect("a directory");
    for (nodes, edges, spaces) in [(20, 32, 3), (60, 120, 6), (300, 1_000, 12), (1_000, 3_000, 24)] {
        let page = Page::start(mesh(nodes, edges, spaces)).await;
        for dark in [false, true] {
            let browser = Browser::start(1440, 900, dark).await;
            for (name, query) in [
                ("start", ""),
                ("open", "?open=*"),
                ("found", "?open=*&find=error%20%3E%205%25&labels=rate,errors,p95&locks=1"),
                ("moved", "?open=*&labels=rate"),
            ] {
                browser.open("about:blank").await;
                browser.open(&format!("{}/#/graph{query}", page.url)).await;
                drawn(&browser).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
                if name == "moved" {
                    browser.page.execute_async(MOVE, vec![]).await.expect("the view moves");
                }
                let path = dir.join(format!("graph-{nodes}-{name}-{}.png", if dark { "dark" } else { "light" }));
                browser.screenshot(&path).await;
                println!("{}", path.display());
            }
            browser.close().await;
        }
    }
}
