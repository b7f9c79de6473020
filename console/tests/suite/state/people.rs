//! Sessions, and sign-ins under way.

use weft_console::db::{LoginRecord, SessionRecord, State};

use super::on_both;

fn session(id: u8, subject: &str, seen: u64) -> SessionRecord {
    SessionRecord {
        id_hash: [id; 32],
        created_ms: 1,
        last_seen_ms: seen,
        expires_ms: 1000,
        subject: subject.into(),
        name: format!("{subject}@example.org"),
        email: None,
        groups: vec!["mesh-admins".into(), "shop, \"quoted\"".into()],
        issuer: "https://id.example".into(),
        sid: Some(format!("sid-{id}")),
        tokens: Some(vec![0, 1, 255]),
        tokens_expire_ms: Some(500),
    }
}

#[tokio::test]
async fn sessions_are_kept_touched_and_ended() {
    on_both(async |State { sessions, .. }: State| {
        let ada = session(1, "ada", 10);
        sessions.create(&ada).await.unwrap();
        assert!(sessions.create(&ada).await.unwrap_err().is_refused(), "an id is taken once");
        assert_eq!(sessions.get(&[1; 32]).await.unwrap(), Some(ada.clone()));
        assert_eq!(sessions.get(&[2; 32]).await.unwrap(), None);
        let bare = SessionRecord { sid: None, tokens: None, tokens_expire_ms: None, ..session(2, "bob", 10) };
        sessions.create(&bare).await.unwrap();
        assert_eq!(sessions.get(&[2; 32]).await.unwrap(), Some(bare));

        sessions.touch(&[1; 32], 20).await.unwrap();
        sessions.touch(&[1; 32], 15).await.unwrap();
        assert_eq!(sessions.get(&[1; 32]).await.unwrap().unwrap().last_seen_ms, 20, "time never goes back");

        assert_eq!(sessions.count().await.unwrap(), 2);
        assert!(sessions.delete(&[1; 32]).await.unwrap());
        assert!(!sessions.delete(&[1; 32]).await.unwrap());
        assert_eq!(sessions.get(&[1; 32]).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn of_two_refreshes_at_once_one_wins() {
    on_both(async |State { sessions, .. }: State| {
        let before = SessionRecord { tokens_expire_ms: Some(500), ..session(1, "ada", 10) };
        sessions.create(&before).await.unwrap();
        let (first, second) =
            tokio::join!(sessions.claim_renewal(&[1; 32], 500, 600), sessions.claim_renewal(&[1; 32], 500, 700));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert!(first ^ second, "{first} {second}");
        let kept = sessions.get(&[1; 32]).await.unwrap().unwrap();
        assert_eq!(kept.tokens_expire_ms, Some(if first { 600 } else { 700 }));
        assert!(!sessions.claim_renewal(&[9; 32], 500, 600).await.unwrap(), "an ended session has none");
        let renewed = SessionRecord {
            name: "ada.l".into(),
            groups: vec!["leads".into()],
            tokens: Some(b"new".to_vec()),
            tokens_expire_ms: Some(900),
            ..before.clone()
        };
        sessions.renew(&renewed).await.unwrap();
        assert_eq!(sessions.get(&[1; 32]).await.unwrap(), Some(renewed.clone()));
        sessions.delete(&[1; 32]).await.unwrap();
        sessions.renew(&renewed).await.unwrap();
        assert_eq!(sessions.get(&[1; 32]).await.unwrap(), None, "what ended stays so");
    })
    .await;
}

#[tokio::test]
async fn sessions_end_by_provider_person_and_age() {
    on_both(async |State { sessions, .. }: State| {
        for (id, subject, seen) in [(1, "ada", 10), (2, "ada", 20), (3, "bob", 30), (4, "eve", 40)] {
            sessions.create(&session(id, subject, seen)).await.unwrap();
        }
        let late = SessionRecord { expires_ms: 100, ..session(5, "mal", 99) };
        sessions.create(&late).await.unwrap();
        let issuer = "https://id.example";
        assert_eq!(sessions.delete_by_sid("https://other.example", "sid-3").await.unwrap().len(), 0);
        assert_eq!(sessions.delete_by_sid(issuer, "sid-3").await.unwrap().len(), 1);
        assert_eq!(sessions.delete_by_subject("https://other.example", "ada").await.unwrap().len(), 0);
        assert_eq!(sessions.delete_by_subject(issuer, "ada").await.unwrap().len(), 2);
        assert_eq!(sessions.count().await.unwrap(), 2);
        assert_eq!(sessions.delete_older(40, 99).await.unwrap(), 0);
        assert_eq!(sessions.delete_older(40, 100).await.unwrap(), 1, "its absolute end");
        assert_eq!(sessions.delete_older(41, 100).await.unwrap(), 1, "idle");
        assert_eq!(sessions.count().await.unwrap(), 0);
    })
    .await;
}

fn login(state: [u8; 32], created_ms: u64) -> LoginRecord {
    LoginRecord {
        state_hash: state,
        created_ms,
        browser_hash: [7; 32],
        nonce: "n".into(),
        verifier: vec![9, 0, 9],
        return_to: "/#/graph?ns=shop".into(),
        issuer: "https://id.example".into(),
    }
}

#[tokio::test]
async fn a_sign_in_ends_once() {
    on_both(async |State { logins, .. }: State| {
        let begun = login([1; 32], 10);
        logins.begin(&begun).await.unwrap();
        let takes = (0..8).map(|_| logins.take(&[1; 32]));
        let taken: Vec<_> = futures::future::join_all(takes).await.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(taken, [begun]);
        assert_eq!(logins.take(&[1; 32]).await.unwrap(), None);

        logins.begin(&login([2; 32], 10)).await.unwrap();
        logins.begin(&login([3; 32], 20)).await.unwrap();
        assert_eq!(logins.delete_older(20, 0).await.unwrap(), 1);
        assert!(logins.take(&[3; 32]).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_token_is_spent_once_and_forgotten_after_its_end() {
    on_both(async |State { logins, .. }: State| {
        let spends = (0..8).map(|_| logins.spend(&[1; 32], 100));
        let first =
            futures::future::join_all(spends).await.into_iter().filter(|spent| *spent.as_ref().unwrap()).count();
        assert_eq!(first, 1);
        assert!(logins.spend(&[2; 32], 200).await.unwrap());
        assert_eq!(logins.delete_older(0, 101).await.unwrap(), 1);
        assert!(!logins.spend(&[2; 32], 200).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_flood_of_sign_ins_takes_no_room() {
    // One database is enough for the bound: it is the same statement, which the others ran on both.
    let dir = tempfile::tempdir().unwrap();
    let state = super::open(&format!("sqlite:{}", dir.path().join("state.db").display())).await;
    let id = |n: u32| {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&n.to_be_bytes());
        id
    };
    for n in 0..10_005 {
        state.logins.begin(&login(id(n), u64::from(n))).await.unwrap();
    }
    assert_eq!(state.logins.take(&id(4)).await.unwrap(), None, "the oldest made room");
    assert!(state.logins.take(&id(5)).await.unwrap().is_some());
}
