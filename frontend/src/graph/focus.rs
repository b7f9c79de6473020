//! One node with what leads to it and what it leads to.

use std::collections::{BTreeMap, BTreeSet};

use weft_model::graph::Graph;

use super::fold;

/// The part of `graph` within `hops` calls up and down from a node (or from all nodes of a box, `box:KEY`). Callers
/// of callees are not followed: they have nothing to do with the node.
pub fn around(graph: Graph, id: &str, hops: u8) -> Graph {
    if id.is_empty() {
        return graph;
    }
    let inside = |node: &&weft_model::graph::Node| match fold::folded(id) {
        Some(key) => fold::homes(node).any(|home| home == key),
        None => node.id == id,
    };
    let seeds: BTreeSet<&str> = graph.nodes.iter().filter(inside).map(|node| node.id.as_str()).collect();
    let mut kept = seeds.clone();
    for forward in [true, false] {
        let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for edge in &graph.edges {
            let (from, to) =
                if forward { (&edge.source, &edge.destination) } else { (&edge.destination, &edge.source) };
            next.entry(from).or_default().push(to);
        }
        let (mut seen, mut front) = (seeds.clone(), seeds.clone());
        for _ in 0..hops {
            let reached = front.iter().flat_map(|id| next.get(id).into_iter().flatten().copied());
            front = reached.filter(|id| !seen.contains(id)).collect();
            seen.extend(front.iter().copied());
        }
        kept.extend(seen);
    }
    let kept: BTreeSet<String> = kept.into_iter().map(str::to_owned).collect();
    keep(graph, |id| kept.contains(id))
}

/// The nodes that are wanted, and the calls between them.
pub fn keep(mut graph: Graph, wanted: impl Fn(&str) -> bool) -> Graph {
    graph.nodes.retain(|node| wanted(&node.id));
    let left: BTreeSet<&str> = graph.nodes.iter().map(|node| node.id.as_str()).collect();
    graph.edges.retain(|edge| left.contains(edge.source.as_str()) && left.contains(edge.destination.as_str()));
    graph
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::sample::graph;

    fn ids(id: &str, hops: u8) -> Vec<String> {
        let mesh = graph(&[("a/1", "a/2"), ("a/2", "a/3"), ("a/3", "b/4"), ("b/5", "a/3"), ("b/4", "a/2")], &["c/6"]);
        around(mesh, id, hops).nodes.into_iter().map(|node| node.id).collect()
    }

    #[test]
    fn a_focus_goes_up_and_down_and_not_sideways() {
        assert_eq!(ids("a/2", 1), ["a/1", "a/2", "a/3", "b/4"]);
        assert_eq!(ids("a/1", 1), ["a/1", "a/2"]);
        assert_eq!(ids("a/1", 2), ["a/1", "a/2", "a/3"], "b/5 only shares a callee");
        assert_eq!(ids("c/6", 9), ["c/6"]);
    }

    #[test]
    fn a_namespace_can_be_focused_and_a_missing_node_leaves_nothing() {
        assert_eq!(ids("box:b", 1), ["a/2", "a/3", "b/4", "b/5"]);
        assert!(ids("nowhere/7", 3).is_empty());
        assert_eq!(ids("", 1).len(), 6);
    }
}
