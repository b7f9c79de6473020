//! Several consoles behind one name: who begins at one comes back to another.

use std::io::Write;

use prometheus_http_query::reqwest::header;
use tempfile::NamedTempFile;

use super::{Stage, provider::Provider};
use crate::parts::Postgres;

/// A file that is its owner's alone, as a flag.
fn held(flag: &str, content: &[u8]) -> (NamedTempFile, String) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    let flag = format!("--{flag}={}", file.path().display());
    (file, flag)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_begins_at_one_replica_comes_back_to_another() {
    let url = Postgres::shared().database().await;
    let (_database, database) = held("database-file", format!("{url}\n").as_bytes());
    let (_key, key) = held("session-key-file", &[7; 32]);
    let shared = [database.clone(), key];
    let one = Stage::of(Provider::start().await, None, &shared).await;
    let two = Stage::of(one.provider.clone(), Some(&one.console), &shared).await;

    let mut begun = one.begin().await;
    begun.led_to(&two);
    let (next, session) = two.finish(&begun).await;
    let session = session.unwrap_or_else(|| panic!("{next}: {}", two.log()));
    assert_eq!(next, "/#/graph");
    for replica in [&one, &two] {
        assert_eq!(replica.status(header::COOKIE, &session).await, 200, "{}", replica.log());
    }
    // The session's ID token was sealed by one and is opened by the other, which takes it out of use.
    let made = one.provider.secrets();
    let token = made.iter().rfind(|secret| secret.matches('.').count() == 2).unwrap();
    assert_eq!(one.bearer(token).await, 200);
    assert_eq!(one.sign_out(&session).await, 200);
    for replica in [&one, &two] {
        assert_eq!(replica.status(header::COOKIE, &session).await, 401);
        assert_eq!(replica.bearer(token).await, 401);
        replica.assert_clean_log();
    }

    // With a key of its own a replica cannot end what another began: a Mesh without a shared one is refused.
    let apart = Stage::of(one.provider.clone(), Some(&one.console), &[database]).await;
    let mut begun = one.begin().await;
    begun.led_to(&apart);
    let (next, session) = apart.finish(&begun).await;
    assert_eq!((next.starts_with("/signed-out?problem="), session), (true, None), "{next}");
}
