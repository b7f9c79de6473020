use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{End, Pairs, outside};
use crate::{
    estate::Estate,
    graph::{Flow, Peer},
};

/// Rates by source and host, and by workload, that the source's proxy reports.
pub(super) type Reached = HashMap<(Arc<str>, Arc<str>), Vec<(End, f64)>>;

/// Where requests to the hosts of `strays` went otherwise.
pub(super) fn reached(pairs: &Pairs<'_>, strays: &[&Flow]) -> Reached {
    let hosts: HashSet<&Arc<str>> = strays.iter().map(|flow| &flow.host).collect();
    let mut reached = Reached::new();
    for sides in &pairs.sides {
        let [source, destination] = &sides.ends;
        for (flow, rate) in sides.source.requests.iter().filter(|(flow, _)| hosts.contains(&flow.host)) {
            // What is behind a host of another cluster only its calls tell.
            let cluster: Option<Arc<str>> = source.peer.is_foreign().then(|| source.peer.suffix().into());
            for caller in std::iter::once(source.id.clone()).chain(cluster) {
                let rows = reached.entry((caller, flow.host.clone())).or_default();
                match rows.iter_mut().find(|(end, _)| end.id == destination.id) {
                    Some(row) => row.1 += rate,
                    None => rows.push((destination.clone(), *rate)),
                }
            }
        }
    }
    reached
}

/// A request for which no endpoint was chosen (an injected fault, no healthy endpoint, a full pool) names a host but no
/// workload. It is shared out among the host's workloads as the same caller's other requests are, so that it shows on
/// the edges that it concerns and the edges' sum stays right. A host without workloads is outside the mesh.
pub(super) fn share_out(flow: &Flow, reached: &Reached, source: &Arc<str>, estate: &Estate) -> Vec<(End, f64)> {
    let foreign = flow.source.is_foreign();
    let of = |caller: Arc<str>| reached.get(&(caller, flow.host.clone()));
    let cluster = || foreign.then(|| of(flow.source.suffix().into())).flatten();
    if let Some(rows) = of(source.clone()).or_else(cluster) {
        let all: f64 = rows.iter().map(|(_, rate)| rate).sum();
        if all > 0.0 {
            return rows.iter().map(|(end, rate)| (end.clone(), rate / all)).collect();
        }
    }
    let ids = estate.hosts.get(&*flow.host).map_or(&[][..], Vec::as_slice);
    if ids.is_empty() || foreign {
        return vec![(outside(&flow.host), 1.0)];
    }
    #[allow(clippy::cast_precision_loss)]
    let part = 1.0 / ids.len() as f64;
    ids.iter().map(|id| (End { id: id.as_str().into(), peer: Arc::<Peer>::default() }, part)).collect()
}
