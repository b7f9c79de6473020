//! Response bodies on their way downstream. A body carries its exchange, which ends with it.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

use super::{Exchange, grpc::Messages};
use crate::telemetry::Flag;

/// Why a response body ended early. The downstream connection (or stream) is reset.
#[derive(Debug, thiserror::Error)]
pub enum ResponseError {
    /// The upstream's stream broke.
    #[error("the upstream's answer broke off")]
    Upstream(#[source] hyper::Error),
    /// The route's timeout came before the end.
    #[error("the answer took longer than the route allows")]
    Timeout,
    /// Nothing moved for too long.
    #[error("the stream stood still for too long")]
    Idle,
}

enum Content {
    Empty,
    Own(Option<Bytes>),
    Upstream(Incoming),
}

/// A response's body.
pub struct ResponseBody {
    content: Content,
    exchange: Option<Box<Exchange>>,
    messages: Option<Messages>,
    timer: Option<Pin<Box<Sleep>>>,
    moved: Instant,
}

impl ResponseBody {
    /// Nothing, for answers whose exchange goes on elsewhere.
    pub fn empty() -> Self {
        Self { content: Content::Empty, exchange: None, messages: None, timer: None, moved: Instant::now() }
    }

    /// An answer of the proxy's own. Its exchange ends when it has been taken.
    pub fn own(body: Bytes, mut exchange: Box<Exchange>) -> Self {
        exchange.record.bytes_sent = body.len() as u64;
        // What is left to do is to write a few bytes that are in memory already.
        exchange.finish();
        let content = if body.is_empty() { Content::Empty } else { Content::Own(Some(body)) };
        Self { content, exchange: None, messages: None, timer: None, moved: Instant::now() }
    }

    /// An upstream's answer. `bodiless` says that the downstream will not read a body (HEAD, 204, 304, 101).
    pub fn upstream(body: Incoming, exchange: Box<Exchange>, bodiless: bool) -> Self {
        let messages = exchange.record.grpc.then(Messages::default);
        let mut this = Self {
            content: Content::Upstream(body),
            exchange: Some(exchange),
            messages,
            timer: None,
            moved: Instant::now(),
        };
        if bodiless || this.is_end_stream() {
            this.finish();
            this.content = Content::Empty;
        }
        this
    }

    fn finish(&mut self) {
        if let Some(mut exchange) = self.exchange.take() {
            if let Some(messages) = &self.messages {
                exchange.record.response_messages = messages.count;
            }
            exchange.finish();
        }
    }

    fn abort(&mut self, flag: Flag) {
        if let Some(exchange) = self.exchange.take() {
            exchange.abort(flag);
        }
    }

    /// Called while nothing can be read. The timer exists only for bodies that have to be waited for.
    fn overdue(&mut self, cx: &mut Context<'_>) -> Option<ResponseError> {
        let exchange = self.exchange.as_ref()?;
        let (deadline, idle) = (exchange.deadline, exchange.idle);
        let due = match (deadline, idle.map(|idle| self.moved + idle)) {
            (Some(a), Some(b)) => a.min(b),
            (Some(due), None) | (None, Some(due)) => due,
            (None, None) => return None,
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due.into())));
        loop {
            if timer.as_mut().poll(cx).is_pending() {
                return None;
            }
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Some(ResponseError::Timeout);
            }
            if now >= due {
                return Some(ResponseError::Idle);
            }
            // The body has moved since the timer was set.
            timer.as_mut().reset(due.max(now + Duration::from_millis(1)).into());
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let (Some(exchange), Some(messages)) = (&mut self.exchange, &self.messages) {
            exchange.record.response_messages = messages.count;
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = ResponseError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ResponseError>>> {
        let this = self.get_mut();
        let incoming = match &mut this.content {
            Content::Empty => return Poll::Ready(None),
            Content::Own(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Upstream(incoming) => incoming,
        };
        match Pin::new(&mut *incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let mut ended = incoming.is_end_stream();
                if let Some(exchange) = &mut this.exchange {
                    if let Some(data) = frame.data_ref() {
                        exchange.record.bytes_sent += data.len() as u64;
                        if let Some(messages) = &mut this.messages {
                            messages.feed(data);
                        }
                        if exchange.idle.is_some() {
                            this.moved = Instant::now();
                        }
                    } else if let Some(trailers) = frame.trailers_ref() {
                        exchange.grpc_outcome(trailers);
                        ended = true;
                    }
                }
                if ended {
                    this.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.abort(Flag::UpstreamConnectionTermination);
                Poll::Ready(Some(Err(ResponseError::Upstream(error))))
            }
            Poll::Ready(None) => {
                this.finish();
                Poll::Ready(None)
            }
            Poll::Pending => match this.overdue(cx) {
                None => Poll::Pending,
                Some(error) => {
                    this.abort(match error {
                        ResponseError::Idle => Flag::StreamIdleTimeout,
                        _ => Flag::UpstreamRequestTimeout,
                    });
                    Poll::Ready(Some(Err(error)))
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Empty => true,
            Content::Own(bytes) => bytes.is_none(),
            Content::Upstream(incoming) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Content::Upstream(incoming) => incoming.size_hint(),
        }
    }
}
