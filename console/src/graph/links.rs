//! Both sides' counts put together, so that each request counts once: what every view of the graph is derived from.

mod strays;

use std::{collections::HashMap, sync::Arc};

use weft_model::graph::EXTERNAL;

use super::{Flow, Observed, Peer, Reporter};
use crate::estate::Estate;

/// Id of callers that cannot be told apart.
pub(crate) const UNKNOWN_ID: &str = "unknown";

/// One end of a link.
#[derive(Clone, Debug, Default)]
pub(super) struct End {
    /// Id of the workload, `service:HOST/none`, `external:HOST` or `unknown`.
    pub id: Arc<str>,
    /// What the labels say.
    pub peer: Arc<Peer>,
}

/// Requests of one outcome.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Count {
    pub protocol: Arc<str>,
    pub code: Arc<str>,
    pub grpc: Arc<str>,
    pub flags: Arc<str>,
    pub rate: f64,
}

/// Traffic from one workload to another that was asked of one host.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub source: End,
    pub destination: End,
    /// The called host; empty when not known.
    pub host: Arc<str>,
    /// The side that the rates are from.
    pub reporter: Reporter,
    /// Requests per second by outcome; TCP connections have an empty code.
    pub counts: Vec<Count>,
    /// TCP connections opened and closed per second.
    pub opened: f64,
    pub closed: f64,
    /// TCP bytes per second to the destination and back.
    pub bytes: [f64; 2],
    /// Which protocols there are, be they idle: HTTP, gRPC, TCP.
    pub protocols: [bool; 3],
    /// Mutual TLS and plaintext as the destination counted them.
    pub mtls: f64,
    pub plaintext: f64,
}

impl Link {
    /// Requests per second of all protocols but TCP.
    pub fn requests(&self) -> f64 {
        self.counts.iter().filter(|count| !count.code.is_empty()).fold(0.0, |sum, count| sum + count.rate)
    }

    /// Whether anything moves along it.
    pub fn moves(&self) -> bool {
        self.opened + self.closed + self.bytes[0] + self.bytes[1] > 0.0 || self.counts.iter().any(|c| c.rate > 0.0)
    }
}

/// What one side counted between two nodes.
#[derive(Default)]
struct Side<'a> {
    requests: Vec<&'a Flow>,
    tcp: Vec<&'a Flow>,
}

impl Side<'_> {
    fn moves(&self) -> bool {
        self.requests.iter().chain(&self.tcp).any(|flow| flow.rate > 0.0)
    }

    fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.tcp.is_empty()
    }
}

struct Sides<'a> {
    ends: [End; 2],
    source: Side<'a>,
    destination: Side<'a>,
}

impl<'a> Sides<'a> {
    fn of(&mut self, reporter: Reporter) -> &mut Side<'a> {
        match reporter {
            Reporter::Source => &mut self.source,
            Reporter::Destination => &mut self.destination,
        }
    }
}

#[derive(Default)]
struct Pairs<'a> {
    index: HashMap<(Arc<str>, Arc<str>), usize>,
    sides: Vec<Sides<'a>>,
}

impl<'a> Pairs<'a> {
    fn between(&mut self, source: End, destination: End) -> &mut Sides<'a> {
        let sides = &mut self.sides;
        let at = *self.index.entry((source.id.clone(), destination.id.clone())).or_insert_with(|| {
            sides.push(Sides { ends: [source, destination], source: Side::default(), destination: Side::default() });
            sides.len() - 1
        });
        &mut self.sides[at]
    }
}

fn source_of(flow: &Flow, unknown: &Arc<str>) -> End {
    let id = if flow.source.id.is_empty() { unknown.clone() } else { flow.source.id.clone() };
    End { id, peer: flow.source.clone() }
}

/// The other end of what has no workload: a host outside the mesh.
fn outside(host: &str) -> End {
    let host = if host.is_empty() { UNKNOWN_ID } else { host };
    let peer = Peer { workload: host.into(), ..Peer::default() };
    End { id: format!("{EXTERNAL}{host}").into(), peer: Arc::new(peer) }
}

/// Rates are the source reporter's where the source has a proxy, and the destination's otherwise; encryption is always
/// the destination's, because a source proxy reports `unknown`.
pub(super) fn merge(observed: &Observed, estate: &Estate) -> Vec<Link> {
    let unknown: Arc<str> = UNKNOWN_ID.into();
    let mut pairs = Pairs::default();
    let reached = strays::reached(observed.requests.iter().chain(&observed.tcp));
    let destination = |flow: &Flow| {
        if strays::arrived(flow) {
            End { id: flow.destination.id.clone(), peer: flow.destination.clone() }
        } else {
            strays::nowhere(flow, &reached, estate)
        }
    };
    for flow in &observed.requests {
        pairs.between(source_of(flow, &unknown), destination(flow)).of(flow.reporter).requests.push(flow);
    }
    for flow in &observed.tcp {
        pairs.between(source_of(flow, &unknown), destination(flow)).of(flow.reporter).tcp.push(flow);
    }
    let mut links = Vec::with_capacity(pairs.sides.len());
    for sides in &pairs.sides {
        finish(sides, &mut links);
    }
    links
}

fn finish(sides: &Sides<'_>, links: &mut Vec<Link>) {
    let from_source = sides.source.moves() || (!sides.source.is_empty() && !sides.destination.moves());
    let (side, reporter) =
        if from_source { (&sides.source, Reporter::Source) } else { (&sides.destination, Reporter::Destination) };
    let first = links.len();
    let [source, destination] = &sides.ends;
    let at = |links: &mut Vec<Link>, host: &Arc<str>| match links[first..].iter().position(|link| link.host == *host) {
        Some(at) => first + at,
        None => {
            links.push(Link {
                source: source.clone(),
                destination: destination.clone(),
                host: host.clone(),
                reporter,
                counts: Vec::new(),
                opened: 0.0,
                closed: 0.0,
                bytes: [0.0; 2],
                protocols: [false; 3],
                mtls: 0.0,
                plaintext: 0.0,
            });
            links.len() - 1
        }
    };
    for flow in &side.requests {
        let at = at(links, &flow.host);
        links[at].protocols[usize::from(&*flow.protocol == "grpc")] = true;
        count(&mut links[at].counts, flow, &flow.code);
    }
    let requested = side.requests.iter().any(|flow| flow.rate > 0.0);
    for flow in &side.tcp {
        let at = at(links, &flow.host);
        let link = &mut links[at];
        link.protocols[2] = true;
        match &*flow.what {
            "opened" => {
                link.opened += flow.rate;
                // The units must not be mixed: connections are judged only where there are no requests.
                if !requested {
                    count(&mut link.counts, flow, &Arc::default());
                }
            }
            "closed" => link.closed += flow.rate,
            "sent" => link.bytes[0] += flow.rate,
            "received" => link.bytes[1] += flow.rate,
            _ => {}
        }
    }
    lock(&mut links[first..], &sides.destination);
}

fn count(counts: &mut Vec<Count>, flow: &Flow, code: &Arc<str>) {
    let rate = flow.rate;
    if rate <= 0.0 {
        return;
    }
    let same =
        |c: &&mut Count| c.code == *code && c.flags == flow.flags && c.grpc == flow.grpc && c.protocol == flow.protocol;
    match counts.iter_mut().find(same) {
        Some(known) => known.rate += rate,
        None => counts.push(Count {
            protocol: flow.protocol.clone(),
            code: code.clone(),
            grpc: flow.grpc.clone(),
            flags: flow.flags.clone(),
            rate,
        }),
    }
}

/// The called side may name a host in another way than the caller, so what it says about encryption is of the pair and
/// shared out among its links.
fn lock(links: &mut [Link], told: &Side<'_>) {
    let of = |flows: &mut dyn Iterator<Item = &Flow>| {
        flows.fold((0.0, 0.0), |(mtls, plaintext), flow| match flow.mutual_tls() {
            Some(true) => (mtls + flow.rate, plaintext),
            Some(false) => (mtls, plaintext + flow.rate),
            None => (mtls, plaintext),
        })
    };
    let tcp =
        |bytes: bool| told.tcp.iter().copied().filter(move |flow| matches!(&*flow.what, "sent" | "received") == bytes);
    let mut locks = of(&mut told.requests.iter().copied().chain(tcp(false)));
    // Bytes speak only where no request or new connection does: the units must not be mixed.
    if locks.0 + locks.1 <= 0.0 {
        locks = of(&mut tcp(true));
    }
    let all: f64 = links.iter().map(|link| link.requests() + link.opened).sum();
    #[allow(clippy::cast_precision_loss)]
    let even = 1.0 / links.len().max(1) as f64;
    for link in links {
        let part = if all > 0.0 { (link.requests() + link.opened) / all } else { even };
        link.mtls = locks.0 * part;
        link.plaintext = locks.1 * part;
    }
}
