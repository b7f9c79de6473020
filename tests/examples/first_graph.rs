//! Part of `make bench`: how long after its opening the console's page has drawn the graph of a running demo, first with
//! an empty browser cache and then with a warm one. One line of JSON; milliseconds since the navigation began.

use std::time::Duration;

use weft_tests::{
    browser::Browser,
    demo::Demo,
    wait::{ensure, until},
};

const LOADS: usize = 9;
const MARK: &str = "return performance.getEntriesByName('weft.graph').map(entry => entry.startTime)[0] || null";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(1440, 900, false).await;
    let mut times = Vec::new();
    for _ in 0..LOADS {
        browser.open("about:blank").await;
        browser.open(&format!("{}/#/graph", demo.text("/console"))).await;
        let drawn = until("the graph is drawn", Duration::from_secs(60), || async {
            let time = browser.script(MARK).await.as_f64();
            ensure(time.is_some(), || "not yet".to_owned()).map(|()| time.unwrap_or_default())
        });
        times.push(drawn.await);
    }
    browser.close().await;
    let cold = times.remove(0);
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    println!("{}", serde_json::json!({ "firstGraphMs": { "cold": cold.round(), "warmMedian": median.round() } }));
}
