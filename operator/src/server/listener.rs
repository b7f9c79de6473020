//! The accept loop: TLS, then gRPC over HTTP/2, with a bound on everything a stranger can take.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use http::Request;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tower::ServiceExt;
use weft_runtime::Shutdown;

use super::{
    peer::{self, Peer},
    tls::ServingTls,
};
use crate::metrics::{ConnectionLabels, Metrics};

/// What clients may take of the port.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; further ones wait in the kernel's backlog.
    pub connections: usize,
    /// Connections at once that have not shown a certificate of the mesh.
    pub strangers: usize,
    /// Time for the TLS handshake.
    pub handshake: Duration,
    /// Time that a connection without a certificate may last: it can only ask for one.
    pub stranger: Duration,
    /// Requests at once on one connection.
    pub streams: u32,
    /// Time between keep-alive pings; an unanswered one ends the connection after as long again.
    pub ping: Duration,
    /// Time for connections to finish once the operator stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            strangers: 512,
            handshake: Duration::from_secs(10),
            stranger: Duration::from_secs(30),
            streams: 16,
            ping: Duration::from_secs(15),
            drain: Duration::from_millis(1500),
        }
    }
}

/// What every connection needs.
struct Port {
    tls: Arc<ServingTls>,
    trust_domain: String,
    routes: Routes,
    limits: Limits,
    strangers: Arc<Semaphore>,
    metrics: Metrics,
    shutdown: Shutdown,
}

/// Serves until shutdown, then tells every client to go away (GOAWAY) and waits [`Limits::drain`] for them.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServingTls>,
    trust_domain: String,
    routes: Routes,
    limits: Limits,
    metrics: Metrics,
    shutdown: Shutdown,
) {
    let port = Arc::new(Port {
        tls,
        trust_domain,
        routes: routes.prepare(),
        limits,
        strangers: Arc::new(Semaphore::new(limits.strangers)),
        metrics,
        shutdown: shutdown.clone(),
    });
    let slots = Arc::new(Semaphore::new(limits.connections));
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
                    let port = Arc::clone(&port);
                    connections.spawn(async move {
                        let _slot = slot;
                        port.connection(stream, address).await;
                    });
                }
                Err(error) => pause_after(&error).await,
            },
            () = shutdown.wait() => break,
        }
    }
    drop(listener);
    connections.close();
    if timeout(limits.drain, connections.wait()).await.is_err() {
        tracing::warn!(left = connections.len(), "connections did not finish in time");
    }
}

/// Out of file descriptors and the like: trying again at once would only spin.
async fn pause_after(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

impl Port {
    async fn connection(&self, stream: TcpStream, address: SocketAddr) {
        let count = |result: &'static str| self.metrics.connections.get_or_create(&ConnectionLabels { result }).inc();
        // Everyone is a stranger until the handshake is over. A mesh that reconnects all at once takes turns here.
        let turn = timeout(self.limits.handshake, Arc::clone(&self.strangers).acquire_owned()).await;
        let Ok(Ok(stranger)) = turn else {
            count("refused");
            return;
        };
        let mut stranger = Some(stranger);
        // Small messages both ways: waiting to fill packets only adds latency.
        let _ = stream.set_nodelay(true);
        let stream = tokio::select! {
            shaken = timeout(self.limits.handshake, self.tls.acceptor().accept(stream)) => match shaken {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    count("handshake_failed");
                    tracing::debug!(%address, %error, "TLS handshake failed");
                    return;
                }
                Err(_) => {
                    count("handshake_timeout");
                    return;
                }
            },
            () = self.shutdown.wait() => return,
        };
        count("accepted");
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let identity = shown.and_then(|certificate| peer::identity(certificate, &self.trust_domain));
        if shown.is_some() && identity.is_none() {
            tracing::warn!(%address, "client certificate carries no identity of this trust domain");
        }
        let lifetime = if identity.is_some() {
            stranger = None;
            None
        } else {
            Some(self.limits.stranger)
        };
        self.requests(stream, Peer { address, identity }, lifetime, stranger).await;
    }

    async fn requests(
        &self,
        stream: tokio_rustls::server::TlsStream<TcpStream>,
        peer: Peer,
        lifetime: Option<Duration>,
        _stranger: Option<OwnedSemaphorePermit>,
    ) {
        let address = peer.address;
        let routes = self.routes.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            routes.clone().oneshot(request)
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.limits.streams)
            .max_header_list_size(16 * 1024)
            .max_pending_accept_reset_streams(32)
            .keep_alive_interval(self.limits.ping)
            .keep_alive_timeout(self.limits.ping)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let expiry = async {
            match lifetime {
                Some(lifetime) => tokio::time::sleep(lifetime).await,
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.shutdown.wait() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            () = expiry => {
                connection.as_mut().graceful_shutdown();
                timeout(self.limits.handshake, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%address, %error, "connection ended");
        }
    }
}
