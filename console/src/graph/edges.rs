use std::collections::{BTreeMap, HashMap};

use super::{Flow, Observed, Peer, Reporter};
use crate::estate::Estate;

/// Id of callers that cannot be told apart.
pub(super) const UNKNOWN_ID: &str = "unknown";
/// Prefix of the ids of hosts outside the mesh.
pub(super) const EXTERNAL: &str = "external/";

/// What is known about one end from labels alone.
#[derive(Clone, Debug, Default)]
pub(super) struct End {
    /// Node id.
    pub id: String,
    /// Labels.
    pub peer: Peer,
}

/// One edge with both sides' counts put together so that each request counts once.
#[derive(Clone, Debug)]
pub(super) struct Merged {
    pub source: End,
    pub destination: End,
    /// The side that the rates are from.
    pub reporter: Reporter,
    /// Requests per second by protocol.
    pub requests: BTreeMap<String, f64>,
    /// TCP connections opened per second.
    pub connections: f64,
    /// Rates by response code and flags; TCP connections have an empty code.
    pub codes: BTreeMap<(String, String), f64>,
    /// Mutual TLS and plaintext as the destination counted them.
    pub mtls: f64,
    pub plaintext: f64,
}

/// One side's flows between two nodes.
#[derive(Default)]
struct Side<'a> {
    requests: Vec<(&'a Flow, f64)>,
    connections: Vec<&'a Flow>,
    bytes: Vec<&'a Flow>,
}

impl Side<'_> {
    fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.connections.is_empty() && self.bytes.is_empty()
    }
}

#[derive(Default)]
struct Sides<'a> {
    source: Side<'a>,
    destination: Side<'a>,
    ends: Option<(&'a Peer, Peer)>,
}

impl<'a> Sides<'a> {
    fn of(&mut self, reporter: Reporter) -> &mut Side<'a> {
        match reporter {
            Reporter::Source => &mut self.source,
            Reporter::Destination => &mut self.destination,
        }
    }
}

/// Rates are the source reporter's where the source has a proxy, and the destination's otherwise; encryption is always
/// the destination's, because a source proxy reports `unknown`.
pub(super) fn merge(observed: &Observed, estate: &Estate) -> Vec<Merged> {
    let mut pairs: BTreeMap<(String, String), Sides<'_>> = BTreeMap::new();
    let mut strays = Vec::new();
    let source_id = |flow: &Flow| flow.source.id().unwrap_or_else(|| UNKNOWN_ID.to_owned());
    for flow in &observed.requests {
        match flow.destination.id() {
            Some(id) => {
                let sides = pairs.entry((source_id(flow), id)).or_default();
                sides.ends.get_or_insert_with(|| (&flow.source, flow.destination.clone()));
                sides.of(flow.reporter).requests.push((flow, flow.rate));
            }
            None => strays.push(flow),
        }
    }
    // What never reached a workload is shared out before TCP is looked at, by where the other requests went.
    let reached = reached(&pairs);
    for flow in strays {
        for (id, peer, part) in share_out(flow, &reached, &source_id(flow), estate) {
            let sides = pairs.entry((source_id(flow), id)).or_default();
            sides.ends.get_or_insert((&flow.source, peer));
            sides.of(flow.reporter).requests.push((flow, flow.rate * part));
        }
    }
    let tcp = [(&observed.connections, true), (&observed.bytes, false)];
    for (flow, opened) in tcp.into_iter().flat_map(|(flows, opened)| flows.iter().map(move |flow| (flow, opened))) {
        let (id, peer) = match flow.destination.id() {
            Some(id) => (id, flow.destination.clone()),
            None => outside(&flow.host),
        };
        let sides = pairs.entry((source_id(flow), id)).or_default();
        sides.ends.get_or_insert((&flow.source, peer));
        let side = sides.of(flow.reporter);
        if opened { side.connections.push(flow) } else { side.bytes.push(flow) }
    }
    pairs.into_iter().filter_map(|((source, destination), sides)| finish(source, destination, &sides)).collect()
}

/// Rates by source, host and workload that the source's proxy reports.
type Reached = HashMap<(String, String), Vec<(String, Peer, f64)>>;

fn reached(pairs: &BTreeMap<(String, String), Sides<'_>>) -> Reached {
    let mut reached = Reached::new();
    for ((source, destination), sides) in pairs {
        for (flow, rate) in &sides.source.requests {
            let rows = reached.entry((source.clone(), flow.host.clone())).or_default();
            match rows.iter_mut().find(|(id, _, _)| id == destination) {
                Some(row) => row.2 += rate,
                None => rows.push((destination.clone(), flow.destination.clone(), *rate)),
            }
        }
    }
    reached
}

/// A request for which no endpoint was chosen (an injected fault, no healthy endpoint, a full pool) names a host but no
/// workload. It is shared out among the host's workloads as the same caller's other requests are, so that it shows on
/// the edges that it concerns and the edges' sum stays right. A host without workloads is outside the mesh.
fn share_out(flow: &Flow, reached: &Reached, source: &str, estate: &Estate) -> Vec<(String, Peer, f64)> {
    if let Some(rows) = reached.get(&(source.to_owned(), flow.host.clone())) {
        let all: f64 = rows.iter().map(|(_, _, rate)| rate).sum();
        if all > 0.0 {
            return rows.iter().map(|(id, peer, rate)| (id.clone(), peer.clone(), rate / all)).collect();
        }
    }
    let ids = estate.hosts.get(&flow.host).map_or(&[][..], Vec::as_slice);
    if ids.is_empty() {
        let (id, peer) = outside(&flow.host);
        return vec![(id, peer, 1.0)];
    }
    #[allow(clippy::cast_precision_loss)]
    let part = 1.0 / ids.len() as f64;
    ids.iter().map(|id| (id.clone(), Peer::default(), part)).collect()
}

fn outside(host: &str) -> (String, Peer) {
    let host = if host.is_empty() { UNKNOWN_ID } else { host };
    (format!("{EXTERNAL}{host}"), Peer { workload: host.to_owned(), ..Peer::default() })
}

fn finish(source: String, destination: String, sides: &Sides<'_>) -> Option<Merged> {
    let (source_peer, destination_peer) = sides.ends.clone()?;
    let (side, reporter) = if sides.source.is_empty() {
        (&sides.destination, Reporter::Destination)
    } else {
        (&sides.source, Reporter::Source)
    };
    let mut merged = Merged {
        source: End { id: source, peer: source_peer.clone() },
        destination: End { id: destination, peer: destination_peer },
        reporter,
        requests: BTreeMap::new(),
        connections: 0.0,
        codes: BTreeMap::new(),
        mtls: 0.0,
        plaintext: 0.0,
    };
    for (flow, rate) in &side.requests {
        *merged.requests.entry(flow.protocol.clone()).or_default() += rate;
        *merged.codes.entry((flow.code.clone(), flow.flags.clone())).or_default() += rate;
    }
    for flow in &side.connections {
        merged.connections += flow.rate;
        if side.requests.is_empty() {
            *merged.codes.entry((String::new(), flow.flags.clone())).or_default() += flow.rate;
        }
    }
    let told = &sides.destination;
    // Bytes speak only where no request or new connection does: the units must not be mixed.
    if told.requests.is_empty() && told.connections.is_empty() {
        count_locks(&mut merged, told.bytes.iter().map(|flow| (*flow, flow.rate)));
    } else {
        count_locks(&mut merged, told.requests.iter().copied());
        count_locks(&mut merged, told.connections.iter().map(|flow| (*flow, flow.rate)));
    }
    Some(merged)
}

fn count_locks<'a>(merged: &mut Merged, flows: impl Iterator<Item = (&'a Flow, f64)>) {
    for (flow, rate) in flows {
        match flow.mutual_tls() {
            Some(true) => merged.mtls += rate,
            Some(false) => merged.plaintext += rate,
            None => {}
        }
    }
}
