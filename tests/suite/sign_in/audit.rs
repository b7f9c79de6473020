use std::time::Duration;

use weft_tests::{
    browser::Browser,
    jar::{Jar, location},
};

use super::{SESSION, Stage};

const PATIENCE: Duration = Duration::from_secs(20);
/// What somebody puts into the answer of a sign-in of their own.
const HOSTILE: &str =
    "%3Cscript%3Ewindow.ran%3D1%3C%2Fscript%3E%3Cimg+src%3Dx+onerror%3D%22window.ran%3D1%22%3E%0A%E2%80%AE";

/// An administrator reads who came, who went and who could not, and why; what a stranger wrote runs nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn who_came_and_who_could_not_is_on_the_page() {
    let stage = Stage::start(3600, &[]).await;
    let at = stage.console.address;
    let mut stranger = Jar::default();
    let callback = stranger.to_callback(&stage.console, &stage.provider, "eve").await;
    let part = |name: &str| {
        let query = callback.split_once('?').unwrap().1;
        query.split('&').find(|pair| pair.starts_with(&format!("{name}="))).unwrap().to_owned()
    };
    let bent =
        format!("/auth/callback?{}&{}&error=access_denied&error_description={HOSTILE}", part("state"), part("iss"));
    assert_eq!(location(&stranger.get(at, &bent, &[]).await), "/signed-out?problem=refused");

    let mut root = stage.signed_in("root").await;
    let browser = Browser::start(1440, 900, false).await;
    browser.open(&format!("http://{at}/auth/login?return_to=/%23/audit")).await;
    browser.sign_in("root").await;
    browser.wait_for("[data-testid=audit-row][data-action=sign-in]").await;
    browser.wait_for("[data-testid=audit-row][data-action=sign-in-refused] button").await.click().await.unwrap();
    browser
        .text_where("why it was refused", "[data-testid=audit-detail]", PATIENCE, |text| {
            text.contains("<script>window.ran=1</script>")
        })
        .await;
    assert_eq!(browser.script("return window.ran === undefined").await, true);
    // Everything from that address, then the refusals of it alone.
    browser.wait_for("[data-testid=audit-address]").await.click().await.unwrap();
    browser.open(&format!("http://{at}/#/audit?find=127.0.0.1&action=sign-in-refused")).await;
    browser.wait_for("[data-testid=audit-row][data-action=sign-in-refused]").await;
    browser.open(&format!("http://{at}/#/audit?find=10.9.9.9")).await;
    browser.text_where("nothing from there", "main", PATIENCE, |text| text.contains("Nothing fits")).await;
    browser.close().await;

    // People see their own coming and going, and nobody else's.
    assert!(root.cookie(at, SESSION).is_some());
    let all = stage.api(&mut root, "/audit?action=sign-in").await.json();
    assert_eq!(all["entries"].as_array().unwrap().len(), 2, "{all}");
    let mut bob = stage.signed_in("bob").await;
    let own = stage.api(&mut bob, "/audit").await.json();
    let own: Vec<_> = own["entries"].as_array().unwrap().iter().map(|entry| entry["who"].clone()).collect();
    assert_eq!(own, ["bob@example.org"]);
}
