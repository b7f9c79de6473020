//! Columns: cycles are broken, then each node stands one to the right of its rightmost caller.

use std::collections::BTreeMap;

use petgraph::{
    Direction,
    algo::{greedy_feedback_arc_set, toposort},
    graph::{DiGraph, NodeIndex},
    visit::EdgeRef,
};

use super::Topology;

/// The column of each node, and the edges turned so that all of them run to the right.
pub fn ranks(topology: &Topology) -> (Vec<usize>, Vec<(usize, usize)>) {
    let mut graph = DiGraph::<(), ()>::from_edges(topology.edges.iter().map(|(a, b)| (*a as u32, *b as u32)));
    while graph.node_count() < topology.nodes.len() {
        graph.add_node(());
    }
    let back: Vec<_> = greedy_feedback_arc_set(&graph).map(|edge| (edge.id(), edge.source(), edge.target())).collect();
    for (_, source, target) in &back {
        graph.add_edge(*target, *source, ());
    }
    // Removing swaps the last edge into the gap, so the highest index goes first.
    let mut ids: Vec<_> = back.iter().map(|(id, ..)| *id).collect();
    ids.sort_unstable();
    for id in ids.into_iter().rev() {
        graph.remove_edge(id);
    }
    let mut ranks = vec![0; topology.nodes.len()];
    // The feedback arcs are turned, so a cycle cannot be left; were there one, all would stand in one column.
    let sorted = toposort(&graph, None).unwrap_or_default();
    for node in &sorted {
        let callers = graph.neighbors_directed(*node, Direction::Incoming);
        ranks[node.index()] = callers.map(|caller| ranks[caller.index()] + 1).max().unwrap_or(0);
    }
    pull_sources(&graph, &mut ranks);
    spread_idle(topology, &graph, &mut ranks);
    let mut edges: Vec<(usize, usize)> =
        graph.edge_references().map(|edge| (edge.source().index(), edge.target().index())).collect();
    edges.sort_unstable();
    edges.dedup();
    (ranks, edges)
}

/// A caller that nobody calls stands just left of whom it calls, not at the far left.
fn pull_sources(graph: &DiGraph<(), ()>, ranks: &mut [usize]) {
    for node in graph.externals(Direction::Incoming) {
        if let Some(nearest) = graph.neighbors(node).map(|called| ranks[called.index()]).min() {
            ranks[node.index()] = nearest.saturating_sub(1);
        }
    }
}

/// Nodes without any calls fill the columns of their namespace in turn; a namespace of nothing else becomes a square.
fn spread_idle(topology: &Topology, graph: &DiGraph<(), ()>, ranks: &mut [usize]) {
    let idle = |index: usize| graph.neighbors_undirected(NodeIndex::new(index)).next().is_none();
    let mut groups: BTreeMap<&str, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (index, (_, namespace)) in topology.nodes.iter().enumerate() {
        let group = groups.entry(namespace).or_default();
        if idle(index) { group.1.push(index) } else { group.0.push(index) }
    }
    for (busy, idle) in groups.values() {
        let first = busy.iter().map(|index| ranks[*index]).min().unwrap_or(0);
        let last = busy.iter().map(|index| ranks[*index]).max();
        let width = last.map_or((idle.len() as f64).sqrt().ceil() as usize, |last| last - first + 1).max(1);
        for (place, index) in idle.iter().enumerate() {
            ranks[*index] = first + place % width;
        }
    }
}
