//! The service graph: what proxies counted, merged with what is configured.

mod cache;
mod edges;
mod flow;
mod health;
mod nodes;
mod queries;

pub(crate) use self::queries::tally;
pub use self::{
    cache::GraphCache,
    flow::{Flow, Peer, Reporter},
    health::{error_share, judge},
    queries::{Observed, Quantiles, observe},
};

use weft_model::graph::Graph;

use crate::estate::Estate;

/// Draws the graph of what was observed over one window. Nodes and edges come ordered by id, so equal traffic gives an
/// equal answer.
pub fn draw(observed: &Observed, estate: &Estate) -> Graph {
    let edges = edges::merge(observed, estate);
    let (nodes, edges) = nodes::assemble(edges, observed, estate);
    Graph {
        at_ms: observed.at_ms,
        window_s: observed.window_s,
        nodes,
        edges,
        sources: observed.sources.clone(),
        age_ms: observed.age_ms,
        queries: observed.queries.clone(),
        ..Graph::default()
    }
}

/// Share of requests that were mutual TLS as their destinations report it, 0 to 1; `None` when none reports.
pub fn mtls_share(observed: &Observed) -> Option<f64> {
    let reported = observed.requests.iter().chain(&observed.connections);
    let (mtls, all) =
        reported.filter(|flow| flow.reporter == Reporter::Destination).fold((0.0, 0.0), |(m, a), flow| {
            (m + if flow.mutual_tls() == Some(true) { flow.rate } else { 0.0 }, a + flow.rate)
        });
    (all > 0.0).then(|| mtls / all)
}

#[cfg(test)]
mod tests;
