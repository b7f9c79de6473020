//! Sessions, and sign-ins under way.

use weft_console::db::{EndedThere, Lapse, LoginRecord, SessionRecord, State};

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

/// Another token each time.
async fn end_there(state: &State, token: u8, issuer: &str, ended: EndedThere) -> usize {
    state.sessions.end_there(issuer, &ended, &[token; 32], 1000).await.unwrap().unwrap().len()
}

#[tokio::test]
async fn sessions_end_by_provider_person_and_age() {
    on_both(async |state: State| {
        let sessions = &state.sessions;
        for (id, subject, seen) in [(1, "ada", 10), (2, "ada", 20), (3, "bob", 30), (4, "eve", 40)] {
            sessions.create(&session(id, subject, seen)).await.unwrap();
        }
        let late = SessionRecord { expires_ms: 100, ..session(5, "mal", 99) };
        sessions.create(&late).await.unwrap();
        let (issuer, other) = ("https://id.example", "https://other.example");
        let (bobs, ada) =
            (|| EndedThere::Session { sid: "sid-3".into() }, || EndedThere::Person { subject: "ada".into() });
        assert_eq!(end_there(&state, 1, other, bobs()).await, 0);
        assert_eq!(end_there(&state, 2, issuer, bobs()).await, 1);
        assert_eq!(end_there(&state, 3, other, ada()).await, 0);
        assert_eq!(end_there(&state, 4, issuer, ada()).await, 2);
        assert_eq!(sessions.count().await.unwrap(), 2);
        assert!(sessions.lapse(39, 99, 10).await.unwrap().is_empty());
        assert!(sessions.lapse(39, 100, 0).await.unwrap().is_empty(), "no more than wanted");
        assert_eq!(sessions.lapse(39, 100, 10).await.unwrap(), [("mal@example.org".to_owned(), Lapse::Longest)]);
        assert_eq!(sessions.lapse(40, 100, 10).await.unwrap(), [("eve@example.org".to_owned(), Lapse::Idle)]);
        assert_eq!(sessions.count().await.unwrap(), 0);
    })
    .await;
}

/// A token that names both ends that session of that person, and those of theirs that could be it.
#[tokio::test]
async fn a_session_of_a_person_ends_with_those_that_could_be_it() {
    on_both(async |state: State| {
        let sessions = &state.sessions;
        for (id, subject) in [(1, "ada"), (2, "ada"), (4, "bob")] {
            sessions.create(&session(id, subject, 10)).await.unwrap();
        }
        for (id, subject) in [(3, "ada"), (5, "bob")] {
            sessions.create(&SessionRecord { sid: None, ..session(id, subject, 10) }).await.unwrap();
        }
        let of = |subject: &str, sid: &str| EndedThere::SessionOf { subject: subject.into(), sid: sid.into() };
        assert_eq!(end_there(&state, 1, "https://id.example", of("ada", "sid-1")).await, 2);
        for (id, held) in [(1, false), (2, true), (3, false), (4, true), (5, true)] {
            assert_eq!(sessions.get(&[id; 32]).await.unwrap().is_some(), held, "{id}");
        }
        assert_eq!(end_there(&state, 2, "https://id.example", of("ada", "sid-4")).await, 0, "it is Bob's");
        let named = EndedThere::Session { sid: "sid-4".into() };
        assert_eq!(end_there(&state, 3, "https://id.example", named).await, 1);
        assert_eq!(sessions.count().await.unwrap(), 2, "whose session is not known stays, where nobody is named");
    })
    .await;
}

/// Of consoles that find sessions ended at the same time, each tells of others.
#[tokio::test]
async fn a_session_lapses_once() {
    on_both(async |State { sessions, .. }: State| {
        for id in 0..40 {
            sessions.create(&session(id, &format!("p{id}"), 10)).await.unwrap();
        }
        let sweeps = futures::future::join_all((0..8).map(|_| sessions.lapse(10, 11, 100))).await;
        let mut told: Vec<_> = sweeps.into_iter().flat_map(Result::unwrap).map(|(name, _)| name).collect();
        told.sort();
        assert_eq!(told.len(), 40, "{told:?}");
        told.dedup();
        assert_eq!(told.len(), 40);
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
    on_both(async |State { logins, sessions, .. }: State| {
        let nobody = EndedThere::Session { sid: "nobodys".into() };
        let spend = async |token: [u8; 32], until_ms: u64| {
            sessions.end_there("https://id.example", &nobody, &token, until_ms).await.unwrap().is_some()
        };
        let spends = futures::future::join_all((0..8).map(|_| spend([1; 32], 100))).await;
        assert_eq!(spends.into_iter().filter(|spent| *spent).count(), 1);
        assert!(spend([2; 32], 200).await);
        assert_eq!(logins.delete_older(0, 101).await.unwrap(), 1);
        assert!(!spend([2; 32], 200).await);

        assert!(!logins.retired(&[3; 32]).await.unwrap());
        for _ in 0..2 {
            logins.retire(&[3; 32], 300).await.unwrap();
            assert!(logins.retired(&[3; 32]).await.unwrap());
        }
        assert_eq!(logins.delete_older(0, 301).await.unwrap(), 2);
        assert!(!logins.retired(&[3; 32]).await.unwrap());
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
