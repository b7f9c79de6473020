//! Roots that change under a certificate in force.

use super::{
    tests::{control_plane, token_file},
    *,
};
use crate::{
    control_plane::testing::FakeOperator,
    state::testing::{node, shared},
    tls::testing::TestCa,
};

/// Long enough for a slow machine; what is tested waits a second at most.
const LIMIT: Duration = Duration::from_secs(20);

async fn serial_other_than(shared: &Shared, before: &str) -> String {
    let other = async {
        loop {
            match shared.identity.load_full() {
                Some(identity) if identity.serial != before => return identity.serial.clone(),
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(LIMIT, other).await.expect("another certificate")
}

#[tokio::test]
async fn a_certificate_that_the_roots_do_not_anchor_any_more_is_renewed_at_once() {
    let operator = FakeOperator::start().await;
    let (token, new) = (token_file(&operator.token()), TestCa::new());
    let shared = shared();
    let keeper = Keeper::new(shared.clone(), control_plane(&operator), Credentials::Join(token.path().into())).unwrap();
    let shutdown = Shutdown::new();
    let running = tokio::spawn(keeper.run(shutdown.clone()));
    let first = serial_other_than(&shared, "").await;

    // More roots take nothing away: no renewal.
    roots::adopt(&shared, vec![new.root.clone(), operator.ca.root.clone()], "SDS").unwrap();
    tokio::time::sleep(EARLY.0 + Duration::from_millis(200)).await;
    assert_eq!(shared.identity.load_full().unwrap().serial, first);

    // Half of its life is half an hour away.
    roots::adopt(&shared, vec![new.root.clone()], "SDS").unwrap();
    serial_other_than(&shared, &first).await;
    let identity = shared.identity.load_full().unwrap();
    identity.verify(SystemTime::now()).unwrap();
    assert_eq!(identity.root_certificates, std::slice::from_ref(&operator.ca.root));
    assert!(crate::telemetry::exposition(&shared, &[]).contains("weft_proxy_certificates_doubted_total 1"));
    shutdown.begin();
    running.await.unwrap();
}

#[tokio::test]
async fn a_proxy_that_missed_a_rotation_finds_back_by_its_token() {
    let operator = FakeOperator::start().await;
    let dir = tempfile::tempdir().unwrap();
    let (token, roots) = (token_file("eyJhbGciOiJSUzI1NiJ9.e30.c2ln"), dir.path().join("root-cert.pem"));
    std::fs::write(&roots, operator.ca.root_pem()).unwrap();
    let credentials = Credentials::Projected { token: token.path().into(), roots };
    let shared = shared();
    let keeper = Keeper::new(shared.clone(), control_plane(&operator), credentials).unwrap();
    let shutdown = Shutdown::new();
    let running = tokio::spawn(keeper.run(shutdown.clone()));
    let first = serial_other_than(&shared, "").await;

    // All of it of yesterday, sound by itself.
    let yesterday = TestCa::new().issue_for(&node().spiffe().to_string(), Duration::from_secs(3600));
    let (old, before) = (yesterday.serial.clone(), yesterday.root_certificates.clone());
    shared.identity.store(Some(Arc::new(yesterday)));
    let client = crate::xds::Client::new(shared.clone(), control_plane(&operator));
    let streaming = tokio::spawn(client.run(shutdown.clone()));
    let renewed = serial_other_than(&shared, &old).await;
    assert!(renewed != first);
    assert_ne!(shared.identity.load_full().unwrap().root_certificates, before);
    shutdown.begin();
    running.await.unwrap();
    streaming.await.unwrap();
}

#[test]
fn a_certificate_is_held_against_the_roots_and_the_clock() {
    let (ca, other) = (TestCa::new(), TestCa::new());
    let identity = ca.issue("spiffe://cluster.local/ns/shop/sa/web");
    let now = SystemTime::now();
    identity.verify(now).unwrap();
    assert!(identity.verify(now + Duration::from_secs(3600)).is_err());
    assert!(identity.with_roots(vec![other.root.clone()]).unwrap().verify(now).is_err());
    identity.with_roots(vec![other.root, ca.root]).unwrap().verify(now).unwrap();
}
