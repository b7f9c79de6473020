use std::time::Duration;

use serde_json::json;
use weft_tests::{
    jar::{Jar, location},
    wait::{ensure, until},
};

use super::{SESSION, Stage};

const WRITE: [(&str, &str); 2] = [("content-type", "application/json"), ("x-weft-request", "1")];

/// A session ends where it is ended, and a copy of its cookie with it.
#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_session_everywhere() {
    let mut stage = Stage::start(3600, &[]).await;
    let at = stage.console.address;
    assert_eq!(stage.console.get("/api/v1/graph", &[]).await.status, 401);
    let asked = stage.console.get("/api/v1/session", &[]).await.json();
    assert_eq!(asked["person"], json!(null));
    assert_eq!(asked["methods"][0]["kind"], "oidc");

    let mut jar = stage.signed_in("ada").await;
    let person = stage.api(&mut jar, "/session").await.json()["person"].clone();
    assert_eq!(person["name"], "ada@example.org");
    assert_eq!(person["roles"], json!(["role:viewer"]));
    let stolen = format!("{SESSION}={}", jar.cookie(at, SESSION).unwrap());
    assert_eq!(stage.console.get("/api/v1/graph", &[("cookie", &stolen)]).await.status, 200);

    // By the page's button: here at once, then at the provider.
    let answer = jar.send(at, "POST", "/auth/logout", &WRITE, "{}").await;
    let next = answer.json()["location"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned();
    assert!(next.starts_with(&format!("{}/session/end?", stage.provider.issuer())), "{next}");
    assert!(next.contains("id_token_hint=") && next.contains("post_logout_redirect_uri="), "{next}");
    assert!(jar.cookie(at, SESSION).is_none());
    assert_eq!(
        stage.console.get("/api/v1/graph", &[("cookie", &stolen)]).await.status,
        401,
        "a stolen cookie is worth nothing"
    );

    // From the provider's side.
    let mut jar = stage.signed_in("bob").await;
    let page = jar.get(stage.provider.address, "/session/end", &[]).await;
    let text = page.text();
    let secret = text.split("name=\"xsrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let secret = secret.unwrap_or_else(|| panic!("no form: {text}"));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = format!("xsrf={secret}&logout=yes");
    let ended = jar.send(stage.provider.address, "POST", "/session/end/confirm", &form, &body).await;
    assert!(ended.status.is_redirection(), "{}", ended.text());
    until("the provider's logout token ended the session", Duration::from_secs(10), || {
        let (mut jar, stage) = (jar.clone(), &stage);
        async move {
            let status = stage.api(&mut jar, "/graph").await.status;
            ensure(status == 401, || format!("{status}; {}", stage.provider.output()))
        }
    })
    .await;

    // The provider changes its keys: the next sign-in is checked against the new ones.
    stage.provider.rotate(stage.dir.path()).await;
    until("a sign-in after the keys changed", Duration::from_secs(30), || {
        let stage = &stage;
        async move {
            let mut jar = Jar::default();
            let answer = jar.sign_in(&stage.console, &stage.provider, "ada").await;
            ensure(location(&answer) == "/#/graph", || stage.console.log())
        }
    })
    .await;

    // It goes away: who is signed in stays so, and who is not reads why he cannot.
    let mut jar = stage.signed_in("ada").await;
    stage.provider.stop();
    assert_eq!(stage.api(&mut jar, "/graph").await.status, 200);
}

/// People see what their roles say, and may change no more.
#[tokio::test(flavor = "multi_thread")]
async fn rights_are_those_of_the_role_file() {
    let stage = Stage::start(3600, &[]).await;
    let at = stage.console.address;
    let mut bob = stage.signed_in("bob").await;
    let namespaces = |list: &serde_json::Value| -> Vec<String> {
        let rows = list["rows"].as_array().unwrap_or_else(|| panic!("{list}"));
        let mut names: Vec<String> =
            rows.iter().map(|row| row["object"]["namespace"].as_str().unwrap_or_default().to_owned()).collect();
        names.dedup();
        names.sort();
        names.dedup();
        names
    };
    assert_eq!(namespaces(&stage.api(&mut bob, "/config").await.json()), ["shop"]);
    let mut ada = stage.signed_in("ada").await;
    assert_eq!(namespaces(&stage.api(&mut ada, "/config").await.json()), ["bank", "shop"]);

    let object = |namespace: &str| {
        format!("/config/object?apiVersion=networking.istio.io/v1&kind=VirtualService&namespace={namespace}&name=till")
    };
    assert_eq!(stage.api(&mut bob, &object("shop")).await.status, 200);
    assert_eq!(stage.api(&mut bob, &object("bank")).await.status, 404, "what is hidden is not confirmed to exist");
    assert_eq!(stage.api(&mut bob, "/meta").await.json()["namespaces"], json!(["shop"]));
    let canaries = stage.api(&mut bob, "/canaries").await.text();
    assert!(canaries.contains("shop") && !canaries.contains("bank"), "{canaries}");

    // Moving a weight: bob in the shop, nobody else anywhere.
    let canaries = stage.api(&mut ada, "/canaries").await.json();
    let edit = |namespace: &str| {
        let cards = canaries["canaries"].as_array().unwrap_or_else(|| panic!("{canaries}"));
        let card = cards.iter().find(|card| card["object"]["namespace"] == namespace).unwrap();
        json!({"object": card["object"], "routeIndex": 0, "weights": [80, 20], "revision": card["revision"]})
            .to_string()
    };
    for (who, namespace, status) in [("ada", "shop", 403), ("bob", "bank", 403), ("bob", "shop", 200)] {
        let jar = if who == "ada" { &mut ada } else { &mut bob };
        let answer = jar.send(at, "POST", "/api/v1/canaries/apply", &WRITE, &edit(namespace)).await;
        assert_eq!(answer.status, status, "{namespace}: {}", answer.text());
    }
    let written = std::fs::read_to_string(stage.dir.path().join("config/shop.yaml")).unwrap();
    assert!(written.contains("weight: 20"), "{written}");

    // Whoever has no role sees nothing, and is told so.
    let mut eve = stage.signed_in("eve").await;
    assert_eq!(stage.api(&mut eve, "/session").await.json()["person"]["seesAny"], false);
    assert_eq!(namespaces(&stage.api(&mut eve, "/config").await.json()), Vec::<String>::new());

    // An address that the provider has not verified names nobody.
    let answer = Jar::default().sign_in(&stage.console, &stage.provider, "mallory").await;
    assert_eq!(location(&answer), "/signed-out?problem=nobody");

    // The role file changes: rights follow, and a broken file changes nothing.
    let roles = stage.dir.path().join("roles.csv");
    std::fs::write(&roles, "g, others, role:viewr\n").unwrap();
    until("the console says what is wrong with the role file", Duration::from_secs(20), || async {
        ensure(stage.console.log().contains("neither built in"), || stage.console.log())
    })
    .await;
    assert_eq!(namespaces(&stage.api(&mut bob, "/config").await.json()), ["shop"]);
    std::fs::write(&roles, "g, others, role:viewer\n").unwrap();
    until("eve sees everything", Duration::from_secs(20), || {
        let (mut eve, stage) = (eve.clone(), &stage);
        async move {
            let seen = namespaces(&stage.api(&mut eve, "/config").await.json());
            ensure(seen == ["bank", "shop"], || format!("{seen:?}"))
        }
    })
    .await;
    assert_eq!(namespaces(&stage.api(&mut bob, "/config").await.json()), Vec::<String>::new());
}

/// Tokens are renewed while a session is used, with the groups that the provider tells by then.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlasts_the_providers_tokens() {
    // Shorter than the minute before which tokens are renewed: each request renews.
    let stage = Stage::start(30, &["--oidc-scopes=email,groups,offline_access"]).await;
    let mut jar = stage.signed_in("ada").await;
    for _ in 0..3 {
        assert_eq!(stage.api(&mut jar, "/graph").await.status, 200, "{}", stage.console.log());
    }
    let mut stage = stage;
    stage.provider.rotate(stage.dir.path()).await;
    // It forgot the grant: it takes the session back.
    until("the provider took the session back", Duration::from_secs(90), || {
        let (mut jar, stage) = (jar.clone(), &stage);
        async move {
            let status = stage.api(&mut jar, "/graph").await.status;
            ensure(status == 401, || format!("{status}; {}", stage.console.log()))
        }
    })
    .await;
}
