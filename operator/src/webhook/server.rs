//! HTTPS for the API server, with a bound on everything a stranger can take.

use std::{sync::Arc, time::Duration};

use axum::{Extension, Router};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::task::TaskTracker;
use weft_runtime::Shutdown;

use super::{Webhooks, room::Room};
use crate::server::tls::ServingTls;

/// Connections at once; an API server keeps a few.
const CONNECTIONS: usize = 512;
/// Time for a handshake and for the head of a request.
const BEGIN: Duration = Duration::from_secs(5);
/// Time for answers under way once the operator stops: as long as an answer may take.
const DRAIN: Duration = Duration::from_secs(9);

/// Serves until shutdown; then answers what was asked already.
pub async fn serve(listener: TcpListener, tls: Arc<ServingTls>, webhooks: Webhooks, shutdown: Shutdown) {
    let router = webhooks.router();
    let room = Room::new();
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = TaskTracker::new();
    loop {
        let next = async {
            // The semaphore is never closed.
            let slot = Arc::clone(&slots).acquire_owned().await.ok();
            (slot, listener.accept().await)
        };
        tokio::select! {
            (slot, accepted) = next => match accepted {
                Ok((stream, address)) => {
                    let Some(seat) = room.seat(address.ip()) else {
                        tracing::debug!(%address, "refused a connection of an address that has very many");
                        continue;
                    };
                    let router = router.clone().layer(Extension(Arc::new(seat)));
                    let (tls, shutdown) = (Arc::clone(&tls), shutdown.clone());
                    connections.spawn(async move {
                        let _slot = slot;
                        connection(stream, &tls, router, &shutdown).await;
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            () = shutdown.wait() => break,
        }
    }
    drop(listener);
    connections.close();
    // The API server refuses the object whose review is not answered, and asks no other replica.
    let _ = timeout(DRAIN, connections.wait()).await;
}

async fn connection(stream: TcpStream, tls: &ServingTls, router: Router, shutdown: &Shutdown) {
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = timeout(BEGIN, tls.acceptor().accept(stream)).await else { return };
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(BEGIN).max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(64)
        .max_header_list_size(16 * 1024)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(15));
    let service = TowerToHyperService::new(router);
    let served = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = shutdown.wait() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a webhook connection ended");
    }
}
