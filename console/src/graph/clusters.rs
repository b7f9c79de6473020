//! Which clusters the series of a window are from. A Prometheus that gathers several (Thanos, federation) has the same
//! names in each of them; with one cluster nothing is asked or told of clusters.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use weft_model::metrics;

use super::{Flow, Peer, observed::seconds};
use crate::{
    clock::now_ms,
    telemetry::prometheus::{Prometheus, QueryError},
};

/// The metrics whose series are looked at: every call opens a connection or is a request.
const SELECTORS: [&str; 2] = [metrics::REQUESTS_TOTAL, metrics::TCP_CONNECTIONS_OPENED_TOTAL];

/// Whether series of the window of `window_s` seconds that ends at `at_ms`, or now, name more than one cluster.
pub(super) async fn several(prometheus: &Prometheus, window_s: u64, at_ms: Option<u64>) -> Result<bool, QueryError> {
    let to = at_ms.unwrap_or_else(now_ms);
    let (from, to) = (seconds(to.saturating_sub(window_s * 1000)), seconds(to));
    let ask = |label| prometheus.label_values(label, &SELECTORS, from, to);
    let (sources, destinations) = tokio::join!(ask("source_cluster"), ask("destination_cluster"));
    let names: BTreeSet<String> =
        sources?.into_iter().chain(destinations?).filter(|name| !name.is_empty() && name != metrics::UNKNOWN).collect();
    Ok(names.len() > 1)
}

/// Clusters of a workload, by its namespace and name.
type Homes = HashMap<(Arc<str>, Arc<str>), Vec<Arc<str>>>;

/// The clusters that flows name, and what is told of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clusters {
    own: Arc<str>,
    names: BTreeSet<Arc<str>>,
    /// Clusters in which a workload was seen.
    homes: Homes,
}

/// Ends that were settled: by what was read and by the cluster of the other end.
type Settled = HashMap<(Arc<Peer>, Arc<str>), Arc<Peer>>;

impl Clusters {
    /// Of flows as they were read; `own` is the console's own cluster.
    pub fn of<'a>(own: &str, flows: impl Iterator<Item = &'a Flow>) -> Self {
        let mut clusters = Self { own: own.into(), ..Self::default() };
        for peer in flows.flat_map(|flow| [&flow.source, &flow.destination]).filter(|peer| !peer.cluster.is_empty()) {
            if !clusters.names.contains(&peer.cluster) {
                clusters.names.insert(peer.cluster.clone());
            }
            let homes = clusters.homes.entry((peer.namespace.clone(), peer.workload.clone())).or_default();
            if !homes.contains(&peer.cluster) {
                homes.push(peer.cluster.clone());
            }
        }
        clusters
    }

    /// The name of the console's own cluster where several are told apart.
    pub fn told(&self) -> Option<&Arc<str>> {
        (self.names.len() > 1).then_some(&self.own)
    }

    /// Gives the ends of flows their ids. With one cluster they are what they are without any; with several, whatever is
    /// not of the console's own carries its cluster's name.
    pub fn settle(&self, flows: &mut [Flow]) {
        let mut settled = Settled::new();
        for flow in flows {
            let (source, destination) = (flow.source.cluster.clone(), flow.destination.cluster.clone());
            flow.source = self.end(&flow.source, destination, &mut settled);
            flow.destination = self.end(&flow.destination, source, &mut settled);
            if self.told().is_some() && flow.host.contains('@') {
                flow.host = plain(&flow.host);
            }
        }
    }

    fn end(&self, peer: &Arc<Peer>, other: Arc<str>, settled: &mut Settled) -> Arc<Peer> {
        if peer.cluster.is_empty() && self.told().is_none() {
            return peer.clone();
        }
        let new = || Arc::new(self.named(peer, &other));
        settled.entry((peer.clone(), other.clone())).or_insert_with(new).clone()
    }

    fn named(&self, peer: &Peer, other: &Arc<str>) -> Peer {
        let mut peer = peer.clone();
        if self.told().is_none() || peer.id.is_empty() {
            peer.cluster = Arc::default();
            return peer;
        }
        if peer.cluster.is_empty() {
            peer.cluster = self.home(&peer, other);
        }
        // Only a cluster's name may follow an `@`: no workload passes for one of another cluster.
        for name in [&mut peer.namespace, &mut peer.workload, &mut peer.app, &mut peer.version, &mut peer.id] {
            if name.contains('@') {
                *name = plain(name);
            }
        }
        if peer.cluster != self.own {
            peer.id = format!("{}@{}", peer.id, peer.cluster).into();
        }
        peer
    }

    /// The cluster of a workload whose series name none, as one side of a call may not know the other's: the one in which
    /// it was seen otherwise, of several the one that the other end is in. What is left belongs to no known cluster, and
    /// is nobody's to see who does not see the whole mesh.
    fn home(&self, peer: &Peer, other: &Arc<str>) -> Arc<str> {
        match self.homes.get(&(peer.namespace.clone(), peer.workload.clone())).map(Vec::as_slice) {
            Some([only]) => only.clone(),
            Some(all) if all.contains(other) => other.clone(),
            _ => metrics::UNKNOWN.into(),
        }
    }
}

fn plain(name: &str) -> Arc<str> {
    name.replace('@', "\u{fffd}").into()
}
