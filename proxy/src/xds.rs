//! Configuration from the operator: one delta ADS stream over mutual TLS
//! (<https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#incremental-xds>). Each resource is taken or
//! refused by itself; what was refused keeps its last good version. When the operator is gone, the last configuration
//! stays in force, and the client comes back with what it holds.

mod held;
mod kinds;
mod session;

use std::sync::Arc;

use weft_runtime::Shutdown;

use self::{held::Held, session::Session};
use crate::{
    backoff::Backoff,
    control_plane::{ConnectError, ControlPlane},
    state::Shared,
    tls::{self, Trust, operator_config},
};

/// How often the identity is looked for until there is one.
const IDENTITY_POLL: std::time::Duration = std::time::Duration::from_millis(20);

/// Why a stream could not be had or ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operator cannot be reached.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// TLS cannot be set up.
    #[error("{0}")]
    Tls(#[from] tls::Error),
    /// The operator ended the stream with an error, or the connection broke.
    #[error("{}: {}", .0.code(), .0.message())]
    Stream(tonic::Status),
    /// The operator ended the stream without one.
    #[error("the operator closed the stream")]
    Closed,
}

/// Keeps the configuration up to date.
pub struct Client {
    shared: Arc<Shared>,
    control_plane: ControlPlane,
    held: Held,
}

impl Client {
    /// A client that holds nothing yet.
    pub fn new(shared: Arc<Shared>, control_plane: ControlPlane) -> Self {
        Self { shared, control_plane, held: Held::default() }
    }

    /// Connects, and connects again when the stream ends, until shutdown.
    pub async fn run(mut self, shutdown: Shutdown) {
        tokio::select! {
            () = shutdown.wait() => {}
            () = self.keep_connected() => {}
        }
    }

    async fn keep_connected(&mut self) {
        let mut backoff = Backoff::default();
        loop {
            let ended = self.stream(&mut backoff).await;
            if self.shared.stats.xds_connected() {
                self.shared.stats.set_xds_connected(false);
            }
            // Its roots are not those that we know: with the file of roots and a token we may find back.
            if let Error::Connect(error @ ConnectError::Tls(..)) = &ended
                && !error.is_of_another_time()
            {
                self.shared.doubt.notify_one();
            }
            let wait = backoff.wait();
            let address = self.control_plane.address();
            let retry_in_ms = wait.as_millis() as u64;
            match ended {
                Error::Closed => tracing::info!(control_plane = address, retry_in_ms, "stream closed by the operator"),
                error => tracing::warn!(control_plane = address, %error, retry_in_ms, "no configuration stream"),
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// One stream, from connecting to its end.
    async fn stream(&mut self, backoff: &mut Backoff) -> Error {
        let identity = loop {
            match self.shared.identity.load_full() {
                Some(identity) => break identity,
                None => tokio::time::sleep(IDENTITY_POLL).await,
            }
        };
        let session = async {
            let names = self.control_plane.server_names(&self.shared.node.operator_spiffe());
            let config = operator_config(Trust::Roots(identity.roots.clone()), names, Some(&identity))?;
            let link = self.control_plane.connect(Arc::new(config)).await?;
            Session::open(&self.shared, &mut self.held, link, self.control_plane.origin()).await
        };
        match session.await {
            Ok(mut session) => session.run(backoff).await,
            Err(error) => error,
        }
    }
}

#[cfg(test)]
mod tests;
