//! Whoever shows tokens that are not accepted.

use super::*;

/// Each bad token costs a read of the database and a question to whoever made it; nobody else waits for them.
#[tokio::test(flavor = "multi_thread")]
async fn bad_tokens_of_one_address_come_to_an_end() {
    let stage = Stage::start().await;
    let session = stage.sign_in().await.1.unwrap();
    let good = stage.provider.token(HONEST);
    assert_eq!(stage.bearer(&good).await, 200);
    let mut refused = 0;
    loop {
        match stage.bearer(&format!("a.b.{refused}")).await {
            401 if refused < 1_000 => refused += 1,
            status => {
                assert_eq!(status, 429, "after {refused}");
                break;
            }
        }
    }
    assert!(refused >= 100, "{refused}");
    let last = format!("a.b.{}", refused - 1);
    assert_eq!(stage.bearer(&last).await, 401, "the same one is refused as before");
    assert_eq!(stage.bearer(&good).await, 200, "who is known goes on");
    assert_eq!(stage.status(header::COOKIE, &session).await, 200);
    stage.assert_clean_log();
}
