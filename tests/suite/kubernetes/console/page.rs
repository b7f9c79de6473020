//! The page in a real Chromium, over a real cluster's traffic: the canary click, a wizard, and what pods alone know.

use std::time::Duration;

use serde_json::{Value, json};
use weft_tests::{browser::Browser, cluster::Cluster};

use super::{Console, KIND, SOON};

/// A verdict needs traffic to rest on.
const VERDICT: Duration = Duration::from_secs(240);

#[tokio::test]
async fn a_canary_moves_by_clicks_on_the_clusters_page() {
    const CARD: &str = "[data-testid=canary-card]";
    let Some(cluster) = Cluster::get().await else { return };
    // Alone: the page shows the canaries of all namespaces, and a verdict needs a machine that is not full.
    let _mesh = cluster.mesh_alone().await.install().await;
    let _shop = cluster.shop().await;
    let shop = |args: &'static [&'static str]| cluster.kubectl(args);
    shop(&["-n", "shop", "create", "serviceaccount", "shift-manager"]).await;
    for (role, verbs, resources) in [
        ("routes", "--verb=get,list,watch,patch,update", "--resource=virtualservices.networking.istio.io"),
        ("inside", "--verb=get,create", "--resource=pods,pods/log,pods/portforward"),
    ] {
        cluster.kubectl(&["-n", "shop", "create", "role", role, verbs, resources]).await;
        let (role, account) = (format!("--role={role}"), "--serviceaccount=shop:shift-manager");
        cluster.kubectl(&["-n", "shop", "create", "rolebinding", &role[7..], &role, account]).await;
    }
    let token = shop(&["-n", "shop", "create", "token", "shift-manager"]).await;
    let console = Console::open(cluster).await;
    let page = |room: &str| format!("http://{}/#/{room}", console.address());
    let browser = Browser::start(1440, 900, false).await;

    // Traffic of real pods, with closed locks and the broken one.
    browser.open(&page("graph")).await;
    for (edge, lock) in [
        ("shop/storefront->shop/checkout-bff", "mtls"),
        ("shop/checkout-bff->shop/order-service-v1", "mtls"),
        ("shop/order-service-v1->shop/payment-service", "mtls"),
        ("shop/legacy-billing->shop/payment-service", "plaintext"),
    ] {
        let css = format!("[data-testid=graph-edges] [data-edge=\"{edge}\"]");
        browser
            .attribute_where(&format!("the lock of {edge}"), &css, "data-lock", VERDICT, |value| value == lock)
            .await;
    }

    browser.open(&page("canaries")).await;
    let configured = format!("{CARD} [data-testid=canary-configured]");
    let verdict = format!("{CARD} [data-testid=canary-verdict]");
    browser
        .text_where("90 and 10 are configured", &configured, SOON, |text| text.contains("90") && text.contains("10"))
        .await;
    browser
        .attribute_where("90/10 is consistent", &verdict, "data-verdict", VERDICT, |value| value == "consistent")
        .await;

    let input = browser.wait_for(&format!("{CARD} [data-testid=canary-weight-input]")).await;
    input.click().await.unwrap();
    input.send_keys("\u{e009}a\u{e000}50\t").await.unwrap();
    browser.wait_for(&format!("{CARD} [data-testid=canary-preview]")).await.click().await.unwrap();
    // The page asks for a token before it changes anything, tells whose it is, and goes on where it was.
    browser.wait_for("[data-testid=canary-apply]").await.click().await.unwrap();
    browser.wait_for("[data-testid=canary-refused] p button").await.click().await.unwrap();
    browser.wait_for("[data-testid=token-input]").await.send_keys(token.trim()).await.unwrap();
    browser.wait_for("[data-testid=token-give]").await.click().await.unwrap();
    browser
        .text_where("whose token it is", "[data-testid=token-who]", SOON, |text| text.contains("shift-manager"))
        .await;
    browser.wait_for(".dialog [aria-label=Close]").await.click().await.unwrap();
    browser.wait_for("[data-testid=canary-apply]:not([disabled])").await;
    browser.wait_for("[data-testid=canary-apply]").await.click().await.unwrap();
    browser.text_where("the new split is configured", &configured, SOON, |text| text.contains("50")).await;
    let object = cluster.read(&[KIND, "-n", "shop", "order-service"]).await.unwrap();
    let route = &object["spec"]["http"][1]["route"];
    assert_eq!(json!([route[0]["weight"], route[1]["weight"]]), json!([50, 50]));
    browser
        .attribute_where("50/50 is consistent", &verdict, "data-verdict", VERDICT, |value| value == "consistent")
        .await;
    let list = console.ask("GET", "/api/v1/canaries", None, &Value::Null).await.1;
    let own =
        list["canaries"].as_array().unwrap().iter().find(|canary| canary["object"]["namespace"] == "shop").unwrap();
    let observed = own["shares"][1]["observedPercent"].as_f64().unwrap_or_else(|| panic!("{own}"));
    assert!((35.0..65.0).contains(&observed), "v2 is seen to get {observed} %: {own}");

    browser.take_back().await;
    browser.text_where("the old split is back", &configured, SOON, |text| text.contains("90")).await;

    // The token opens what pods alone know: their logs, and what is in force in their proxies.
    browser.open(&page("workloads/shop/payment-service")).await;
    browser.wait_for("[data-testid=detail-tab-logs]").await.click().await.unwrap();
    browser.wait_for("[data-testid=log-line]").await;
    browser.wait_for("[data-testid=detail-tab-proxy]").await.click().await.unwrap();
    browser.text_where("in step", "[data-testid=proxy-sync]", SOON, |text| text.contains("confirmed everything")).await;
    browser.wait_for("[data-testid=no-drift]").await;
    browser.wait_for("[data-testid=certificate]").await;

    // A wizard begins with what the cluster has, shows what it makes of it, and applies that in the token's name.
    browser.open(&page("configuration?wizard=timeouts&of=shop/order-service")).await;
    let field = browser.wait_for("[data-at=\"/timeout\"] input").await;
    field.send_keys("\u{e009}a\u{e000}4s\t").await.unwrap();
    browser.text_where("the difference", "[data-testid=diff]", SOON, |text| text.contains("timeout: 4s")).await;
    browser.wait_for("[data-testid=config-apply]:not([disabled])").await.click().await.unwrap();
    browser.wait_for("[data-testid=wizard-same]").await;
    let object = cluster.read(&[KIND, "-n", "shop", "order-service"]).await.unwrap();
    assert_eq!(object["spec"]["http"][1]["timeout"], "4s", "{object}");
    let errors = browser.script("return window.__weftErrors || []").await;
    assert_eq!(errors, json!([]), "the page's script failed");
    browser.close().await;
}
