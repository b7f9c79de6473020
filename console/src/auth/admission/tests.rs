use axum::{
    http::{
        HeaderValue,
        header::{AUTHORIZATION, RETRY_AFTER},
    },
    response::IntoResponse,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use weft_runtime::StartupError;

use super::*;
use crate::{
    audit::AuditLog,
    auth::args::{AuthArgs, OidcArgs},
    db::{DatabaseUrl, State},
};

/// People whom a proxy in 10.1.0.0/16 signs in, another proxy in 10.2.0.0/16 that only forwards, anonymous readers, and
/// these roles.
async fn desk(dir: &tempfile::TempDir, roles: &str) -> Auth {
    let file = dir.path().join("roles.csv");
    std::fs::write(&file, roles).unwrap();
    open(dir, AuthArgs { roles_file: Some(file), ..args("10.1.0.0/16") }).await.unwrap()
}

fn args(trusted: &str) -> AuthArgs {
    AuthArgs {
        public_url: Some("https://weft.example/".parse().unwrap()),
        trusted_proxies: vec![trusted.parse().unwrap()],
        forwarded_for_from: vec!["10.2.0.0/16".parse().unwrap()],
        anonymous: true,
        ..AuthArgs::default()
    }
}

async fn open(dir: &tempfile::TempDir, args: AuthArgs) -> Result<Auth, StartupError> {
    let state = State::open(&DatabaseUrl::in_directory(dir.path())).await.unwrap();
    let (sessions, logins, audit) = (state.sessions.clone(), state.logins.clone(), AuditLog::new(state));
    Auth::open(&args, dir.path(), sessions, logins, audit, None)
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
}

fn namespaces() -> BTreeSet<String> {
    ["billing", "shop"].map(str::to_owned).into()
}

const ADA: [(&str, &str); 2] = [("x-forwarded-user", "17"), ("x-forwarded-email", "ada@example.org")];

#[tokio::test]
async fn rights_that_changed_are_noticed_while_a_stream_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let auth = desk(&dir, "p, role:shop, namespaces, get, shop/*, allow\ng, ada@example.org, role:shop\n").await;
    let ada = auth.caller(&headers(&ADA), Some("10.1.0.1".parse().unwrap()), &namespaces()).await.unwrap();
    assert!(ada.sees("shop") && !ada.sees("billing"));
    assert!(auth.sees_the_same(&ada, &namespaces()).await);
    let auth = desk(&dir, "p, role:shop, namespaces, get, shop/*, allow\n").await;
    assert!(!auth.sees_the_same(&ada, &namespaces()).await);
}

#[tokio::test]
async fn what_is_denied_to_viewers_is_denied_to_whoever_is_anonymous() {
    let dir = tempfile::tempdir().unwrap();
    let auth = desk(&dir, "p, role:viewer, namespaces, get, billing/*, deny\n").await;
    let nobody = auth.caller(&HeaderMap::new(), Some("192.0.2.1".parse().unwrap()), &namespaces()).await.unwrap();
    assert!(nobody.how() == How::Anonymous && nobody.sees("shop") && !nobody.sees("billing"));
    let auth = desk(&dir, "").await;
    let nobody = auth.caller(&HeaderMap::new(), Some("192.0.2.1".parse().unwrap()), &namespaces()).await.unwrap();
    assert_eq!(*nobody.sight(), Sight::All);
}

#[tokio::test]
async fn a_role_for_what_is_in_no_namespace_hides_the_namespaces() {
    let dir = tempfile::tempdir().unwrap();
    let auth = desk(&dir, "p, role:mesh, *, get, /*, allow\ng, ada@example.org, role:mesh\n").await;
    let ada = auth.caller(&headers(&ADA), Some("10.1.0.1".parse().unwrap()), &namespaces()).await.unwrap();
    assert_eq!(*ada.sight(), Sight::Only([String::new()].into()));
}

/// A proxy that only ends TLS passes on what a client says of itself.
#[tokio::test]
async fn a_proxy_that_only_forwards_tells_the_address_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let auth = desk(&dir, "g, ada@example.org, role:admin\n").await;
    let forged = headers(&[ADA[0], ADA[1], ("x-forwarded-for", "203.0.113.9, 198.51.100.7")]);
    for (peer, address, how) in [
        ("10.1.0.1", "198.51.100.7", How::Proxy),
        ("10.2.0.1", "198.51.100.7", How::Anonymous),
        ("192.0.2.1", "192.0.2.1", How::Anonymous),
    ] {
        let caller = auth.caller(&forged, Some(peer.parse().unwrap()), &namespaces()).await.unwrap();
        assert_eq!(
            (caller.address(), caller.how(), caller.is_admin()),
            (Some(address.parse().unwrap()), how, how == How::Proxy)
        );
    }
}

#[tokio::test]
async fn not_everybody_is_a_trusted_proxy() {
    let dir = tempfile::tempdir().unwrap();
    for everybody in ["0.0.0.0/0", "::/0"] {
        let error = open(&dir, args(everybody)).await.err().unwrap().to_string();
        assert!(error.contains(everybody) && error.contains("name the proxies' own networks"), "{error}");
    }
}

/// A token of the right form, signed by nobody.
fn signed() -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims =
        serde_json::json!({"iss": "http://127.0.0.1", "aud": "weft", "exp": 4_102_444_800_u64, "iat": 1, "sub": "17"});
    format!("{}.{}.c2ln", part(serde_json::json!({"alg": "RS256"})), part(claims))
}

#[tokio::test]
async fn a_provider_that_is_away_makes_no_token_bad() {
    let dir = tempfile::tempdir().unwrap();
    // Nobody listens there any more.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let oidc = OidcArgs {
        oidc_issuer: Some(format!("http://{closed}")),
        oidc_client_id: Some("weft".to_owned()),
        ..OidcArgs::default()
    };
    let auth = open(&dir, AuthArgs { oidc, anonymous: false, ..args("10.1.0.0/16") }).await.unwrap();
    let peer = Some("192.0.2.1".parse().unwrap());
    let ask = async |token: &str| {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
        auth.caller(&headers, peer, &namespaces()).await.err().unwrap()
    };
    // More than an address has attempts.
    for _ in 0..150 {
        let response = ask(&signed()).await.into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key(RETRY_AFTER));
    }
    assert_eq!(ask("no-token").await.status(), StatusCode::UNAUTHORIZED, "what is no token is bad all the same");
}

#[tokio::test]
async fn whom_a_provider_does_not_confirm_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let auth = desk(&dir, "g, ada@example.org, role:admin\n").await;
    let ada = auth.caller(&headers(&ADA), Some("10.1.0.1".parse().unwrap()), &namespaces()).await.unwrap();
    assert!(ada.may_change("POST /api/v1/config/apply takes a name.").await.is_ok());
    let ada = Caller { unconfirmed: true, ..ada };
    let refused = ada.may_change("POST /api/v1/config/apply takes a name.").await.unwrap_err();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
}
