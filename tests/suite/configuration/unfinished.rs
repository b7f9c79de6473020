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
    browser.script("document.querySelector('[data-search]').focus()").await;
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
