use std::{io::Write, sync::atomic::Ordering};

use super::*;
use crate::{
    control_plane::testing::FakeOperator,
    state::testing::{node, shared},
    tls::testing::TestCa,
};

pub(super) fn token_file(token: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{token}").unwrap();
    file
}

pub(super) fn control_plane(operator: &FakeOperator) -> ControlPlane {
    ControlPlane::new(operator.address.to_string(), Some("127.0.0.1".parse().unwrap()))
}

#[tokio::test]
async fn the_first_certificate_costs_the_token_and_renewals_do_not() {
    let mut operator = FakeOperator::start().await;
    // Renewed after about 30 ms: half of what is left, but at least a twentieth of the life from a minute ago on.
    *operator.lifetime.lock().unwrap() = Duration::from_millis(100);
    let shared = shared();
    let token = token_file(&operator.token());
    let keeper = Keeper::new(shared.clone(), control_plane(&operator), Credentials::Join(token.path().into())).unwrap();
    let identity = keeper.ask().await.unwrap();
    assert_eq!(operator.asked.recv().await.unwrap().unwrap(), format!("Bearer {}", operator.token()));
    assert_eq!(identity.spiffe, node().spiffe());

    *operator.lifetime.lock().unwrap() = Duration::from_secs(3600);
    let identity = Arc::new(keeper.ask().await.unwrap());
    operator.asked.recv().await.unwrap();
    shared.identity.store(Some(identity.clone()));
    let renewed = keeper.ask().await.unwrap();
    assert_eq!(operator.asked.recv().await.unwrap(), None);
    assert_ne!(renewed.serial, identity.serial);

    // A refused renewal falls back to the token.
    operator.refuse.store(true, Ordering::Relaxed);
    assert!(matches!(keeper.ask().await, Err(RequestError::Refused(_))));
    assert_eq!(operator.asked.recv().await.unwrap(), None);
    assert!(operator.asked.recv().await.unwrap().is_some());
}

#[tokio::test]
async fn an_operator_that_the_token_does_not_vouch_for_gets_nothing() {
    let mut operator = FakeOperator::start().await;
    let other = TestCa::new();
    let token: JoinToken = format!("weft1.id.secret.{}", other.root_hash()).parse().unwrap();
    let error = request::with_join_token(&control_plane(&operator), &node(), &token).await.unwrap_err();
    assert!(matches!(error, RequestError::Connect(crate::control_plane::ConnectError::Tls(..))), "{error}");

    let mut impostor = FakeOperator::start_as("spiffe://cluster.local/ns/shop/sa/web").await;
    let token: JoinToken = impostor.token().parse().unwrap();
    let error = request::with_join_token(&control_plane(&impostor), &node(), &token).await.unwrap_err();
    assert!(matches!(error, RequestError::Connect(crate::control_plane::ConnectError::Tls(..))), "{error}");
    assert!(operator.asked.try_recv().is_err() && impostor.asked.try_recv().is_err());
}

const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.e30.c2ln";

fn projected(token: &std::path::Path, roots: &std::path::Path) -> Credentials {
    Credentials::Projected { token: token.into(), roots: roots.into() }
}

#[tokio::test]
async fn a_pods_token_is_read_anew_and_stands_in_for_a_certificate_that_does_not_help() {
    let mut operator = FakeOperator::start().await;
    let (token, roots) = (token_file(JWT), token_file(operator.ca.root_pem()));
    let shared = shared();
    let credentials = projected(token.path(), roots.path());
    let keeper = Keeper::new(shared.clone(), control_plane(&operator), credentials).unwrap();
    keeper.ask().await.unwrap();
    assert_eq!(operator.asked.recv().await.unwrap().unwrap(), format!("Bearer {JWT}"));

    // A certificate of a root that the operator does not know any more is refused in the TLS handshake.
    let stranger = TestCa::new();
    let strange = stranger.issue_for(&node().spiffe().to_string(), Duration::from_secs(600));
    shared.identity.store(Some(Arc::new(strange.with_roots(vec![operator.ca.root.clone()]).unwrap())));
    std::fs::write(token.path(), "eyJhbGciOiJSUzI1NiJ9.e30.ZnJlc2g").unwrap();
    let identity = keeper.ask().await.unwrap();
    assert!(operator.asked.recv().await.unwrap().unwrap().ends_with(".ZnJlc2g"));

    // An expired one is not even tried.
    shared.identity.store(Some(Arc::new(operator.ca.issue_for(&node().spiffe().to_string(), Duration::ZERO))));
    keeper.ask().await.unwrap();
    assert!(operator.asked.recv().await.unwrap().is_some());

    // A good one costs no token.
    shared.identity.store(Some(Arc::new(identity)));
    keeper.ask().await.unwrap();
    assert_eq!(operator.asked.recv().await.unwrap(), None);
}

#[tokio::test]
async fn roots_of_another_mesh_keep_the_pods_token_from_a_stranger() {
    let mut operator = FakeOperator::start().await;
    let (token, roots) = (token_file(JWT), token_file(TestCa::new().root_pem()));
    let credentials = projected(token.path(), roots.path());
    let error = credentials.ask(&control_plane(&operator), &node()).await.unwrap_err();
    assert!(matches!(error, RequestError::Connect(crate::control_plane::ConnectError::Tls(..))), "{error}");
    assert!(operator.asked.try_recv().is_err());
}

#[test]
fn a_pods_files_are_checked_at_the_start() {
    let (jwt, roots) = (token_file(JWT), token_file(TestCa::new().root_pem()));
    projected(jwt.path(), roots.path()).check().unwrap();
    let garbage = token_file("no token");
    assert!(projected(garbage.path(), roots.path()).check().unwrap_err().to_string().contains("audience weft-ca"));
    assert!(projected(jwt.path(), garbage.path()).check().unwrap_err().to_string().contains("weft-ca-root-cert"));
}

#[tokio::test]
async fn a_certificate_for_somebody_else_is_not_taken() {
    let operator = FakeOperator::start().await;
    let token: JoinToken = operator.token().parse().unwrap();
    let other = crate::state::NodeInfo { service_account: "db".into(), ..node() };
    let error = request::with_join_token(&control_plane(&operator), &other, &token).await.unwrap_err();
    assert!(matches!(error, RequestError::Answer(_)), "{error}");
}

#[tokio::test]
async fn the_keeper_waits_for_the_operator_and_renews_in_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let ca = Arc::new(TestCa::new());
    let token = token_file(&format!("weft1.id.secret.{}", ca.root_hash()));
    let shared = shared();
    let keeper = Keeper::new(
        shared.clone(),
        ControlPlane::new(address.to_string(), None),
        Credentials::Join(token.path().into()),
    )
    .unwrap();
    let shutdown = Shutdown::new();
    let running = tokio::spawn(keeper.run(shutdown.clone()));
    let failed = || crate::telemetry::exposition(&shared, &[]).contains("weft_proxy_certificate_failures_total 1");
    while !failed() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let mut operator = FakeOperator::start_on(listener, ca, crate::control_plane::testing::OPERATOR).await;
    // Backdated by a minute, so the shortest wait is a twentieth of that.
    *operator.lifetime.lock().unwrap() = Duration::from_secs(1);
    assert!(operator.asked.recv().await.unwrap().is_some());
    let first = loop {
        match shared.identity.load_full() {
            Some(identity) => break identity,
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    assert_eq!(first.spiffe, node().spiffe());
    shutdown.begin();
    running.await.unwrap();
}

#[test]
fn renewal_is_at_half_life_and_survives_a_wrong_clock() {
    let identity = TestCa::new().issue_for("spiffe://cluster.local/ns/shop/sa/web", Duration::from_secs(3540));
    let at = |offset: i64| identity.not_before + Duration::from_secs((60 + offset).max(0) as u64);
    let near = |wait: Duration, seconds: u64| wait.as_secs().abs_diff(seconds) <= 1;
    assert!(near(renew_after(&identity, at(0), 1.0), 1770));
    // Ahead beyond the end, and far behind the beginning: neither hammers the operator nor forgets to renew.
    assert!(near(renew_after(&identity, at(100_000), 1.0), 180));
    assert!(near(renew_after(&identity, identity.not_before - Duration::from_secs(100_000), 1.0), 1800));
}

#[test]
fn a_missing_token_file_names_the_remedy() {
    let keeper =
        Keeper::new(shared(), ControlPlane::new("127.0.0.1:1", None), Credentials::Join("/nonexistent/token".into()));
    let error = keeper.err().unwrap().to_string();
    assert!(error.contains("/nonexistent/token") && error.contains("weft ca token create"), "{error}");
}
