//! What the page says where something is missing: a question that fails while an older answer stands, a list with nothing
//! in it, a link to what is not there.

use std::time::Duration;

use fantoccini::Locator;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use weft_tests::{
    browser::Browser,
    demo::Demo,
    wait::{ensure, until},
};

const SOON: Duration = Duration::from_secs(30);

/// From now on the console refuses what has `path` in its address, until [`heal`].
async fn fail(browser: &Browser, path: &str) {
    refuse(browser, path, "storage", 503).await;
}

/// The same with a code and a status.
async fn refuse(browser: &Browser, path: &str, code: &str, status: u16) {
    let script = "const [path, type, status] = arguments; window.__fetch ??= window.fetch;
        const problem = { type, title: 'It cannot be read.', detail: 'Look at the log.', status };
        const refused = () => Promise.resolve(new Response(JSON.stringify(problem), { status }));
        window.fetch = (url, init) => String(url).includes(path) ? refused() : window.__fetch.call(window, url, init)";
    browser.page.execute(script, vec![json!(path), json!(code), json!(status)]).await.unwrap();
}

/// The console answers again.
async fn heal(browser: &Browser) {
    browser.script("window.fetch = window.__fetch").await;
}

/// The same, and what offers to ask again is pressed before anything else asks.
async fn heal_and_press(browser: &Browser, css: &str) {
    let script = "window.fetch = window.__fetch; document.querySelector(arguments[0]).click()";
    browser.page.execute(script, vec![json!(css)]).await.unwrap();
}

async fn gone(browser: &Browser, css: &str) {
    until(&format!("{css} goes"), SOON, || async {
        let found = browser.page.find_all(Locator::Css(css)).await.map_err(|error| error.to_string())?;
        ensure(found.is_empty(), || "it is still there".to_owned())
    })
    .await;
}

#[tokio::test]
async fn what_failed_later_is_told_and_asked_again() {
    let demo = Demo::start(&["--rate=20"]);
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&format!("{}/#/mesh", demo.text("/console"))).await;
    browser.wait_for("[data-testid=mesh-proxy]").await;
    let old = "[data-testid=old]";
    gone(&browser, old).await;
    fail(&browser, "/api/v1/mesh").await;
    browser
        .text_where("since when, why, and what to do", old, SOON, |text| {
            ["What you see is from", "It cannot be read.", "Look at the log.", "Try again"]
                .iter()
                .all(|part| text.contains(part))
        })
        .await;
    browser.wait_for("[data-testid=mesh-proxy]").await;
    heal_and_press(&browser, &format!("{old} button")).await;
    gone(&browser, old).await;

    // The same in a list, and on the page of one of its rows.
    for (place, path, shown) in [
        ("#/workloads", "/api/v1/workloads", "[data-testid=inventory-row]"),
        ("#/workloads/shop/order-service-v1", "/charts", "[data-testid=charts] figure"),
    ] {
        browser.script(&format!("location.hash = '{place}'")).await;
        browser.wait_for(shown).await;
        fail(&browser, path).await;
        browser.text_where(place, old, SOON, |text| text.contains("What you see is from")).await;
        heal(&browser).await;
        gone(&browser, old).await;
    }

    // A map of traces that cannot be had says so beside the list, which can.
    fail(&browser, "/traces/heat").await;
    browser.script("location.hash = '#/traces'").await;
    let map = "[data-testid=heat-problem]";
    browser.text_where("there is no map", map, SOON, |text| text.contains("It cannot be read.")).await;
    gone(&browser, "[data-testid=failure]").await;
    heal_and_press(&browser, &format!("{map} button")).await;
    gone(&browser, map).await;
    let errors = browser.script("return window.__weftErrors || []").await;
    assert_eq!(errors, json!([]), "the page's script failed");
    browser.close().await;
}

#[tokio::test]
async fn nothing_is_told_from_not_there() {
    let demo = Demo::start(&["--rate=20"]);
    let console = demo.text("/console");
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&format!("{console}/#/mesh?ns=nowhere")).await;
    let none = "[data-testid=mesh-no-proxies]";
    browser.text_where("why no proxy is listed", none, SOON, |text| text.contains("choose others")).await;
    let none = "[data-testid=serving-none]";
    browser.text_where("nor a certificate", none, SOON, |text| text.contains("The chosen namespaces leave none")).await;

    // A link to an entry of the audit that is not there, or not any more.
    browser.open("about:blank").await;
    browser.open(&format!("{console}/#/audit?select=999999999")).await;
    let missing = "[data-testid=audit-missing]";
    browser.text_where("the link leads nowhere", missing, SOON, |text| text.contains("loosen the filters")).await;
    browser.click(&format!("{missing} button")).await;
    gone(&browser, missing).await;
    assert!(!browser.fragment().await.contains("select="), "{}", browser.fragment().await);
    browser.close().await;
}

/// What somebody may not see has not failed, and is there as soon as they may and look again.
#[tokio::test]
async fn what_is_not_the_readers_to_see_is_no_failure() {
    let demo = Demo::start(&["--rate=20"]);
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&format!("{}/#/audit", demo.text("/console"))).await;
    browser.wait_for("[data-testid=live][data-state=live]").await;
    refuse(&browser, "/api/v1/mesh", "no-rights", 403).await;
    browser.script("location.hash = '#/mesh'").await;
    let denied = "[data-testid=no-rights]";
    browser
        .text_where("what it is, and whom to ask", denied, SOON, |text| {
            text.contains("It cannot be read.") && text.contains("Look at the log.")
        })
        .await;
    gone(&browser, "[data-testid=failure]").await;
    heal_and_press(&browser, &format!("{denied} [data-testid=look-again]")).await;
    browser.wait_for("[data-testid=mesh-proxy]").await;
    gone(&browser, denied).await;
    browser.close().await;
}

/// A console that refuses to be listened to does answer, and says why; it is not asked for that at each try.
#[tokio::test]
async fn a_refused_stream_says_why() {
    let demo = Demo::start(&["--rate=20"]);
    let console = demo.address("/console");
    // As many pages as may listen.
    let mut others = Vec::new();
    loop {
        let mut one = TcpStream::connect(console).await.unwrap();
        let request = format!("GET /api/v1/events HTTP/1.1\r\nHost: {console}\r\n\r\n");
        one.write_all(request.as_bytes()).await.unwrap();
        let mut head = [0; 12];
        one.read_exact(&mut head).await.unwrap();
        if &head == b"HTTP/1.1 503" {
            break;
        }
        assert_eq!((&head, others.len() < 300), (b"HTTP/1.1 200", true));
        others.push(one);
    }
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&format!("{}/#/mesh", demo.text("/console"))).await;
    let banner = "[data-testid=banner-connection]";
    browser
        .text_where("why it is refused", banner, SOON, |text| {
            text.contains("Live updates are refused.") && text.contains("Too many pages listen to this console.")
        })
        .await;
    let count = "[window.__tries, window.__asked] = [0, 0];
        const [Source, ask] = [window.EventSource, window.fetch];
        window.EventSource = class extends Source { constructor(...of) { super(...of); window.__tries += 1; } };
        window.fetch = (url, init) => {
            if (/\\/(events|meta|session)\\b/.test(url)) window.__asked += 1;
            return ask.call(window, url, init);
        }";
    browser.script(count).await;
    until("it is tried twice more, and that is all", SOON, || async {
        let counted = browser.script("return [window.__tries, window.__asked]").await;
        assert_eq!(counted[1], json!(0), "{counted}");
        ensure(counted[0].as_u64() >= Some(2), || counted.to_string())
    })
    .await;
    drop(others);
    gone(&browser, banner).await;
    browser.wait_for("[data-testid=live][data-state=live]").await;
    browser.close().await;
}
