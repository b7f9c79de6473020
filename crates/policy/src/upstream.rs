//! A cluster with its endpoints and the live state that all threads share: requests in flight, limits, ejections.
//!
//! An [`Upstream`] is immutable and replaced when cluster or endpoints change; [`HostState`] and [`ClusterState`] are
//! handed on to its successor, hosts by their address.

mod limits;
mod outlier;

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

pub use limits::{Limit, Overflow, Permit};
pub use outlier::{Ejection, EjectionCause, LocalFailure, Outcome, grpc_as_http};

use crate::{
    balance::{Balancer, NoHost, PickRequest},
    config::{Cluster, Discovery, Endpoint, EndpointAddress, Endpoints, Health, UpstreamTls},
};

/// A cluster that can be called.
#[derive(Debug)]
pub struct Upstream {
    /// What the control plane says about it.
    pub cluster: Arc<Cluster>,
    /// Its endpoints.
    pub hosts: Vec<Arc<Host>>,
    /// Counters of the whole cluster.
    pub state: Arc<ClusterState>,
    balancer: Balancer,
}

/// An endpoint that can be called.
#[derive(Debug)]
pub struct Host {
    /// What the control plane says about it.
    pub endpoint: Endpoint,
    /// TLS to speak with it; `None` is plaintext.
    pub tls: Option<Arc<UpstreamTls>>,
    /// Counters.
    pub state: Arc<HostState>,
}

/// Counters of one endpoint, for as long as its address stays in the cluster.
#[derive(Debug, Default)]
pub struct HostState {
    active: AtomicU32,
    /// Milliseconds since the process started; 0 while it is in.
    ejected_until: AtomicU64,
    ejections: AtomicU32,
    consecutive_5xx: AtomicU32,
    consecutive_gateway: AtomicU32,
    consecutive_local: AtomicU32,
}

/// Counters of one cluster, for as long as its name stays.
#[derive(Debug, Default)]
pub struct ClusterState {
    connections: AtomicU32,
    pending: AtomicU32,
    requests: AtomicU32,
    retries: AtomicU32,
    /// A hint: when 0, no host need be asked whether it is ejected before the pick.
    ejected: AtomicU32,
    next_sweep: AtomicU64,
    pub(crate) cursor: AtomicU64,
}

/// A request in flight to a host; it ends when this is dropped.
#[derive(Debug)]
pub struct ActiveRequest {
    host: Arc<Host>,
}

impl ActiveRequest {
    /// Where the request went.
    pub fn host(&self) -> &Arc<Host> {
        &self.host
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.host.state.active.fetch_sub(1, Relaxed);
    }
}

impl HostState {
    /// Requests in flight.
    pub fn active(&self) -> u32 {
        self.active.load(Relaxed)
    }

    /// Until when it is ejected (time since the process started), if it is.
    pub fn ejected_until(&self) -> Option<Duration> {
        Some(self.ejected_until.load(Relaxed)).filter(|t| *t > 0).map(Duration::from_millis)
    }

    /// Whether outlier detection took it out.
    pub fn is_ejected(&self) -> bool {
        self.ejected_until.load(Relaxed) > 0
    }
}

impl ClusterState {
    /// How many hosts are ejected, as of the last ejection or sweep.
    pub fn ejected(&self) -> u32 {
        self.ejected.load(Relaxed)
    }
}

impl Host {
    /// Counts a request to this host until the result is dropped.
    pub fn begin(self: &Arc<Self>) -> ActiveRequest {
        self.state.active.fetch_add(1, Relaxed);
        ActiveRequest { host: self.clone() }
    }

    /// Where it listens.
    pub fn address(&self) -> &EndpointAddress {
        &self.endpoint.address
    }

    /// Whether it may be picked outside of panic.
    pub fn is_available(&self) -> bool {
        matches!(self.endpoint.health, Health::Healthy | Health::Degraded) && !self.state.is_ejected()
    }
}

impl Upstream {
    /// Joins a cluster with its endpoints; state is taken over from the version before.
    pub fn new(cluster: Arc<Cluster>, endpoints: Option<&Arc<Endpoints>>, previous: Option<&Upstream>) -> Self {
        let endpoints = match &cluster.discovery {
            Discovery::Eds(_) => endpoints,
            Discovery::Static(fixed) => Some(fixed),
            Discovery::OriginalDestination => None,
        };
        let mut known: HashMap<&EndpointAddress, &Arc<Host>> =
            previous.iter().flat_map(|p| &p.hosts).map(|h| (h.address(), h)).collect();
        let mut hosts: Vec<Arc<Host>> = Vec::with_capacity(endpoints.map_or(0, |e| e.endpoints.len()));
        for endpoint in endpoints.iter().flat_map(|e| &e.endpoints) {
            let tls = cluster.tls_for(endpoint.tls_mode.as_deref()).cloned();
            // Taken out of the map, so that two endpoints of one address do not share counters.
            hosts.push(match known.remove(&endpoint.address) {
                Some(old) if old.endpoint == *endpoint && old.tls == tls => old.clone(),
                Some(old) => Arc::new(Host { endpoint: endpoint.clone(), tls, state: old.state.clone() }),
                None => Arc::new(Host { endpoint: endpoint.clone(), tls, state: Arc::default() }),
            });
        }
        let state = previous.map_or_else(Arc::default, |p| p.state.clone());
        if cluster.outlier.is_none() {
            hosts.iter().for_each(|h| h.state.ejected_until.store(0, Relaxed));
        }
        let overprovisioning = endpoints.map_or(140, |e| e.overprovisioning);
        let balancer = Balancer::new(&cluster, &hosts, overprovisioning);
        let upstream = Self { cluster, hosts, state, balancer };
        upstream.count_ejected();
        upstream
    }

    /// Picks a host. Allocates nothing.
    pub fn pick(&self, request: &PickRequest<'_>) -> Result<&Arc<Host>, NoHost> {
        self.balancer.pick(self, request)
    }

    /// A host for a connection's original destination (clusters of that kind have no endpoints of their own).
    pub fn original_destination(&self, address: SocketAddr) -> Arc<Host> {
        Arc::new(Host {
            endpoint: Endpoint {
                address: EndpointAddress::Socket(address),
                hostname: "".into(),
                weight: 1,
                health: Health::Healthy,
                locality: Arc::default(),
                locality_weight: None,
                priority: 0,
                tls_mode: None,
                workload: None,
            },
            tls: self.cluster.tls_for(None).cloned(),
            state: Arc::default(),
        })
    }

    /// The host of this address, if it is still one.
    pub fn host(&self, address: &EndpointAddress) -> Option<&Arc<Host>> {
        self.hosts.iter().find(|h| h.address() == address)
    }

    /// The host of this IP address, for telling who a connection goes to.
    pub fn host_by_ip(&self, ip: IpAddr) -> Option<&Arc<Host>> {
        self.hosts.iter().find(|h| matches!(h.address(), EndpointAddress::Socket(a) if a.ip() == ip))
    }

    fn count_ejected(&self) -> u32 {
        let ejected = self.hosts.iter().filter(|h| h.state.is_ejected()).count() as u32;
        self.state.ejected.store(ejected, Relaxed);
        ejected
    }
}

#[cfg(test)]
mod tests;
