//! From the server's graph to what is drawn: scope, protocols, what is hidden, the focus, folded boxes, and what was found.

use std::collections::{BTreeSet, HashMap};

use weft_model::graph::{Edge, Graph, Health, Node};

use super::{
    focus, fold,
    query::{Index, Query, Subject},
    scope,
};
use crate::location::View;

/// Beyond this many nodes namespaces start folded.
pub const LARGE: usize = 60;
/// And until there are as few as these they stay so: a graph about the limit must not change at each refresh.
const SMALL_AGAIN: usize = 50;

/// What is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// Nodes and edges, folded ones among them.
    pub graph: Graph,
    /// All in scope, before anything was hidden, focused or folded: what panels look members up in.
    pub whole: Graph,
    /// Keys of boxes that are shown ([`fold::homes`]), clusters first, and whether each is folded.
    pub boxes: Vec<(String, bool)>,
    /// Whether namespaces are folded by themselves because there are so many nodes.
    pub large: bool,
    /// How many nodes the hide expression takes away.
    pub hidden: usize,
    /// What the find expression matches: ids of drawn nodes and edges. `None` without one.
    pub found: Option<Found>,
    /// Where each node and each edge of `graph` stands in it.
    places: (HashMap<String, usize>, HashMap<String, usize>),
}

impl Picture {
    /// The drawn node of this id.
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.graph.nodes.get(*self.places.0.get(id)?)
    }

    /// Why a node of this id is not drawn.
    pub fn absence(&self, id: &str) -> &'static str {
        if self.whole.nodes.iter().any(|node| node.id == id) {
            "It is not drawn: what is hidden, left out or folded, or the focus, leaves it out."
        } else {
            "It is not in this view of the graph: another view, window or scope may have it. Here it is neither configured \
             nor called."
        }
    }

    /// The drawn edge of this id.
    pub fn edge(&self, id: &str) -> Option<&Edge> {
        self.graph.edges.get(*self.places.1.get(id)?)
    }
}

/// What an expression matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Ids of nodes.
    pub nodes: BTreeSet<String>,
    /// Ids of edges.
    pub edges: BTreeSet<String>,
}

/// Makes the picture. `own` is the name of the console's own cluster; `was_large` is what the picture before it said.
pub fn picture(
    graph: &Graph,
    view: &View,
    own: &str,
    find: Option<&Query>,
    hide: Option<&Query>,
    was_large: bool,
) -> Picture {
    let mut whole = scope::within(graph, view);
    // Before the first figures, nothing says that nothing came.
    if graph.replay && graph.nodes.iter().all(|node| matches!(node.health, Health::Idle | Health::Unknown)) {
        whole.nodes.iter_mut().for_each(|node| node.health = Health::Unknown);
    }
    let mut shown = whole.clone();
    let choice = &view.graph;
    shown.edges.retain(|edge| !choice.without.contains(&edge.protocol));
    if !choice.idle {
        shown = without_idle(shown);
    }
    let before = shown.nodes.len();
    if let Some(query) = hide {
        shown = without(shown, own, query);
    }
    let hidden = before - shown.nodes.len();
    shown = focus::around(shown, &choice.focus, choice.hops);
    let found = find.map(|query| matching(&shown, own, query));
    let large = shown.nodes.len() > if was_large { SMALL_AGAIN } else { LARGE };
    let clusters: BTreeSet<String> =
        shown.nodes.iter().filter(|node| !node.cluster.is_empty()).map(|node| fold::cluster(&node.cluster)).collect();
    let names: BTreeSet<String> = shown.nodes.iter().filter_map(fold::namespace).collect();
    // One box alone, folded, would say nothing.
    let by_itself = large && names.len() > 1;
    // A cluster is folded by name only: of so few nodes nothing could be read.
    let clusters = clusters.into_iter().map(|key| (choice.folded.contains(&key), key));
    let names = names.into_iter().map(|key| (choice.is_folded(&key, by_itself), key));
    let boxes: Vec<(String, bool)> = clusters.chain(names).map(|(folded, key)| (key, folded)).collect();
    let folded: BTreeSet<String> = boxes.iter().filter(|(_, folded)| *folded).map(|(name, _)| name.clone()).collect();
    let found = found.map(|found| through(&shown, &folded, found));
    let graph = fold::fold(shown, &folded);
    let nodes = graph.nodes.iter().enumerate().map(|(index, node)| (node.id.clone(), index)).collect();
    let edges = graph.edges.iter().enumerate().map(|(index, edge)| (edge.id.clone(), index)).collect();
    Picture { graph, whole, boxes, large: by_itself, hidden, found, places: (nodes, edges) }
}

/// Only nodes and calls with traffic.
fn without_idle(mut graph: Graph) -> Graph {
    graph.edges.retain(|edge| edge.rate > 0.0 || edge.bytes_sent + edge.bytes_received > 0.0);
    let busy: BTreeSet<String> =
        graph.edges.iter().flat_map(|edge| [edge.source.clone(), edge.destination.clone()]).collect();
    focus::keep(graph, |id| busy.contains(id))
}

/// What does not match; a node leaves with its calls.
fn without(mut graph: Graph, own: &str, query: &Query) -> Graph {
    let hidden = matching(&graph, own, query);
    graph.edges.retain(|edge| !hidden.edges.contains(&edge.id));
    focus::keep(graph, |id| !hidden.nodes.contains(id))
}

/// What a query matches.
fn matching(graph: &Graph, own: &str, query: &Query) -> Found {
    let index = Index::new(graph).within(own);
    let nodes = graph.nodes.iter().filter(|node| query.matches(Subject::Node(node, &index)));
    let edges = graph.edges.iter().filter(|edge| query.matches(Subject::Edge(edge, &index)));
    Found { nodes: nodes.map(|node| node.id.clone()).collect(), edges: edges.map(|edge| edge.id.clone()).collect() }
}

/// What was found, by the names that it has once boxes are folded.
fn through(graph: &Graph, folded: &BTreeSet<String>, found: Found) -> Found {
    if folded.is_empty() {
        return found;
    }
    let home = |id: &str| {
        let node = graph.nodes.iter().find(|node| node.id == id);
        node.and_then(|node| fold::home(node, folded)).map_or_else(|| id.to_owned(), |key| fold::id(&key))
    };
    let edges = graph.edges.iter().filter(|edge| found.edges.contains(&edge.id));
    let edges = edges.map(|edge| format!("{}->{}", home(&edge.source), home(&edge.destination)));
    Found { edges: edges.collect(), nodes: found.nodes.iter().map(|id| home(id)).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{graph::sample, location::graph::GraphView};

    fn picture(graph: &Graph, view: &View, find: Option<&Query>, hide: Option<&Query>, was_large: bool) -> Picture {
        super::picture(graph, view, "east", find, hide, was_large)
    }

    fn many(count: usize) -> Graph {
        let names: Vec<String> = (0..count).map(|index| format!("ns{}/w{index:03}", index % 5)).collect();
        let edges: Vec<(&str, &str)> = names.windows(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
        sample::graph(&edges, &[])
    }

    fn view(change: impl FnOnce(&mut GraphView)) -> View {
        let mut view = View::default();
        change(&mut view.graph);
        view
    }

    fn query(text: &str) -> Option<Query> {
        Query::parse(text).unwrap()
    }

    #[test]
    fn a_large_graph_starts_folded_and_a_box_can_be_opened() {
        let graph = many(80);
        let shown = picture(&graph, &View::default(), None, None, false);
        assert!(shown.large && shown.graph.nodes.len() == 5);
        let open = picture(&graph, &view(|graph| graph.fold("ns1", false)), None, None, false);
        assert_eq!(open.graph.nodes.len(), 4 + 16);
        let all = picture(&graph, &view(|graph| graph.fold_all(false)), None, None, false);
        assert_eq!(all.graph.nodes.len(), 80);
        assert!(!picture(&many(60), &View::default(), None, None, false).large);
    }

    #[test]
    fn about_the_limit_the_picture_stays_as_it_was() {
        assert!(!picture(&many(55), &View::default(), None, None, false).large);
        assert!(picture(&many(55), &View::default(), None, None, true).large);
        assert!(!picture(&many(50), &View::default(), None, None, true).large);
    }

    #[test]
    fn what_is_not_drawn_says_why() {
        let hide = query("ns = ns1");
        let shown = picture(&many(5), &View::default(), None, hide.as_ref(), false);
        assert!(shown.node("ns1/w001").is_none());
        assert!(shown.absence("ns1/w001").starts_with("It is not drawn"));
        assert!(shown.absence("app:ns1/w001").contains("another view"));
    }

    #[test]
    fn a_focus_is_not_folded() {
        let shown = picture(&many(80), &view(|graph| graph.focus = "ns2/w042".into()), None, None, true);
        assert_eq!(shown.graph.nodes.len(), 3);
        assert!(!shown.large);
    }

    #[test]
    fn what_is_hidden_leaves_with_its_edges() {
        let graph = many(10);
        let shown = picture(&graph, &View::default(), None, query("ns = ns1").as_ref(), false);
        assert_eq!((shown.graph.nodes.len(), shown.hidden, shown.whole.nodes.len()), (8, 2, 10));
        assert!(shown.graph.edges.iter().all(|edge| !edge.id.contains("ns1/")));
    }

    #[test]
    fn what_is_found_is_found_in_a_folded_box() {
        let shown = picture(&many(80), &View::default(), query("name = w042").as_ref(), None, false);
        assert_eq!(shown.found.unwrap().nodes.into_iter().collect::<Vec<_>>(), ["box:ns2"]);
    }

    /// The second half of them is in the cluster `west`, the rest in the console's own.
    fn two_clusters(count: usize) -> Graph {
        let mut graph = many(count);
        let names: std::collections::HashMap<String, String> = graph
            .nodes
            .iter()
            .filter(|node| node.workload.as_str() >= format!("w{:03}", count / 2).as_str())
            .map(|node| (node.id.clone(), format!("{}@west", node.id)))
            .collect();
        let renamed = |id: &mut String| {
            if let Some(name) = names.get(id.as_str()) {
                id.clone_from(name);
            }
        };
        for node in &mut graph.nodes {
            renamed(&mut node.id);
            node.cluster = if node.id.ends_with("@west") { "west" } else { "east" }.to_owned();
        }
        for edge in &mut graph.edges {
            renamed(&mut edge.source);
            renamed(&mut edge.destination);
            edge.id = format!("{}->{}", edge.source, edge.destination);
        }
        graph
    }

    #[test]
    fn clusters_are_boxes_around_namespaces_and_fold_by_name() {
        let graph = two_clusters(20);
        let shown = picture(&graph, &View::default(), None, None, false);
        let keys: Vec<&str> = shown.boxes.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys[..2], ["@east", "@west"]);
        assert!(keys.contains(&"ns1") && keys.contains(&"ns1@west") && keys.len() == 12, "{keys:?}");
        let west = view(|graph| graph.fold("@west", true));
        let folded = picture(&graph, &west, query("cluster = west").as_ref(), None, false);
        assert_eq!(folded.graph.nodes.len(), 10 + 1);
        assert_eq!(folded.found.unwrap().nodes.into_iter().collect::<Vec<_>>(), ["box:@west"]);
        // What folds all namespaces leaves clusters open.
        let all = picture(&graph, &view(|graph| graph.fold_all(true)), None, None, false);
        assert_eq!((all.graph.nodes.len(), &all.boxes[0]), (10, &("@east".to_owned(), false)));
        // With one cluster there is no box around everything, however many nodes there are.
        assert!(picture(&many(80), &west, None, None, false).boxes.iter().all(|(key, _)| !key.starts_with('@')));
    }

    #[test]
    fn clusters_are_found_and_hidden_with_one_and_with_several() {
        let graph = two_clusters(20);
        let hidden = picture(&graph, &View::default(), None, query("cluster = west").as_ref(), false);
        assert_eq!((hidden.graph.nodes.len(), hidden.hidden), (10, 10));
        let across =
            picture(&graph, &View::default(), query("from.cluster = east and to.cluster = west").as_ref(), None, false);
        assert_eq!(across.found.unwrap().edges.len(), 1);
        let of = |text: &str| {
            picture(&many(10), &View::default(), query(text).as_ref(), None, false).found.unwrap().nodes.len()
        };
        assert_eq!((of("cluster = East"), of("cluster = west"), of("cluster != east")), (10, 0, 0));
        let focus = picture(&graph, &view(|graph| graph.focus = "box:@west".into()), None, None, false);
        assert_eq!(focus.graph.nodes.len(), 10 + 1, "and who calls it");
    }

    #[test]
    fn before_the_first_figures_a_replay_knows_nothing() {
        let mut graph = many(4);
        graph.edges.clear();
        graph.nodes.iter_mut().for_each(|node| node.health = Health::Idle);
        let health = |graph: &Graph| {
            let shown = picture(graph, &View::default(), None, None, false);
            shown.graph.nodes.into_iter().map(|node| node.health).collect::<Vec<_>>()
        };
        assert_eq!(health(&graph), [Health::Idle; 4], "now, nothing comes");
        graph.replay = true;
        assert_eq!(health(&graph), [Health::Unknown; 4]);
        graph.nodes[0].health = Health::Healthy;
        assert_eq!(health(&graph)[1], Health::Idle, "something was counted by then");
    }

    #[test]
    fn idle_and_protocols_are_left_out_on_request() {
        let mut graph = many(4);
        graph.edges[0].rate = 0.0;
        graph.edges[1].protocol = "tcp".into();
        let busy = picture(&graph, &view(|graph| graph.idle = false), None, None, false);
        assert_eq!((busy.graph.nodes.len(), busy.graph.edges.len()), (3, 2));
        let http = picture(&graph, &view(|graph| graph.without = vec!["tcp".into()]), None, None, false);
        assert_eq!((http.graph.nodes.len(), http.graph.edges.len()), (4, 2));
    }
}
