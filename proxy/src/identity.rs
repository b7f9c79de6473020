//! The proxy's certificate: asked for with a token at first, then renewed with itself at half of its life, or at once when
//! the mesh's roots do not anchor it any more. The key is made here and never logged; it stays in memory, unless an
//! identity file is to keep it for the next start.

mod credentials;
mod file;
mod request;
pub mod roots;
mod token;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use futures::FutureExt;
use rand::Rng;
use tokio::time::Instant;
use weft_runtime::{Shutdown, StartupError};

pub use credentials::Credentials;
pub use file::IdentityFile;
pub use request::RequestError;
pub use token::{InvalidToken, JoinToken, ServiceAccountToken};

use crate::{backoff::Backoff, control_plane::ControlPlane, state::Shared, tls::Identity};

/// Keeps the identity in force fresh.
pub struct Keeper {
    shared: Arc<Shared>,
    control_plane: ControlPlane,
    credentials: Credentials,
    file: Option<IdentityFile>,
    /// Whether another join token was given than the kept certificate began with, and was not tried yet.
    another_token: AtomicBool,
}

/// How often the identity is looked at: the mesh's roots may have changed beside it, or the machine may have slept beyond
/// its end.
const LOOK: Duration = Duration::from_secs(5);
/// Waits before renewals that were not due: the first keeps proxies that see the same change from coming all at once, the
/// last bounds what roots that never fit can cost.
const EARLY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

impl Keeper {
    /// Checks the credentials, so that a file that is missing or damaged is a startup error.
    pub fn new(
        shared: Arc<Shared>,
        control_plane: ControlPlane,
        credentials: Credentials,
    ) -> Result<Self, StartupError> {
        credentials.check()?;
        Ok(Self { shared, control_plane, credentials, file: None, another_token: AtomicBool::new(false) })
    }

    /// Keeps the identity in a file as well, and goes on with the one that it has: then no token is needed. A token that came
    /// after it is tried all the same, first and once: whoever joined the machine anew meant it. A file that is of no use is
    /// told and replaced with the token's help.
    pub fn resuming(
        shared: Arc<Shared>,
        control_plane: ControlPlane,
        credentials: Credentials,
        file: IdentityFile,
    ) -> Result<Self, StartupError> {
        file.check()?;
        let mut another_token = false;
        match file.read(&shared.node) {
            Ok(Some(identity)) => {
                tracing::info!(
                    file = %file.path().display(), spiffe = %identity.spiffe, serial = identity.serial,
                    until = %humantime::format_rfc3339_seconds(identity.not_after), "going on with the kept certificate"
                );
                another_token = told_apart(credentials.token_id(), file.token());
                shared.identity.store(Some(Arc::new(identity)));
            }
            Ok(None) => credentials.check()?,
            Err(error) => {
                let what = format!("cannot use the identity file {}", file.path().display());
                if matches!(credentials, Credentials::Kept) {
                    return Err(StartupError::new(what, error, request::JOIN_AGAIN));
                }
                tracing::warn!(%error, "{what}; asking for a new certificate with the token");
                credentials.check()?;
            }
        }
        let another_token = AtomicBool::new(another_token);
        Ok(Self { shared, control_plane, credentials, file: Some(file), another_token })
    }

    /// Asks, waits for half of the lifetime or until others may not accept the certificate any more, asks again; until
    /// shutdown.
    pub async fn run(self, shutdown: Shutdown) {
        let mut early = Backoff::new(EARLY.0, EARLY.1);
        tokio::select! {
            () = shutdown.wait() => {}
            () = async { loop { self.renew_once(&mut early).await; } } => {}
        }
    }

    async fn renew_once(&self, early: &mut Backoff) {
        let mut backoff = Backoff::default();
        let identity = loop {
            match self.ask().await {
                Ok(identity) => break identity,
                Err(error) => {
                    self.shared.stats.certificate(false);
                    let wait = backoff.wait();
                    tracing::warn!(
                        control_plane = self.control_plane.address(), %error, remedy = error.remedy(),
                        retry_in_ms = wait.as_millis() as u64, "no certificate"
                    );
                    tokio::time::sleep(wait).await;
                }
            }
        };
        let wait = renew_after(&identity, SystemTime::now(), rand::rng().random_range(0.9..1.1));
        tracing::info!(
            spiffe = %identity.spiffe, serial = identity.serial, renew_in_s = wait.as_secs(), "certificate issued"
        );
        self.shared.stats.certificate(true);
        let identity = Arc::new(identity);
        // First: what the token was spent for must not be lost in a crash.
        if let Some(file) = &self.file {
            file.keep(&identity).await;
        }
        self.shared.identity.store(Some(identity));
        // A doubt from before was about another certificate.
        let _: Option<()> = self.shared.doubt.notified().now_or_never();
        self.rest(wait, early).await;
    }

    /// Waits for `wait`; less, when the certificate stops being good meanwhile or somebody doubts it. The file follows other
    /// roots that are put in force: a proxy that starts with those of yesterday would not know the operator.
    async fn rest(&self, wait: Duration, early: &mut Backoff) {
        let until = Instant::now() + wait;
        let mut sound = self.is_sound();
        while Instant::now() < until {
            let doubted = tokio::select! {
                () = self.shared.doubt.notified() => true,
                () = tokio::time::sleep_until(until.min(Instant::now() + LOOK)) => false,
            };
            if let (Some(file), Some(identity)) = (&self.file, self.shared.identity.load_full()) {
                file.keep(&identity).await;
            }
            // One that was never good by this clock is no reason: the next would be no better.
            let still = self.is_sound();
            if doubted || (sound && !still) {
                let pause = early.wait();
                tracing::warn!(
                    in_ms = pause.as_millis() as u64,
                    "the certificate or the roots in force are not the mesh's any more: asking for new ones"
                );
                self.shared.stats.certificate_doubted();
                return tokio::time::sleep(pause).await;
            }
            sound = still;
        }
        early.reset();
    }

    fn is_sound(&self) -> bool {
        self.shared.identity.load().as_ref().is_some_and(|identity| identity.verify(SystemTime::now()).is_ok())
    }

    /// With the certificate while there is a good one, else with the token. One that the present roots do not anchor is worth
    /// the token as soon as it is of no use.
    async fn ask(&self) -> Result<Identity, RequestError> {
        let node = &self.shared.node;
        let present = self.shared.identity.load_full();
        if self.another_token.load(Ordering::Relaxed) {
            match self.ask_with_token().await {
                Err(error) => {
                    // What may pass by itself is tried again at the next renewal. An answer of no use has cost one of its uses.
                    let over = !matches!(error, RequestError::Connect(_) | RequestError::Call(_));
                    self.another_token.store(!over, Ordering::Relaxed);
                    tracing::warn!(
                        %error, remedy = error.remedy(), "the new join token does not help, going on with the kept certificate"
                    );
                }
                joined => {
                    self.another_token.store(false, Ordering::Relaxed);
                    return joined;
                }
            }
        }
        if let Some(identity) = present.filter(|identity| identity.not_after > SystemTime::now()) {
            let sound = identity.verify(SystemTime::now()).is_ok();
            match request::with_certificate(&self.control_plane, node, &identity).await {
                Err(error) if self.credentials.worth_trying(&error) || (!sound && error.unproven()) => {
                    tracing::warn!(%error, "renewal by certificate failed, trying the token");
                }
                other => return other,
            }
        }
        self.ask_with_token().await
    }

    async fn ask_with_token(&self) -> Result<Identity, RequestError> {
        let token = self.credentials.token_id();
        let identity = self.credentials.ask(&self.control_plane, &self.shared.node).await?;
        if let (Some(file), Some(token)) = (&self.file, token) {
            file.joined(token);
        }
        Ok(identity)
    }
}

/// Whether the join token that is `given` is another than the kept certificate `began` with; the log says what becomes of it.
fn told_apart(given: Option<String>, began: Option<String>) -> bool {
    match (given, began) {
        (Some(given), Some(began)) if given != began => {
            tracing::info!(token = given, before = began, "another join token was given since: asking with it first");
            true
        }
        (Some(given), None) => {
            tracing::info!(
                token = given,
                "the join token is not used while the kept certificate is good: to join with it, remove the identity file"
            );
            false
        }
        _ => false,
    }
}

/// Half of what is left, times `jitter` (about 1). A clock that is ahead sees little time left, so the certificate's
/// own lifetime bounds the wait from below.
fn renew_after(identity: &Identity, now: SystemTime, jitter: f64) -> Duration {
    let lifetime = identity.not_after.duration_since(identity.not_before).unwrap_or_default();
    let left = identity.not_after.duration_since(now).unwrap_or_default();
    left.clamp(lifetime / 10, lifetime).mul_f64(jitter / 2.0)
}

#[cfg(test)]
mod resume_tests;
#[cfg(test)]
mod root_tests;
#[cfg(test)]
mod tests;
