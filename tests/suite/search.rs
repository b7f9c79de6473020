//! Search in the top bar: everything by its name, with keys alone, from wherever one is.

use std::time::Duration;

use fantoccini::key::Key;
use serde_json::{Value, json};
use weft_tests::{
    browser::Browser,
    demo::Demo,
    wait::{ensure, until},
};

const SOON: Duration = Duration::from_secs(30);
const WORDS: &str = "[data-testid=search-words]";

/// Types where the focus is.
async fn press(browser: &Browser, keys: &str) {
    browser.page.active_element().await.unwrap().send_keys(keys).await.unwrap();
}

async fn where_it_says(browser: &Browser, what: &str, script: &str) -> Value {
    until(what, SOON, || async {
        let seen = browser.script(script).await;
        ensure(seen[0] == true, || seen.to_string())?;
        Ok(seen)
    })
    .await
}

/// Presses the key of the search, and types.
async fn look_for(browser: &Browser, text: &str) {
    press(browser, "/").await;
    where_it_says(browser, "the field has the focus", "return [document.activeElement?.id === 'search']").await;
    press(browser, text).await;
}

/// Waits for a result in a group, and says which of all results it is.
async fn result(browser: &Browser, group: &str, name: &str) -> usize {
    let script = format!(
        "const all = [...document.querySelectorAll('[data-testid=search-option]')];
        const at = all.findIndex(one => one.parentElement.getAttribute('aria-label') === '{group}'
            && one.querySelector('code').textContent === '{name}');
        return [at >= 0, at, all.map(one => one.title)]"
    );
    let seen = where_it_says(browser, &format!("{name} is found among {group}"), &script).await;
    usize::try_from(seen[1].as_u64().unwrap_or_default()).unwrap()
}

async fn leads_to(browser: &Browser, wanted: &str) {
    until(&format!("it leads to {wanted}"), SOON, || async {
        let fragment = browser.fragment().await;
        ensure(fragment == wanted, || fragment)
    })
    .await;
}

#[tokio::test]
async fn everything_is_found_by_its_name() {
    let demo = Demo::start(&["--rate=20"]);
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&format!("{}/#/traces", demo.text("/console"))).await;
    browser.wait_for("[data-testid=live][data-state=live]").await;

    // An empty box says what it takes, and finds nothing yet.
    press(&browser, "/").await;
    browser.text_where("what can be typed", WORDS, SOON, |text| text.contains("by its name")).await;
    let closed =
        "const field = document.querySelector('#search'); return [field.getAttribute('aria-expanded') === 'false']";
    where_it_says(&browser, "there is no list", closed).await;

    // The arrows choose among results of all kinds, and Enter goes there.
    press(&browser, "Payment-Service").await;
    result(&browser, "Services", "payment-service").await;
    result(&browser, "Applications", "payment-service").await;
    let at = result(&browser, "Workloads", "payment-service").await;
    press(&browser, &Key::Down.to_string().repeat(at)).await;
    let chosen = format!(
        "const field = document.querySelector('#search');
        const one = document.getElementById(field.getAttribute('aria-activedescendant'));
        return [one?.id === 'search-{at}' && one.getAttribute('aria-selected') === 'true', one?.outerHTML]"
    );
    where_it_says(&browser, "it is chosen", &chosen).await;
    press(&browser, &Key::Enter.to_string()).await;
    leads_to(&browser, "#/workloads/shop/payment-service").await;
    let left = "const field = document.querySelector('#search');
        return [document.activeElement !== field && field.value === '' && document.querySelector('[role=search] .offers').hidden]";
    where_it_says(&browser, "the search is over", left).await;

    // An object by its kind and its place: the keyboard goes on in its panel.
    look_for(&browser, "virtualservice shop/order-service").await;
    assert_eq!(result(&browser, "Configuration", "order-service").await, 0, "nothing else is meant");
    press(&browser, &Key::Enter.to_string()).await;
    let heading =
        "return [document.activeElement?.id === 'panel-title', document.activeElement?.outerHTML.slice(0, 200)]";
    where_it_says(&browser, "its panel has the focus", heading).await;
    let fragment = browser.fragment().await;
    let place = "~VirtualService~shop~order-service";
    assert!(fragment.starts_with("#/configuration?select=") && fragment.ends_with(place), "{fragment}");

    // A canary, a namespace and a room.
    look_for(&browser, "order-service").await;
    let at = result(&browser, "Canaries", "order-service").await;
    press(&browser, &format!("{}{}", Key::Down.to_string().repeat(at), Key::Enter)).await;
    leads_to(&browser, "#/canaries?find=shop/order-service").await;
    look_for(&browser, "shop").await;
    assert_eq!(result(&browser, "Namespaces", "shop").await, 0, "the name itself comes first");
    press(&browser, &Key::Enter.to_string()).await;
    leads_to(&browser, "#/namespaces/shop").await;
    look_for(&browser, "aud").await;
    result(&browser, "Pages", "Audit").await;
    press(&browser, &Key::Enter.to_string()).await;
    leads_to(&browser, "#/audit").await;

    // What is not there is said, and Escape leaves.
    look_for(&browser, "no-such-thing").await;
    let nothing = "Nothing named “no-such-thing” in what you may read";
    browser.text_where("there is none", WORDS, SOON, |text| text.contains(nothing)).await;
    press(&browser, &Key::Escape.to_string()).await;
    where_it_says(&browser, "the search is over", left).await;

    // The scope gives way to what lies outside of it, which the page was not given with its graph.
    browser.script("location.hash = '#/mesh?ns=nowhere'").await;
    look_for(&browser, "storefront").await;
    result(&browser, "Workloads", "storefront").await;
    browser.click("[role=group][aria-label=Workloads] [role=option]").await;
    leads_to(&browser, "#/workloads/shop/storefront").await;
    browser.close().await;
}

#[tokio::test]
async fn the_search_asks_once_for_what_the_page_does_not_hold() {
    let demo = Demo::start(&["--rate=20"]);
    let browser = Browser::start(900, 900, true).await;
    browser.open(&format!("{}/#/audit", demo.text("/console"))).await;
    browser.wait_for("[data-testid=live][data-state=live]").await;
    let count = "const ask = window.fetch; window.__asked = []; window.fetch = (url, init) => {
            if (/\\/api\\/v1\\/(services|workloads|apps|namespaces)\\b/.test(url)) window.__asked.push(String(url));
            return ask.call(window, url, init);
        }";
    browser.script(count).await;
    for name in ["storefront", "checkout-bff"] {
        look_for(&browser, name).await;
        result(&browser, "Services", name).await;
        press(&browser, &Key::Escape.to_string()).await;
        browser.wait_for("[role=search] .offers[hidden]").await;
    }
    let asked = browser.script("return window.__asked").await;
    assert_eq!(asked.as_array().map(Vec::len), Some(1), "{asked}");
    assert_eq!(browser.script("return window.__weftErrors || []").await, json!([]), "the page's script failed");
    browser.close().await;
}

#[tokio::test]
async fn what_is_picked_stays_chosen_when_more_is_found() {
    let demo = Demo::start(&["--rate=20"]);
    // So low that not all results are in sight.
    let browser = Browser::start(1440, 340, false).await;
    browser.open(&format!("{}/#/audit", demo.text("/console"))).await;
    browser.wait_for("[data-testid=live][data-state=live]").await;
    let late = "const ask = window.fetch, held = new Promise(go => window.__go = go);
        window.fetch = (url, init) => /\\/api\\/v1\\/services\\b/.test(url)
            ? held.then(() => ask.call(window, url, init)) : ask.call(window, url, init)";
    browser.script(late).await;
    look_for(&browser, "payment-service").await;
    for group in ["Workloads", "Configuration"] {
        result(&browser, group, "payment-service").await;
    }
    press(&browser, &Key::Up.to_string()).await;
    let last = "const all = [...document.querySelectorAll('[data-testid=search-option]')], one = all.at(-1);
        const id = document.querySelector('#search').getAttribute('aria-activedescendant');
        const [box, list] = [one, one?.closest('.offers')].map(it => it?.getBoundingClientRect());
        window.__picked = one?.title;
        return [all.length > 2 && id === one.id && box.bottom <= list.bottom && box.top >= list.top, id, box, list]";
    where_it_says(&browser, "the last one is chosen, and in sight", last).await;

    // Services come before it: it moves on, and stays the one that Enter goes to.
    browser.script("window.__go()").await;
    result(&browser, "Services", "payment-service").await;
    let chosen = "const id = document.querySelector('#search').getAttribute('aria-activedescendant');
        const one = document.getElementById(id);
        return [one?.title === window.__picked && one.getAttribute('aria-selected') === 'true', one?.title, window.__picked]";
    where_it_says(&browser, "the same one is chosen", chosen).await;
    browser.close().await;
}
