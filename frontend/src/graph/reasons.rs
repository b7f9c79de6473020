//! Why requests fail: what their codes and flags say, and which of the objects that apply can be behind it.

use weft_model::{
    details::Applies,
    graph::{CodeRate, Edge, Graph, Health, NodeKind},
};

use crate::{format, order::Order, words};

/// Kinds that say who may call, in the order in which a proxy asks them.
pub const POLICIES: [&str; 3] = ["PeerAuthentication", "RequestAuthentication", "AuthorizationPolicy"];

/// One way in which requests fail.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// The code of the answer; `0` for none.
    pub code: String,
    /// The flag of the proxy that decided; empty where the answer is the destination's.
    pub flag: String,
    /// What that means, as a sentence.
    pub words: &'static str,
    /// Requests per second.
    pub rate: f64,
    /// Kinds of objects that can be why; empty where configuration has no part in it.
    pub kinds: &'static [&'static str],
    /// The objects of these kinds that apply.
    pub objects: Vec<Applies>,
}

/// Calls of one node that are told as failing.
const CALLS: usize = 3;

/// The calls of `id` that fail, by their ids: those with the most failures, in the order of `edges`.
pub fn failing(edges: &[Edge], id: &str) -> Vec<String> {
    let mut all: Vec<&Edge> = edges.iter().filter(|edge| edge.source == id && fails(edge)).collect();
    while all.len() > CALLS {
        let least = all.iter().enumerate().min_by(|(_, a), (_, b)| lost(a).total_cmp(&lost(b)));
        let Some((at, _)) = least else { break };
        all.remove(at);
    }
    all.into_iter().map(|edge| edge.id.clone()).collect()
}

/// Calls that are followed to where failures begin.
const HOPS: usize = 6;

/// The call at which the failures of what is selected (`node:ID`, `edge:ID`) begin: along the calls of its own that fail, the
/// one with the most failures each time, to the first whose answer a proxy decided or whose destination has no failing
/// calls. `None` when no call behind it fails.
pub fn begins(edges: &[Edge], selected: &str) -> Option<String> {
    let mut at = match selected.split_once(':')? {
        ("node", id) => id,
        ("edge", id) => {
            let own = edges.iter().find(|edge| edge.id == id)?;
            if !fails(own) || decided(own, edges) {
                return None;
            }
            own.destination.as_str()
        }
        _ => return None,
    };
    let (mut passed, mut found) = (vec![at], None);
    for _ in 0..HOPS {
        let onward = edges.iter().filter(|edge| edge.source == at && fails(edge));
        let onward = onward.filter(|edge| !passed.contains(&edge.destination.as_str()));
        let Some(next) = onward.max_by(|a, b| lost(a).total_cmp(&lost(b))) else { break };
        found = Some(next.id.clone());
        if decided(next, edges) {
            break;
        }
        at = &next.destination;
        passed.push(at);
    }
    found
}

/// Whether what is selected (`node:ID`, `edge:ID`) has to do with a gateway, so that what holds only there holds for it.
pub fn at_gateway(graph: &Graph, selected: &str) -> bool {
    let gateway = |id: &str| {
        let known = graph.nodes.iter().find(|node| node.id == id);
        known.is_some_and(|node| matches!(node.kind, NodeKind::Gateway | NodeKind::Egress))
    };
    match selected.split_once(':') {
        Some(("node", id)) => {
            gateway(id) || graph.edges.iter().any(|edge| edge.destination == id && gateway(&edge.source))
        }
        Some(("edge", id)) => id.split_once("->").is_some_and(|(from, to)| gateway(from) || gateway(to)),
        _ => false,
    }
}

fn fails(edge: &Edge) -> bool {
    matches!(edge.health, Health::Degraded | Health::Failing)
}

/// Whether most of what fails on a call was decided by a proxy: a flag says so, and a refusal that what is called did not
/// get from one that it called itself. Retries that are used up say nothing of what was tried.
fn decided(edge: &Edge, edges: &[Edge]) -> bool {
    let most = edge.codes.iter().filter(|code| code.rate > 0.0 && failed(&code.code));
    let Some(most) = most.max_by(|a, b| a.rate.total_cmp(&b.rate)) else { return false };
    if words::response_flags(&most.flags).iter().any(|(flag, _)| flag != "URX") {
        return true;
    }
    let passed_on = |next: &Edge| {
        next.source == edge.destination && next.codes.iter().any(|code| code.code == most.code && code.rate > 0.0)
    };
    matches!(most.code.as_str(), "401" | "403") && !edges.iter().any(passed_on)
}

/// Requests per second that failed or were refused on a call: health counts both.
fn lost(edge: &Edge) -> f64 {
    edge.rate * (edge.error_share.unwrap_or(0.0) + edge.client_error_share)
}

/// The share that fails and, where there is one, the share that is refused with 4xx: what gives the health beside it.
pub fn failures(errors: Option<f64>, refused: f64) -> String {
    let errors = format::maybe(errors, format::share);
    if refused > 0.0 { format!("{errors} + {} refused", format::share(refused)) } else { errors }
}

/// Why requests that were answered by `codes` failed, the most frequent first, when `config` applies to what they called.
pub fn reasons(codes: &[CodeRate], config: &[Applies]) -> Vec<Reason> {
    let mut all: Vec<Reason> = Vec::new();
    for code in codes.iter().filter(|code| code.rate > 0.0) {
        let flags = words::response_flags(&code.flags);
        let bare = (flags.is_empty() && failed(&code.code)).then(|| (String::new(), answered(&code.code)));
        for (flag, words) in flags.into_iter().chain(bare) {
            let kinds = deciding(&flag, &code.code);
            match all.iter().position(|one| one.code == code.code && one.flag == flag) {
                Some(at) => all[at].rate += code.rate,
                None => all.push(Reason {
                    code: code.code.clone(),
                    words,
                    rate: code.rate,
                    kinds,
                    objects: of(kinds, config),
                    flag,
                }),
            }
        }
    }
    all.order(|a, b| b.rate.total_cmp(&a.rate));
    all
}

/// The objects of some kinds, in the order of the kinds.
pub fn of(kinds: &[&str], config: &[Applies]) -> Vec<Applies> {
    kinds.iter().flat_map(|kind| config.iter().filter(move |one| one.object.kind == **kind)).cloned().collect()
}

fn failed(code: &str) -> bool {
    code == "0" || code.starts_with('4') || code.starts_with('5')
}

/// Kinds of objects that can be why a request ended with a flag, or with a code without one.
fn deciding(flag: &str, code: &str) -> &'static [&'static str] {
    match (flag, code) {
        ("UAEX", _) => &["AuthorizationPolicy", "RequestAuthentication"],
        ("NR", _) => &["VirtualService", "Gateway"],
        ("NC", _) => &["VirtualService", "DestinationRule", "ServiceEntry"],
        ("FI" | "DI" | "UT" | "URX", _) => &["VirtualService"],
        ("UO" | "UH" | "DT" | "SI" | "UMSDR", _) => &["DestinationRule"],
        ("UF" | "UC", _) => &["PeerAuthentication", "DestinationRule"],
        ("", "401") => &["RequestAuthentication"],
        ("", "403") => &["AuthorizationPolicy", "RequestAuthentication"],
        _ => &[],
    }
}

/// What a code means that comes without a flag.
fn answered(code: &str) -> &'static str {
    match code {
        "401" => "Who calls was not known: the application said so, or its proxy refused the request's token.",
        "403" => "It was forbidden: the application said so, or a policy at its proxy.",
        "0" => "There was no answer.",
        _ => "The application answered so; no proxy decided it.",
    }
}

#[cfg(test)]
mod tests {
    use weft_model::{ObjectRef, graph::Node};

    use super::*;

    fn code(code: &str, flags: &str, rate: f64) -> CodeRate {
        CodeRate { code: code.into(), flags: flags.into(), rate, ..CodeRate::default() }
    }

    fn applies(kind: &str, name: &str) -> Applies {
        let object = ObjectRef { kind: kind.into(), name: name.into(), ..ObjectRef::default() };
        Applies { object, ..Applies::default() }
    }

    fn names(objects: &[Applies]) -> Vec<&str> {
        objects.iter().map(|one| one.object.name.as_str()).collect()
    }

    #[test]
    fn a_node_is_told_with_the_calls_on_which_it_fails() {
        let edge = |source: &str, to: &str, health: Health, share: f64| Edge {
            id: format!("{source}->{to}"),
            source: source.into(),
            destination: to.into(),
            rate: 10.0,
            error_share: Some(share),
            health,
            ..Edge::default()
        };
        let mut edges = vec![
            edge("web", "bff", Health::Failing, 1.0),
            edge("bff", "cart", Health::Healthy, 0.0),
            edge("bff", "orders", Health::Failing, 1.0),
            edge("bff", "stock", Health::Degraded, 0.01),
        ];
        assert_eq!(failing(&edges, "bff"), ["bff->orders", "bff->stock"]);
        edges.extend([edge("bff", "a", Health::Failing, 0.5), edge("bff", "b", Health::Failing, 0.4)]);
        assert_eq!(failing(&edges, "bff"), ["bff->orders", "bff->a", "bff->b"], "the least is left out");
        assert!(failing(&edges, "cart").is_empty());
        let refused = Edge { client_error_share: 0.9, ..edge("bff", "payment", Health::Failing, 0.0) };
        edges.push(refused);
        assert_eq!(failing(&edges, "bff"), ["bff->orders", "bff->a", "bff->payment"], "what is refused is lost too");
    }

    fn chain() -> Vec<Edge> {
        let edge = |source: &str, to: &str, codes: Vec<CodeRate>, share: f64| Edge {
            id: format!("{source}->{to}"),
            source: source.into(),
            destination: to.into(),
            rate: 10.0,
            error_share: Some(share),
            health: if share > 0.0 { Health::Failing } else { Health::Healthy },
            codes,
            ..Edge::default()
        };
        let refused = Edge {
            client_error_share: 0.7,
            health: Health::Failing,
            ..edge("order", "payment", vec![code("403", "-", 7.0), code("200", "-", 3.0)], 0.0)
        };
        vec![
            edge("store", "bff", vec![code("500", "-", 6.0), code("200", "-", 4.0)], 0.6),
            edge("store", "images", vec![code("500", "-", 1.0), code("200", "-", 9.0)], 0.1),
            edge("bff", "order", vec![code("500", "URX", 6.0)], 0.6),
            refused,
            edge("payment", "bank", vec![code("200", "-", 3.0)], 0.0),
        ]
    }

    #[test]
    fn failures_are_followed_to_where_they_begin() {
        let mut edges = chain();
        for from in ["node:store", "edge:store->bff", "node:order"] {
            assert_eq!(begins(&edges, from).as_deref(), Some("order->payment"), "{from}");
        }
        for from in ["edge:order->payment", "node:payment", "edge:payment->bank", "", "box:shop"] {
            assert_eq!(begins(&edges, from), None, "{from}");
        }
        edges[0].codes[0].flags = "UT".into();
        assert_eq!(begins(&edges, "node:store").as_deref(), Some("store->bff"), "a proxy decided it there");
    }

    #[test]
    fn a_refusal_that_is_passed_on_and_a_circle_of_calls_lead_on() {
        let mut edges = chain();
        edges[2].codes = vec![code("403", "-", 6.0)];
        assert_eq!(begins(&edges, "node:store").as_deref(), Some("order->payment"), "the application passed it on");
        edges[3].destination = "store".into();
        edges[3].id = "order->store".into();
        edges[3].codes = vec![code("500", "-", 7.0)];
        edges[2].codes = vec![code("500", "-", 6.0)];
        assert_eq!(begins(&edges, "node:store").as_deref(), Some("bff->order"), "it ends where it came from");
    }

    #[test]
    fn what_holds_at_gateways_holds_for_their_calls() {
        let node = |id: &str, kind: NodeKind| Node { id: id.into(), kind, ..Node::default() };
        let nodes = vec![node("edge", NodeKind::Gateway), node("store", NodeKind::Workload)];
        let mut edges = chain();
        edges[1].source = "edge".into();
        edges[1].destination = "store".into();
        let graph = Graph { nodes, edges, ..Graph::default() };
        for from in ["node:edge", "node:store", "edge:edge->store"] {
            assert!(at_gateway(&graph, from), "{from}");
        }
        for from in ["node:bff", "edge:store->bff", ""] {
            assert!(!at_gateway(&graph, from), "{from}");
        }
    }

    #[test]
    fn what_is_refused_is_told_beside_what_fails() {
        assert_eq!(failures(Some(0.0), 0.0), format::share(0.0));
        let told = failures(Some(0.0), 0.68);
        assert!(told.starts_with(&format::share(0.0)) && told.ends_with(&format!("{} refused", format::share(0.68))));
    }

    #[test]
    fn a_refusal_names_the_policies_that_can_be_behind_it() {
        let config = [
            applies("VirtualService", "route"),
            applies("AuthorizationPolicy", "deny-all"),
            applies("RequestAuthentication", "tokens"),
            applies("AuthorizationPolicy", "readers"),
        ];
        let all = reasons(&[code("200", "-", 90.0), code("403", "UAEX", 3.0), code("503", "URX,UF", 7.0)], &config);
        let flags: Vec<&str> = all.iter().map(|one| one.flag.as_str()).collect();
        assert_eq!(flags, ["URX", "UF", "UAEX"], "the most frequent first, each flag for itself");
        assert_eq!(names(&all[0].objects), ["route"]);
        assert!(all[1].objects.is_empty() && !all[1].kinds.is_empty(), "nothing that could be why applies");
        assert_eq!(names(&all[2].objects), ["deny-all", "readers", "tokens"]);
        assert_eq!(all[2].words, "An authorization policy denied the request.");
    }

    #[test]
    fn what_an_application_answers_is_its_own() {
        let config = [applies("AuthorizationPolicy", "readers")];
        let all = reasons(&[code("500", "-", 1.0), code("403", "", 2.0), code("302", "-", 5.0)], &config);
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].code.as_str(), names(&all[0].objects)), ("403", vec!["readers"]));
        assert!(all[1].kinds.is_empty() && all[1].words.contains("application"));
        assert!(reasons(&[code("200", "-", 9.0), code("503", "UO", 0.0)], &config).is_empty(), "nothing fails");
    }

    #[test]
    fn the_same_failure_is_told_once() {
        let all = reasons(&[code("503", "UO", 1.0), code("503", "UO", 2.0)], &[]);
        assert_eq!((all.len(), all[0].rate), (1, 3.0));
    }
}
