use std::{
    convert::Infallible,
    future::pending,
    sync::atomic::{AtomicBool, AtomicU16, Ordering},
    time::Instant,
};

use axum::{Router, body::Body as Empty, middleware::from_fn_with_state, routing::get};
use http_body_util::BodyExt;
use k8s_openapi::api::authentication::v1::{TokenReview, UserInfo};
use kube::client::Body;
use tower::ServiceExt;

use super::*;

/// An API server for which a token is the name of its account, and one that says so is out of order.
fn api_server() -> Client {
    api_server_while(Arc::new(AtomicBool::new(true)))
}

/// The same, for as long as it is `up`.
fn api_server_while(up: Arc<AtomicBool>) -> Client {
    let answer = move |request: http::Request<Body>| {
        let up = up.load(Ordering::Relaxed);
        async move {
            let asked = request.into_body().collect().await.unwrap().to_bytes();
            let mut review: TokenReview = serde_json::from_slice(&asked).unwrap();
            let token = review.spec.token.clone().unwrap();
            if token == "away" || !up {
                return Ok::<_, Infallible>(http::Response::builder().status(503).body(Body::empty()).unwrap());
            }
            let user = UserInfo { username: Some(format!("system:serviceaccount:{token}")), ..UserInfo::default() };
            review.status = Some(TokenReviewStatus {
                authenticated: Some(token != "forged"),
                audiences: review.spec.audiences.clone(),
                user: Some(user),
                error: None,
            });
            let body = Body::from(serde_json::to_vec(&review).unwrap());
            Ok(http::Response::builder().status(201).body(body).unwrap())
        }
    };
    Client::new(tower::service_fn(answer), "default")
}

async fn status(readers: &Readers, peer: &str, token: Option<&str>) -> u16 {
    let pages = Router::new().route("/debug", get(async || "a page")).layer(from_fn_with_state(readers.clone(), admit));
    let mut request = http::Request::get("/debug").body(Empty::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>(peer.parse().unwrap()));
    if let Some(token) = token {
        request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    }
    pages.oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_forwarded_port_needs_no_token_and_any_other_pod_does() {
    let readers = Readers::of_cluster(api_server(), "weft-system");
    for own in ["127.0.0.1:4000", "[::1]:4000", "[::ffff:127.0.0.1]:4000"] {
        assert_eq!(status(&readers, own, None).await, 200, "{own}");
    }
    for other in ["10.0.0.7:4000", "[fd00::7]:4000", "[::ffff:10.0.0.7]:4000"] {
        assert_eq!(status(&readers, other, None).await, 401, "{other}");
        assert_eq!(status(&Readers::Anybody, other, None).await, 200, "{other}");
    }
}

#[tokio::test]
async fn the_operator_and_consoles_of_the_namespace_read_and_nobody_else() {
    let readers = Readers::of_cluster(api_server(), "weft-system");
    for (token, expected) in [
        ("weft-system:weft-operator", 200),
        ("weft-system:weft-console", 200),
        ("weft-system:weft-console-v2", 200),
        ("weft-system:weft-consoles", 403),
        ("weft-system:weft-ingressgateway", 403),
        ("shop:weft-console", 403),
        ("forged", 401),
        ("away", 503),
    ] {
        assert_eq!(status(&readers, "10.0.0.7:4000", Some(token)).await, expected, "{token}");
    }
    let endless = "x".repeat(MAX_TOKEN + 1);
    assert_eq!(status(&readers, "10.0.0.7:4000", Some(&endless)).await, 401);
}

/// Any pod may mount tokens of its own account for this audience.
#[tokio::test]
async fn tokens_of_other_accounts_push_no_reader_out() {
    let up = Arc::new(AtomicBool::new(true));
    let readers = Readers::of_cluster(api_server_while(Arc::clone(&up)), "weft-system");
    let Readers::Known(tokens) = readers else { panic!("readers of a cluster") };
    assert_eq!(tokens.reviews.of("weft-system:weft-console").await, Ok(()));
    for number in 0..2 * TERMS.remembered {
        let minted = format!("shop:web-{number}");
        let refused = Refusal::NoReader("shop".into(), format!("web-{number}"));
        assert_eq!(tokens.reviews.of(&minted).await, Err(refused));
    }
    up.store(false, Ordering::Relaxed);
    let later = Instant::now() + TERMS.accepted;
    assert_eq!(tokens.reviews.of_at("weft-system:weft-console", later).await, Ok(()), "a reader is remembered");
}

#[tokio::test]
async fn who_reads_no_more_is_let_in_for_a_minute_whoever_else_knocks() {
    const CONSOLE: &str = "weft-system:weft-console";
    let state = Arc::new(AtomicU16::new(201));
    let now_so = Arc::clone(&state);
    let answer = move |_: http::Request<Body>| {
        let code = now_so.load(Ordering::Relaxed);
        let user = UserInfo { username: Some(format!("system:serviceaccount:{CONSOLE}")), ..UserInfo::default() };
        let status = TokenReviewStatus {
            authenticated: Some(code == 201),
            audiences: Some(vec![names::READER_AUDIENCE.to_owned()]),
            user: Some(user),
            error: None,
        };
        let review = TokenReview { status: Some(status), ..TokenReview::default() };
        let body = Body::from(serde_json::to_vec(&review).unwrap());
        async move { Ok::<_, Infallible>(http::Response::builder().status(code).body(body).unwrap()) }
    };
    let client = Client::new(tower::service_fn(answer), "default");
    let Readers::Known(tokens) = Readers::of_cluster(client, "weft-system") else { panic!("readers of a cluster") };
    let start = Instant::now();
    let at = async |token: &str, seconds: u64| tokens.reviews.of_at(token, start + Duration::from_secs(seconds)).await;
    assert!(at("token", 0).await.is_ok());
    // 200 is an answer that it is nobody's token.
    state.store(200, Ordering::Relaxed);
    for knock in 0..200 {
        assert!(at(&format!("made up {knock}"), 1).await.is_err());
    }
    assert!(at("token", 59).await.is_ok(), "it is remembered whatever others show");
    state.store(503, Ordering::Relaxed);
    assert!(at("token", 599).await.is_ok(), "nobody can say otherwise");
    assert!(at("token", 600).await.is_err());
    state.store(200, Ordering::Relaxed);
    assert!(at("token", 60).await.is_err());
}

/// A console waits no longer, so whoever was let in a while ago would see nothing as long as that lasts.
#[tokio::test]
async fn who_was_let_in_is_let_in_in_time_while_the_api_server_hangs() {
    let hung = Arc::new(AtomicBool::new(false));
    let now_so = Arc::clone(&hung);
    let answer = move |_: http::Request<Body>| {
        let hung = now_so.load(Ordering::Relaxed);
        let user = UserInfo {
            username: Some("system:serviceaccount:weft-system:weft-console".to_owned()),
            ..UserInfo::default()
        };
        let status = TokenReviewStatus {
            authenticated: Some(true),
            audiences: Some(vec![names::READER_AUDIENCE.to_owned()]),
            user: Some(user),
            error: None,
        };
        let review = TokenReview { status: Some(status), ..TokenReview::default() };
        let body = Body::from(serde_json::to_vec(&review).unwrap());
        async move {
            if hung {
                pending::<()>().await;
            }
            Ok::<_, Infallible>(http::Response::builder().status(201).body(body).unwrap())
        }
    };
    let client = Client::new(tower::service_fn(answer), "default");
    let Readers::Known(tokens) = Readers::of_cluster(client, "weft-system") else { panic!("readers of a cluster") };
    assert_eq!(tokens.reviews.of("token").await, Ok(()));
    hung.store(true, Ordering::Relaxed);
    let later = Instant::now() + TERMS.accepted;
    // More pages at once than are reviewed at once, as several consoles ask for.
    let pages: Vec<_> = (0..2 * TERMS.at_once).map(|_| tokens.reviews.of_at("token", later)).collect();
    let heard = tokio::time::timeout(sync::ANSWER, futures::future::join_all(pages)).await.expect("in time");
    assert!(heard.iter().all(Result::is_ok), "{heard:?}");
    assert!(matches!(tokens.reviews.of_at("another", later).await, Err(Refusal::Away(_))));
}
