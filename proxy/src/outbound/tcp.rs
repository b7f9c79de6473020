//! Opaque connections: authorization, an endpoint, bytes in both directions.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use rand::Rng;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use weft_policy::{
    balance::{PickRequest, xxh64},
    config::{Direction, Discovery, EndpointAddress, TcpChain},
    upstream::{Host, Limit, LocalFailure, Outcome, Permit, Upstream},
};

use super::edge;
use crate::{
    error::{Error, Kind},
    inbound,
    listener::{Downstream, Stream},
    telemetry::{self, Flag, LogFields, ResponseFlags, TcpRecord},
    upstream::Connected,
};

/// A connection on which no byte moves is closed after, where the chain does not say.
const IDLE: Duration = Duration::from_secs(3600);
/// Bytes held per direction.
const BUFFER: usize = 16 * 1024;

/// Serves an opaque connection to its end.
pub async fn serve(downstream: Downstream, chain: &TcpChain, mut stream: Stream) {
    let mut log = LogFields {
        downstream_local_address: Some(downstream.local),
        downstream_remote_address: Some(downstream.peer),
        requested_server_name: downstream.sni.clone(),
        ..LogFields::default()
    };
    let worker = &downstream.worker;
    let mut end = End { flags: ResponseFlags::NONE, edge: downstream.edge(None), copied: Copied::default() };
    let mut series = None;
    match connect(&downstream, chain, &mut log, &mut end).await {
        Err(error) => {
            end.flags.set(error.flag);
            log.upstream_transport_failure_reason = error.source.as_ref().map(ToString::to_string);
            worker.shared.stats.failed(error.kind);
        }
        Ok((mut connected, _permit, active)) => {
            let open = worker.recorder.tcp_opened(&end.edge);
            let idle = chain.idle_timeout.filter(|idle| !idle.is_zero()).unwrap_or(IDLE);
            let limits = Limits { idle: Some(idle), until: chain.max_duration.map(|age| downstream.started + age) };
            end.copied = copy(&mut stream, &mut connected.stream, limits, |received, sent| {
                open.received(received);
                open.sent(sent);
            })
            .await;
            if let Some(flag) = end.copied.flag() {
                end.flags.set(flag);
            }
            drop(active);
            series = Some(open);
        }
    }
    let series = series.unwrap_or_else(|| worker.recorder.tcp_opened(&end.edge));
    let record = TcpRecord {
        edge: end.edge,
        start: downstream.start,
        duration: downstream.started.elapsed(),
        flags: end.flags,
        bytes_received: end.copied.received,
        bytes_sent: end.copied.sent,
        log,
    };
    worker.recorder.tcp_closed(series, &record);
}

/// What is told of a connection when it is over.
struct End {
    flags: ResponseFlags,
    edge: std::rc::Rc<telemetry::Edge>,
    copied: Copied,
}

async fn connect(
    downstream: &Downstream,
    chain: &TcpChain,
    log: &mut LogFields,
    end: &mut End,
) -> Result<(Connected, Permit, weft_policy::upstream::ActiveRequest), Error> {
    let worker = &downstream.worker;
    let config = worker.shared.config.load_full();
    let cluster = chain.clusters.pick(rand::rng().random()).ok_or(Kind::NoCluster)?;
    log.upstream_cluster = Some(cluster.cluster.clone());
    let upstream = config.upstream(&cluster.cluster);
    end.edge = downstream.edge(upstream.map(|upstream| &upstream.cluster));
    if let Some(why) = inbound::refused_connection(&chain.authz, &downstream.facts()) {
        log.connection_termination_details = Some(why);
        return Err(Kind::Denied.into());
    }
    let upstream = upstream.ok_or(Kind::NoCluster)?;
    let permit = upstream.acquire(Limit::Connections).map_err(|_| {
        worker.shared.stats.overflow(&upstream.cluster.name, telemetry::Overflow::Connections);
        Kind::Overflow
    })?;
    let mut tried: Vec<Arc<Host>> = Vec::new();
    loop {
        let hash = chain.hash_source_ip.then(|| xxh64(downstream.peer.ip().to_string().as_bytes(), 0));
        let host = pick(downstream, upstream, hash, &tried).ok_or(Kind::NoHealthyUpstream)?;
        match host.address() {
            EndpointAddress::Socket(address) => log.upstream_host = Some(*address),
            EndpointAddress::Pipe(path) => log.upstream_path = Some(path.to_string_lossy().into()),
        }
        let active = host.begin();
        let outcome = worker.pools.dedicated(upstream, &host).await;
        let told = match &outcome {
            Ok(_) => Outcome::Connected,
            Err(_) => Outcome::Failed(LocalFailure::Connect),
        };
        upstream.report(&host, told, worker.shared.now(), rand::rng().random());
        if downstream.direction == Direction::Outbound {
            let proven = outcome.as_ref().ok().and_then(|connected| connected.peer.as_ref());
            end.edge = edge::edge(worker, Some(&host), proven, upstream.cluster.services.first());
        }
        match outcome {
            Ok(connected) => {
                log.upstream_local_address = connected.local;
                return Ok((connected, permit, active));
            }
            Err(error) => {
                tried.push(host);
                if tried.len() >= chain.max_connect_attempts.max(1) as usize {
                    return Err(error);
                }
            }
        }
    }
}

fn pick(downstream: &Downstream, upstream: &Upstream, hash: Option<u64>, avoid: &[Arc<Host>]) -> Option<Arc<Host>> {
    if let Discovery::OriginalDestination = upstream.cluster.discovery {
        return Some(downstream.worker.pools.original(upstream, downstream.local));
    }
    upstream.pick(&PickRequest { hash, random: rand::rng().random(), avoid, ..PickRequest::default() }).ok().cloned()
}

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
    fn flag(&self) -> Option<Flag> {
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
