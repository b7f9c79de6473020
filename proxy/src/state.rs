//! What every thread of the proxy sees: one pointer to the configuration, one to the identity, and counters.

mod drain;
mod limits;
mod node;
mod readiness;
#[cfg(test)]
pub(crate) mod testing;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Notify, watch};
use weft_policy::config::Config;

pub use drain::{Drain, LiveConnection};
pub use limits::ConnectionLimits;
pub use node::{Capture, NodeInfo, Role};
pub use readiness::Readiness;

use crate::{
    listener::Sockets,
    telemetry::{AccessLog, Facts, SpanSink, Stats},
    tls,
};

/// Process-wide state, shared by all threads through an `Arc`. Everything in it is read without a lock.
pub struct Shared {
    /// Who this proxy is, from its flags.
    pub node: NodeInfo,
    /// The configuration in force; replaced as a whole.
    pub config: ArcSwap<Config>,
    /// The certificate in force; `None` until the first one was issued.
    pub identity: ArcSwapOption<tls::Identity>,
    /// Wakes the keeper of the certificate before its time: others may not accept the one in force any more.
    pub doubt: Notify,
    /// TLS configurations built from `identity` and `config`.
    pub tls: tls::Cache,
    /// This workload's own labels: from the workload table once it was received, until then from the flags.
    pub facts: ArcSwap<Facts>,
    /// Whether the proxy is stopping, and how many connections are still open.
    pub drain: Drain,
    /// Listening sockets, and how many connections each may hold.
    pub sockets: Sockets,
    /// What readiness (15021) waits for.
    pub readiness: Readiness,
    /// Process-wide counters and the registry of the workers' series.
    pub stats: Stats,
    /// Where access log lines go.
    pub access_log: AccessLog,
    /// Where finished spans go.
    pub spans: SpanSink,
    started: Instant,
    generation: watch::Sender<u64>,
}

impl Shared {
    /// State with no configuration and no identity yet.
    pub fn new(node: NodeInfo, access_log: AccessLog, spans: SpanSink) -> Arc<Self> {
        Self::limited(node, access_log, spans, ConnectionLimits::default())
    }

    /// The same with other limits of connections.
    pub fn limited(node: NodeInfo, access_log: AccessLog, spans: SpanSink, limits: ConnectionLimits) -> Arc<Self> {
        let facts = ArcSwap::from_pointee(node.facts());
        Arc::new(Self {
            node,
            config: ArcSwap::from_pointee(Config::default()),
            identity: ArcSwapOption::empty(),
            doubt: Notify::new(),
            tls: tls::Cache::default(),
            facts,
            drain: Drain::default(),
            sockets: Sockets::new(limits),
            readiness: Readiness::default(),
            stats: Stats::default(),
            access_log,
            spans,
            started: Instant::now(),
            generation: watch::Sender::new(0),
        })
    }

    /// Time since the process started: the clock of every decision in `weft_policy`.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Puts a new configuration in force and wakes those who [`watch`](Self::watch).
    pub fn publish(&self, config: Config) {
        self.config.store(Arc::new(config));
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// Changes with each configuration put in force; the value is its number, 0 for none yet.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// The number of the configuration in force, 0 for none yet.
    pub fn generation(&self) -> u64 {
        *self.generation.borrow()
    }
}
