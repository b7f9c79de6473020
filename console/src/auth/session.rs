//! Sessions: the browser holds a random secret, the database what it stands for.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{
    identity::User,
    link::ISSUER as LINK,
    provider::{Kept, LogoutClaims, Provider, ProviderError, SignedIn},
    seal::Seal,
    secret::{NoRandomness, Secret, hash},
    sign_in::LOGIN_WITHIN_MS,
};
use crate::{
    audit::AuditLog,
    clock::{millis, now_ms},
    db::{DbError, Lapse, Logins, SessionRecord, Sessions},
};

/// A session's last use is written down no more often than this.
const TOUCH_AFTER: Duration = Duration::from_secs(60);
/// Tokens are renewed this long before they run out.
const RENEW_BEFORE: Duration = Duration::from_secs(60);
/// Whoever renews has this long before somebody else may try.
const RENEW_WITHIN: Duration = Duration::from_secs(30);
/// Nobody changes anything so long after a token has run out that could not be renewed: what they may is not confirmed.
const UNCONFIRMED_AFTER: Duration = Duration::from_secs(60);
/// How often, and how many times at most, it is looked whether somebody else's renewal came through.
const RENEWAL_POLL: Duration = Duration::from_millis(200);
const RENEWAL_POLLS: u32 = 10;
/// How often sessions that ended are swept away.
const SWEEP_EVERY: Duration = Duration::from_secs(300);
/// Sessions swept away at once, so that nobody waits for the database meanwhile.
const SWEEP_AT_ONCE: usize = 500;
/// Renewals that failed are remembered for a while, so that not every request asks a provider that is away.
const MAX_FAILED: usize = 1000;

/// Opens, finds and ends sessions.
pub struct SessionKeeper {
    db: Sessions,
    seal: Arc<Seal>,
    provider: Option<Arc<Provider>>,
    /// Whether a link signs people in.
    links: bool,
    idle: Duration,
    longest: Duration,
    failed: Mutex<HashMap<[u8; 32], Instant>>,
}

/// A session that holds.
#[derive(Clone, Debug)]
pub struct Session {
    /// Names it in the database.
    pub id: [u8; 32],
    /// Whose it is.
    pub user: User,
    /// When it ends whatever happens, in milliseconds since the epoch.
    pub expires_ms: u64,
    /// The provider's ID token while it is valid.
    pub id_token: Option<String>,
    /// Whether the provider should have renewed its tokens and did not, for longer than a change can rest on.
    pub unconfirmed: bool,
}

/// What a secret stands for.
#[derive(Clone, Debug)]
pub enum Found {
    /// A session.
    Holds(Box<Session>),
    /// One that the provider took back just now; whose it was.
    TakenBack(String),
    /// One whose time was up; whose it was, and which time. It is found so once.
    Lapsed(String, String),
    /// None, or none any more.
    Ended,
}

/// Why a session could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The database does not answer.
    #[error(transparent)]
    Db(#[from] DbError),
    /// There is no randomness.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// What is kept cannot be encrypted.
    #[error("the tokens could not be sealed")]
    Seal,
    /// The console itself failed.
    #[error("the renewal of the tokens was interrupted: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

impl SessionKeeper {
    /// Keeps sessions in `db`.
    pub fn new(
        db: Sessions,
        seal: Seal,
        provider: Option<Arc<Provider>>,
        links: bool,
        idle: Duration,
        longest: Duration,
    ) -> Self {
        Self { db, seal: Arc::new(seal), provider, links, idle, longest, failed: Mutex::default() }
    }

    /// Seals something for a purpose, as sessions are.
    pub fn seal(&self) -> &Arc<Seal> {
        &self.seal
    }

    /// For how long a new session's cookie is kept, in seconds.
    pub fn longest_s(&self) -> u64 {
        self.longest.as_secs()
    }

    /// Opens a session under a new secret. Nothing that the browser held before lives on in it.
    pub async fn open(&self, user: User, signed_in: Option<SignedIn>) -> Result<Secret, SessionError> {
        let secret = Secret::new()?;
        let (id, now) = (secret.id(), now_ms());
        let (sid, tokens, tokens_expire_ms) = match signed_in {
            Some(SignedIn { sid, kept, expires_ms, .. }) => (sid, Some(self.sealed(&id, &kept)?), Some(expires_ms)),
            None => (None, None, None),
        };
        let record = SessionRecord {
            id_hash: id,
            created_ms: now,
            last_seen_ms: now,
            expires_ms: now + millis(self.longest),
            subject: user.subject,
            name: user.name,
            email: user.email,
            groups: user.groups,
            issuer: user.issuer,
            sid,
            tokens,
            tokens_expire_ms,
        };
        self.db.create(&record).await?;
        Ok(secret)
    }

    /// The session of a secret, if it holds. Its tokens are renewed when they are about to run out.
    pub async fn find(self: &Arc<Self>, secret: &Secret) -> Result<Found, SessionError> {
        let id = secret.id();
        let Some(mut record) = self.db.get(&id).await? else { return Ok(Found::Ended) };
        let now = now_ms();
        if let Some(lapse) = self.lapse(&record, now) {
            // Of all who find it like this, the one that deletes it tells.
            let first = self.db.delete(&id).await?;
            return Ok(if first { Found::Lapsed(record.name, self.words(lapse)) } else { Found::Ended });
        }
        if !self.vouched(&record) {
            return Ok(Found::Ended);
        }
        if record.last_seen_ms + millis(TOUCH_AFTER) <= now {
            self.db.touch(&id, now).await?;
        }
        let due = record.tokens_expire_ms.is_some_and(|at| at < now_ms() + millis(RENEW_BEFORE));
        if due && let Some(provider) = &self.provider {
            let name = record.name.clone();
            // A refresh token works once. What it gave is kept also when whoever asks hangs up meanwhile.
            let (keeper, provider) = (Arc::clone(self), Arc::clone(provider));
            let renewal = tokio::spawn(async move { keeper.renew(&provider, record).await });
            match renewal.await?? {
                Some(renewed) => record = renewed,
                None => return Ok(Found::TakenBack(name)),
            }
        }
        let mut kept = self.kept(&record);
        let mut unconfirmed = self.unconfirmed(&record, kept.as_ref(), now_ms());
        // Another request, or another console, asks the provider already: what it hears counts here as well.
        for _ in 0..RENEWAL_POLLS {
            let renewing = unconfirmed && record.tokens_expire_ms.is_some_and(|at| at > now_ms());
            if !renewing || self.failed_lately(&id) {
                break;
            }
            tokio::time::sleep(RENEWAL_POLL).await;
            let Some(found) = self.db.get(&id).await? else { return Ok(Found::Ended) };
            record = found;
            kept = self.kept(&record);
            unconfirmed = self.unconfirmed(&record, kept.as_ref(), now_ms());
        }
        let valid = record.tokens_expire_ms.is_some_and(|at| at > now_ms());
        Ok(Found::Holds(Box::new(Session {
            id,
            expires_ms: record.expires_ms,
            id_token: kept.filter(|_| valid).map(|kept| kept.id_token),
            unconfirmed,
            user: User {
                issuer: record.issuer,
                subject: record.subject,
                name: record.name,
                email: record.email,
                groups: record.groups,
            },
        })))
    }

    /// Whether a session still holds, without using it: for streams that stay open.
    pub async fn holds(&self, id: &[u8; 32]) -> Result<bool, SessionError> {
        let record = self.db.get(id).await?;
        Ok(record.is_some_and(|record| self.vouched(&record) && self.lapse(&record, now_ms()).is_none()))
    }

    fn lapse(&self, record: &SessionRecord, now_ms: u64) -> Option<Lapse> {
        if record.expires_ms <= now_ms {
            return Some(Lapse::Longest);
        }
        (record.last_seen_ms + millis(self.idle) <= now_ms).then_some(Lapse::Idle)
    }

    fn words(&self, lapse: Lapse) -> String {
        match lapse {
            Lapse::Idle => format!("Nobody used the session for {}.", humantime::format_duration(self.idle)),
            Lapse::Longest => format!("A session lasts {} at most.", humantime::format_duration(self.longest)),
        }
    }

    /// Whether whoever said whose a session is would be believed now: who left a provider, or the demo's link, behind
    /// left their sessions behind as well.
    fn vouched(&self, record: &SessionRecord) -> bool {
        if record.issuer == LINK { self.links } else { self.is_providers(record) }
    }

    fn is_providers(&self, record: &SessionRecord) -> bool {
        self.provider.as_ref().is_some_and(|provider| provider.issuer() == record.issuer)
    }

    /// See [`Session::unconfirmed`]. The time of the token itself counts: that of the record is moved on while somebody
    /// tries to renew it. Without a refresh token nobody ever confirms it again, and the session's own end is its bound.
    fn unconfirmed(&self, record: &SessionRecord, kept: Option<&Kept>, now_ms: u64) -> bool {
        let ends_ms = match kept {
            _ if !self.is_providers(record) => return false,
            Some(kept) if kept.refresh_token.is_none() => return false,
            Some(kept) => kept.id_token_ends_ms(),
            // They cannot be read any more, let alone renewed.
            None => record.tokens_expire_ms.unwrap_or(u64::MAX),
        };
        ends_ms.saturating_add(millis(UNCONFIRMED_AFTER)) < now_ms
    }

    /// Gets new tokens. `None` when the provider takes the session back. Of several requests and several consoles one
    /// asks, because a refresh token works once.
    async fn renew(&self, provider: &Provider, record: SessionRecord) -> Result<Option<SessionRecord>, SessionError> {
        let (Some(kept), Some(expire_ms)) = (self.kept(&record), record.tokens_expire_ms) else {
            return Ok(Some(record));
        };
        if kept.refresh_token.is_none() || self.failed_lately(&record.id_hash) {
            return Ok(Some(record));
        }
        let until = now_ms().max(expire_ms) + millis(RENEW_BEFORE + RENEW_WITHIN);
        if !self.db.claim_renewal(&record.id_hash, expire_ms, until).await? {
            return Ok(Some(record));
        }
        match provider.refresh(&kept, &record.subject).await {
            Ok(Some(signed)) => {
                let renewed = SessionRecord {
                    name: signed.user.name,
                    email: signed.user.email,
                    groups: signed.user.groups,
                    tokens: Some(self.sealed(&record.id_hash, &signed.kept)?),
                    tokens_expire_ms: Some(signed.expires_ms),
                    ..record
                };
                self.db.renew(&renewed).await?;
                Ok(Some(renewed))
            }
            Err(ProviderError::Unusable { issuer, why }) => {
                tracing::warn!(issuer, why, "a session's tokens could not be renewed");
                self.remember_failure(record.id_hash);
                self.db.claim_renewal(&record.id_hash, until, expire_ms).await?;
                Ok(Some(record))
            }
            // No new ID token: rights that nobody confirms any more are none.
            Ok(None) | Err(_) => {
                self.db.delete(&record.id_hash).await?;
                Ok(None)
            }
        }
    }

    fn failed_lately(&self, id: &[u8; 32]) -> bool {
        self.failed.lock().get(id).is_some_and(|at| at.elapsed() < RENEW_WITHIN)
    }

    fn remember_failure(&self, id: [u8; 32]) {
        let mut failed = self.failed.lock();
        if failed.len() >= MAX_FAILED {
            failed.retain(|_, at| at.elapsed() < RENEW_WITHIN);
        }
        if failed.len() < MAX_FAILED {
            failed.insert(id, Instant::now());
        }
    }

    /// Ends a session; gives whose it was and what was kept for it, to the one who ended it.
    pub async fn end(&self, id: &[u8; 32]) -> Result<Option<(String, Option<Kept>)>, SessionError> {
        let record = self.db.get(id).await?;
        let ended = self.db.delete(id).await?;
        Ok(record.filter(|_| ended).map(|record| {
            let kept = self.kept(&record);
            (record.name, kept)
        }))
    }

    /// Ends what the provider ended; gives whose sessions it were, `None` when the token was used already.
    pub async fn end_there(&self, issuer: &str, claims: &LogoutClaims) -> Result<Option<Vec<String>>, SessionError> {
        let token = hash(format!("{issuer}\n{}", claims.jti).as_bytes());
        Ok(self.db.end_there(issuer, &claims.ended, &token, claims.until_ms).await?)
    }

    /// Sweeps sessions whose time is up, and with them sign-ins that nobody finished and tokens that were used, until the
    /// task is dropped.
    pub async fn sweep(self: Arc<Self>, logins: Logins, audit: AuditLog) {
        loop {
            tokio::time::sleep(SWEEP_EVERY).await;
            let now = now_ms();
            if let Err(error) = self.sweep_at(now, &audit).await {
                tracing::warn!(%error, "sessions that ended could not be swept away");
            }
            if let Err(error) = logins.delete_older(now.saturating_sub(LOGIN_WITHIN_MS), now).await {
                tracing::warn!(%error, "sign-ins that nobody finished could not be swept away");
            }
            self.failed.lock().retain(|_, at| at.elapsed() < RENEW_WITHIN);
        }
    }

    /// Ends the sessions whose time is up at `now_ms`, and writes each down.
    async fn sweep_at(&self, now_ms: u64, audit: &AuditLog) -> Result<(), SessionError> {
        loop {
            let ended = self.db.lapse(now_ms.saturating_sub(millis(self.idle)), now_ms, SWEEP_AT_ONCE).await?;
            for (name, lapse) in &ended {
                audit.signed_out(name, None, &self.words(*lapse)).await;
            }
            if ended.len() < SWEEP_AT_ONCE {
                return Ok(());
            }
        }
    }

    fn sealed(&self, id: &[u8; 32], kept: &Kept) -> Result<Vec<u8>, SessionError> {
        let plain = serde_json::to_vec(kept).map_err(|_| SessionError::Seal)?;
        self.seal.seal(id, &plain).ok_or(SessionError::Seal)
    }

    /// What is kept for a session; none when the key is another one now, or the provider, which must not be shown the
    /// other's tokens.
    fn kept(&self, record: &SessionRecord) -> Option<Kept> {
        if !self.is_providers(record) {
            return None;
        }
        let plain = self.seal.open(&record.id_hash, record.tokens.as_deref()?)?;
        serde_json::from_slice(&plain).ok()
    }
}

#[cfg(test)]
mod tests;
