//! What was typed and not applied: kept, and not discarded without a question.

use super::*;

#[tokio::test]
async fn unfinished_edits_are_kept_and_asked_about() {
    let demo = Demo::start(&["--rate=20"]);
    let file = demo.manifests().join("order-service.yaml");
    let before = fs::read_to_string(&file).unwrap();
    let browser = Browser::start(1440, 900, false).await;
    let escape = "document.activeElement?.blur();
        document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))";
    let (question, kept) = ("[data-testid=unfinished]", "[data-testid=config-kept]");

    // Opened by the keyboard, the heading has the focus.
    browser.open(&url(&demo, "")).await;
    let opened = row("VirtualService", "order-service");
    let button = browser.wait_for(&format!("{opened} [data-row]")).await;
    browser.script("document.querySelector('[data-testid=config-filter]').focus()").await;
    button.send_keys("\u{e007}").await.unwrap();
    let focus = "return document.activeElement?.id || document.activeElement?.closest('tr')?.dataset.name";
    until("the heading has the focus", SOON, || async {
        let id = browser.script(focus).await;
        ensure(id == json!("panel-title"), || id.to_string())
    })
    .await;
    // Closed, what opened it has it again.
    let close = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))";
    browser.script(close).await;
    gone(&browser, "[data-testid=config-detail]").await;
    let back = browser.script(focus).await;
    assert_eq!(back, json!("order-service"));

    // Escape asks before it closes an editor with changes.
    browser.open("about:blank").await;
    browser.open(&url(&demo, &format!("?{ORDER}"))).await;
    click(&browser, "[data-testid=config-edit]").await;
    browser.wait_for(PREVIEW).await;
    replace(&browser, "timeout: 10s", "timeout: 7s").await;
    until("Escape asks", SOON, || async {
        browser.script(escape).await;
        let asks = browser.script(&format!("return !!document.querySelector('{question}')")).await;
        ensure(asks == json!(true), || "no question".to_owned())
    })
    .await;
    click(&browser, "[data-testid=unfinished-keep]").await;
    gone(&browser, question).await;
    let value = "return document.querySelector('[data-testid=config-text]').value";
    assert!(browser.script(value).await.as_str().unwrap().contains("timeout: 7s"));

    // Another room and back, another page and back: the text is still there, and when it was written is said.
    browser.open(&format!("{}/#/mesh", demo.text("/console"))).await;
    gone(&browser, "[data-testid=config-editor]").await;
    browser.page.back().await.unwrap();
    browser.text_where("it was kept", kept, SOON, |text| text.contains("unfinished edit of")).await;
    browser.open("about:blank").await;
    browser.open(&url(&demo, &format!("?{ORDER}"))).await;
    browser.wait_for(kept).await;
    assert!(browser.script(value).await.as_str().unwrap().contains("timeout: 7s"));
    browser.text_where("the difference", "[data-testid=diff]", SOON, |text| text.contains("timeout: 7s")).await;
    assert_eq!(fs::read_to_string(&file).unwrap(), before, "nothing was written");

    // Discarded, it does not come again.
    click(&browser, "[data-testid=config-kept-discard]").await;
    gone(&browser, "[data-testid=config-editor]").await;
    browser.open("about:blank").await;
    browser.open(&url(&demo, &format!("?{ORDER}"))).await;
    browser.wait_for("[data-testid=config-edit]").await;
    gone(&browser, kept).await;

    // A form asks, too.
    browser.open("about:blank").await;
    browser.open(&url(&demo, "?wizard=traffic-shifting&of=shop/order-service")).await;
    browser.wait_for("[data-testid=wizard-part] input[type=range]").await;
    let slide = "const s = document.querySelector('[data-testid=wizard-part] input[type=range]');
        s.value = '37'; s.dispatchEvent(new Event('input', { bubbles: true }))";
    browser.script(slide).await;
    click(&browser, "[data-testid=wizard-close]").await;
    click(&browser, "[data-testid=unfinished-discard]").await;
    gone(&browser, "[data-testid=wizard]").await;

    let errors = browser.script("return window.__weftErrors || []").await;
    assert_eq!(errors, json!([]), "the page's script failed");
    browser.close().await;
}

#[tokio::test]
async fn unfinished_forms_are_kept_until_they_are_applied_or_discarded() {
    let demo = Demo::start(&["--rate=20"]);
    let file = demo.manifests().join("order-service.yaml");
    let before = fs::read_to_string(&file).unwrap();
    let browser = Browser::start(1440, 900, false).await;
    let form = async |kind: &str| {
        browser.open("about:blank").await;
        browser.open(&url(&demo, &format!("?wizard={kind}&of=shop/order-service"))).await;
    };
    let stored = async |count: usize| {
        let script = "return Object.keys(sessionStorage).filter(key => key.startsWith('weft.draft.wizard~')).length";
        until("so many forms are kept", SOON, || async {
            let found = browser.script(script).await;
            ensure(found == json!(count), || format!("{found}, not {count}"))
        })
        .await;
    };
    let filled = async |at: &str, text: &str| {
        until("the field has it", SOON, || async {
            let found = value(&browser, at).await;
            ensure(found == json!(text), || found.to_string())
        })
        .await;
    };
    let (kept, difference) = ("[data-testid=wizard-kept]", "[data-testid=diff]");

    // One form of an object is not the other.
    form("timeouts").await;
    filled("/timeout", "10s").await;
    stored(0).await;
    fill(&browser, "/timeout", "4s").await;
    browser.text_where("the difference", difference, SOON, |text| text.contains("timeout: 4s")).await;
    form("circuit-breaking").await;
    filled("/maxConnections", "100").await;
    gone(&browser, kept).await;
    fill(&browser, "/maxConnections", "90").await;
    browser.text_where("the difference", difference, SOON, |text| text.contains("maxConnections: 90")).await;
    stored(2).await;

    // Another room and back, another page and back: it is there, and when it was filled in is said.
    browser.script("location.hash = '#/mesh'").await;
    gone(&browser, "[data-testid=wizard]").await;
    browser.page.back().await.unwrap();
    browser.text_where("it was kept", kept, SOON, |text| text.contains("unfinished form of")).await;
    filled("/maxConnections", "90").await;
    form("timeouts").await;
    let told = browser.text_where("it was kept", kept, SOON, |text| text.contains("unfinished form of")).await;
    assert!(!told.contains("configured since"), "{told}");
    filled("/timeout", "4s").await;
    browser.text_where("the difference", difference, SOON, |text| text.contains("timeout: 4s")).await;
    assert_eq!(fs::read_to_string(&file).unwrap(), before, "nothing was written");

    // What somebody else configured meanwhile is said.
    fs::write(&file, before.replace("attempts: 2", "attempts: 3")).unwrap();
    let console = demo.address("/console");
    until("the console has read it", SOON, || async {
        let path = "/api/v1/wizards/timeouts?namespace=shop&name=order-service";
        let answer = get(console, &console.to_string(), path, &[]).await?.json();
        ensure(answer["form"]["attempts"] == 3, || answer["form"].to_string())
    })
    .await;
    form("timeouts").await;
    browser.text_where("that too", kept, SOON, |text| text.contains("Something else is configured since then")).await;
    filled("/timeout", "4s").await;

    // Applied, it is forgotten; discarded, too.
    apply(&browser).await;
    file_where(&file, "the file has it", |text| text.contains("timeout: 4s")).await;
    browser.wait_for("[data-testid=wizard-same]").await;
    gone(&browser, kept).await;
    stored(1).await;
    form("circuit-breaking").await;
    click(&browser, "[data-testid=wizard-kept-discard]").await;
    filled("/maxConnections", "100").await;
    gone(&browser, kept).await;
    stored(0).await;
    fill(&browser, "/maxConnections", "80").await;
    stored(1).await;
    click(&browser, "[data-testid=wizard-close]").await;
    click(&browser, "[data-testid=unfinished-discard]").await;
    gone(&browser, "[data-testid=wizard]").await;
    stored(0).await;

    // What lets somebody in is not kept, and that is said.
    form("request-routing").await;
    filled("/rules/0/conditions/0/name", "x-canary").await;
    fill(&browser, "/rules/0/conditions/0/value", "yes").await;
    stored(1).await;
    fill(&browser, "/rules/0/conditions/0/name", "authorization").await;
    let unkept = "[data-testid=wizard-not-kept]";
    browser.text_where("why not", unkept, SOON, |text| text.contains("a value of authorization")).await;
    stored(0).await;

    let errors = browser.script("return window.__weftErrors || []").await;
    assert_eq!(errors, json!([]), "the page's script failed");
    browser.close().await;
}
