//! The service graph: what proxies counted, merged with what is configured.

mod answers;
mod assemble;
mod cache;
mod clusters;
mod details;
mod drawings;
mod flow;
pub mod health;
mod links;
mod names;
mod observed;
mod places;
mod queries;
mod redact;
pub mod series;

pub use self::{
    answers::{Answer, Answers, Ask, version},
    cache::{GraphCache, Moment, OWN_CLUSTER},
    clusters::Clusters,
    details::{Details, Figures},
    drawings::Drawings,
    flow::{Flow, Peer, Reporter},
    health::error_share,
    observed::{Observed, mtls_share, observe},
    redact::{HIDDEN_ID, redact},
};
pub(crate) use self::{
    links::UNKNOWN_ID,
    names::{clean, tamed, tamed_host},
    observed::tally,
};

use weft_model::graph::{Graph, Sources, View};

use crate::estate::Estate;

/// Most findings that travel with a graph.
const MAX_FINDINGS: usize = 50;

/// Draws one view of what was observed over one window. Nodes and edges come ordered by id, so equal traffic gives an
/// equal answer. `idle` is about what carries no traffic: configured workloads (`None`), nothing (`false`), or
/// configured workloads and silent edges too (`true`).
pub fn draw(observed: &Observed, details: &Details, estate: &Estate, view: View, idle: Option<bool>) -> Graph {
    let links = links::merge(observed, estate);
    let parts = assemble::assemble(view, &links, observed, details, estate, idle);
    Graph {
        at_ms: observed.at_ms,
        window_s: observed.window_s,
        view,
        replay: false,
        nodes: parts.nodes,
        edges: parts.edges,
        boxes: parts.boxes,
        sources: sources(observed, details, estate),
        quantiles: details.quantiles.clone(),
        findings: estate.tolerances.findings.iter().take(MAX_FINDINGS).cloned().collect(),
        age_ms: observed.age_ms,
        queries: observed.queries.iter().chain(&details.queries).cloned().collect(),
    }
}

fn sources(observed: &Observed, details: &Details, estate: &Estate) -> Sources {
    // Details of before say nothing about a Prometheus that does not answer now.
    let none = Sources::default();
    let (first, second) = (&observed.sources, if observed.outdated.is_some() { &none } else { &details.sources });
    let (asked, answered) = (first.asked + second.asked, first.answered + second.answered);
    let missing: Vec<&str> = observed.missing.iter().chain(&details.missing).copied().collect();
    let problem = first.problem.clone().or_else(|| second.problem.clone());
    let mut sources = Sources { asked, answered, problem, words: None, note: note(observed, estate) };
    sources.words = observed::incomplete(&sources, &missing);
    sources
}

/// What a picture without traffic does not tell by itself: it may be one of a mesh that nobody measures.
fn note(observed: &Observed, estate: &Estate) -> Option<String> {
    let known = || estate.workloads.values().any(|workload| workload.listed);
    let unscraped = observed.scraped == Some(false) && known();
    let odd = match observed.odd {
        0 => None,
        1 => Some("One series is left out because its value is no number (NaN)".to_owned()),
        odd => Some(format!("{odd} series are left out because their values are no numbers (NaN)")),
    };
    let odd =
        odd.map(|odd| format!("{odd}: look at what Prometheus scrapes from the proxies, and at its relabelling."));
    let unscraped = unscraped
        .then(|| "Prometheus has no series of this mesh in this window; is it scraping the proxies?".to_owned());
    let notes: Vec<String> = odd.into_iter().chain(unscraped).collect();
    (!notes.is_empty()).then(|| notes.join(" "))
}

/// Leaves what touches one of `namespaces`: nodes in them, and their neighbours.
pub fn within(mut graph: Graph, namespaces: &[String]) -> Graph {
    if namespaces.is_empty() {
        return graph;
    }
    let inside = |node: &&weft_model::graph::Node| namespaces.contains(&node.namespace);
    let own: std::collections::HashSet<String> =
        graph.nodes.iter().filter(inside).map(|node| node.id.clone()).collect();
    graph.edges.retain(|edge| own.contains(&edge.source) || own.contains(&edge.destination));
    let mut kept = own.clone();
    kept.extend(graph.edges.iter().flat_map(|edge| [edge.source.clone(), edge.destination.clone()]));
    graph.nodes.retain(|node| kept.contains(&node.id));
    let parents: std::collections::HashSet<&String> =
        graph.nodes.iter().filter_map(|node| node.parent.as_ref()).collect();
    graph.boxes.retain(|app| parents.contains(&app.id));
    graph
}

#[cfg(test)]
mod tests;
