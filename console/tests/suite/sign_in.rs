//! A provider that lies in one way at a time: nobody is signed in or out by it, and what it says harms nothing.

mod lies;
mod provider;
mod renewal;
mod replicas;
mod stage;
mod strangers;
mod token;

use std::time::Instant;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::future::join_all;
use prometheus_http_query::reqwest::header;
use serde_json::json;
use sha2::{Digest, Sha256};
use weft_console::db::SessionRecord;

use self::{
    lies::{ABOUT_LOGOUT, ABOUT_SIGN_IN, EVERYWHERE, Lie, logout},
    provider::{ACCESS, Answer, Bend, CLIENT_SECRET},
    stage::Stage,
    token::{Draft, Keys, Signer, now},
};
use crate::parts::until;

const HONEST: Bend = |_, _, _| {};

/// Codes for which the page has words.
const WORDS: [&str; 4] = ["token", "refused", "provider-away", "nobody"];

async fn assert_refused(stage: &Stage, name: &str) -> String {
    let (next, session) = stage.sign_in().await;
    assert_eq!(session, None, "{name} signs in");
    let code = next.strip_prefix("/signed-out?problem=").unwrap_or_else(|| panic!("{name}: {next}")).to_owned();
    assert!(WORDS.contains(&code.as_str()), "{name}: {code}");
    code
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_lies_signs_nobody_in() {
    let stage = Stage::start().await;
    let (next, session) = stage.sign_in().await;
    assert_eq!((next.as_str(), stage.status(header::COOKIE, &session.unwrap()).await), ("/#/graph", 200));
    for Lie(name, bend) in EVERYWHERE.iter().chain(ABOUT_SIGN_IN) {
        stage.provider.lie(*bend);
        assert_refused(&stage, name).await;
    }
    stage.provider.lie(HONEST);
    assert!(stage.sign_in().await.1.is_some(), "an honest one still does: {}", stage.log());
    stage.assert_clean_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_token_that_lies_is_nobodys() {
    let stage = Stage::start().await;
    assert_eq!(stage.bearer(&stage.provider.token(HONEST)).await, 200, "{}", stage.log());
    for Lie(name, bend) in EVERYWHERE {
        assert_eq!(stage.bearer(&stage.provider.token(*bend)).await, 401, "{name}");
    }
    for garbage in ["a.b.c", "..", &"x".repeat(4000), ACCESS] {
        assert_eq!(stage.bearer(garbage).await, 401, "{garbage}");
    }
    assert_eq!(stage.bearer(&stage.provider.token(logout)).await, 401, "a logout token says who, but admits nobody");
    stage.assert_clean_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_token_that_lies_ends_nothing() {
    let stage = Stage::start().await;
    let session = stage.sign_in().await.1.unwrap();
    for Lie(name, bend) in EVERYWHERE.iter().chain(ABOUT_LOGOUT) {
        let bent = stage.provider.token_after(logout, *bend);
        assert_eq!(stage.log_out(&bent).await, 400, "{name}");
        assert_eq!(stage.status(header::COOKIE, &session).await, 200, "{name}");
    }
    assert_eq!(stage.log_out(&stage.provider.token(HONEST)).await, 400, "an ID token ends nothing");

    let honest = stage.provider.token(logout);
    assert_eq!(stage.log_out(&honest).await, 200);
    assert_eq!(stage.status(header::COOKIE, &session).await, 401);
    let next = stage.sign_in().await.1.unwrap();
    assert_eq!(stage.log_out(&honest).await, 400, "it counts once");
    assert_eq!(stage.status(header::COOKIE, &next).await, 200);
    stage.assert_clean_log();
}

/// A logout token names a session, somebody, or both (OpenID Connect Back-Channel Logout 1.0, 2.4 and 2.7).
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_token_ends_the_session_that_it_names() {
    let stage = Stage::start().await;
    let alone = |bend: Bend| stage.provider.token_after(logout, bend);
    let here = stage.sign_in().await.1.unwrap();
    stage.provider.lie(|draft, _, _| draft.without("sid"));
    let unnamed = stage.sign_in().await.1.unwrap();
    stage.provider.lie(HONEST);
    let hold = async |here_holds: bool, unnamed_holds: bool| {
        let status = |holds: bool| if holds { 200 } else { 401 };
        assert_eq!(stage.status(header::COOKIE, &here).await, status(here_holds));
        assert_eq!(stage.status(header::COOKIE, &unnamed).await, status(unnamed_holds));
    };

    let another = alone(|draft, _, _| {
        draft.without("sub");
        draft.claims["sid"] = "sid-of-another".into();
        draft.claims["jti"] = "1".into();
    });
    assert_eq!(stage.log_out(&another).await, 200);
    hold(true, true).await;
    let both = alone(|draft, _, _| {
        draft.claims["sid"] = "sid-of-another".into();
        draft.claims["jti"] = "2".into();
    });
    assert_eq!(stage.log_out(&both).await, 200);
    hold(true, false).await;
    let session = alone(|draft, _, _| {
        draft.without("sub");
        draft.claims["sid"] = "sid-1".into();
        draft.claims["jti"] = "3".into();
    });
    assert_eq!(stage.log_out(&session).await, 200, "{}", stage.log());
    hold(false, false).await;
    stage.assert_clean_log();
}

/// A browser that is sent to a provider that does not answer ends on an error page of its own.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_out_is_not_sent_to_a_provider_that_is_away() {
    let stage = Stage::start().await;
    stage.provider.discovered(|document| document["end_session_endpoint"] = "http://127.0.0.1:1/out".into());
    let session = stage.sign_in().await.1.unwrap();
    let next = stage.signed_out_to(&session).await;
    assert!(next.starts_with("http://127.0.0.1:1/out?"), "{next}");
    let session = stage.sign_in().await.1.unwrap();
    stage.provider.silent(true);
    assert_eq!(stage.signed_out_to(&session).await, "/signed-out?provider=open");
    assert_eq!(stage.status(header::COOKIE, &session).await, 401, "it has ended here");
    stage.assert_clean_log();
}

/// The browser carries the session's ID token to the provider's page in an address.
#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_whoever_signed_out_admits_nobody() {
    let stage = Stage::start().await;
    let session = stage.sign_in().await.1.unwrap();
    let made = stage.provider.secrets();
    let token = made.iter().rfind(|secret| secret.matches('.').count() == 2).unwrap();
    assert_eq!(stage.bearer(token).await, 200);
    assert_eq!(stage.sign_out(&session).await, 200);
    assert_eq!(stage.bearer(token).await, 401);
    // The last character of a signature has bits to spare.
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        let rewritten = format!("{}{last}", &token[..token.len() - 1]);
        assert_eq!(stage.bearer(&rewritten).await, 401, "{last}");
    }
    assert_eq!(stage.bearer(&stage.provider.token(HONEST)).await, 200, "another of the same person's");
    stage.assert_clean_log();
}

/// Only a key that is not known makes the provider be asked, and no address often.
#[tokio::test(flavor = "multi_thread")]
async fn logout_tokens_that_lie_ask_for_no_keys() {
    // Keys are asked for once a second at most.
    let a_second = || tokio::time::sleep(std::time::Duration::from_millis(1_050));
    let stage = Stage::start().await;
    stage.sign_in().await.1.unwrap();
    a_second().await;
    let before = stage.provider.fetched();
    for Lie(name, bend) in ABOUT_LOGOUT {
        assert_eq!(stage.log_out(&stage.provider.token_after(logout, *bend)).await, 400, "{name}");
        assert_eq!(stage.provider.fetched(), before, "{name}");
    }
    for garbage in ["", "x.y.z", &stage.provider.token(HONEST)] {
        assert_eq!(stage.log_out(garbage).await, 400, "{garbage}");
        assert_eq!(stage.provider.fetched(), before, "{garbage}");
    }
    for _ in 0..9 {
        let unknown = stage.provider.token_after(logout, |draft, _, _| {
            draft.header["kid"] = "nobodys".into();
            draft.signer = Signer::Stranger;
        });
        assert_eq!(stage.log_out(&unknown).await, 400);
        a_second().await;
    }
    let asked = stage.provider.fetched() - before;
    assert!((1..=6).contains(&asked), "{asked}");
    stage.provider.rotate();
    until("a sign-in with the new key", async || stage.sign_in().await.1).await;
    assert_eq!(stage.log_out(&stage.provider.token(logout)).await, 200, "{}", stage.log());
}

/// What comes instead of a token is a refusal that a person can read; nothing of it runs or is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_endpoint_that_misbehaves_is_told_in_words() {
    let stage = Stage::start().await;
    let script = "<script>alert(1)</script>";
    let (html, json_type) = ("text/html", "application/json");
    let error = |text: &str| json!({"error": "invalid_grant", "error_description": text}).to_string();
    let token =
        |id_token: &str| json!({"access_token": ACCESS, "token_type": "Bearer", "id_token": id_token}).to_string();
    for (name, answer, code) in [
        ("HTML", Answer::Text(200, html, script.into()), "provider-away"),
        ("HTML with an error's status", Answer::Text(502, html, script.into()), "provider-away"),
        ("an error that is a script", Answer::Text(400, json_type, error(script)), "refused"),
        ("an error that repeats secrets", Answer::Text(400, json_type, error("CODE VERIFIER SECRET")), "refused"),
        ("an error of several lines", Answer::Text(400, json_type, error("x\nFORGED\r\nFORGED\u{1b}[2J")), "refused"),
        ("a long error", Answer::Text(400, json_type, error(&"x".repeat(500_000))), "refused"),
        ("an error without words", Answer::Text(400, json_type, "{}".into()), "provider-away"),
        (
            "no ID token",
            Answer::Text(200, json_type, json!({"access_token": ACCESS, "token_type": "Bearer"}).to_string()),
            "token",
        ),
        ("an ID token that is none", Answer::Text(200, json_type, token(ACCESS)), "provider-away"),
        ("a script as ID token", Answer::Text(200, json_type, token(script)), "provider-away"),
        ("ten megabytes", Answer::Endless(10_000_000), "provider-away"),
        ("a redirect", Answer::Elsewhere, "provider-away"),
        ("no answer", Answer::Never, "provider-away"),
    ] {
        stage.provider.answer(answer);
        assert_eq!(assert_refused(&stage, name).await, code, "{name}: {}", stage.log());
    }
    let log = stage.log();
    assert!(log.contains("did not answer within 10 s") && log.contains("longer than 1048576 bytes"), "{log}");
    let told = log.lines().filter(|line| line.contains("somebody could not sign in"));
    assert!(told.clone().count() >= 13 && told.clone().all(|line| line.len() < 2_000), "{log}");
    stage.provider.answer(Answer::Token);
    assert!(stage.sign_in().await.1.is_some());
    stage.assert_clean_log();
}

/// New keys are taken up when something is signed with them, and asked for no more often than once a second, whatever
/// arrives. What the old ones signed is worth nothing then.
#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_and_a_flood_asks_for_none() {
    let stage = Stage::start().await;
    let old = stage.provider.token(HONEST);
    let session = stage.sign_in().await.1.unwrap();
    assert_eq!((stage.bearer(&old).await, stage.provider.fetched()), (200, 1));
    stage.provider.rotate();
    until("a sign-in with the new key", async || stage.sign_in().await.1).await;
    assert_eq!(stage.provider.fetched(), 2);
    assert_eq!(stage.bearer(&old).await, 401);
    assert_eq!(stage.status(header::COOKIE, &session).await, 200, "who signed in stays so");

    let (began, before) = (Instant::now(), stage.provider.fetched());
    let unknown = stage.provider.token(|draft, _, _| {
        draft.header["kid"] = "nobodys".into();
        draft.signer = Signer::Stranger;
    });
    let answers = join_all((0..200).map(|_| stage.bearer(&unknown))).await;
    // Some come after their address has used up its attempts.
    assert!(answers.iter().all(|status| matches!(status, 401 | 429)), "{answers:?}");
    let fetched = stage.provider.fetched() - before;
    assert!(fetched as u64 <= 1 + began.elapsed().as_secs(), "{fetched}");

    // While it does not answer, strangers wait for it and nobody else.
    stage.provider.silent(true);
    let good = stage.provider.token(HONEST);
    let before = stage.provider.asked();
    let stranger = async {
        // Until it is asked: it was not long ago.
        while stage.provider.asked() == before {
            assert_eq!(stage.bearer(&unknown).await, 401);
        }
    };
    let known = async {
        until("it is asked", async || (stage.provider.asked() > before).then_some(())).await;
        stage.bearer(&good).await
    };
    let served = tokio::select! {
        () = stranger => panic!("a stranger was served first"),
        status = known => status,
    };
    assert_eq!(served, 200);
}

/// A discovery document that leads secrets or browsers astray is not followed.
#[tokio::test(flavor = "multi_thread")]
async fn a_discovery_document_that_lies_is_not_followed() {
    for (name, change) in [
        (
            "another issuer",
            (|document| document["issuer"] = "https://evil.example".into()) as fn(&mut serde_json::Value),
        ),
        ("a token endpoint in the clear", |document| document["token_endpoint"] = "http://evil.example/token".into()),
        ("a script to sign out", |document| document["end_session_endpoint"] = "javascript:alert(1)".into()),
        ("keys elsewhere that nobody has", |document| document["jwks_uri"] = "http://127.0.0.1:1/keys".into()),
        ("no document", |document| *document = json!("<script>alert(1)</script>")),
    ] {
        let stage = Stage::start().await;
        stage.provider.discovered(change);
        let answer = stage.go("/auth/login").await;
        assert_eq!(answer, "/signed-out?problem=provider-away", "{name}");
        assert_eq!(stage.bearer(&stage.provider.token(HONEST)).await, 503, "nobody can say whether it holds: {name}");
        stage.assert_clean_log();
    }
}

/// The answer names its provider, where the provider says that it does (RFC 9207).
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_another_provider_is_refused() {
    let stage = Stage::start().await;
    for iss in ["", "&iss=https%3A%2F%2Fevil.example", "&iss=%3Cscript%3Ealert(1)%3C%2Fscript%3E%0AFORGED"] {
        let mut begun = stage.begin().await;
        begun.issued_by(iss);
        let (next, session) = stage.finish(&begun).await;
        assert_eq!((next.as_str(), session), ("/signed-out?problem=refused", None), "{iss}");
    }
    stage.assert_clean_log();
}

/// Who came, went and was refused is written down, from where and why; not what is secret, and not a flood.
#[tokio::test(flavor = "multi_thread")]
async fn the_audit_tells_who_came_and_who_could_not() {
    let stage = Stage::start().await;
    let root = stage.provider.token(HONEST);
    let session = stage.sign_in().await.1.unwrap();
    assert_eq!(stage.sign_out(&session).await, 200);
    stage.sign_in().await.1.unwrap();
    assert_eq!(stage.log_out(&stage.provider.token(logout)).await, 200);
    let came = stage.audit(&root, "action=sign-in").await;
    let told: Vec<_> =
        came.iter().map(|entry| (entry["who"].as_str().unwrap(), entry["how"].as_str().unwrap())).collect();
    assert_eq!(told, [("ada@example.org", "token"), ("ada@example.org", "session"), ("ada@example.org", "session")]);
    assert_eq!(came[1]["detail"], format!("With {}.", stage.provider.issuer));
    let went = stage.audit(&root, "action=sign-out&address=127.0.0.1").await;
    let told: Vec<_> = went.iter().map(|entry| entry["detail"].as_str().unwrap()).collect();
    assert_eq!(told, ["The provider ended the session.", ""]);
    assert_eq!(stage.audit(&root, "action=sign-in").await.len(), 3, "a token that stays does not come anew");

    // Refusals: what could not be, and why.
    stage.provider.lie(|draft, _, _| draft.claims["nonce"] = "another".into());
    assert_refused(&stage, "another nonce").await;
    let hostile = "<script>alert(1)</script>\nFORGED\u{202e} CODE VERIFIER SECRET";
    let error = json!({"error": "invalid_grant", "error_description": hostile}).to_string();
    stage.provider.answer(Answer::Text(400, "application/json", error));
    assert_refused(&stage, "a hostile error").await;
    assert_eq!(stage.bearer(&stage.provider.token(|draft, _, _| draft.without("exp"))).await, 401);
    assert_eq!(stage.log_out("x.y.z").await, 400);
    let refused = stage.audit(&root, "action=sign-in-refused").await;
    let told: Vec<_> = refused.iter().map(|entry| entry["detail"].as_str().unwrap()).collect();
    assert!(told[0].starts_with("A logout token: "), "{told:?}");
    assert!(told[1].starts_with("The token is not accepted: "), "{told:?}");
    assert!(told[2].contains("<script>alert(1)</script> FORGED … … …"), "{told:?}");
    assert!(told[3].contains("nonce") && told.len() == 4, "{told:?}");
    assert!(refused.iter().all(|entry| entry["who"] == "" && entry["address"] == "127.0.0.1"), "{refused:?}");

    // Eve is known and may nothing: that is written down with the object, and all of it is for administrators.
    let eve = stage.provider.token(|draft, _, _| {
        draft.claims["sub"] = "eve".into();
        draft.claims["email"] = "eve@example.org".into();
    });
    assert_eq!(stage.create(&eve).await, 403);
    let denied = stage.audit(&root, "action=denied").await;
    assert_eq!(
        (denied[0]["who"].as_str(), denied[0]["object"]["name"].as_str()),
        (Some("eve@example.org"), Some("till"))
    );
    let seen = stage.audit(&eve, "").await;
    assert!(seen.iter().all(|entry| entry["who"] == "eve@example.org") && seen.len() == 2, "{seen:?}");
    // From where people come is for administrators too, and is not to be guessed.
    assert!(denied[0]["address"] == "127.0.0.1" && seen.iter().all(|entry| entry["address"].is_null()), "{seen:?}");
    assert!(!stage.audit_text(&eve, "format=csv").await.contains("127.0.0.1"));
    assert_eq!(stage.audit_answer(&eve, "address=127.0.0.1").await.status(), 403);
    let file = stage.audit_text(&root, "format=csv").await;
    assert!(
        file.contains(",,session,127.0.0.1,sign-in-refused,")
            && file.contains(",ada@example.org,session,127.0.0.1,sign-out,"),
        "{file}"
    );
    for secret in stage.provider.secrets() {
        assert!(!file.contains(&secret), "{secret}: {file}");
    }

    let junk = stage.provider.token(|draft, _, _| draft.signer = Signer::Stranger);
    join_all((0..300).map(|_| stage.bearer(&junk))).await;
    let refused = stage.audit(&root, "action=sign-in-refused&limit=200").await.len();
    assert!((4..60).contains(&refused), "{refused}");
    stage.assert_clean_log();
}

/// Of all requests that show it, one tells.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_time_is_up_is_in_the_audit_once() {
    let stage = Stage::start().await;
    let secret = URL_SAFE_NO_PAD.encode([7; 32]);
    let over = SessionRecord {
        id_hash: Sha256::digest(&secret).into(),
        created_ms: 1,
        last_seen_ms: 1,
        expires_ms: 2,
        subject: "ada".into(),
        name: "ada@example.org".into(),
        email: None,
        groups: Vec::new(),
        issuer: stage.provider.issuer.clone(),
        sid: None,
        tokens: None,
        tokens_expire_ms: None,
    };
    stage.state().await.sessions.create(&over).await.unwrap();
    let cookie = format!("__Host-weft-session={secret}");
    let answers = join_all((0..8).map(|_| stage.status(header::COOKIE, &cookie))).await;
    assert!(answers.iter().all(|status| *status == 401), "{answers:?}");
    let gone = stage.audit(&stage.provider.token(HONEST), "action=sign-out").await;
    let told: Vec<_> = gone.iter().map(|entry| (entry["who"].as_str(), entry["detail"].as_str())).collect();
    assert_eq!(told, [(Some("ada@example.org"), Some("A session lasts 12h at most."))]);
}
