use std::time::Duration;

use fantoccini::{
    Locator,
    actions::{InputSource, MOUSE_BUTTON_LEFT, MouseActions, PointerAction},
};
use serde_json::{Value, json};
use weft_tests::{
    browser::Browser,
    demo::Demo,
    http::get,
    wait::{ensure, until},
};

use super::{SESSION, Stage};

/// Goes to another room, also where the page has noticed by itself that nobody is signed in, and covered what is clicked on.
const ROOM: &str = "document.querySelector('[data-testid=room-traces]').click()";
const PATIENCE: Duration = Duration::from_secs(20);

/// In a browser, at a real provider: in, to the place that a link named, what one may, out, and what an old cookie is
/// worth then.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_and_out() {
    let stage = Stage::start(3600, &[]).await;
    let at = stage.console.address;
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&format!("http://{at}/#/configuration?ns=shop")).await;
    let way = browser.wait_for("[data-testid=sign-in-oidc]").await;
    assert!(way.text().await.unwrap().contains("127.0.0.1"));
    assert_eq!(browser.script("return document.cookie").await, "", "no script sees a cookie");
    way.click().await.unwrap();

    browser.sign_in("bob").await;
    browser.text_where("bob's name", "[data-testid=person-name]", PATIENCE, |name| name == "bob@example.org").await;
    let address = browser.page.current_url().await.unwrap().to_string();
    assert_eq!(address, format!("http://{at}/#/configuration?ns=shop"));
    // The other namespace is nowhere on the page.
    browser.wait_for("[data-testid=person] summary").await.click().await.unwrap();
    browser
        .text_where("bob's roles", "[data-testid=person-roles]", PATIENCE, |roles| roles.contains("role:shop"))
        .await;
    let text = browser.script("return document.body.innerText").await;
    assert!(text.as_str().unwrap().contains("till") && !text.as_str().unwrap().contains("bank"), "{text}");
    let cookie = browser.page.get_named_cookie(SESSION).await.unwrap();
    assert_eq!((cookie.http_only(), cookie.secure(), cookie.path()), (Some(true), Some(true), Some("/")));
    let stolen = format!("{SESSION}={}", cookie.value());

    browser.wait_for("[data-testid=sign-out]").await.click().await.unwrap();
    // The provider asks whether to sign out there, too.
    browser.wait_for("button[name=logout], button[autofocus]").await.click().await.unwrap();
    browser.wait_for("[data-testid=signed-out]").await;
    assert_eq!(stage.console.get("/api/v1/graph", &[("cookie", &stolen)]).await.status, 401);
    assert!(browser.page.get_named_cookie(SESSION).await.is_err());

    // A session that ends while the page is open: the page waits, and goes on after a sign-in in another tab.
    browser.open(&format!("http://{at}/auth/login?return_to=/")).await;
    browser.sign_in("ada").await;
    browser.text_where("ada's name", "[data-testid=person-name]", PATIENCE, |name| name == "ada@example.org").await;
    let cookie = browser.page.get_named_cookie(SESSION).await.unwrap();
    let own = format!("{SESSION}={}", cookie.value());
    let write = [("cookie", own.as_str()), ("content-type", "application/json"), ("x-weft-request", "1")];
    let out = weft_tests::http::send(at, "POST", &at.to_string(), "/auth/logout", &write, "{}".into()).await.unwrap();
    assert_eq!(out.status, 200);
    browser.script(ROOM).await;
    let again = browser.wait_for("[data-testid=sign-in-again]").await;
    assert_eq!(again.attr("target").await.unwrap().as_deref(), Some("_blank"));
    let first = browser.page.window().await.unwrap();
    again.click().await.unwrap();
    let windows = weft_tests::wait::until("a second tab", PATIENCE, || async {
        let windows = browser.page.windows().await.map_err(|error| error.to_string())?;
        weft_tests::wait::ensure(windows.len() == 2, || format!("{} tabs", windows.len()))?;
        Ok(windows)
    })
    .await;
    let second = windows.into_iter().find(|window| *window != first).unwrap();
    browser.page.switch_to_window(second).await.unwrap();
    browser.wait_for("[data-testid=signed-in]").await;
    browser.page.close_window().await.unwrap();
    browser.page.switch_to_window(first).await.unwrap();
    weft_tests::wait::until("the page goes on", PATIENCE, || async {
        let veil =
            browser.page.find_all(Locator::Css("[data-testid=ended]")).await.map_err(|error| error.to_string())?;
        weft_tests::wait::ensure(veil.is_empty(), || "still ended".to_owned())
    })
    .await;
    browser.close().await;
}

/// Whoever tries the demo opens the link that it printed. It works once.
#[tokio::test(flavor = "multi_thread")]
async fn the_demos_link_signs_in_once() {
    let demo = Demo::start(&["--sign-in=link"]);
    let console = demo.address("/console");
    let host = console.to_string();
    assert_eq!(get(console, &host, "/api/v1/graph", &[]).await.unwrap().status, 401);
    let link = demo.text("/signIn");
    let browser = Browser::start(1440, 900, false).await;
    // Whoever had to sign in first gets to where they wanted to go.
    browser.open(&format!("http://{console}/#/canaries?window=900")).await;
    browser.wait_for("[data-testid=sign-in-link]").await;
    browser.open(&link).await;
    browser.text_where("the admin", "[data-testid=person-name]", PATIENCE, |name| name == "local admin").await;
    let here = browser.page.current_url().await.unwrap();
    assert!(here.fragment().is_some_and(|place| place.starts_with("/canaries")), "{here}");
    assert!(!browser.page.current_url().await.unwrap().as_str().contains("code="), "the code stays in the address");
    browser.open(&link).await;
    browser
        .text_where("the link was used", "[data-testid=sign-in-problem]", PATIENCE, |text| text.contains("no longer"))
        .await;
    browser.text_where("the session is there", "h1", PATIENCE, |text| text == "You are signed in already").await;
    // The one in the file is the next.
    let next = std::fs::read_to_string(demo.text("/signInFile")).unwrap();
    assert_ne!(next.trim(), link);
    browser.open(next.trim()).await;
    browser.text_where("the admin again", "[data-testid=person-name]", PATIENCE, |name| name == "local admin").await;

    // A session that ends while the page is open: there is no provider to go to, so the page names the link.
    let cookie = browser.page.get_named_cookie(SESSION).await.unwrap();
    let own = format!("{SESSION}={}", cookie.value());
    let write = [("cookie", own.as_str()), ("content-type", "application/json"), ("x-weft-request", "1")];
    let out = weft_tests::http::send(console, "POST", &host, "/auth/logout", &write, "{}".into()).await.unwrap();
    assert_eq!(out.status, 200);
    browser.script(ROOM).await;
    browser.wait_for("[data-testid=sign-in-again-link]").await;
    let ways = browser.page.find_all(Locator::Css("[data-testid=sign-in-again]")).await.unwrap();
    assert!(ways.is_empty(), "a way to sign in that this console has not");
    browser.close().await;
}

async fn is_signed_in(browser: &Browser, login: &str) {
    let name = format!("{login}@example.org");
    browser.text_where(login, "[data-testid=person-name]", PATIENCE, |shown| shown == name).await;
}

/// Ends the browser's session without a word to its page, and has the provider ask again who signs in.
async fn end(stage: &mut Stage, browser: &Browser) {
    let at = stage.console.address;
    let cookie = browser.page.get_named_cookie(SESSION).await.unwrap();
    let own = format!("{SESSION}={}", cookie.value());
    let write = [("cookie", own.as_str()), ("content-type", "application/json"), ("x-weft-request", "1")];
    let out = weft_tests::http::send(at, "POST", &at.to_string(), "/auth/logout", &write, "{}".into()).await.unwrap();
    assert_eq!(out.status, 200);
    stage.provider.rotate(stage.dir.path()).await;
}

/// A session ends, and somebody else signs in: what the first one typed, or could take back, is not theirs to read, neither in
/// the same tab nor on a page that stayed open.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_person_typed_is_not_shown_to_the_next() {
    let mut stage = Stage::start(3600, &[]).await;
    let at = stage.console.address;
    let browser = Browser::start(1440, 900, false).await;
    let login = format!("http://{at}/auth/login?return_to=/");
    let kept = "return sessionStorage.getItem('weft.draft.probe')";
    let type_it = "sessionStorage.setItem('weft.draft.probe', 'typed'); window.__before = true";
    let undo = "[data-testid=canary-undo]";
    browser.open(&login).await;
    browser.sign_in("bob").await;
    is_signed_in(&browser, "bob").await;
    browser.script("location.hash = '#/canaries'").await;
    browser.click("[data-testid=canary-preset-50]").await;
    browser.click("[data-testid=canary-apply]:not(:disabled)").await;
    browser.wait_for(undo).await;
    browser.script(type_it).await;
    browser.open("about:blank").await;
    browser.open(&format!("http://{at}/")).await;
    is_signed_in(&browser, "bob").await;
    assert_eq!(browser.script(kept).await, "typed", "whoever typed it finds it again");
    browser.wait_for(undo).await;

    end(&mut stage, &browser).await;
    browser.open(&login).await;
    browser.sign_in("ada").await;
    is_signed_in(&browser, "ada").await;
    assert_eq!(browser.script(kept).await, Value::Null);
    let offered = browser.page.find_all(Locator::Css(undo)).await.unwrap();
    assert!(offered.is_empty(), "ada reads what bob did, and may take it back");

    // The page stays open. What lies over it holds the focus, whatever is pressed.
    browser.script(type_it).await;
    end(&mut stage, &browser).await;
    browser.script(ROOM).await;
    let again = browser.wait_for("[data-testid=sign-in-again]").await;
    let inside = "return !!document.activeElement.closest('[data-testid=ended]')";
    until("the dialog has the focus", PATIENCE, || async {
        ensure(browser.script(inside).await == json!(true), || "it has not".to_owned())
    })
    .await;
    let beside = MouseActions::new("mouse".to_owned())
        .then(PointerAction::MoveTo { duration: None, x: 5.0, y: 300.0 })
        .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
        .then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
    browser.page.perform_actions(beside).await.unwrap();
    assert_eq!(browser.script(inside).await, json!(true), "a press beside it takes the focus away");
    for keys in ["\u{e004}", "\u{e008}\u{e004}", "\u{e008}\u{e004}"] {
        browser.page.active_element().await.unwrap().send_keys(keys).await.unwrap();
        assert_eq!(browser.script(inside).await, json!(true), "Tab or Shift+Tab leads out of it");
    }

    // Somebody else signs in beside it: the page begins anew.
    let first = browser.page.window().await.unwrap();
    again.click().await.unwrap();
    let windows = until("a second tab", PATIENCE, || async {
        let windows = browser.page.windows().await.map_err(|error| error.to_string())?;
        ensure(windows.len() == 2, || format!("{} tabs", windows.len()))?;
        Ok(windows)
    })
    .await;
    let second = windows.into_iter().find(|window| *window != first).unwrap();
    browser.page.switch_to_window(second).await.unwrap();
    browser.sign_in("bob").await;
    browser.wait_for("[data-testid=signed-in]").await;
    browser.page.close_window().await.unwrap();
    browser.page.switch_to_window(first.clone()).await.unwrap();
    is_signed_in(&browser, "bob").await;
    let state = "return [window.__before ?? null, sessionStorage.getItem('weft.draft.probe')]";
    let anew = async || {
        until("the page begins anew", PATIENCE, || async {
            let state = browser.script(state).await;
            ensure(state == json!([null, null]), || state.to_string())
        })
        .await;
    };
    anew().await;

    // Left and come back to, the page is shown as it was: to nobody before it is known who came.
    browser.script(type_it).await;
    let turn = async |name: &str| {
        browser.script(&format!("dispatchEvent(new PageTransitionEvent('{name}', {{ persisted: true }}))")).await;
    };
    let seen = async |what: &str| {
        until(&format!("the page is {what}"), PATIENCE, || async {
            let found = browser.script("return getComputedStyle(document.querySelector('main')).visibility").await;
            ensure(found == json!(what), || found.to_string())
        })
        .await;
    };
    turn("pagehide").await;
    seen("hidden").await;
    turn("pageshow").await;
    seen("visible").await;
    assert_eq!(browser.script(state).await, json!([true, "typed"]), "whoever left it finds it as it was");
    turn("pagehide").await;
    stage.provider.rotate(stage.dir.path()).await;
    let second = browser.page.new_window(true).await.unwrap().handle;
    browser.page.switch_to_window(second).await.unwrap();
    browser.open(&format!("http://{at}/auth/login?return_to=/signed-in")).await;
    browser.sign_in("ada").await;
    browser.wait_for("[data-testid=signed-in]").await;
    browser.page.close_window().await.unwrap();
    browser.page.switch_to_window(first).await.unwrap();
    turn("pageshow").await;
    is_signed_in(&browser, "ada").await;
    anew().await;
    the_way_back(&mut stage, &browser).await;
    browser.close().await;
}

/// The same by the browser's own way back, from another page to the one that it kept: whoever left it finds it as it was, and
/// the next one nothing of theirs. The page is ada's.
async fn the_way_back(stage: &mut Stage, browser: &Browser) {
    const LEFT: &str = "sessionStorage.setItem('weft.draft.probe', 'typed'); window.__before = true";
    let finds = async |expected: Value| {
        browser
            .until("the page that was left", PATIENCE, || async {
                let script = "return [window.__before ?? null, sessionStorage.getItem('weft.draft.probe'), \
                    !!document.querySelector('main') && getComputedStyle(document.querySelector('main')).visibility]";
                let found = browser.script(script).await;
                ensure(found == expected, || found.to_string())
            })
            .await;
    };
    browser.script(LEFT).await;
    browser.open("about:blank").await;
    browser.page.back().await.unwrap();
    is_signed_in(browser, "ada").await;
    finds(json!([true, "typed", "visible"])).await;

    browser.open("about:blank").await;
    let left = browser.page.window().await.unwrap();
    stage.provider.rotate(stage.dir.path()).await;
    let beside = browser.page.new_window(true).await.unwrap().handle;
    browser.page.switch_to_window(beside).await.unwrap();
    browser.open(&format!("http://{}/auth/login?return_to=/signed-in", stage.console.address)).await;
    browser.sign_in("bob").await;
    browser.wait_for("[data-testid=signed-in]").await;
    browser.page.close_window().await.unwrap();
    browser.page.switch_to_window(left).await.unwrap();
    browser.page.back().await.unwrap();
    is_signed_in(browser, "bob").await;
    finds(json!([null, null, "visible"])).await;
}
