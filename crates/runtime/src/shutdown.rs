//! Stopping in order: SIGINT or SIGTERM cancels one token that everything listens to.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Tells tasks that the process is to stop. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// Not yet stopping.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts listening for SIGINT and SIGTERM on the current runtime. The first one begins an orderly stop; a second
    /// one ends the process at once with 130.
    pub fn on_signals(&self) -> std::io::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let token = self.0.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                if token.is_cancelled() {
                    std::process::exit(130);
                }
                token.cancel();
            }
        });
        Ok(())
    }

    /// Begins stopping.
    pub fn begin(&self) {
        self.0.cancel();
    }

    /// Another one, which begins `by` after this one: for what serves on until clients have stopped coming.
    pub fn later(&self, by: Duration) -> Self {
        let later = Self::new();
        let (sooner, end) = (self.clone(), later.clone());
        tokio::spawn(async move {
            sooner.wait().await;
            tokio::time::sleep(by).await;
            end.begin();
        });
        later
    }

    /// Whether stopping has begun.
    pub fn begun(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Resolves once stopping has begun.
    pub async fn wait(&self) {
        self.0.cancelled().await;
    }
}
