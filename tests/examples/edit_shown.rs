//! Part of `make bench`: how long after somebody moves a canary's weights the console has answered, and the page of
//! somebody else shows it. One line of JSON; medians in milliseconds since the request was sent.

use std::time::Duration;

use serde_json::{Value, json};
use weft_tests::{
    browser::Browser,
    demo::Demo,
    wait::{ensure, until},
};

const SOON: Duration = Duration::from_secs(60);
const MOVES: u64 = 9;

/// Notes when the first card shows other weights. Both browsers have this machine's clock.
const WATCH: &str = "
    const bar = () => document.querySelector('[data-testid=canary-card] [data-testid=canary-configured]')?.dataset.percent;
    let last = bar();
    window.seen = {};
    new MutationObserver(() => {
        const now = bar();
        if (now && now !== last) {
            last = now;
            window.seen[now] = Date.now();
        }
    }).observe(document.body, {subtree: true, childList: true, attributes: true, attributeFilter: ['data-percent']});
    return last || null";

/// Moves the weights of the first canary, and notes when that was sent and answered.
fn moved(first: u64) -> String {
    let weights = [first, 100 - first];
    format!(
        "window.moved = null;
        (async () => {{
            const canary = (await (await fetch('/api/v1/canaries')).json()).canaries[0];
            const edit = {{object: canary.object, routeIndex: canary.routeIndex, weights: {weights:?}, revision: canary.revision}};
            const sent = Date.now();
            const answer = await fetch('/api/v1/canaries/apply', {{
                method: 'POST',
                headers: {{'content-type': 'application/json', 'x-weft-request': '1'}},
                body: JSON.stringify(edit),
            }});
            window.moved = [answer.status, sent, Date.now()];
        }})();
        return null"
    )
}

async fn told(browser: &Browser, what: &str, script: &str) -> Value {
    until(what, SOON, || async {
        let value = browser.script(script).await;
        ensure(!value.is_null(), || "not yet".to_owned()).map(|()| value)
    })
    .await
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let demo = Demo::start(&[]);
    let console = demo.text("/console");
    let (other, mover) = (Browser::start(1440, 900, false).await, Browser::start(1440, 900, false).await);
    other.open(&format!("{console}/#/canaries")).await;
    mover.open(&format!("{console}/#/mesh")).await;
    other.wait_for("[data-testid=canary-card] [data-testid=canary-configured]").await;
    other.wait_for("[data-testid=live][data-state=live]").await;
    other.script(WATCH).await;
    let (mut answered, mut shown) = (Vec::new(), Vec::new());
    for first in (0..MOVES).map(|n| 50 + n) {
        mover.script(&moved(first)).await;
        let moved = told(&mover, "the move is answered", "return window.moved").await;
        assert_eq!(moved[0], json!(200), "{moved}");
        let key = format!("return window.seen['{first}.00,{}.00'] || null", 100 - first);
        let seen = told(&other, "the other page shows it", &key).await;
        let since = |at: &Value| at.as_f64().zip(moved[1].as_f64()).map_or(f64::NAN, |(at, sent)| at - sent);
        answered.push(since(&moved[2]));
        shown.push(since(&seen));
    }
    other.close().await;
    mover.close().await;
    for times in [&mut answered, &mut shown] {
        times.sort_by(f64::total_cmp);
    }
    let median = |times: &[f64]| times[times.len() / 2];
    println!("{}", json!({ "editMs": { "answered": median(&answered), "shownElsewhere": median(&shown) } }));
}
