//! One thread's connections to one endpoint.

use std::{
    cell::{Cell, RefCell},
    net::IpAddr,
    rc::{Rc, Weak},
    sync::Arc,
};

use tokio::sync::Notify;
use weft_model::xds;
use weft_policy::{
    config::{Cluster, EndpointAddress, UpstreamProtocol},
    upstream::{Host, Limit, Permit, Upstream},
};

use super::{
    Lease,
    client::{Client, MAX_STREAMS},
    connect::{self, Target},
};
use crate::{
    error::{Error, Kind},
    pod,
    state::{Capture, Shared},
    telemetry, tls,
};

/// Connections to one endpoint, and the requests that wait for one.
pub struct Pool {
    /// The endpoint.
    pub host: Arc<Host>,
    /// Name of its cluster.
    pub cluster: Arc<str>,
    /// HTTP/1.1 connections without a request, the last used one last.
    idle: RefCell<Vec<Idle>>,
    /// HTTP/2 connections.
    multiplexed: RefCell<Vec<Client>>,
    /// Connections of this thread that are open or being opened.
    open: Cell<u32>,
    /// Whether an HTTP/2 connection is being opened, which others then wait for.
    opening: Cell<bool>,
    /// Counts failures to connect, so that those who wait learn of them, with the last one's kind.
    failures: Cell<(u32, Kind)>,
    /// Requests that wait.
    waiting: Cell<u32>,
    freed: Notify,
    /// Whether the endpoint is gone or has changed.
    retired: Cell<bool>,
    pace: Rc<Pace>,
}

/// What the pools of one thread count by. A clock read per request would cost more than it is worth here.
#[derive(Debug, Default)]
pub struct Pace {
    /// Seconds.
    pub tick: Cell<u32>,
    /// Changes with this proxy's certificate: TLS connections of an earlier era take no more requests.
    pub era: Cell<u32>,
    /// Changes with anything that labels of metrics depend on.
    pub epoch: Cell<u32>,
}

/// Unused connections are closed after an hour where the cluster does not say when, as Envoy does.
const IDLE_TICKS: u32 = 3600;

struct Idle {
    client: Client,
    since: u32,
}

impl Pool {
    pub(super) fn new(host: Arc<Host>, cluster: Arc<str>, pace: Rc<Pace>) -> Rc<Self> {
        Rc::new(Self {
            host,
            cluster,
            idle: RefCell::default(),
            multiplexed: RefCell::default(),
            open: Cell::new(0),
            opening: Cell::new(false),
            failures: Cell::new((0, Kind::ConnectFailed)),
            waiting: Cell::new(0),
            freed: Notify::new(),
            retired: Cell::new(false),
            pace,
        })
    }

    /// A connection for one request: an idle one, a new one, or the next that becomes free. `h2` is what the downstream
    /// speaks, for clusters that follow it.
    pub async fn lease(self: &Rc<Self>, shared: &Arc<Shared>, upstream: &Upstream, h2: bool) -> Result<Lease, Error> {
        let protocol = Wanted::of(&upstream.cluster, &self.host, h2);
        // Those who wait already come first.
        if self.waiting.get() == 0
            && let Some(lease) = self.take(upstream, protocol)
        {
            return Ok(lease);
        }
        let overflow = |limit| {
            shared.stats.overflow(&self.cluster, limit);
            Error::new(Kind::Overflow)
        };
        let _pending = upstream.acquire(Limit::Pending).map_err(|_| overflow(telemetry::Overflow::Pending))?;
        let mut waiter: Option<Waiter<'_>> = None;
        loop {
            let wait_for_opening = protocol.multiplexes() && self.opening.get();
            if !wait_for_opening {
                if let Some(lease) = self.take(upstream, protocol) {
                    return Ok(lease);
                }
                // Envoy's rule too: an endpoint without any connection may always open one, else the connections of
                // other threads and endpoints would starve it.
                match upstream.acquire(Limit::Connections) {
                    Ok(permit) => return Box::pin(self.open(shared, upstream, Some(permit), protocol)).await,
                    Err(_) => {
                        shared.stats.overflow(&self.cluster, telemetry::Overflow::Connections);
                        if self.open.get() == 0 {
                            return Box::pin(self.open(shared, upstream, None, protocol)).await;
                        }
                    }
                }
            }
            let failures = self.failures.get().0;
            waiter.get_or_insert_with(|| Waiter::new(self));
            self.freed.notified().await;
            let (now, kind) = self.failures.get();
            if wait_for_opening && now != failures {
                return Err(kind.into());
            }
        }
    }

    fn take(self: &Rc<Self>, upstream: &Upstream, wanted: Wanted) -> Option<Lease> {
        if wanted != Wanted::Http1 {
            let mut multiplexed = self.multiplexed.borrow_mut();
            multiplexed.retain(|client| !client.closed() && self.keep(client, &upstream.cluster));
            if let Some(client) = multiplexed.iter().find_map(|client| client.stream(streams(&upstream.cluster))) {
                drop(multiplexed);
                return Some(self.lease_of(client, upstream));
            }
        }
        if wanted != Wanted::Http2 {
            let mut idle = self.idle.borrow_mut();
            while let Some(Idle { client, .. }) = idle.pop() {
                if !client.closed() && self.keep(&client, &upstream.cluster) {
                    drop(idle);
                    return Some(self.lease_of(client, upstream));
                }
            }
        }
        None
    }

    fn lease_of(self: &Rc<Self>, client: Client, upstream: &Upstream) -> Lease {
        Lease::new(client, self.clone(), upstream.cluster.clone())
    }

    /// Whether a connection may take another request.
    fn keep(&self, client: &Client, cluster: &Cluster) -> bool {
        let facts = &client.facts;
        !self.retired.get()
            && (!facts.tls || facts.era == self.pace.era.get())
            && cluster.max_requests_per_connection.is_none_or(|most| facts.requests.get() < most)
            && cluster.max_connection_duration.is_none_or(|most| facts.opened.elapsed() < most)
    }

    /// Boxed by its callers: it is rarely run, and a TLS handshake's state would else be part of every idle connection.
    async fn open(
        self: &Rc<Self>,
        shared: &Arc<Shared>,
        upstream: &Upstream,
        permit: Option<Permit>,
        wanted: Wanted,
    ) -> Result<Lease, Error> {
        let opening = wanted.multiplexes().then(|| Opening::begin(self));
        self.open.set(self.open.get() + 1);
        let open = Open { pool: Rc::downgrade(self), _permit: permit };
        let target = target(shared, upstream, &self.host, wanted.offer());
        let opened = async {
            let connected = connect::connect(shared, &target).await?;
            let h2 = match wanted {
                Wanted::Http1 => false,
                Wanted::Http2 => true,
                Wanted::Alpn => connected.h2,
            };
            Client::start(connected, h2, (self.pace.era.get(), self.pace.tick.get()), open).await
        };
        let client = match opened.await {
            Ok(client) => client,
            Err(error) => {
                self.failures.set((self.failures.get().0.wrapping_add(1), error.kind));
                return Err(error);
            }
        };
        let Some(stream) = client.stream(streams(&upstream.cluster)) else {
            return Ok(self.lease_of(client, upstream));
        };
        self.multiplexed.borrow_mut().push(client);
        drop(opening);
        Ok(self.lease_of(stream, upstream))
    }

    /// An HTTP/2 connection has room for another stream.
    pub(super) fn stream_freed(&self) {
        self.freed.notify_one();
    }

    /// Takes a connection back after its answer was read to the end.
    pub(super) fn give_back(&self, client: Client, cluster: &Cluster) {
        if !client.closed() && self.keep(&client, cluster) {
            self.idle.borrow_mut().push(Idle { client, since: self.pace.tick.get() });
            self.freed.notify_one();
        }
    }

    /// Closes what was idle for too long, has ended, or may take no more requests. Returns whether anything is left.
    pub(super) fn sweep(&self, cluster: &Cluster) -> bool {
        let now = self.pace.tick.get();
        let longest = cluster.idle_timeout.map_or(IDLE_TICKS, |idle| idle.as_secs().clamp(1, IDLE_TICKS.into()) as u32);
        self.idle.borrow_mut().retain(|idle| {
            !idle.client.closed() && self.keep(&idle.client, cluster) && now.wrapping_sub(idle.since) < longest
        });
        self.multiplexed.borrow_mut().retain(|client| {
            if client.facts.streams.get() > 0 {
                client.facts.idle_since.set(now);
            }
            let idle = now.wrapping_sub(client.facts.idle_since.get()) >= longest;
            !client.closed() && self.keep(client, cluster) && !idle
        });
        self.open.get() > 0 || self.waiting.get() > 0
    }

    /// Lets no connection take another request, because the endpoint is gone or has changed.
    pub(super) fn retire(&self) {
        self.retired.set(true);
        self.idle.borrow_mut().clear();
        self.multiplexed.borrow_mut().clear();
    }

    /// Connections of this thread.
    pub fn connections(&self) -> u32 {
        self.open.get()
    }
}

/// Streams that one connection carries.
fn streams(cluster: &Cluster) -> u32 {
    cluster.max_concurrent_streams.unwrap_or(MAX_STREAMS).clamp(1, MAX_STREAMS)
}

/// What is to be spoken on a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Http1,
    Http2,
    Alpn,
}

impl Wanted {
    fn of(cluster: &Cluster, host: &Host, h2: bool) -> Self {
        match cluster.protocol {
            UpstreamProtocol::Http1 => Self::Http1,
            UpstreamProtocol::Http2 => Self::Http2,
            UpstreamProtocol::Downstream if h2 => Self::Http2,
            UpstreamProtocol::Downstream => Self::Http1,
            UpstreamProtocol::Alpn if host.tls.is_some() => Self::Alpn,
            UpstreamProtocol::Alpn => Self::Http1,
        }
    }

    fn multiplexes(self) -> bool {
        self != Self::Http1
    }

    fn offer(self) -> tls::Offer {
        match self {
            Self::Http1 => tls::Offer::Http1,
            Self::Http2 => tls::Offer::Http2,
            Self::Alpn => tls::Offer::Configured,
        }
    }
}

/// How to connect to a host of a cluster.
pub(super) fn target(shared: &Shared, upstream: &Upstream, host: &Host, offer: tls::Offer) -> Target {
    let cluster = &upstream.cluster;
    Target {
        address: host.address().clone(),
        tls: host.tls.clone().map(|settings| (settings, offer)),
        source: source(shared, cluster, host.address()),
        timeout: cluster.connect_timeout,
        keepalive: cluster.keepalive,
    }
}

/// The address to dial from. A captured application is dialled from where nothing is redirected.
fn source(shared: &Shared, cluster: &Cluster, address: &EndpointAddress) -> Option<IpAddr> {
    let EndpointAddress::Socket(destination) = address else { return None };
    let demanded = cluster.bind_for(destination.ip());
    let inbound = cluster.name.starts_with("inbound|") || &*cluster.name == xds::INBOUND_PASSTHROUGH_CLUSTER;
    let captured = shared.node.capture == Capture::Redirect;
    match inbound {
        false => connect::source_address(shared.node.address, demanded, address),
        true => demanded.or_else(|| captured.then(|| pod::bypass(destination.ip()))),
    }
}

/// Counts a request that waits.
struct Waiter<'a>(&'a Pool);

impl<'a> Waiter<'a> {
    fn new(pool: &'a Pool) -> Self {
        pool.waiting.set(pool.waiting.get() + 1);
        Self(pool)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get() - 1);
    }
}

/// Marks that an HTTP/2 connection is being opened.
struct Opening(Rc<Pool>);

impl Opening {
    fn begin(pool: &Rc<Pool>) -> Self {
        pool.opening.set(true);
        Self(pool.clone())
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.opening.set(false);
        self.0.freed.notify_waiters();
    }
}

/// Counts a connection for as long as it is open.
struct Open {
    pool: Weak<Pool>,
    _permit: Option<Permit>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self._permit = None;
        if let Some(pool) = self.pool.upgrade() {
            pool.open.set(pool.open.get() - 1);
            pool.freed.notify_one();
        }
    }
}
