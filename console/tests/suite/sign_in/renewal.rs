//! Tokens are renewed while somebody is signed in.

use super::*;

/// A refresh token works once, so what it gave is kept also when the page that asked is gone.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_during_a_renewal_stays_signed_in() {
    let stage = Stage::start().await;
    stage.provider.renews();
    stage.provider.lie(|draft, _, _| draft.claims["exp"] = (now() + 30).into());
    let session = stage.sign_in().await.1.unwrap();
    stage.provider.lie(HONEST);
    tokio::select! {
        status = stage.status(header::COOKIE, &session) => panic!("{status} before the provider answers"),
        () = until("a renewal", async || (stage.provider.renewals() == 1).then_some(())) => {}
    }
    stage.provider.let_go();
    let state = stage.state().await;
    let id: [u8; 32] = Sha256::digest(session.split_once('=').unwrap().1).into();
    let later_ms = u64::try_from(now() + 300).unwrap() * 1000;
    until("the new tokens are kept", async || {
        let record = state.sessions.get(&id).await.unwrap();
        record.is_some_and(|record| record.tokens_expire_ms > Some(later_ms)).then_some(())
    })
    .await;
    state.close().await;
    assert_eq!(stage.status(header::COOKIE, &session).await, 200, "{}", stage.log());
    assert_eq!(stage.provider.renewals(), 1);
    stage.assert_clean_log();
}
