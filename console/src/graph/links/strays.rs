use std::{collections::HashSet, sync::Arc};

use weft_model::graph::{SERVICE, UNREACHED};

use super::{End, outside};
use crate::{
    estate::Estate,
    graph::{Flow, Peer},
};

/// Hosts that were reached otherwise, each with the callers' cluster (empty for the console's own).
pub(super) type Reached<'a> = HashSet<(&'a str, &'a str)>;

fn cluster(flow: &Flow) -> &str {
    if flow.source.is_foreign() { &flow.source.cluster } else { "" }
}

/// Whether a workload is known to have taken it.
pub(super) fn arrived(flow: &Flow) -> bool {
    !flow.destination.id.is_empty()
}

/// Which hosts of what did not arrive have workloads after all: other calls tell, of another cluster they alone.
pub(super) fn reached<'a>(all: impl Iterator<Item = &'a Flow> + Clone) -> Reached<'a> {
    let strays: HashSet<&str> = all.clone().filter(|flow| !arrived(flow)).map(|flow| &*flow.host).collect();
    let others = all.filter(|flow| arrived(flow) && strays.contains(&*flow.host));
    others.map(|flow| (cluster(flow), &*flow.host)).collect()
}

/// Where a request belongs for which no endpoint was chosen (no such subset, no healthy endpoint, an injected fault): to
/// the service that it was asked of, and to none of its workloads, which never saw it. A host that is no service of the
/// mesh is outside.
pub(super) fn nowhere(flow: &Flow, reached: &Reached<'_>, estate: &Estate) -> End {
    let (host, suffix) = (&*flow.host, flow.source.suffix());
    let known = estate.hosts.get(host).filter(|_| suffix.is_empty());
    let behind = known.is_some_and(|workloads| !workloads.is_empty());
    // What was answered came somewhere, be it to an endpoint that no workload of the mesh stands for.
    let failed = !matches!(&*flow.flags, "" | "-");
    let named = known.is_some() || reached.contains(&(cluster(flow), host));
    if host.is_empty() || !(behind || (failed && named && estate.external(host).is_none())) {
        return outside(host);
    }
    let id: Arc<str> = format!("{SERVICE}{host}{UNREACHED}{suffix}").into();
    let cluster: Arc<str> = cluster(flow).into();
    End { id: id.clone(), peer: Arc::new(Peer { cluster, id, ..Peer::default() }) }
}
