//! Request bodies on their way upstream: streamed once, or kept (within a bound) so that they can be sent again.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Instant,
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::grpc::Messages;

/// Bytes of a request body that are kept for a retry. A larger body is sent once.
pub const MAX_REPLAY: usize = 64 * 1024;

/// Why a request body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The downstream's stream broke.
    #[error("the request body ended early")]
    Downstream(#[source] hyper::Error),
    /// Another attempt has taken the body over.
    #[error("the attempt was given up")]
    Superseded,
}

/// The body of one attempt.
pub enum RequestBody {
    /// None.
    Empty,
    /// One that is read from the downstream while it is sent.
    Streamed(Attempt),
    /// A copy for a mirror, complete already.
    Whole(Option<Bytes>),
}

/// A request's body, shared by its attempts.
pub struct Source {
    /// Gone once nobody wants it any more.
    incoming: RefCell<Option<Incoming>>,
    /// Who waits for more of it.
    waiting: RefCell<Option<Waker>>,
    /// What has been read, while it may still be sent again.
    kept: RefCell<Vec<Kept>>,
    kept_bytes: Cell<usize>,
    /// Whether frames are kept at all; cleared when they grow beyond the bound.
    keeping: Cell<bool>,
    /// When the downstream had sent everything.
    ended: Cell<Option<Instant>>,
    broken: Cell<bool>,
    /// Number of the attempt that may read.
    attempt: Cell<u32>,
    bytes: Cell<u64>,
    messages: Option<RefCell<Messages>>,
}

enum Kept {
    Data(Bytes),
    Trailers(http::HeaderMap),
}

impl Source {
    /// Takes a body from the downstream. `keep` makes it replayable; `grpc` counts its messages.
    pub fn new(incoming: Incoming, keep: bool, grpc: bool) -> Rc<Self> {
        // A body that is known to be too large need not be kept in part.
        let keep = keep && incoming.size_hint().lower() <= MAX_REPLAY as u64;
        Rc::new(Self {
            incoming: RefCell::new(Some(incoming)),
            waiting: RefCell::default(),
            kept: RefCell::default(),
            kept_bytes: Cell::new(0),
            keeping: Cell::new(keep),
            ended: Cell::new(None),
            broken: Cell::new(false),
            attempt: Cell::new(0),
            bytes: Cell::new(0),
            messages: grpc.then(RefCell::default),
        })
    }

    /// The body of the next attempt. Earlier attempts' bodies end with an error from now on.
    pub fn attempt(self: &Rc<Self>) -> Attempt {
        self.attempt.set(self.attempt.get() + 1);
        Attempt { source: self.clone(), number: self.attempt.get(), next: 0 }
    }

    /// Whether another attempt can still send the whole body.
    pub fn replayable(&self) -> bool {
        (self.keeping.get() || self.bytes.get() == 0) && !self.broken.get()
    }

    /// Stops keeping frames: no further attempt will be made.
    pub fn settle(&self) {
        self.keeping.set(false);
        self.kept.borrow_mut().clear();
    }

    /// Lets the body go: its answer is complete, so nobody reads the rest. The downstream learns that it may stop sending
    /// (RFC 9113 §8.1), whatever the upstream does with what it was sent.
    pub fn abandon(&self) {
        self.attempt.set(self.attempt.get() + 1);
        self.incoming.take();
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }

    /// Whether the downstream has sent everything.
    pub fn ended(&self) -> bool {
        self.ended.get().is_some()
    }

    /// When it had.
    pub fn ended_at(&self) -> Option<Instant> {
        self.ended.get()
    }

    /// The whole body, if it has come to its end and was kept.
    pub fn whole(&self) -> Option<Bytes> {
        if !self.ended() || !self.keeping.get() {
            return None;
        }
        let mut whole = BytesMut::with_capacity(self.kept_bytes.get());
        for kept in self.kept.borrow().iter() {
            if let Kept::Data(data) = kept {
                whole.extend_from_slice(data);
            }
        }
        Some(whole.freeze())
    }

    /// Whether the downstream broke off.
    pub fn broken(&self) -> bool {
        self.broken.get()
    }

    /// Bytes received so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// gRPC messages received so far.
    pub fn messages(&self) -> u64 {
        self.messages.as_ref().map_or(0, |messages| messages.borrow().count)
    }

    fn poll_incoming(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut incoming = self.incoming.borrow_mut();
        let Some(incoming) = &mut *incoming else { return Poll::Ready(Some(Err(BodyError::Superseded))) };
        let Poll::Ready(frame) = Pin::new(&mut *incoming).poll_frame(cx) else {
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *waiting = Some(cx.waker().clone());
            }
            return Poll::Pending;
        };
        let Some(frame) = frame else {
            self.ended.set(Some(Instant::now()));
            return Poll::Ready(None);
        };
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                self.broken.set(true);
                return Poll::Ready(Some(Err(BodyError::Downstream(error))));
            }
        };
        if let Some(data) = frame.data_ref() {
            self.bytes.set(self.bytes.get() + data.len() as u64);
            if let Some(messages) = &self.messages {
                messages.borrow_mut().feed(data);
            }
            if incoming.is_end_stream() {
                self.ended.set(Some(Instant::now()));
            }
            if self.keeping.get() {
                self.kept_bytes.set(self.kept_bytes.get() + data.len());
                if self.kept_bytes.get() > MAX_REPLAY {
                    self.settle();
                } else {
                    self.kept.borrow_mut().push(Kept::Data(data.clone()));
                }
            }
        } else if let Some(trailers) = frame.trailers_ref() {
            self.ended.set(Some(Instant::now()));
            if self.keeping.get() {
                self.kept.borrow_mut().push(Kept::Trailers(trailers.clone()));
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

/// One attempt's view of a [`Source`].
pub struct Attempt {
    source: Rc<Source>,
    number: u32,
    /// Index of the kept frame that comes next.
    next: usize,
}

impl Attempt {
    fn current(&self) -> bool {
        self.source.attempt.get() == self.number
    }
}

impl Body for Attempt {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.current() {
            return Poll::Ready(Some(Err(BodyError::Superseded)));
        }
        let kept = self.source.kept.borrow().get(self.next).map(|kept| match kept {
            Kept::Data(data) => Frame::data(data.clone()),
            Kept::Trailers(trailers) => Frame::trailers(trailers.clone()),
        });
        if let Some(frame) = kept {
            self.next += 1;
            return Poll::Ready(Some(Ok(frame)));
        }
        if self.source.ended() {
            return Poll::Ready(None);
        }
        let frame = ready!(self.source.poll_incoming(cx));
        self.next += 1;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.current() && self.source.ended() && self.next >= self.source.kept.borrow().len()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.source.incoming.borrow().as_ref().map(Body::size_hint).unwrap_or_default();
        let kept: u64 = self.source.kept.borrow()[self.next.min(self.source.kept.borrow().len())..]
            .iter()
            .map(|kept| match kept {
                Kept::Data(data) => data.len() as u64,
                Kept::Trailers(_) => 0,
            })
            .sum();
        match (rest.exact(), self.source.ended()) {
            (_, true) => SizeHint::with_exact(kept),
            (Some(rest), false) => SizeHint::with_exact(kept + rest),
            (None, false) => SizeHint::default(),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Streamed(attempt) => Pin::new(attempt).poll_frame(cx),
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streamed(attempt) => attempt.is_end_stream(),
            Self::Whole(bytes) => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streamed(attempt) => attempt.size_hint(),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        }
    }
}
