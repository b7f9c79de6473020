//! Bars and panels at the widths that people have: a bar is one line, and nothing has to be moved sideways to be read.

use std::time::Duration;

use weft_tests::{
    browser::Browser,
    demo::Demo,
    wait::{ensure, until},
};

const SOON: Duration = Duration::from_secs(30);
/// Taller than one line of buttons with what is around it, lower than two.
const ONE_LINE: u64 = 60;

/// Waits until a bar is one line, and says what stands in it where it is not.
async fn one_line(browser: &Browser, what: &str, css: &str) {
    until(what, SOON, || async {
        let script = format!(
            "const bar = document.querySelector('{css}');
            return [bar?.offsetHeight ?? 0, [...bar?.children ?? []].map(one => [one.className, one.offsetWidth]).join(' ')]"
        );
        let seen = browser.script(&script).await;
        ensure(seen[0].as_u64().is_some_and(|height| (1..ONE_LINE).contains(&height)), || seen.to_string())
    })
    .await;
}

#[tokio::test]
async fn the_graphs_panel_does_not_scroll_sideways_and_its_toolbar_is_one_line() {
    let demo = Demo::start(&["--rate=20"]);
    let console = demo.text("/console");
    let browser = Browser::start(1440, 900, false).await;
    for (what, address) in [
        ("alone", "#/graph"),
        ("beside a node", "#/graph?select=node:shop/order-service-v1"),
        ("beside a call", "#/graph?select=edge:shop/legacy-billing->shop/payment-service"),
        ("with a find beside a node", "#/graph?find=order&select=node:shop/order-service-v1"),
        ("with a focus", "#/graph?focus=shop/order-service-v1"),
    ] {
        browser.open("about:blank").await;
        browser.open(&format!("{console}/{address}")).await;
        browser.wait_for("[data-testid=graph-edges] [data-edge]").await;
        one_line(&browser, &format!("the toolbar {what} is one line"), ".toolbar").await;
        if address.contains("select=") {
            browser.wait_for("[data-testid=trends] svg").await;
            until(&format!("the panel {what} is as wide as what is in it"), SOON, || async {
                let script = "const body = document.querySelector('.panel-body'), edge = body.getBoundingClientRect().right;
                    const wide = [...body.querySelectorAll('*')].filter(one =>
                        !one.closest('.unseen, .wide, svg') && one.getBoundingClientRect().right > edge + 1);
                    return [body.scrollWidth, body.clientWidth, wide.map(one => one.outerHTML.slice(0, 120)).join(' ')]";
                let seen = browser.script(script).await;
                ensure(seen[0].as_u64() <= seen[1].as_u64(), || seen.to_string())
            })
            .await;
        }
    }
    browser.close().await;
}

#[tokio::test]
async fn the_top_bar_is_one_line_on_a_narrow_page() {
    let demo = Demo::start(&["--rate=20", "--sign-in=link"]);
    let browser = Browser::start(900, 900, false).await;
    browser.open(&demo.text("/signIn")).await;
    browser.wait_for("[data-testid=live][data-state=live]").await;
    browser.wait_for("[data-testid=person-name]").await;
    one_line(&browser, "all of it is on one line", ".topbar").await;
    // The search is as small as a button, and grows where somebody types.
    let width = "return document.querySelector('[role=search] .search').offsetWidth";
    browser.script("document.querySelector('[data-testid=search]').focus()").await;
    until("the field has room for a name", SOON, || async {
        let width = browser.script(width).await;
        ensure(width.as_u64() >= Some(200), || width.to_string())
    })
    .await;
    one_line(&browser, "it lies over the bar", ".topbar").await;
    let inside = browser
        .script(
            "const box = document.querySelector('[role=search] .offers').getBoundingClientRect();
            return box.width > 0 && box.left >= 0 && box.right <= innerWidth && document.documentElement.scrollWidth <= innerWidth",
        )
        .await;
    assert_eq!(inside, true, "what it finds is in sight");
    browser.close().await;
}

#[tokio::test]
async fn nothing_lies_behind_a_panel_and_a_page_is_as_long_as_its_window() {
    let demo = Demo::start(&["--rate=20"]);
    let console = demo.text("/console");
    let browser = Browser::start(900, 900, false).await;
    browser.open(&format!("{console}/#/graph?select=node:shop/order-service-v1")).await;
    browser.wait_for("[data-testid=graph-edges] [data-edge]").await;
    browser.wait_for(".graph-room > .panel").await;
    until("what can be pressed ends where the panel begins", SOON, || async {
        let script = "const edge = document.querySelector('.graph-room > .panel').getBoundingClientRect().left;
            const all = [...document.querySelectorAll('.toolbar > *, .zoom')].filter(one => one.offsetWidth > 0);
            const behind = all.filter(one => one.getBoundingClientRect().right > edge + 1);
            return [all.length, behind.map(one => one.outerHTML.slice(0, 80)).join(' ')]";
        let seen = browser.script(script).await;
        ensure(seen[0].as_u64() > Some(1) && seen[1] == "", || seen.to_string())
    })
    .await;

    // What is only read aloud does not make it longer: a page that is moved as a whole would be empty.
    browser.open("about:blank").await;
    browser.open(&format!("{console}/#/canaries")).await;
    browser.wait_for("[data-testid=canary-course] caption").await;
    let open = "document.querySelectorAll('[data-testid=canary-course] details').forEach(one => one.open = true)";
    browser.script(open).await;
    let long = browser.script("return document.documentElement.scrollHeight - innerHeight").await;
    assert!(long.as_i64() <= Some(0), "{long} pixels more than the window");
    browser.close().await;
}
