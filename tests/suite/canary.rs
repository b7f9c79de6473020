//! A canary over time, and two people at one weight, each in a browser of their own.

use std::{fs, time::Duration};

use fantoccini::actions::{InputSource, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction};
use serde_json::json;
use weft_tests::{
    browser::Browser,
    demo::Demo,
    wait::{ensure, until},
};

const SOON: Duration = Duration::from_secs(30);
/// Prometheus needs two scrapes of a version before it has a rate.
const COUNTED: Duration = Duration::from_secs(60);
const CONFIGURED: &str = "[data-testid=canary-card] [data-testid=canary-configured]";
const SLIDER: &str = "[data-testid=canary-card] [data-testid=canary-slider]";
const APPLY: &str = "[data-testid=canary-apply]:not(:disabled)";

async fn press(browser: &Browser, css: &str) {
    browser.wait_for(css).await.click().await.unwrap_or_else(|error| panic!("{css}: {error}"));
}

async fn configured(browser: &Browser, what: &str, percent: &str) {
    browser.attribute_where(what, CONFIGURED, "data-percent", SOON, |value| value == percent).await;
}

/// Waits until the slider says that v2 gets so much.
async fn slid(browser: &Browser, percent: u32) {
    let says = format!("{percent} % for v2");
    browser.attribute_where(&says, SLIDER, "aria-valuetext", SOON, |value| value == says).await;
}

/// Presses a key where the focus is.
async fn type_key(browser: &Browser, key: char) {
    let keys = KeyActions::new("keys".to_owned());
    let keys = keys.then(KeyAction::Down { value: key }).then(KeyAction::Up { value: key });
    browser.page.perform_actions(keys).await.unwrap();
}

/// Takes the slider with the mouse where it stands and lets it go elsewhere, both in percent.
async fn drag(browser: &Browser, from: f64, to: f64) {
    browser.script(&format!("document.querySelector('{SLIDER}').scrollIntoView({{ block: 'center' }})")).await;
    let slider = browser.wait_for(SLIDER).await;
    let (_, _, width, _) = slider.rectangle().await.unwrap();
    // The thumb is 16 pixels wide and stays within the slider.
    let at = |percent: f64| {
        let x = ((percent / 100.0 - 0.5) * (width - 16.0)).round();
        PointerAction::MoveToElement { element: slider.clone(), duration: None, x, y: 0.0 }
    };
    let mouse = MouseActions::new("mouse".to_owned())
        .then(at(from))
        .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
        .then(at(f64::midpoint(from, to)))
        .then(at(to))
        .then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
    browser.page.perform_actions(mouse).await.unwrap();
}

#[tokio::test]
async fn a_split_is_shown_over_time_and_two_people_do_not_overwrite_each_other() {
    let demo = Demo::start(&["--rate=80"]);
    let file = || fs::read_to_string(demo.manifests().join("order-service.yaml")).unwrap();
    let original = file();
    let address = format!("{}/#/canaries", demo.text("/console"));
    let (ada, bob) = (Browser::start(1440, 900, false).await, Browser::start(900, 900, true).await);
    ada.open(&address).await;
    bob.open(&address).await;
    configured(&ada, "ada sees ten percent", "90.00,10.00").await;

    // What was configured and observed, errors and durations of both versions, over the same time.
    let chart = |key: &str| format!("[data-testid=canary-course] [data-chart={key}]");
    for key in ["split", "version-errors", "duration", "requests"] {
        ada.wait_for(&format!("{} svg", chart(key))).await;
    }
    ada.text_where("the split has both lines", &chart("split"), COUNTED, |text| {
        text.contains("v2 observed") && text.contains("v2 configured") && !text.contains('–')
    })
    .await;
    let compared = "[data-testid=canary-compared] [data-version=v2]";
    ada.text_where("v2 is compared with v1", compared, COUNTED, |text| text.contains("pp (") && text.contains("ms"))
        .await;

    // Testers go to v2 whatever the weights: its own figures have them, and say so.
    ada.text_where("the chart says so", &chart("requests"), SOON, |text| text.contains("by any route")).await;
    ada.text_where("so does the table", "[data-testid=canary-elsewhere]", SOON, |text| text.contains("by any route"))
        .await;

    // Both look at a move; bob applies his first.
    press(&ada, "[data-testid=canary-preset-50]").await;
    ada.wait_for("[data-testid=canary-diff]").await;
    press(&bob, "[data-testid=canary-preset-25]").await;
    press(&bob, APPLY).await;
    configured(&bob, "bob's move is made", "75.00,25.00").await;
    configured(&ada, "ada sees it without asking", "75.00,25.00").await;

    // Ada's rested on what is gone: before she applies it she is told, and by whose move.
    let conflict = "[data-testid=canary-conflict]";
    ada.text_where("the move", conflict, SOON, |text| text.contains("moved them: 90 / 10 → 75 / 25")).await;
    assert!(!ada.wait_for("[data-testid=canary-apply]").await.is_enabled().await.unwrap());
    let versions = "[data-testid=canary-versions]";
    ada.text_where("both versions", versions, SOON, |text| text.contains("25 %") && text.contains("50 %")).await;
    assert!(file().contains("weight: 75") && file().contains("weight: 25"), "{}", file());
    press(&ada, "[data-testid=canary-rebase]").await;
    ada.text_where("the diff is of what is there now", "[data-testid=canary-diff]", SOON, |text| text.contains("75"))
        .await;
    press(&ada, APPLY).await;
    configured(&bob, "bob sees ada's move", "50.00,50.00").await;

    // Both moves are in the history, and the last one can be taken back.
    let history = "[data-testid=canary-history]";
    bob.text_where("both moves are told", history, SOON, |text| {
        text.contains("90 / 10 → 75 / 25") && text.contains("75 / 25 → 50 / 50")
    })
    .await;
    ada.take_back().await;
    configured(&bob, "the move is taken back", "75.00,25.00").await;
    bob.text_where("the history says so", history, SOON, |text| text.contains("50 / 50 → 75 / 25")).await;

    // The slider, by keys: an arrow leads to the next snap, and what it would do is told.
    configured(&ada, "ada sees it, too", "75.00,25.00").await;
    let (home, left, right) = ('\u{e011}', '\u{e012}', '\u{e014}');
    ada.script(&format!("document.querySelector('{SLIDER}').focus()")).await;
    type_key(&ada, right).await;
    slid(&ada, 50).await;
    ada.text_where("the diff and what lint says", "[data-testid=canary-preview]", SOON, |text| {
        text.contains("weight: 50") && text.contains("Lint finds nothing new.")
    })
    .await;
    type_key(&ada, home).await;
    slid(&ada, 0).await;
    for percent in [1, 5, 10, 25, 50, 100] {
        type_key(&ada, right).await;
        slid(&ada, percent).await;
    }
    type_key(&ada, left).await;
    slid(&ada, 50).await;

    // Dragged near a snap it rests there; applied, the file is what it was at first.
    drag(&ada, 50.0, 11.0).await;
    slid(&ada, 10).await;
    ada.text_where("the diff", "[data-testid=canary-diff]", SOON, |text| text.contains("weight: 90")).await;
    assert_ne!(file(), original, "nothing is written before it is applied");
    press(&ada, APPLY).await;
    configured(&bob, "bob sees where the slider was left", "90.00,10.00").await;
    assert_eq!(file(), original);

    // Only the tab that made it has a message of it: another one takes it back from the history, where no undo is offered.
    let undo = "[data-testid=canary-history] [data-testid=history-undo]";
    let told = "return document.querySelectorAll('[data-testid=canary-undo], [data-testid=toasts-folded]').length";
    assert_eq!(bob.script(told).await, json!(0), "bob has no message of ada's move");
    press(&bob, &format!("{undo}:not(:disabled)")).await;
    bob.text_where("what came of it", "[data-testid=toast]", SOON, |text| text.contains("Taken back")).await;
    configured(&ada, "ada sees it", "75.00,25.00").await;
    assert_ne!(file(), original);
    bob.text_where("the history says so", history, SOON, |text| text.matches("took the move back").count() == 2).await;
    until("nothing else is offered", SOON, || async {
        let count = bob.script(&format!("return document.querySelectorAll('{undo}').length")).await;
        ensure(count == json!(0), || count.to_string())
    })
    .await;

    // The message may stand on what is pressed next.
    bob.script(
        "document.querySelectorAll('[data-testid=toast] [aria-label=Dismiss]').forEach(button => button.click())",
    )
    .await;

    // Weights that are not applied are there again after another room, until they are discarded.
    press(&bob, "[data-testid=canary-preset-5]").await;
    bob.wait_for("[data-testid=canary-diff]").await;
    bob.script("location.hash = '#/mesh'").await;
    let cards = "return document.querySelectorAll('[data-testid=canary-card]').length";
    until("the room is left", SOON, || async {
        let count = bob.script(cards).await;
        ensure(count == json!(0), || count.to_string())
    })
    .await;
    bob.page.back().await.unwrap();
    bob.text_where("the weights are kept", "[data-testid=canary-kept]", SOON, |text| text.contains("unfinished")).await;
    bob.text_where("and looked at again", "[data-testid=canary-diff]", SOON, |text| text.contains("weight: 95")).await;
    press(&bob, "[data-testid=canary-discard]").await;
    let kept = "return Object.keys(sessionStorage).filter(key => key.startsWith('weft.draft.')).length";
    until("nothing is kept any more", SOON, || async {
        let count = bob.script(kept).await;
        ensure(count == json!(0), || count.to_string())
    })
    .await;

    // A weight that is none stays as it was typed, is told, and is not kept.
    let field =
        "document.querySelector('[data-testid=canary-card] [data-testid=canary-weight-input][data-index=\"1\"]')";
    let typed = format!("{field}.value = '110'; {field}.dispatchEvent(new Event('input', {{ bubbles: true }}))");
    bob.script(&typed).await;
    bob.text_where("why not", "[data-testid=canary-card] .fault", SOON, |text| text.contains("from 0 to 100")).await;
    assert_eq!(bob.script(&format!("return {field}.value")).await, json!("110"));
    // What is no number is not wiped either.
    bob.script(&typed.replace("110", "1e")).await;
    bob.text_where("why not", "[data-testid=canary-card] .fault", SOON, |text| text.contains("from 0 to 100")).await;
    assert_eq!(bob.script(&format!("return {field}.value")).await, json!("1e"));
    assert_eq!(bob.script(kept).await, json!(0));
    ada.close().await;
    bob.close().await;
}

/// Two versions of a service of which only connections are seen.
const LEDGER: &str = r"apiVersion: v1
kind: Service
metadata: {name: ledger, namespace: shop}
spec:
  selector: {app: ledger}
  ports:
    - {name: tcp-ledger, port: 5432}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ledger, namespace: shop}
spec:
  host: ledger
  subsets:
    - {name: v1, labels: {version: v1}}
    - {name: v2, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: ledger
  namespace: shop
spec:
  hosts:
    - ledger
  tcp:
    - match:
        - port: 5432
      route:
        - destination:
            host: ledger
            subset: v1
          weight: 90
        - destination:
            host: ledger
            subset: v2
          weight: 10
";

#[tokio::test]
async fn weights_of_tcp_are_moved_by_a_click_and_counted_in_connections() {
    let demo = Demo::start(&["--rate=20"]);
    let file = demo.manifests().join("ledger.yaml");
    fs::write(&file, LEDGER).unwrap();
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&format!("{}/#/canaries?find=ledger", demo.text("/console"))).await;
    let card = "[data-testid=canary-card][data-canary=\"shop/ledger/20000\"]";
    let within = |part: &str| format!("{card} {part}");
    let shares = within("[data-testid=canary-configured]");
    browser.attribute_where("ninety to ten", &shares, "data-percent", SOON, |value| value == "90.00,10.00").await;

    // Nowhere on the card is a request spoken of, not in its charts either.
    browser
        .text_where("its counts", &within("[data-testid=canary-shares]"), SOON, |text| text.contains("Connections"))
        .await;
    let split = within("[data-testid=canary-course] [data-chart=split]");
    browser.text_where("its charts", &split, SOON, |text| text.contains("this route's connections")).await;
    let whole = browser.text_where("all of it", card, SOON, |text| text.contains("route tcp[0]")).await;
    assert!(!whole.to_lowercase().contains("request"), "{whole}");

    // Half of them go to v2: looked at, applied, written, told, taken back.
    press(&browser, &within("[data-testid=canary-preset-50]")).await;
    let preview = within("[data-testid=canary-preview]");
    let told = browser.text_where("what would move", &preview, SOON, |text| text.contains("weight: 50")).await;
    assert!(!told.to_lowercase().contains("request"), "{told}");
    press(&browser, &within("[data-testid=canary-apply]:not(:disabled)")).await;
    browser.attribute_where("the move is made", &shares, "data-percent", SOON, |value| value == "50.00,50.00").await;
    let moved = LEDGER.replace("weight: 90", "weight: 50").replace("weight: 10", "weight: 50");
    assert_eq!(fs::read_to_string(&file).unwrap(), moved, "only the weights were written");
    browser
        .text_where("the history", &within("[data-testid=canary-history]"), SOON, |text| {
            text.contains("90 / 10 → 50 / 50")
        })
        .await;
    browser.take_back().await;
    browser.attribute_where("it is taken back", &shares, "data-percent", SOON, |value| value == "90.00,10.00").await;
    assert_eq!(fs::read_to_string(&file).unwrap(), LEDGER);

    // A route's name that is longer than any card is shortened in its middle.
    let name = format!("begin{}end", "x".repeat(10_000));
    let long = LEDGER.split("---\n").last().unwrap_or_default().replace("name: ledger\n", "name: ledger-long\n");
    let long = long.replace("    - ledger\n", "    - ledger.example.com\n").replace(
        "  tcp:\n    - match:\n        - port: 5432\n      route:",
        &format!("  http:\n    - name: {name}\n      route:"),
    );
    fs::write(demo.manifests().join("ledger-long.yaml"), long).unwrap();
    let card = "[data-testid=canary-card][data-canary=\"shop/ledger-long/0\"]";
    let title = format!("{card} header");
    browser.text_where("both ends", &title, SOON, |text| text.contains("beginx") && text.contains("xend")).await;
    let low = format!(
        "return document.querySelector('{card}').scrollWidth <= document.querySelector('{card}').clientWidth
        && document.querySelector('{title}').offsetHeight < 100"
    );
    assert_eq!(browser.script(&low).await, json!(true));
    let errors = browser.script("return window.__weftErrors || []").await;
    assert_eq!(errors, json!([]), "the page's script failed");
    browser.close().await;
}
