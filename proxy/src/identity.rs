//! The proxy's certificate: asked for with a token at first, then renewed with itself at half of its life. The key is
//! made here and never logged; it stays in memory, unless an identity file is to keep it for the next start.

mod credentials;
mod file;
mod request;
pub mod roots;
mod token;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

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
}

/// How often a kept identity is looked at: the mesh's roots may have changed beside it.
const LOOK: Duration = Duration::from_secs(5);

impl Keeper {
    /// Checks the credentials, so that a file that is missing or damaged is a startup error.
    pub fn new(
        shared: Arc<Shared>,
        control_plane: ControlPlane,
        credentials: Credentials,
    ) -> Result<Self, StartupError> {
        credentials.check()?;
        Ok(Self { shared, control_plane, credentials, file: None })
    }

    /// Keeps the identity in a file as well, and goes on with the one that it has: then no token is needed. A file that
    /// is of no use is told and replaced with the token's help.
    pub fn resuming(
        shared: Arc<Shared>,
        control_plane: ControlPlane,
        credentials: Credentials,
        file: IdentityFile,
    ) -> Result<Self, StartupError> {
        file.check()?;
        match file.read(&shared.node) {
            Ok(Some(identity)) => {
                tracing::info!(
                    file = %file.path().display(), spiffe = %identity.spiffe, serial = identity.serial,
                    until = %humantime::format_rfc3339_seconds(identity.not_after), "going on with the kept certificate"
                );
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
        Ok(Self { shared, control_plane, credentials, file: Some(file) })
    }

    /// Asks, waits for half of the lifetime, asks again; until shutdown.
    pub async fn run(self, shutdown: Shutdown) {
        tokio::select! {
            () = shutdown.wait() => {}
            () = async { loop { self.renew_once().await; } } => {}
        }
    }

    async fn renew_once(&self) {
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
        self.rest(wait).await;
    }

    /// Waits. The file follows other roots that are put in force meanwhile: a proxy that starts with those of yesterday
    /// would not know the operator.
    async fn rest(&self, wait: Duration) {
        let Some(file) = &self.file else { return tokio::time::sleep(wait).await };
        let until = Instant::now() + wait;
        while Instant::now() < until {
            tokio::time::sleep_until(until.min(Instant::now() + LOOK)).await;
            if let Some(identity) = self.shared.identity.load_full() {
                file.keep(&identity).await;
            }
        }
    }

    /// With the certificate while there is a good one, else with the token.
    async fn ask(&self) -> Result<Identity, RequestError> {
        let node = &self.shared.node;
        let present = self.shared.identity.load_full();
        if let Some(identity) = present.filter(|identity| identity.not_after > SystemTime::now()) {
            match request::with_certificate(&self.control_plane, node, &identity).await {
                Err(error) if self.credentials.worth_trying(&error) => {
                    tracing::warn!(%error, "renewal by certificate failed, trying the token");
                }
                other => return other,
            }
        }
        self.credentials.ask(&self.control_plane, node).await
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
mod tests;
