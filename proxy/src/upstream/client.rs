//! The upstream side of HTTP: one connection that speaks HTTP/1.1 or HTTP/2. The only file that knows which codec does.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::AbortHandle;
use weft_model::SpiffeId;

use super::connect::Connected;
use crate::{
    error::{Error, Kind},
    http::{
        BodyError, LocalExecutor, RequestBody,
        server::{CONNECTION_WINDOW, STREAM_WINDOW},
    },
    telemetry::Edge,
};

/// Streams that one HTTP/2 connection carries before another is opened. A server that allows fewer makes them wait.
pub const MAX_STREAMS: u32 = 100;
/// An HTTP/2 connection on which nothing is heard for so long is asked whether it lives.
const PING_AFTER: Duration = Duration::from_secs(30);

enum Sender {
    /// With the task that drives the connection.
    Http1(http1::SendRequest<RequestBody>, AbortHandle),
    Http2(http2::SendRequest<RequestBody>),
}

/// What is known of an open connection. Shared by the streams on it.
#[derive(Debug)]
pub struct Facts {
    /// When it was opened.
    pub opened: Instant,
    /// Our address.
    pub local: Option<SocketAddr>,
    /// Who the server proved to be.
    pub peer: Option<SpiffeId>,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Requests sent on it so far.
    pub requests: Cell<u32>,
    /// Requests in progress.
    pub streams: Cell<u32>,
    /// Era of this proxy's certificate in which it was opened, see [`super::pool::Pace`].
    pub era: u32,
    /// Tick of the pools at which it was last seen in use.
    pub idle_since: Cell<u32>,
    /// Who talks to whom on it, with the epoch of the pools in which that was found out.
    pub edge: RefCell<Option<(u32, Rc<Edge>)>>,
}

/// A handle to an open connection. HTTP/1.1 has one handle, HTTP/2 one per stream.
pub struct Client {
    sender: Sender,
    /// What is known of it.
    pub facts: Rc<Facts>,
}

/// A request that was not sent, or that got no answer.
pub struct Unsent {
    /// Why.
    pub error: Error,
    /// The request, if no byte of it left.
    pub request: Option<Request<RequestBody>>,
}

impl Client {
    /// Begins to speak HTTP on a fresh connection. `gone` is dropped when the connection has ended.
    pub async fn start(
        connected: Connected,
        h2: bool,
        (era, tick): (u32, u32),
        gone: impl Drop + 'static,
    ) -> Result<Self, Error> {
        let facts = Rc::new(Facts {
            opened: Instant::now(),
            local: connected.local,
            tls: connected.stream.tls().is_some(),
            peer: connected.peer,
            requests: Cell::new(0),
            streams: Cell::new(0),
            era,
            idle_since: Cell::new(tick),
            edge: RefCell::new(None),
        });
        let io = TokioIo::new(connected.stream);
        let failed = |error: hyper::Error| Error::caused(Kind::ConnectFailed, error);
        let sender = if h2 {
            let (sender, connection) = http2::Builder::new(LocalExecutor)
                .timer(TokioTimer::new())
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .keep_alive_interval(PING_AFTER)
                .keep_alive_timeout(Duration::from_secs(10))
                .max_send_buf_size(STREAM_WINDOW as usize)
                .handshake(io)
                .await
                .map_err(failed)?;
            tokio::task::spawn_local(async move {
                let _gone = gone;
                // Each stream on it is told of its end by itself.
                let _ = connection.await;
            });
            Sender::Http2(sender)
        } else {
            let (sender, connection) = http1::Builder::new().handshake(io).await.map_err(failed)?;
            let driver = tokio::task::spawn_local(async move {
                let _gone = gone;
                // The request in progress is told of its end by itself.
                let _ = connection.with_upgrades().await;
            });
            Sender::Http1(sender, driver.abort_handle())
        };
        Ok(Self { sender, facts })
    }

    /// Whether it can never be used again.
    pub fn closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender, _) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }

    /// Gives the connection up. HTTP/1.1 would otherwise go on writing a request for as long as its server leaves it; an
    /// HTTP/2 connection serves its other streams.
    pub fn close(self) {
        if let Sender::Http1(_, driver) = self.sender {
            driver.abort();
        }
    }

    /// Whether it speaks HTTP/2.
    pub fn h2(&self) -> bool {
        matches!(self.sender, Sender::Http2(_))
    }

    /// Another handle for another stream; HTTP/1.1 has none, and neither has a connection that is full.
    pub fn stream(&self, most: u32) -> Option<Self> {
        let Sender::Http2(sender) = &self.sender else { return None };
        let room = self.facts.streams.get() < most;
        (room && !sender.is_closed()).then(|| Self { sender: Sender::Http2(sender.clone()), facts: self.facts.clone() })
    }

    /// Waits until the previous answer has been put away. Fails when the connection has ended instead.
    pub async fn ready(&mut self) -> Result<(), Error> {
        match &mut self.sender {
            Sender::Http1(sender, _) if sender.is_ready() => Ok(()),
            Sender::Http1(sender, _) => sender.ready().await.map_err(|e| Error::caused(Kind::UpstreamClosed, e)),
            Sender::Http2(_) => Ok(()),
        }
    }

    /// Sends a request and waits for the head of its answer. Dropping the future gives the request up.
    pub async fn send(&mut self, request: Request<RequestBody>) -> Result<Response<Incoming>, Unsent> {
        self.facts.requests.set(self.facts.requests.get().saturating_add(1));
        let sent = match &mut self.sender {
            Sender::Http1(sender, _) => sender.try_send_request(request).await,
            Sender::Http2(sender) => sender.try_send_request(request).await,
        };
        sent.map_err(|mut failure| {
            let request = failure.take_message();
            Unsent { error: classify(failure.into_error()), request }
        })
    }
}

/// hyper's errors in our words.
fn classify(error: hyper::Error) -> Error {
    let mut kind = if error.is_parse() { Kind::UpstreamProtocol } else { Kind::UpstreamClosed };
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        if let Some(BodyError::Downstream(_)) = inner.downcast_ref() {
            kind = Kind::ClientGone;
            break;
        }
        if let Some(h2) = inner.downcast_ref::<h2::Error>()
            && (h2.is_reset() || h2.is_go_away())
        {
            kind = match h2.reason() {
                Some(h2::Reason::REFUSED_STREAM) => Kind::RefusedStream,
                Some(h2::Reason::NO_ERROR) if h2.is_go_away() => Kind::RefusedStream,
                _ if h2.is_reset() && h2.is_remote() => Kind::UpstreamReset,
                _ if h2.is_library() => Kind::UpstreamProtocol,
                _ => Kind::UpstreamClosed,
            };
            break;
        }
        source = inner.source();
    }
    Error::caused(kind, error)
}
