//! Configuration in a real browser over a running demo: found, read, written, and never lost or run.

mod unfinished;

use std::{fs, path::Path, time::Duration};

use fantoccini::Locator;
use serde_json::{Value, json};
use weft_tests::{
    browser::Browser,
    demo::Demo,
    http::get,
    wait::{ensure, until},
};

const SOON: Duration = Duration::from_secs(30);
const PREVIEW: &str = "[data-testid=config-preview]";
const ORDER: &str = "select=networking.istio.io/v1~VirtualService~shop~order-service";

fn url(demo: &Demo, rest: &str) -> String {
    format!("{}/#/configuration{rest}", demo.text("/console"))
}

fn row(kind: &str, name: &str) -> String {
    format!("[data-testid=config-row][data-kind={kind}][data-name=\"{name}\"]")
}

/// Kinds, names and findings of the rows that are shown.
async fn rows(browser: &Browser) -> Vec<(String, String, String)> {
    let script = "return [...document.querySelectorAll('[data-testid=config-row]')].map(r => [r.dataset.kind, r.dataset.name, r.dataset.findings])";
    serde_json::from_value(browser.script(script).await).unwrap()
}

/// Types a text in place of another one, as a paste does.
async fn replace(browser: &Browser, from: &str, to: &str) {
    let script = "const [from, to] = arguments; const t = document.querySelector('[data-testid=config-text]');
        if (!t.value.includes(from)) return t.value;
        t.value = t.value.replace(from, to); t.dispatchEvent(new Event('input', { bubbles: true })); return true";
    let done = browser.page.execute(script, vec![json!(from), json!(to)]).await.unwrap();
    assert_eq!(done, json!(true), "{from} is not in the text");
}

async fn click(browser: &Browser, css: &str) {
    browser.wait_for(css).await.click().await.unwrap_or_else(|error| panic!("{css}: {error}"));
}

/// Waits until an element is gone.
async fn gone(browser: &Browser, css: &str) {
    until(&format!("{css} goes"), SOON, || async {
        let found = browser.page.find_all(Locator::Css(css)).await.map_err(|error| error.to_string())?;
        ensure(found.is_empty(), || "it is still there".to_owned())
    })
    .await;
}

async fn apply(browser: &Browser) {
    let script = "const b = document.querySelector('[data-testid=config-apply]'); return !!b && !b.disabled";
    until("it can be applied", SOON, || async {
        let ready = browser.script(script).await;
        let text = browser.script("return document.querySelector('.preview')?.innerText || ''").await;
        ensure(ready == json!(true), || text.to_string())
    })
    .await;
    click(browser, "[data-testid=config-apply]").await;
}

async fn file_where(path: &Path, what: &str, accept: impl Fn(&str) -> bool) -> String {
    until(what, SOON, || async {
        let text = fs::read_to_string(path).unwrap_or_default();
        ensure(accept(&text), || text.clone())?;
        Ok(text)
    })
    .await
}

#[tokio::test]
async fn configuration_is_found_read_written_and_taken_back() {
    let demo = Demo::start(&["--rate=20"]);
    let file = demo.manifests().join("order-service.yaml");
    let before = fs::read_to_string(&file).unwrap();
    let browser = Browser::start(1440, 900, false).await;

    // The list: badges, and filters that stand in the address.
    browser.open(&url(&demo, "")).await;
    let broken = row("VirtualService", "checkout-preview");
    browser
        .attribute_where("the badge", &broken, "data-findings", SOON, |count| count != "0" && !count.is_empty())
        .await;
    browser.text_where("who keeps it", &broken, SOON, |text| text.contains("File")).await;
    let all = rows(&browser).await.len();
    let kind = browser.wait_for("[data-testid=config-kind]").await;
    kind.select_by_value("VirtualService").await.unwrap();
    browser.wait_for("[data-testid=config-severity]").await.select_by_value("error").await.unwrap();
    until("only what was asked for is listed", SOON, || async {
        let rows = rows(&browser).await;
        let fits = |(kind, _, findings): &(String, String, String)| kind == "VirtualService" && findings != "0";
        ensure(!rows.is_empty() && rows.len() < all && rows.iter().all(fits), || format!("{rows:?}"))
    })
    .await;
    let address = browser.page.current_url().await.unwrap().to_string();
    assert!(address.contains("kind=VirtualService") && address.contains("severity=error"), "{address}");
    // A link restores it, also with nothing to show; one button leads back.
    browser.open("about:blank").await;
    browser.open(&url(&demo, "?kind=VirtualService&owner=Argo%20CD")).await;
    browser.text_where("nothing fits", "[data-testid=empty]", SOON, |text| text.contains("Nothing fits")).await;
    click(&browser, "[data-testid=config-all]").await;
    browser.wait_for(&row("Service", "order-service")).await;

    // One object: sentences, source, and the editor with findings at their line while it is typed.
    browser.open("about:blank").await;
    browser.open(&url(&demo, &format!("?{ORDER}"))).await;
    browser.text_where("what it does", "[data-testid=config-sentences]", SOON, |text| text.contains("90 %")).await;
    click(&browser, "[data-testid=config-edit]").await;
    browser.wait_for(PREVIEW).await;
    replace(&browser, "subset: v2\n    - name: canary", "subset: v9\n    - name: canary").await;
    let finding = "[data-testid=draft-finding]";
    browser.text_where("the subset is not there", finding, SOON, |text| text.contains("v9")).await;
    let marked =
        "return [...document.querySelectorAll('.editor-under .line .squiggle')].map(s => s.textContent).join('|')";
    until("its line is marked", SOON, || async {
        let text = browser.script(marked).await;
        ensure(text.as_str().is_some_and(|text| text.contains("v9")), || text.to_string())
    })
    .await;
    // A new error is not saved by one press.
    let asked = "[data-testid=config-asked]";
    apply(&browser).await;
    browser.text_where("the error", asked, SOON, |text| text.contains("v9")).await;
    browser.wait_for("[data-testid=config-apply-anyway]").await;
    let there = "const [asked, at] = [document.activeElement, document.activeElement.getBoundingClientRect()];
        return asked.matches('[data-testid=config-asked]') && at.top >= 0 && at.top < innerHeight";
    until("the question is seen and has the focus", SOON, || async {
        ensure(browser.script(there).await == json!(true), || "it has not".to_owned())
    })
    .await;
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    // What cannot be read at all is said at its line, too, and cannot be applied.
    replace(&browser, "subset: v9", "subset: [v9").await;
    browser.text_where("it is no YAML", finding, SOON, |text| !text.contains("not defined")).await;
    assert!(!browser.wait_for("[data-testid=config-apply]").await.is_enabled().await.unwrap());
    replace(&browser, "subset: [v9", "subset: v2").await;
    replace(&browser, "weight: 90", "weight: 80").await;
    replace(&browser, "weight: 10", "weight: 20").await;
    browser
        .text_where("the difference", "[data-testid=diff]", SOON, |text| text.contains("-          weight: 90"))
        .await;
    gone(&browser, finding).await;
    gone(&browser, asked).await;
    apply(&browser).await;
    let after = file_where(&file, "the file has it", |text| text.contains("weight: 80")).await;
    let wanted = before.replace("weight: 90", "weight: 80").replace("weight: 10\n", "weight: 20\n");
    assert_eq!(after, wanted, "nothing else is touched");
    gone(&browser, "[data-testid=config-editor]").await;
    browser.text_where("what it does now", "[data-testid=config-sentences]", SOON, |text| text.contains("80 %")).await;
    // Taken back.
    browser.take_back().await;
    file_where(&file, "it is taken back", |text| text == before).await;
    browser.text_where("as it was", "[data-testid=config-sentences]", SOON, |text| text.contains("90 %")).await;

    // Somebody else is faster: both versions are shown, and nothing is written.
    click(&browser, "[data-testid=config-edit]").await;
    browser.wait_for(PREVIEW).await;
    replace(&browser, "timeout: 10s", "timeout: 7s").await;
    browser.text_where("the difference", "[data-testid=diff]", SOON, |text| text.contains("timeout: 7s")).await;
    let theirs = before.replace("attempts: 2", "attempts: 3");
    fs::write(&file, &theirs).unwrap();
    // Nobody needs to type for it: the page hears of it.
    browser.text_where("theirs", "[data-testid=config-theirs]", SOON, |text| text.contains("attempts: 3")).await;
    assert!(!browser.wait_for("[data-testid=config-apply]").await.is_enabled().await.unwrap());
    assert_eq!(fs::read_to_string(&file).unwrap(), theirs);
    click(&browser, "[data-testid=config-take-theirs]").await;
    gone(&browser, "[data-testid=config-conflict]").await;
    let text = browser.script("return document.querySelector('[data-testid=config-text]').value").await;
    assert!(text.as_str().unwrap().contains("attempts: 3") && text.as_str().unwrap().contains("timeout: 10s"));
    click(&browser, "[data-testid=config-discard]").await;

    let errors = browser.script("return window.__weftErrors || []").await;
    assert_eq!(errors, json!([]), "the page's script failed");
    browser.close().await;
}

/// A header's value that would read as another one, and turn round what stands behind it.
const TURNED: &str = "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: turned
  namespace: shop
spec:
  hosts: [turned.example.com]
  http:
  - match:
    - headers:
        x-a: {exact: \"\u{202e}gnp.exe\"}
    route:
    - destination: {host: order-service, subset: v1}
";

#[tokio::test]
async fn objects_are_made_with_help_and_removed_and_hostile_ones_do_no_harm() {
    let demo = Demo::start(&["--rate=20"]);
    let browser = Browser::start(1440, 900, true).await;

    // A new object: what may stand at the cursor is offered, and the keyboard takes it.
    browser.open(&url(&demo, "?new=PeerAuthentication")).await;
    browser.wait_for(PREVIEW).await;
    replace(&browser, "my-peerauthentication", "orders-strict").await;
    replace(&browser, "namespace: default", "namespace: shop").await;
    replace(&browser, "STRICT", "").await;
    let field = browser.wait_for("[data-testid=config-text]").await;
    let end = "const t = document.querySelector('[data-testid=config-text]'); t.focus(); const at = t.value.indexOf('mode: ') + 6; t.setSelectionRange(at, at)";
    browser.script(end).await;
    field.send_keys("PER").await.unwrap();
    browser
        .text_where("a word is offered", "[data-testid=config-offers]", SOON, |text| text.contains("PERMISSIVE"))
        .await;
    // Down, Enter.
    field.send_keys("\u{e015}\u{e007}").await.unwrap();
    let value = "return document.querySelector('[data-testid=config-text]').value";
    until("the word is taken", SOON, || async {
        let text = browser.script(value).await;
        ensure(text.as_str().is_some_and(|text| text.contains("mode: PERMISSIVE")), || text.to_string())
    })
    .await;
    browser
        .text_where("the field is explained", "[data-testid=config-help]", SOON, |text| text.contains("spec.mtls.mode"))
        .await;
    browser.text_where("what it would do", PREVIEW, SOON, |text| text.contains("shop")).await;
    // Control and Enter apply.
    until("it can be applied", SOON, || async {
        let ready = browser.script("return !document.querySelector('[data-testid=config-apply]').disabled").await;
        ensure(ready == json!(true), || "not yet".to_owned())
    })
    .await;
    field.send_keys("\u{e009}\u{e007}\u{e000}").await.unwrap();
    browser.wait_for(&row("PeerAuthentication", "orders-strict")).await;
    let made = || {
        let files = fs::read_dir(demo.manifests()).unwrap().filter_map(|entry| Some(entry.ok()?.path()));
        files
            .filter(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("orders-strict")))
            .collect::<Vec<_>>()
    };
    assert_eq!(made().len(), 1);

    // Removed again, and that is seen.
    browser.wait_for("[data-testid=config-detail]").await;
    click(&browser, "[data-testid=config-delete]").await;
    apply(&browser).await;
    gone(&browser, &row("PeerAuthentication", "orders-strict")).await;
    assert_eq!(made().len(), 0);
    // What was made is gone: only that is offered to be taken back, and covers nothing else.
    let toasts = "document.querySelector('[data-testid=toasts-folded]')?.click();
        return [...document.querySelectorAll('[data-testid=toast], [data-testid=toasts-older]')]
        .map(toast => toast.innerText).join('|')";
    until("one message is left", SOON, || async {
        let told = browser.script(toasts).await;
        let told = told.as_str().unwrap_or_default();
        ensure(told.contains("deleted") && !told.contains("created") && !told.contains("more"), || told.to_owned())
    })
    .await;

    // Names and values that want to be more than text.
    let long = "x".repeat(10_000);
    let hostile = format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: hostile\n  namespace: shop\n  annotations:\n    note: \"<img src=x onerror=window.__run=1>\"\nspec:\n  hosts: [hostile.example.com]\n  http:\n  - match:\n    - headers:\n        x-long: {{exact: {long}}}\n        x-rtl: {{exact: \"\\u202Egnp.exe\"}}\n        x-run: {{exact: <script>window.__run=1</script>}}\n    route:\n    - destination: {{host: order-service, subset: nope}}\n"
    );
    fs::write(demo.manifests().join("hostile.yaml"), &hostile).unwrap();
    let worse = hostile
        .replace("name: hostile", "name: worse")
        .replace("hostile.example.com", "\"<img src=x onerror=window.__run=1>\"");
    fs::write(demo.manifests().join("worse.yaml"), worse).unwrap();
    browser.open("about:blank").await;
    browser.open(&url(&demo, "?find=hostile")).await;
    let found = row("VirtualService", "hostile");
    browser.attribute_where("lint speaks of it", &found, "data-findings", SOON, |count| count != "0").await;
    browser.text_where("a file is refused", "[data-testid=file-findings]", SOON, |text| text.contains("onerror")).await;
    let link = browser.wait_for(&format!("{found} a[data-row]")).await.attr("href").await.unwrap().unwrap_or_default();
    click(&browser, &format!("{found} [data-row]")).await;
    browser.wait_for("[data-testid=config-detail] [data-testid=finding]").await;
    // The row's address leads there, too.
    browser.open("about:blank").await;
    browser.open(&format!("{}/{link}", demo.text("/console"))).await;
    browser.wait_for("[data-testid=config-detail] [data-testid=finding]").await;
    click(&browser, "[data-testid=config-edit]").await;
    browser.wait_for(PREVIEW).await;
    let run = browser
        .script("return [window.__run || 0, document.querySelectorAll('main b, main img, main script').length]")
        .await;
    assert_eq!(run, json!([0, 0]));
    let wide = browser.script("return document.documentElement.scrollWidth <= innerWidth").await;
    assert_eq!(wide, json!(true), "the page is no wider than its window");

    // What turns round the text beside it is shown, and stays what it is in what is edited.
    fs::write(demo.manifests().join("turned.yaml"), TURNED).unwrap();
    browser.open("about:blank").await;
    browser.open(&url(&demo, "?find=turned")).await;
    click(&browser, &format!("{} [data-row]", row("VirtualService", "turned"))).await;
    let told = |text: &str| text.contains("\\u{202e}gnp.exe") && !text.contains('\u{202e}');
    browser.text_where("what it does", "[data-testid=config-sentences]", SOON, told).await;
    browser.text_where("its YAML", "[data-testid=config-source]", SOON, told).await;
    click(&browser, "[data-testid=config-edit]").await;
    browser
        .text_where("where it is", "[data-testid=config-hidden]", SOON, |text| text.contains("\\u{202e} in line 11."))
        .await;
    replace(&browser, "x-a", "x-b").await;
    let kept = "return document.querySelector('[data-testid=config-text]').value.includes('\u{202e}gnp.exe')";
    assert_eq!(browser.script(kept).await, json!(true));
    browser.text_where("the difference", "[data-testid=diff]", SOON, |text| told(text) && text.contains("x-b")).await;
    click(&browser, "[data-testid=config-discard]").await;

    let errors: Value = browser.script("return window.__weftErrors || []").await;
    assert_eq!(errors, json!([]), "the page's script failed");
    browser.close().await;
}

/// Types into a field of a form, as the keyboard does.
async fn fill(browser: &Browser, at: &str, text: &str) {
    let css = format!("[data-at=\"{at}\"] input[type=text]");
    browser.wait_for(&css).await;
    let script = "const [css, text] = arguments; const f = document.querySelector(css); f.value = text;
        f.dispatchEvent(new Event('input', { bubbles: true }))";
    browser.page.execute(script, vec![json!(css), json!(text)]).await.unwrap();
}

async fn value(browser: &Browser, at: &str) -> Value {
    let script = "return document.querySelector(`[data-at=\"${arguments[0]}\"] input[type=text]`)?.value";
    browser.page.execute(script, vec![json!(at)]).await.unwrap()
}

#[tokio::test]
async fn wizards_begin_with_what_is_configured_and_change_nothing_else() {
    let demo = Demo::start(&["--rate=20"]);
    let file = demo.manifests().join("order-service.yaml");
    let before = fs::read_to_string(&file).unwrap();
    let browser = Browser::start(1440, 900, false).await;
    let steps = |count: &'static str| format!("[data-testid=wizard-steps][data-steps=\"{count}\"]");

    // From the page of a service: the route's timeout is there, another one is shown before it is applied.
    browser.open(&format!("{}/#/services/shop/order-service", demo.text("/console"))).await;
    click(&browser, "[data-testid=wizards] summary").await;
    click(&browser, "[data-testid=wizard-timeouts]").await;
    browser.wait_for("[data-testid=wizard-same]").await;
    assert_eq!(value(&browser, "/timeout").await, json!("10s"));
    fill(&browser, "/timeout", "soon").await;
    browser.text_where("a time is asked for", "[data-testid=field-fault]", SOON, |text| text.contains("500ms")).await;
    browser.wait_for(&steps("0")).await;
    fill(&browser, "/timeout", "4s").await;
    browser.text_where("the difference", "[data-testid=diff]", SOON, |text| text.contains("timeout: 4s")).await;
    browser.text_where("its meaning", PREVIEW, SOON, |text| text.contains("a request may take 4 s in all")).await;
    apply(&browser).await;
    let with = before.replace("timeout: 10s", "timeout: 4s");
    file_where(&file, "the file has it", |text| text == with).await;
    browser.wait_for("[data-testid=wizard-same]").await;
    browser.take_back().await;
    file_where(&file, "it is taken back", |text| text == before).await;
    // The form keeps what was filled in, so that it is an edit again.
    browser.wait_for(&steps("1")).await;

    // Somebody takes a subset away: it is made before anything is sent there.
    let without = before.replace("    - name: v2\n      labels:\n        version: v2\n", "");
    assert_ne!(without, before);
    fs::write(&file, &without).unwrap();
    browser.open("about:blank").await;
    browser.open(&url(&demo, "?wizard=traffic-shifting&of=shop/order-service")).await;
    browser.wait_for("[data-at=\"/arms/1/weight\"]").await;
    fill(&browser, "/arms/1/weight", "40").await;
    until("the other one has the rest", SOON, || async {
        let other = value(&browser, "/arms/0/weight").await;
        ensure(other == json!("60"), || other.to_string())
    })
    .await;
    browser.wait_for(&steps("2")).await;
    browser.text_where("the subset first", "[data-testid=diff]", SOON, |text| text.contains("+    - name: v2")).await;
    apply(&browser).await;
    file_where(&file, "the subset is back", |text| text == before).await;
    browser.wait_for(&steps("1")).await;
    browser.text_where("then the shares", "[data-testid=diff]", SOON, |text| text.contains("weight: 40")).await;
    apply(&browser).await;
    let moved = before.replace("weight: 90", "weight: 60").replace("weight: 10\n", "weight: 40\n");
    file_where(&file, "the shares are moved", |text| text == moved).await;

    // Where nothing is configured a new object is made, and a condition that is missing is said.
    browser.open("about:blank").await;
    browser.open(&url(&demo, "?wizard=faults&of=shop/payment-service")).await;
    fill(&browser, "/delay", "300ms").await;
    browser
        .text_where("the share is asked for", "[data-testid=wizard-problems]", SOON, |text| text.contains("share"))
        .await;
    fill(&browser, "/delayPercent", "12.5").await;
    browser
        .text_where("its meaning", PREVIEW, SOON, |text| {
            text.contains("300 ms of delay is put in on purpose for 12.5 % of requests")
        })
        .await;
    apply(&browser).await;
    browser.wait_for(&row("VirtualService", "payment-service")).await;
    browser.wait_for("[data-testid=wizard-same]").await;

    // Who may call: those that exist are offered, and the present ones are chosen.
    browser.open("about:blank").await;
    browser.open(&url(&demo, "?wizard=authorization-policy&of=shop/order-service")).await;
    browser.wait_for("[data-at=\"/rules/0/principals\"]").await;
    let script = "return [...document.querySelectorAll('[data-at=\"/rules/0/principals\"] label')].filter(l => l.querySelector('input').checked).map(l => l.textContent.trim())";
    let chosen = browser.script(script).await;
    assert_eq!(chosen, json!(["istio-ingress/istio-ingressgateway", "shop/checkout-bff"]));
    // From the menu, without a service at first.
    browser.open("about:blank").await;
    browser.open(&url(&demo, "")).await;
    browser.wait_for("[data-testid=config-new]").await.select_by_value("circuit-breaking").await.unwrap();
    let of = browser.wait_for("[data-testid=wizard-of]").await;
    of.send_keys("shop/order-service\u{e007}").await.unwrap();
    browser.wait_for("[data-at=\"/maxConnections\"]").await;
    assert_eq!(value(&browser, "/maxConnections").await, json!("100"));
    let errors = browser.script("return window.__weftErrors || []").await;
    assert_eq!(errors, json!([]), "the page's script failed");
    browser.close().await;

    // The same without a page.
    let console = demo.address("/console");
    let ask = async |path: &str| get(console, &console.to_string(), path, &[]).await.unwrap();
    let form = ask("/api/v1/wizards/timeouts?namespace=shop&name=order-service").await.json();
    assert_eq!(form["form"]["attempts"], 2);
    for path in
        ["/api/v1/wizards/nothing?namespace=shop&name=order-service", "/api/v1/wizards/faults?namespace=shop&name=x"]
    {
        assert_eq!(ask(path).await.status, 404, "{path}");
    }
}
