//! What a downstream connection is doing, so that one timer per connection enforces every time limit.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Framing;
use crate::listener::Stream;

/// Shared by a connection's socket, its requests and its driver, which all live on one thread; atomics only because
/// hyper wants its sockets to be `Send` where they may be upgraded.
#[derive(Debug)]
pub struct Activity {
    born: Instant,
    open: AtomicU32,
    /// Bytes arrived while no request was open: a request head has begun.
    head: AtomicBool,
    /// When the present phase began, milliseconds after `born`.
    since: AtomicU64,
    /// From which request on, counted from 1, a chunked body is not believed; 0 is none.
    doubtful: AtomicU64,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for a request.
    Idle,
    /// A request head has begun to arrive and is not complete.
    Head,
    /// At least one request is being served.
    Busy,
}

impl Activity {
    /// A connection that has just been opened.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            born: Instant::now(),
            open: AtomicU32::new(0),
            head: AtomicBool::new(false),
            since: AtomicU64::new(0),
            doubtful: AtomicU64::new(0),
        })
    }

    /// When the connection was opened.
    pub fn born(&self) -> Instant {
        self.born
    }

    /// The present phase and when it began.
    pub fn phase(&self) -> (Phase, Instant) {
        let phase = match (self.open.load(Relaxed), self.head.load(Relaxed)) {
            (0, false) => Phase::Idle,
            (0, true) => Phase::Head,
            _ => Phase::Busy,
        };
        (phase, self.born + Duration::from_millis(self.since.load(Relaxed)))
    }

    /// A request head is complete.
    pub fn opened(&self, now: Instant) {
        self.open.fetch_add(1, Relaxed);
        self.head.store(false, Relaxed);
        self.mark(now);
    }

    /// A response is complete, or was given up.
    pub fn closed(&self, now: Instant) {
        self.open.fetch_sub(1, Relaxed);
        self.mark(now);
    }

    /// Requests being served.
    pub fn open(&self) -> u32 {
        self.open.load(Relaxed)
    }

    /// Whether this request of an HTTP/1 connection, counted from 1, must not have a chunked body: see
    /// [`Framing::doubtful`].
    pub fn doubts(&self, request: u64) -> bool {
        let first = self.doubtful.load(Relaxed);
        first != 0 && request >= first
    }

    fn bytes_arrived(&self) {
        if self.open.load(Relaxed) == 0 && !self.head.load(Relaxed) {
            self.head.store(true, Relaxed);
            self.mark(Instant::now());
        }
    }

    fn mark(&self, now: Instant) {
        self.since.store(now.saturating_duration_since(self.born).as_millis() as u64, Relaxed);
    }
}

/// A socket that tells its [`Activity`] when bytes arrive, and whether they can be believed.
pub struct Watched {
    stream: Stream,
    activity: Arc<Activity>,
    /// HTTP/1 only.
    framing: Option<Framing>,
}

impl Watched {
    /// Watches `stream`.
    pub fn new(stream: Stream, activity: Arc<Activity>) -> Self {
        Self { stream, activity, framing: None }
    }

    /// Watches a `stream` of HTTP/1 requests.
    pub fn framed(stream: Stream, activity: Arc<Activity>) -> Self {
        Self { framing: Some(Framing::default()), ..Self::new(stream, activity) }
    }

    /// The socket itself.
    pub fn into_inner(self) -> Stream {
        self.stream
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let new = &buf.filled()[before..];
        if !new.is_empty() {
            this.activity.bytes_arrived();
            if let Some(framing) = &mut this.framing {
                framing.read(new);
                if let Some(request) = framing.doubtful() {
                    this.activity.doubtful.store(request, Relaxed);
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_follow_bytes_and_requests() {
        let activity = Activity::new();
        assert_eq!(activity.phase().0, Phase::Idle);
        activity.bytes_arrived();
        assert_eq!(activity.phase().0, Phase::Head);
        activity.opened(Instant::now());
        activity.bytes_arrived();
        assert_eq!(activity.phase().0, Phase::Busy);
        activity.closed(Instant::now());
        assert_eq!(activity.phase().0, Phase::Idle);
    }
}
