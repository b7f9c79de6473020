//! Small HTTP servers for metrics, readiness and debug pages.

use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;

use crate::{Shutdown, StartupError};

/// Binds `address` at once, so that a port in use is a startup error; `flag` is the option that moves it.
pub async fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener, StartupError> {
    TcpListener::bind(address).await.map_err(|error| StartupError::bind(address, &error, flag))
}

/// Serves `router` until shutdown.
pub async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown) -> std::io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(async move { shutdown.wait().await }).await
}
