use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use weft_model::audit::{Action, AuditEntry};

use super::*;
use crate::{
    auth::args::OidcArgs,
    db::{AuditFilter, DatabaseUrl, State},
};

const IDLE: Duration = Duration::from_secs(7200);
const LONGEST: Duration = Duration::from_secs(12 * 3600);

/// A console's sessions in a database of their own, with a provider at `issuer` that is never asked.
struct Desk {
    state: State,
    audit: AuditLog,
    _dir: tempfile::TempDir,
}

impl Desk {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&DatabaseUrl::in_directory(dir.path())).await.unwrap();
        Self { audit: AuditLog::new(state.clone()), state, _dir: dir }
    }

    fn keeper(&self, issuer: &str, links: bool) -> Arc<SessionKeeper> {
        let args = OidcArgs {
            oidc_issuer: Some(issuer.to_owned()),
            oidc_client_id: Some("weft".to_owned()),
            ..OidcArgs::default()
        };
        let provider = Provider::new(&args, &"https://weft.example/".parse().unwrap()).unwrap().unwrap();
        let seal = Seal::new(&[7; 32]).unwrap();
        let sessions = self.state.sessions.clone();
        Arc::new(SessionKeeper::new(sessions, seal, Some(Arc::new(provider)), links, IDLE, LONGEST))
    }

    /// Somebody whom `issuer` signed in, last seen and to end so long ago.
    async fn session(&self, keeper: &SessionKeeper, issuer: &str, seen_ms: u64, expires_ms: u64) -> Secret {
        let secret = Secret::new().unwrap();
        let kept = Kept { id_token: "id".into(), access_token: "access".into(), refresh_token: Some("refresh".into()) };
        let record = SessionRecord {
            id_hash: secret.id(),
            created_ms: 1,
            last_seen_ms: seen_ms,
            expires_ms,
            subject: "ada".into(),
            name: "ada@example.org".into(),
            email: None,
            groups: Vec::new(),
            issuer: issuer.into(),
            sid: None,
            tokens: Some(keeper.sealed(&secret.id(), &kept).unwrap()),
            tokens_expire_ms: Some(expires_ms + 1),
        };
        self.state.sessions.create(&record).await.unwrap();
        secret
    }

    async fn gone(&self) -> Vec<AuditEntry> {
        let gone = AuditFilter { action: Some(Action::SignOut), ..AuditFilter::default() };
        self.audit.entries().list(&gone, None, 100).await.unwrap()
    }
}

const ISSUER: &str = "https://id.example";

#[tokio::test]
async fn a_session_whose_time_is_up_is_found_so_once() {
    let desk = Desk::new().await;
    let keeper = desk.keeper(ISSUER, false);
    let now = now_ms();
    let idle = desk.session(&keeper, ISSUER, now - millis(IDLE), now + 100_000).await;
    let over = desk.session(&keeper, ISSUER, now, now).await;
    let holds = desk.session(&keeper, ISSUER, now, now + 100_000).await;
    for (secret, why) in [(&idle, "Nobody used the session for 2h."), (&over, "A session lasts 12h at most.")] {
        assert!(!keeper.holds(&secret.id()).await.unwrap(), "{why}");
        let found = keeper.find(secret).await.unwrap();
        assert!(matches!(&found, Found::Lapsed(name, told) if name == "ada@example.org" && told == why), "{found:?}");
        assert!(matches!(keeper.find(secret).await.unwrap(), Found::Ended), "{why}");
    }
    assert!(keeper.holds(&holds.id()).await.unwrap());
    assert!(matches!(keeper.find(&holds).await.unwrap(), Found::Holds(_)));
    keeper.sweep_at(now_ms(), &desk.audit).await.unwrap();
    assert!(desk.gone().await.is_empty(), "what was found in use is not swept as well");
}

#[tokio::test]
async fn sessions_that_are_swept_away_are_in_the_audit_once() {
    let desk = Desk::new().await;
    let keeper = desk.keeper(ISSUER, false);
    let now = now_ms();
    let idle = desk.session(&keeper, ISSUER, now - millis(IDLE), now + 100_000).await;
    desk.session(&keeper, ISSUER, now, now).await;
    let holds = desk.session(&keeper, ISSUER, now, now + 100_000).await;
    for _ in 0..2 {
        keeper.sweep_at(now, &desk.audit).await.unwrap();
        let gone = desk.gone().await;
        let mut told: Vec<_> = gone.iter().map(|entry| entry.detail.as_str()).collect();
        told.sort_unstable();
        assert_eq!(told, ["A session lasts 12h at most.", "Nobody used the session for 2h."]);
        assert!(gone.iter().all(|entry| entry.who == "ada@example.org" && entry.address.is_none()), "{gone:?}");
    }
    assert!(matches!(keeper.find(&idle).await.unwrap(), Found::Ended));
    assert!(matches!(keeper.find(&holds).await.unwrap(), Found::Holds(_)));
}

/// After the console was given another provider, and no link any more.
#[tokio::test]
async fn sessions_of_a_provider_that_was_left_are_nobodys() {
    let desk = Desk::new().await;
    let before = desk.keeper(ISSUER, true);
    let now = now_ms();
    let one = desk.session(&before, ISSUER, now, now + 100_000).await;
    let two = desk.session(&before, LINK, now, now + 100_000).await;
    let after = desk.keeper("https://other.example", false);
    for secret in [&one, &two] {
        assert!(before.holds(&secret.id()).await.unwrap());
        assert!(matches!(before.find(secret).await.unwrap(), Found::Holds(_)));
        assert!(!after.holds(&secret.id()).await.unwrap());
        assert!(matches!(after.find(secret).await.unwrap(), Found::Ended));
    }
    let (_, kept) = after.end(&one.id()).await.unwrap().unwrap();
    assert!(kept.is_none(), "the other provider is not shown its tokens");
    assert!(after.end(&one.id()).await.unwrap().is_none(), "it ends once");
}

/// A provider that does not answer renews nothing: a session goes on, but changes do not rest on a token that is long over.
#[tokio::test]
async fn what_a_provider_that_is_away_does_not_confirm_changes_nothing() {
    let away = "http://127.0.0.1:1";
    let desk = Desk::new().await;
    let keeper = desk.keeper(away, false);
    let now = now_ms();
    for (over_s, refresh, unconfirmed) in [(90, true, true), (30, true, false), (90, false, false)] {
        let secret = desk.session(&keeper, away, now, now + 100_000).await;
        let mut record = desk.state.sessions.get(&secret.id()).await.unwrap().unwrap();
        let claims = URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{}}}", now / 1000 - over_s));
        let refresh_token = refresh.then(|| "refresh".to_owned());
        let kept = Kept { id_token: format!("e30.{claims}.x"), access_token: "access".into(), refresh_token };
        record.tokens = Some(keeper.sealed(&secret.id(), &kept).unwrap());
        record.tokens_expire_ms = Some(now - over_s * 1000);
        desk.state.sessions.renew(&record).await.unwrap();
        let found = keeper.find(&secret).await.unwrap();
        let Found::Holds(session) = &found else { panic!("{found:?}") };
        assert_eq!(session.unconfirmed, unconfirmed, "{over_s} s over, to be renewed: {refresh}");
    }
}
