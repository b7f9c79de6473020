//! The downstream side of HTTP: one connection, served to its end. The only file that knows which codec serves it.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Sleep, sleep_until},
};

use super::{Activity, LocalExecutor, Phase, ResponseBody, Watched};
use crate::{
    error::{Error, Kind},
    listener::{Signal, Stream},
};

/// The most header fields of a request; more are answered with 431. hyper parses this many without allocating.
pub const MAX_HEADERS: usize = 100;
/// What a request may have besides when another proxy of the mesh sends it: fields that proxies add. The limit is for
/// what the client sent.
pub const PROXY_HEADERS: usize = 32;
/// See [`PROXY_HEADERS`]; bytes of a head.
pub const PROXY_HEAD_BYTES: usize = 8 * 1024;
/// How long idle connections stay open once draining has begun, so that a request on its way to them is still served.
pub(crate) const DRAIN_GRACE: Duration = Duration::from_secs(1);
/// Flow control windows of HTTP/2, in bytes: what one stream, and all of them, may have under way unread.
pub(crate) const STREAM_WINDOW: u32 = 256 * 1024;
/// See [`STREAM_WINDOW`].
pub(crate) const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// How long, and how many bytes, a client may go on sending after the last answer.
const LINGER: Duration = Duration::from_secs(1);
/// See [`LINGER`].
const LINGER_BYTES: u64 = 1024 * 1024;
/// A connection is never without a limit, even where the configuration switches its own off.
const FAR: Duration = Duration::from_secs(24 * 3600);

/// Which protocol a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 or 1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Limits of one downstream connection.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A request head must arrive within.
    pub head: Duration,
    /// A connection without requests is closed after.
    pub idle: Option<Duration>,
    /// A connection takes no more requests after.
    pub age: Option<Duration>,
    /// Size of a request head in bytes.
    pub head_bytes: usize,
    /// Header fields of a request. The codec of HTTP/1 counts them, because it parses them all at once.
    pub fields: usize,
    /// HTTP/2 streams.
    pub streams: u32,
}

/// Serves requests until the connection ends. `Ok` is an orderly end.
pub async fn serve<S, F>(
    stream: Stream,
    protocol: Protocol,
    limits: Limits,
    activity: Arc<Activity>,
    signal: &Rc<Signal>,
    service: S,
) -> Result<(), Error>
where
    S: Fn(Request<Incoming>) -> F + 'static,
    F: Future<Output = Result<Response<ResponseBody>, Error>> + 'static,
{
    let watch = match protocol {
        Protocol::Http1 => Watched::framed,
        Protocol::Http2 => Watched::new,
    };
    let io = TokioIo::new(watch(stream, activity.clone()));
    let clock = Clock { limits, activity, signal, told: false, h2: protocol == Protocol::Http2 };
    match protocol {
        Protocol::Http1 => http1(io, clock, service).await,
        Protocol::Http2 => http2(io, clock, service).await,
    }
}

async fn http1<S, F>(io: TokioIo<Watched>, mut clock: Clock<'_>, service: S) -> Result<(), Error>
where
    S: Fn(Request<Incoming>) -> F + 'static,
    F: Future<Output = Result<Response<ResponseBody>, Error>> + 'static,
{
    let head_bytes = clock.limits.head_bytes;
    let mut builder = http1::Builder::new();
    if clock.limits.fields != MAX_HEADERS {
        builder.max_headers(clock.limits.fields);
    }
    let mut connection = builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(head_bytes + 4096)
        .max_header_size(head_bytes)
        .serve_connection(io, service_fn(service))
        .with_upgrades();
    let mut alarm = pin!(clock.alarm());
    let ended = poll_fn(|cx| {
        clock.signal.register(cx.waker());
        loop {
            if let Poll::Ready(result) = Pin::new(&mut connection).poll(cx) {
                return Poll::Ready(result.map_err(classify));
            }
            match clock.check(alarm.as_mut(), cx) {
                Tick::Wait => return Poll::Pending,
                Tick::Close => Pin::new(&mut connection).graceful_shutdown(),
                Tick::HeadTimeout => return Poll::Ready(Err(Kind::HeadTimeout.into())),
            }
        }
    })
    .await;
    let answered = match &ended {
        // The last request may have been answered before all of it had come.
        Ok(()) => !clock.told,
        Err(error) => matches!(error.kind, Kind::BadRequest | Kind::HeadTooLarge | Kind::HeadTimeout),
    };
    if answered && let Some(parts) = connection.into_parts() {
        let mut stream = parts.io.into_inner().into_inner();
        if ended.as_ref().is_err_and(|error| error.kind == Kind::HeadTimeout) {
            // The codec has answered the others.
            let answer = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(answer).await;
        }
        linger(stream).await;
    }
    ended
}

async fn http2<S, F>(io: TokioIo<Watched>, mut clock: Clock<'_>, service: S) -> Result<(), Error>
where
    S: Fn(Request<Incoming>) -> F + 'static,
    F: Future<Output = Result<Response<ResponseBody>, Error>> + 'static,
{
    let mut connection = pin!(
        http2::Builder::new(LocalExecutor)
            .timer(TokioTimer::new())
            .max_concurrent_streams(clock.limits.streams)
            .max_header_list_size(clock.limits.head_bytes as u32)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(STREAM_WINDOW as usize)
            .serve_connection(io, service_fn(service))
    );
    let mut alarm = pin!(clock.alarm());
    poll_fn(|cx| {
        clock.signal.register(cx.waker());
        loop {
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                return Poll::Ready(result.map_err(classify));
            }
            match clock.check(alarm.as_mut(), cx) {
                Tick::Wait => return Poll::Pending,
                Tick::Close => connection.as_mut().graceful_shutdown(),
                Tick::HeadTimeout => return Poll::Ready(Err(Kind::HeadTimeout.into())),
            }
        }
    })
    .await
}

/// A socket that is closed with bytes unread is reset, and the client might never see the answer to a request that it
/// was still sending. So it stays open for a while, and what comes is thrown away, within bounds.
async fn linger(mut stream: Stream) {
    let last = async {
        stream.shutdown().await?;
        let mut rest = (&mut stream).take(LINGER_BYTES);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
        if rest.limit() == 0 {
            std::future::pending::<()>().await;
        }
        std::io::Result::Ok(())
    };
    // A client that is gone misses nothing.
    let _ = tokio::time::timeout(LINGER, last).await;
}

enum Tick {
    Wait,
    Close,
    HeadTimeout,
}

/// All time limits of a connection on one alarm. The alarm is moved only when it rings: a request costs no timer.
struct Clock<'a> {
    limits: Limits,
    activity: Arc<Activity>,
    signal: &'a Rc<Signal>,
    /// Whether the codec was told to finish.
    told: bool,
    h2: bool,
}

impl Clock<'_> {
    fn alarm(&self) -> Sleep {
        sleep_until((Instant::now() + self.limits.head).into())
    }

    fn check(&mut self, mut alarm: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Tick {
        if !self.told && self.signal.draining() {
            if self.h2 {
                return self.close();
            }
            // HTTP/1.1 cannot say goodbye between requests: the next answer will carry `connection: close`.
            let close = self.signal.since() + DRAIN_GRACE;
            if Instant::now() >= close {
                return self.close();
            }
            if alarm.deadline().into_std() > close {
                alarm.as_mut().reset(close.into());
            }
        }
        while alarm.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let (phase, since) = self.activity.phase();
            let mut next = now + FAR;
            if !self.told {
                if self.signal.draining() && now >= self.signal.since() + DRAIN_GRACE {
                    return self.close();
                }
                if let Some(age) = self.limits.age {
                    let due = self.activity.born() + age;
                    if now >= due {
                        return self.close();
                    }
                    next = next.min(due);
                }
                if let (Phase::Idle, Some(idle)) = (phase, self.limits.idle) {
                    if now >= since + idle {
                        return self.close();
                    }
                    next = next.min(since + idle);
                } else if let Some(idle) = self.limits.idle {
                    next = next.min(now + idle);
                }
            }
            if !self.h2 {
                match phase {
                    Phase::Head if now >= since + self.limits.head => return Tick::HeadTimeout,
                    Phase::Head => next = next.min(since + self.limits.head),
                    // The next head may begin at once.
                    Phase::Idle | Phase::Busy => next = next.min(now + self.limits.head),
                }
            }
            alarm.as_mut().reset(next.max(now + Duration::from_millis(1)).into());
        }
        Tick::Wait
    }

    fn close(&mut self) -> Tick {
        self.told = true;
        Tick::Close
    }
}

/// hyper's errors in our words.
fn classify(error: hyper::Error) -> Error {
    let kind = if error.is_parse_too_large() {
        Kind::HeadTooLarge
    } else if error.is_parse() {
        Kind::BadRequest
    } else if error.is_timeout() {
        Kind::HeadTimeout
    } else if error.is_user() {
        // Our own service or body said so, and has counted it.
        Kind::Internal
    } else if h2_protocol_error(&error) {
        Kind::BadRequest
    } else {
        Kind::ClientGone
    };
    Error::caused(kind, error)
}

fn h2_protocol_error(error: &hyper::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(h2) = inner.downcast_ref::<h2::Error>() {
            return h2.is_library() && !h2.is_io() && h2.reason().is_some_and(|reason| reason != h2::Reason::NO_ERROR);
        }
        source = inner.source();
    }
    false
}
