//! `make screenshots`: what a newcomer sees of the demo, room by room, light and dark, wide and narrow, for docs/.

use std::time::Duration;

use weft_tests::{browser::Browser, demo::Demo, process::root};

/// Each room, and what is on it once it is drawn.
const ROOMS: [(&str, &str); 4] = [
    ("graph", "[data-testid=graph-edges] [data-lock=plaintext]"),
    ("canaries", "[data-testid=canary-verdict][data-verdict=consistent]"),
    ("configuration", "[data-testid=config-row]"),
    ("traces", "[data-testid=trace-row]"),
];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let demo = Demo::start(&["--rate=40"]);
    // A minute of traffic, so that rates over the shortest window are the true ones.
    tokio::time::sleep(Duration::from_secs(65)).await;
    let dir = root().join("docs/screenshots");
    std::fs::create_dir_all(&dir).expect("docs/screenshots");
    for (theme, dark) in [("light", false), ("dark", true)] {
        for (width, height) in [(1440, 900), (900, 1000)] {
            let browser = Browser::start(width, height, dark).await;
            for (room, drawn) in ROOMS {
                browser.open("about:blank").await;
                browser.open(&format!("{}/#/{room}", demo.text("/console"))).await;
                browser.wait_for(drawn).await;
                // The canvas is drawn and the first events have come.
                browser.wait_for("[data-testid=live][data-state=live]").await;
                tokio::time::sleep(Duration::from_secs(1)).await;
                let path = dir.join(format!("{room}-{theme}-{width}.png"));
                browser.screenshot(&path).await;
                println!("{}", path.display());
            }
            browser.close().await;
        }
    }
}
