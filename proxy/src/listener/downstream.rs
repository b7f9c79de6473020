//! What is known of one downstream connection for as long as it lasts.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::{Instant, SystemTime},
};

use tokio::task::JoinHandle;
use weft_model::SpiffeId;
use weft_policy::{
    config::{Cluster, Direction, HttpChain, Listener, Transport},
    facts::ConnectionFacts,
};

use super::{Hello, Registration, Signal};
use crate::{
    http::{
        Activity,
        server::{MAX_HEADERS, PROXY_HEADERS},
    },
    inbound, outbound,
    telemetry::Edge,
    workers::Worker,
};

/// A downstream connection.
pub struct Downstream {
    /// The thread that serves it.
    pub worker: Rc<Worker>,
    /// Name of its listener.
    pub listener: Arc<str>,
    /// Whose traffic it carries.
    pub direction: Direction,
    /// Who connected.
    pub peer: SocketAddr,
    /// The address that was dialled.
    pub local: SocketAddr,
    /// What its first bytes were.
    pub transport: Transport,
    /// Whether TLS was terminated here.
    pub tls: bool,
    /// SNI, lower case.
    pub sni: Option<Arc<str>>,
    /// ALPN that the client offered, or what peeking found.
    pub protocols: Vec<String>,
    /// Who the client proved to be.
    pub identity: Option<Peer>,
    /// Labels of what is counted here, as they were found out last.
    pub edge: RefCell<KnownEdge>,
    /// What it is doing.
    pub activity: Arc<Activity>,
    /// Its place among the thread's connections.
    pub registration: Registration,
    /// Requests taken so far.
    pub requests: Cell<u64>,
    /// Streams that left HTTP by an upgrade. The connection lasts as long as they do.
    pub tunnels: RefCell<Vec<JoinHandle<()>>>,
    /// Wall clock at accept.
    pub start: SystemTime,
    /// The same for durations.
    pub started: Instant,
}

/// Labels with what they were derived from.
pub struct KnownEdge {
    /// Epoch of the thread's pools.
    pub epoch: u32,
    /// The cluster whose service they name.
    pub cluster: Option<Arc<Cluster>>,
    /// The labels.
    pub edge: Rc<Edge>,
}

/// A verified client.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its identity.
    pub spiffe: SpiffeId,
    /// The same as text.
    pub uri: Arc<str>,
    /// SHA-256 of its certificate, hexadecimal.
    pub hash: Arc<str>,
    /// Its certificate's subject.
    pub subject: Arc<str>,
    /// DNS names and addresses of its certificate.
    pub dns: Vec<Arc<str>>,
}

impl Downstream {
    /// Labels for what this connection's requests are counted by while no endpoint is known. Inbound ones depend on the
    /// service of `cluster`.
    pub fn edge(&self, cluster: Option<&Arc<Cluster>>) -> Rc<Edge> {
        let epoch = self.worker.pools.epoch();
        let mut known = self.edge.borrow_mut();
        let same = match (&known.cluster, cluster) {
            (Some(known), Some(cluster)) => Arc::ptr_eq(known, cluster),
            (known, cluster) => known.is_none() && cluster.is_none(),
        };
        if known.epoch != epoch || !same {
            let service = cluster.and_then(|cluster| cluster.services.first());
            let edge = match self.direction {
                Direction::Inbound => inbound::edge(&self.worker, self.peer.ip(), self.identity.as_ref(), service),
                Direction::Outbound => outbound::edge(&self.worker, None, None, service),
            };
            *known = KnownEdge { epoch, cluster: cluster.cloned(), edge };
        }
        known.edge.clone()
    }

    /// The most header fields that a request may have.
    pub fn most_fields(&self) -> usize {
        MAX_HEADERS + if self.identity.is_some() { PROXY_HEADERS } else { 0 }
    }

    /// The labels that were found out last: good enough until more is known of a request.
    pub fn last_edge(&self) -> Rc<Edge> {
        self.edge.borrow().edge.clone()
    }

    /// Whether it is to finish.
    pub fn signal(&self) -> &Rc<Signal> {
        self.registration.signal()
    }

    /// What policies look at.
    pub fn facts(&self) -> ConnectionFacts<'_> {
        ConnectionFacts {
            peer: self.peer,
            local: self.local,
            transport: self.transport,
            sni: self.sni.as_deref(),
            peer_uri: self.identity.as_ref().map(|peer| &*peer.uri),
        }
    }
}

/// What is known before the handshake is over.
pub(super) struct Beginning {
    pub worker: Rc<Worker>,
    pub listener: Arc<Listener>,
    pub peer: SocketAddr,
    pub local: SocketAddr,
    pub transport: Transport,
    pub hello: Hello,
    pub protocols: Vec<String>,
    pub begun: (SystemTime, Instant),
    pub registration: Registration,
}

impl Beginning {
    /// What chains are chosen by.
    pub fn facts(&self) -> ConnectionFacts<'_> {
        ConnectionFacts {
            peer: self.peer,
            local: self.local,
            transport: self.transport,
            sni: self.hello.server_name.as_deref(),
            peer_uri: None,
        }
    }

    /// The connection as it is served.
    pub fn downstream(self, identity: Option<Peer>, tls: bool) -> Downstream {
        let edge = match self.listener.direction {
            Direction::Inbound => inbound::edge(&self.worker, self.peer.ip(), identity.as_ref(), None),
            Direction::Outbound => outbound::edge(&self.worker, None, None, None),
        };
        let edge = RefCell::new(KnownEdge { epoch: self.worker.pools.epoch(), cluster: None, edge });
        Downstream {
            worker: self.worker,
            listener: self.listener.name.clone(),
            direction: self.listener.direction,
            peer: self.peer,
            local: self.local,
            transport: self.transport,
            tls,
            sni: self.hello.server_name.map(Into::into),
            protocols: self.protocols,
            identity,
            edge,
            activity: Activity::new(),
            registration: self.registration,
            requests: Cell::new(0),
            tunnels: RefCell::default(),
            start: self.begun.0,
            started: self.begun.1,
        }
    }
}

/// The HTTP chain in force for a connection, which follows configuration changes while the connection lives.
pub struct Chain {
    listener: Arc<Listener>,
    http: Arc<HttpChain>,
}

impl Chain {
    /// The chain that was chosen when the connection began.
    pub fn new(listener: Arc<Listener>, http: Arc<HttpChain>) -> Self {
        Self { listener, http }
    }

    /// The chain for the next request; `None` when the listener does not take such connections any more (it has become
    /// STRICT, or is gone).
    pub fn refresh(&mut self, downstream: &Downstream) -> Option<Arc<HttpChain>> {
        let config = downstream.worker.shared.config.load();
        match config.listeners.get(&downstream.listener) {
            Some(listener) if Arc::ptr_eq(listener, &self.listener) => {}
            // A connection of a removed listener is draining: its last request is served as it was.
            None => {}
            Some(listener) => {
                let chain = super::choose(listener, &downstream.facts(), &downstream.protocols)?;
                let weft_policy::config::ChainKind::Http(http) = &chain.kind else { return None };
                if chain.tls.is_some() != downstream.tls {
                    return None;
                }
                self.http = http.clone();
                self.listener = listener.clone();
            }
        }
        Some(self.http.clone())
    }
}
