//! Two streams joined: bytes both ways, each direction ending for itself.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::telemetry::Flag;

/// Bytes held per direction.
const BUFFER: usize = 16 * 1024;

/// How a pair of streams ended.
#[derive(Debug, Default)]
pub struct Copied {
    /// Bytes from the first to the second.
    pub received: u64,
    /// Bytes from the second to the first.
    pub sent: u64,
    /// The first broke.
    pub client_error: Option<io::Error>,
    /// The second broke.
    pub server_error: Option<io::Error>,
    /// No byte moved for too long.
    pub idle: bool,
    /// The pair grew too old.
    pub aged: bool,
}

/// Time limits of a pair of streams.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// No byte moves for so long.
    pub idle: Option<Duration>,
    /// The end in any case.
    pub until: Option<Instant>,
}

impl Limits {
    fn due(&self, last: Instant) -> Option<Instant> {
        self.idle.map(|idle| last + idle).into_iter().chain(self.until).min()
    }
}

impl Copied {
    /// What the end means, if it is not an orderly one.
    pub fn flag(&self) -> Option<Flag> {
        match self {
            Self { idle: true, .. } => Some(Flag::StreamIdleTimeout),
            Self { aged: true, .. } => Some(Flag::DurationTimeout),
            Self { client_error: Some(_), .. } => Some(Flag::DownstreamConnectionTermination),
            Self { server_error: Some(_), .. } => Some(Flag::UpstreamConnectionTermination),
            _ => None,
        }
    }
}

/// Copies both ways until both have ended; the end of one direction is passed on while the other goes on. `moved` is
/// told the bytes of each step.
pub async fn copy<A, B>(a: &mut A, b: &mut B, limits: Limits, moved: impl Fn(u64, u64)) -> Copied
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let mut copied = Copied::default();
    let (mut up, mut down) = (Half::new(), Half::new());
    let mut last = Instant::now();
    let never = last + Duration::from_secs(24 * 3600);
    let mut timer = pin!(tokio::time::sleep_until(limits.due(last).unwrap_or(never).into()));
    poll_fn(|cx| {
        let (received, sent) = (up.copied, down.copied);
        let first = up.poll(cx, a, b);
        let second = down.poll(cx, b, a);
        let step = (up.copied - received, down.copied - sent);
        if step != (0, 0) {
            moved(step.0, step.1);
            last = Instant::now();
        }
        match (first, second) {
            (Poll::Ready(Err(Broken::Read(error))), _) | (_, Poll::Ready(Err(Broken::Write(error)))) => {
                copied.client_error = Some(error);
                return Poll::Ready(());
            }
            (Poll::Ready(Err(Broken::Write(error))), _) | (_, Poll::Ready(Err(Broken::Read(error)))) => {
                copied.server_error = Some(error);
                return Poll::Ready(());
            }
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(()),
            _ => {}
        }
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            copied.idle = limits.idle.is_some_and(|idle| now >= last + idle);
            copied.aged = limits.until.is_some_and(|until| now >= until);
            if copied.idle || copied.aged {
                return Poll::Ready(());
            }
            timer.as_mut().reset(limits.due(last).unwrap_or(now + Duration::from_secs(3600)).into());
        }
        Poll::Pending
    })
    .await;
    copied.received = up.copied;
    copied.sent = down.copied;
    copied
}

enum Broken {
    Read(io::Error),
    Write(io::Error),
}

/// One direction of a pair.
struct Half {
    buffer: Box<[u8]>,
    from: usize,
    to: usize,
    copied: u64,
    state: State,
    unflushed: bool,
}

#[derive(PartialEq)]
enum State {
    Copying,
    Ending,
    Ended,
}

impl Half {
    fn new() -> Self {
        Self { buffer: vec![0; BUFFER].into(), from: 0, to: 0, copied: 0, state: State::Copying, unflushed: false }
    }

    fn poll<R, W>(&mut self, cx: &mut Context<'_>, reader: &mut R, writer: &mut W) -> Poll<Result<(), Broken>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            if self.from < self.to {
                match Pin::new(&mut *writer).poll_write(cx, &self.buffer[self.from..self.to]) {
                    Poll::Ready(Ok(0)) => {
                        return Poll::Ready(Err(Broken::Write(io::ErrorKind::WriteZero.into())));
                    }
                    Poll::Ready(Ok(n)) => {
                        self.from += n;
                        self.copied += n as u64;
                        self.unflushed = true;
                        continue;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::Write(error))),
                    Poll::Pending => return Poll::Pending,
                }
            }
            match self.state {
                State::Copying => {
                    let mut read = ReadBuf::new(&mut self.buffer);
                    match Pin::new(&mut *reader).poll_read(cx, &mut read) {
                        Poll::Ready(Ok(())) => {
                            (self.from, self.to) = (0, read.filled().len());
                            if self.to == 0 {
                                self.state = State::Ending;
                            }
                        }
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::Read(error))),
                        Poll::Pending => {
                            // TLS may hold back what was written until it is flushed.
                            if self.unflushed {
                                match Pin::new(&mut *writer).poll_flush(cx) {
                                    Poll::Ready(Ok(())) => self.unflushed = false,
                                    Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::Write(error))),
                                    Poll::Pending => {}
                                }
                            }
                            return Poll::Pending;
                        }
                    }
                }
                State::Ending => match Pin::new(&mut *writer).poll_shutdown(cx) {
                    Poll::Ready(Ok(())) => self.state = State::Ended,
                    // The other side has closed already: there is nobody left to tell.
                    Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::NotConnected => self.state = State::Ended,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::Write(error))),
                    Poll::Pending => return Poll::Pending,
                },
                State::Ended => return Poll::Ready(Ok(())),
            }
        }
    }
}
