//! Connections, within bounds: whoever sends half a request, or nothing, or reads nothing, holds one for a while only.

use std::{
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo, serve::Listener};
use hyper::{
    Request,
    body::{Body as _, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower::ServiceExt;
use tower_http::timeout::TimeoutBody;
use weft_runtime::Shutdown;

/// How much of the machine those who connect may hold.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Open connections; others wait in the kernel's queue.
    connections: u32,
    /// Until a request's head is there, counted from the connection's begin or the end of the answer before. More than
    /// the usual time between two scrapes, so that a scraper keeps its connection.
    head: Duration,
    /// Between two parts of a request's body.
    body: Duration,
}

const BOUNDS: Bounds = Bounds { connections: 4_096, head: Duration::from_secs(20), body: Duration::from_secs(30) };

/// A connection's place among all. Whoever works on for one that is gone keeps it, so that there are no more of these than
/// of connections, and the process waits for both. Each request has it among its extensions.
#[derive(Clone)]
pub(super) struct Held {
    _place: Arc<OwnedSemaphorePermit>,
}

/// Serves `router` until shutdown, then until what is under way is answered.
pub async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown) {
    within(listener, router, shutdown, BOUNDS).await;
}

async fn within(mut listener: TcpListener, router: Router, shutdown: Shutdown, bounds: Bounds) {
    let room = Arc::new(Semaphore::new(usize::try_from(bounds.connections).unwrap_or(Semaphore::MAX_PERMITS)));
    loop {
        let next = async {
            let permit = room.clone().acquire_owned().await;
            (permit, Listener::accept(&mut listener).await)
        };
        let (permit, (stream, peer)) = tokio::select! {
            next = next => next,
            () = shutdown.wait() => break,
        };
        // Nobody closes the semaphore.
        let Ok(permit) = permit else { break };
        let held = Held { _place: Arc::new(permit) };
        tokio::spawn(connection(stream, peer, router.clone(), shutdown.clone(), bounds, held));
    }
    // From here on nobody connects any more.
    drop(listener);
    // All of it is free once every connection is done, and what goes on without one.
    let _ = room.acquire_many(bounds.connections).await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    shutdown: Shutdown,
    bounds: Bounds,
    held: Held,
) {
    let begun = Arc::new(AtomicBool::new(false));
    let heard = begun.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        heard.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(held.clone());
        // A body within a time does not tell that it is at its end before it was read.
        router.clone().oneshot(request.map(|body| match body.is_end_stream() {
            true => Body::empty(),
            false => Body::new(TimeoutBody::new(bounds.body, body)),
        }))
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(bounds.head);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(bounds.head).keep_alive_timeout(bounds.head);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // Before the first bytes nobody knows which protocol it is, so neither's own limit runs.
    let mut silence = pin!(tokio::time::sleep(bounds.head));
    let mut stopping = pin!(shutdown.wait());
    let (mut waits, mut stopped) = (true, false);
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "a connection broke off");
                }
                return;
            }
            () = silence.as_mut(), if waits => {
                waits = false;
                if !begun.load(Ordering::Relaxed) {
                    return;
                }
            }
            () = stopping.as_mut(), if !stopped => {
                stopped = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, Bytes},
        routing::{get, post},
    };
    use futures::StreamExt;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::{sleep, timeout},
    };

    use super::*;

    const HEAD: Duration = Duration::from_millis(300);
    const PATIENCE: Duration = Duration::from_secs(10);

    struct Served {
        address: SocketAddr,
        shutdown: Shutdown,
        task: tokio::task::JoinHandle<()>,
    }

    async fn served(connections: u32) -> Served {
        // Five parts, one for each `HEAD`.
        let slow = || async {
            let parts = futures::stream::iter(0..5).then(|n| async move {
                sleep(HEAD).await;
                Ok::<_, std::convert::Infallible>(Bytes::from(format!("part {n};")))
            });
            Body::from_stream(parts)
        };
        let who = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() };
        let router = Router::new().route("/who", get(who)).route("/slow", get(slow)).route(
            "/take",
            post(|body: Result<Bytes, axum::extract::rejection::BytesRejection>| async move {
                body.map_or_else(|_| "cut off", |_| "whole")
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let bounds = Bounds { connections, head: HEAD, body: HEAD };
        let task = tokio::spawn(within(listener, router, shutdown.clone(), bounds));
        Served { address, shutdown, task }
    }

    async fn open(address: SocketAddr, sent: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        stream
    }

    /// What comes until the other end closes.
    async fn rest(mut stream: TcpStream) -> String {
        let mut all = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut all)).await;
        let _ = read.expect("the connection is still open");
        String::from_utf8_lossy(&all).into_owned()
    }

    #[tokio::test]
    async fn half_a_request_is_not_held_for_ever() {
        let served = served(16).await;
        for sent in ["", "G", "GET /who HTTP/1.1\r\nHost:", "PRI * HT", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
            let answer = rest(open(served.address, sent).await).await;
            assert!(!answer.contains("200 OK"), "{sent}: {answer}");
        }
        let idle = rest(open(served.address, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n").await).await;
        assert!(idle.contains("200 OK") && idle.ends_with("127.0.0.1"), "{idle}");
        let half = "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab";
        assert!(rest(open(served.address, half).await).await.ends_with("cut off"));
    }

    #[tokio::test]
    async fn streams_last_longer_than_a_head_may_take_and_end_with_the_process() {
        let served = served(16).await;
        let stream = open(served.address, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
        sleep(2 * HEAD).await;
        served.shutdown.begin();
        assert!(rest(stream).await.contains("part 4;"), "what is under way is answered");
        timeout(PATIENCE, served.task).await.expect("it stops").unwrap();
        TcpStream::connect(served.address).await.unwrap_err();
    }

    #[tokio::test]
    async fn connections_are_bounded_and_nobody_is_locked_out_for_good() {
        let served = served(2).await;
        let (first, second) = (open(served.address, "GET").await, open(served.address, "GET").await);
        // Answered once one of the two has had its time.
        let third = open(served.address, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(rest(third).await.contains("200 OK"));
        assert!(!rest(first).await.contains("200 OK") && !rest(second).await.contains("200 OK"));
    }
}
