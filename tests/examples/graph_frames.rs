//! What a frame of the console's graph costs while it is panned and zoomed, at 300 nodes with 1,000 edges and at 1,000
//! nodes: everything that the page's main thread does for it, in a trace of headless Chromium, script and paint together,
//! in time of the processor; and the longest task until it is drawn first. One line of JSON. With a directory as argument it saves what 20, 60, 300 and 1,000 nodes look
//! like instead.

use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};
use weft_tests::{
    browser::Browser,
    page::{Page, mesh},
    wait::{ensure, until},
};

const CATEGORIES: [&str; 3] = ["blink.user_timing", "devtools.timeline", "disabled-by-default-devtools.timeline"];
/// Pans for a second, zooms in and out for two; a frame at a time, as a hand does.
const GESTURE: &str = r#"
    const done = arguments[arguments.length - 1];
    const board = document.querySelector("[data-testid=graph-canvas]");
    const at = board.getBoundingClientRect();
    let frame = 0, x = at.x + at.width * 0.7, y = at.y + at.height * 0.6;
    const point = (type, buttons) => board.dispatchEvent(new PointerEvent(type, { bubbles: true, pointerId: 1, button: 0, buttons, clientX: x, clientY: y }));
    const wheel = by => board.dispatchEvent(new WheelEvent("wheel", { bubbles: true, cancelable: true, deltaY: by, clientX: x, clientY: y }));
    const step = () => {
        frame += 1;
        if (frame == 1) point("pointerdown", 1);
        if (frame <= 60) { x -= 6; y -= 3; point("pointermove", 1); }
        if (frame == 61) point("pointerup", 0);
        if (frame > 61) wheel(frame < 100 ? -40 : 40);
        if (frame < 140) requestAnimationFrame(step); else { performance.mark("gesture-end"); done(); }
    };
    performance.mark("gesture-start");
    requestAnimationFrame(step);
"#;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    if let Some(dir) = std::env::args().nth(1).map(PathBuf::from) {
        look(&dir).await;
        return;
    }
    let mut out = serde_json::Map::new();
    for (name, nodes, edges, spaces, limit) in [("300", 300, 1_000, 12, 8), ("1000", 1_000, 3_000, 24, 25)] {
        let page = Page::start(mesh(nodes, edges, spaces)).await;
        let browser = Browser::traced(1440, 900, &CATEGORIES).await;
        browser.open(&format!("{}/#/graph?open=*", page.url)).await;
        drawn(&browser).await;
        // What the first drawing left to do is done.
        tokio::time::sleep(Duration::from_secs(2)).await;
        // Nothing is asked of the page meanwhile, which would cost it time, and nothing of the trace before: ChromeDriver
        // gives it once.
        browser.page.execute_async(GESTURE, Vec::new()).await.expect("the gesture");
        let events = browser.trace().await;
        let costs = frames(&events);
        let at = |part: f64| costs.get(((costs.len() as f64 - 1.0) * part) as usize).copied().unwrap_or(f64::NAN);
        let round = |value: f64| (value * 100.0).round() / 100.0;
        out.insert(
            name.to_owned(),
            json!({
                "frames": costs.len(),
                "medianMs": round(at(0.5)),
                "p95Ms": round(at(0.95)),
                "worstMs": round(at(1.0)),
                "longestTaskBeforeDrawnMs": round(longest(&events)),
                "limitMs": limit,
            }),
        );
        browser.close().await;
    }
    println!("{}", json!({ "graphFrameMs": out }));
}

async fn drawn(browser: &Browser) {
    until("the graph is drawn", Duration::from_secs(120), || async {
        let time = browser.script("return performance.getEntriesByName('weft.graph').length").await;
        ensure(time == json!(1), || "not yet".to_owned())
    })
    .await;
}

/// The main thread's work for each frame of the gesture in milliseconds, in order of size.
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
    costs.sort_by(f64::total_cmp);
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

/// What graphs of several sizes look like, folded and open, light and dark.
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
            ] {
                browser.open("about:blank").await;
                browser.open(&format!("{}/#/graph{query}", page.url)).await;
                drawn(&browser).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
                let path = dir.join(format!("graph-{nodes}-{name}-{}.png", if dark { "dark" } else { "light" }));
                browser.screenshot(&path).await;
                println!("{}", path.display());
            }
            browser.close().await;
        }
    }
}
