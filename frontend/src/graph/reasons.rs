//! Why requests fail: what their codes and flags say, and which of the objects that apply can be behind it.

use weft_model::{
    ObjectRef,
    config::ConfigRow,
    details::Applies,
    graph::{CodeRate, Edge, Graph, Health, NodeKind},
};

use crate::{format, order::Order, words};

/// Kinds that say who may call, in the order in which a proxy asks them.
pub const POLICIES: [&str; 3] = ["PeerAuthentication", "RequestAuthentication", "AuthorizationPolicy"];

/// The flag of a request that a fault rule delayed. By itself it fails nothing.
const DELAYED: &str = "DI";

/// One way in which requests fail: each that fails is of one of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// The code of the answer; `0` for none.
    pub code: String,
    /// The flags of the proxies that decided, as [`cause`] gives them; empty where the answer is the destination's.
    pub flags: String,
    /// That some or all of them were delayed as well; empty where none was.
    pub delayed: &'static str,
    /// What that means, in sentences.
    pub words: String,
    /// Requests per second.
    pub rate: f64,
    /// Kinds of objects that can be why; empty where configuration has no part in it.
    pub kinds: Vec<&'static str>,
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
    if cause(&most.flags).split(',').any(|flag| !matches!(flag, "" | "URX")) {
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

/// The flags that can be why a request failed, joined as in their label.
pub fn cause(flags: &str) -> String {
    let all = words::response_flags(flags).into_iter().map(|(flag, _)| flag);
    all.filter(|flag| flag != DELAYED).collect::<Vec<_>>().join(",")
}

/// Why requests that were answered by `codes` failed, the most frequent first, when `config` applies to what they called.
pub fn reasons(codes: &[CodeRate], config: &[Applies]) -> Vec<Reason> {
    // Each with the rate of those that were delayed as well.
    let mut all: Vec<(Reason, f64)> = Vec::new();
    for code in codes.iter().filter(|code| code.rate > 0.0) {
        let flags = cause(&code.flags);
        if flags.is_empty() && !failed(&code.code) {
            continue;
        }
        let known = all.iter().position(|(one, _)| one.code == code.code && one.flags == flags);
        let at = known.unwrap_or_else(|| {
            all.push((reason(&code.code, flags, config), 0.0));
            all.len() - 1
        });
        let (one, delayed) = &mut all[at];
        one.rate += code.rate;
        if words::response_flags(&code.flags).iter().any(|(flag, _)| flag == DELAYED) {
            *delayed += code.rate;
        }
    }
    all.order(|(a, _), (b, _)| b.rate.total_cmp(&a.rate));
    let told = |(one, delayed): (Reason, f64)| Reason {
        delayed: match delayed {
            none if none <= 0.0 => "",
            all if all >= one.rate => "all also delayed, DI",
            _ => "some also delayed, DI",
        },
        ..one
    };
    all.into_iter().map(told).collect()
}

fn reason(code: &str, flags: String, config: &[Applies]) -> Reason {
    let told = words::response_flags(&flags);
    let mut kinds: Vec<&'static str> = Vec::new();
    let each = told.iter().map(|(flag, _)| flag.as_str());
    for kind in each.chain(told.is_empty().then_some("")).flat_map(|flag| deciding(flag, code)).copied() {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let words = if told.is_empty() {
        answered(code).to_owned()
    } else {
        told.iter().map(|(_, words)| *words).collect::<Vec<_>>().join(" ")
    };
    let objects = of(&kinds, config);
    Reason { code: code.to_owned(), flags, delayed: "", words, rate: 0.0, kinds, objects }
}

/// Those of some objects that are known to have been made or changed, each with when, the last one first.
pub fn changed(objects: &[Applies], rows: &[ConfigRow]) -> Vec<(ObjectRef, u64)> {
    let same = |a: &ObjectRef, b: &ObjectRef| (&a.kind, &a.namespace, &a.name) == (&b.kind, &b.namespace, &b.name);
    let at = |object: &ObjectRef| rows.iter().find(|row| same(&row.object, object))?.changed_ms;
    let dated = objects.iter().filter_map(|one| Some((one.object.clone(), at(&one.object)?)));
    let mut all: Vec<(ObjectRef, u64)> = dated.collect();
    all.order(|(_, a), (_, b)| b.cmp(a));
    all
}

/// Those that changed at most `span_ms` before the moment `at_ms` that is looked at, or, where that is 0, before now. The
/// clock of whoever says when may be ahead of `now_ms`.
pub fn recent(changed: &[(ObjectRef, u64)], span_ms: u64, at_ms: u64, now_ms: u64) -> Vec<(ObjectRef, u64)> {
    let (to_ms, last_ms) = if at_ms > 0 { (at_ms, at_ms) } else { (now_ms, u64::MAX) };
    let span = to_ms.saturating_sub(span_ms)..=last_ms;
    changed.iter().filter(|(_, at)| span.contains(at)).cloned().collect()
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
mod tests;
