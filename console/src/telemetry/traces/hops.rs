//! What a span is of a call: an attempt, the hop between two proxies, the work of an application; and what is missing.

use std::collections::HashMap;

use weft_model::{
    metrics::UNKNOWN,
    trace::{Attempt, Part, Span, Tone},
};

use super::tree::Tree;
use crate::estate;

/// How long a proxy waited for the first byte of its peer's answer, in microseconds; ours write it.
pub const UPSTREAM_TIME: &str = "upstream_time_us";
/// Attempts beyond the first.
const RETRIES: &str = "retry.attempts";
/// Response flags of a call that reached nobody.
const NOT_SENT: [&str; 9] = ["UF", "UH", "NR", "NC", "UO", "RL", "UAEX", "FI", "DPE"];

fn attribute<'a>(span: &'a Span, name: &str) -> Option<&'a str> {
    let found = span.attributes.binary_search_by(|(key, _)| key.as_str().cmp(name)).ok()?;
    Some(span.attributes[found].1.as_str()).filter(|value| !value.is_empty() && *value != "-")
}

/// Numbers the attempts of a call: a proxy sends each with the same parent. Some may have reached nobody.
pub(super) fn attempts(tree: &mut Tree) {
    for parent in 0..tree.spans.len() {
        let whole = &tree.spans[parent];
        if whole.kind != "client" {
            continue;
        }
        let told = attribute(whole, RETRIES).and_then(|retries| retries.parse::<usize>().ok());
        let mut peers: Vec<usize> = tree.children[parent].clone();
        peers.retain(|&child| tree.spans[child].kind == "server");
        let made = told.map_or(0, |retries| retries.saturating_add(1)).max(peers.len());
        tree.spans[parent].attempts = made;
        if made < 2 {
            continue;
        }
        peers.sort_by_key(|&child| tree.spans[child].start_us);
        // The last attempts are those that were answered; which of the earlier ones are missing nobody knows.
        let missing = made - peers.len();
        for (index, child) in peers.into_iter().enumerate() {
            tree.spans[child].attempt = Some(Attempt { number: missing + index + 1, of: made });
        }
    }
}

/// Names the call that each span is one of, as the graph names it.
pub(super) fn edges(tree: &mut Tree) {
    for span in &mut tree.spans {
        let end = |namespace: &str, workload: &str| {
            let known = |name: &str| attribute(span, name).filter(|value| *value != UNKNOWN);
            Some(estate::id_of(known(namespace)?, known(workload)?))
        };
        let source = end("source.namespace", "source.workload");
        let destination = end("destination.namespace", "destination.workload");
        if let (Some(source), Some(destination)) = (source, destination) {
            span.edge = format!("{source}->{destination}");
        }
    }
}

/// Whether a call reached a workload whose proxy should have sent a span.
fn awaited(span: &Span) -> Option<String> {
    let flags = attribute(span, "response_flags").unwrap_or_default();
    if span.kind != "client" || flags.split(',').any(|flag| NOT_SENT.contains(&flag.trim())) {
        return None;
    }
    attribute(span, "upstream_address")?;
    span.edge.split_once("->").map(|(_, destination)| destination.to_owned())
}

fn gap(workload: String, name: String, start_us: u64, duration_us: u64) -> Span {
    Span { kind: "gap".into(), workload, name, start_us, duration_us, ..Span::default() }
}

/// Calls to a workload of the mesh that sent no span: a gap for each.
pub(super) fn missing_callees(tree: &Tree) -> HashMap<usize, Span> {
    let calls = tree.spans.iter().enumerate().filter(|(at, _)| {
        // What a library in the application sends stands between both proxies.
        tree.children[*at].iter().all(|&child| tree.spans[child].kind == "internal")
    });
    let gaps = calls.filter_map(|(at, span)| {
        let callee = awaited(span)?;
        let name = format!("{callee} sent no span of this call: it may still come, or its proxy sends none.");
        Some((at, gap(callee, name, span.start_us, span.duration_us)))
    });
    gaps.collect()
}

/// Spans whose parent was not received: a gap above each.
pub(super) fn missing_callers(tree: &Tree) -> HashMap<usize, Span> {
    let gaps = tree.orphans.iter().map(|&at| {
        let span = &tree.spans[at];
        let caller = span.edge.split_once("->").map(|(source, _)| source.to_owned()).unwrap_or_default();
        let caller = if span.kind == "server" { caller } else { span.workload.clone() };
        let who = if caller.is_empty() { "The caller" } else { &caller };
        let name = format!("{who} sent no span that caused this one: it may still come, or nothing there sends spans.");
        (at, gap(caller, name, span.start_us, span.duration_us))
    });
    gaps.collect()
}

/// Says of each span's own time what it was spent on. `silent` are calls whose callee is missing.
pub(super) fn parts(tree: &mut Tree, silent: &HashMap<usize, Span>) {
    for at in 0..tree.spans.len() {
        let free = uncovered(tree, at);
        let own: u64 = free.iter().map(|(from, to)| to - from).sum();
        let (proxy, tone) = spent(tree, at, own, silent.contains_key(&at));
        tree.spans[at].parts = toned(&free, proxy, tone);
    }
}

/// The stretches of a span that none of its children covers.
fn uncovered(tree: &Tree, at: usize) -> Vec<(u64, u64)> {
    let (start, end) = (tree.spans[at].start_us, tree.end(at));
    let mut children: Vec<(u64, u64)> =
        tree.children[at].iter().map(|&child| (tree.spans[child].start_us, tree.end(child))).collect();
    children.sort_unstable();
    let (mut free, mut reached) = (Vec::new(), start);
    for (from, to) in children {
        if from.min(end) > reached {
            free.push((reached, from.min(end)));
        }
        reached = reached.max(to.min(end));
    }
    if end > reached {
        free.push((reached, end));
    }
    free
}

/// How much of a span's own time its proxy took, and what the rest is.
fn spent(tree: &Tree, at: usize, own: u64, silent: bool) -> (u64, Tone) {
    let span = &tree.spans[at];
    let by_proxy = attribute(span, "component") == Some("proxy");
    let waited = attribute(span, UPSTREAM_TIME).and_then(|us| us.parse::<u64>().ok());
    let proxy = waited.map_or(0, |waited| own.min(span.duration_us.saturating_sub(waited)));
    let below = |kind: &str| tree.children[at].iter().any(|&child| tree.spans[child].kind == kind);
    // It answered by itself.
    if by_proxy && tree.children[at].is_empty() && attribute(span, "upstream_address").is_none() {
        return (own, Tone::Proxy);
    }
    match span.kind.as_str() {
        "client" if below("server") || below("client") => (proxy, Tone::Network),
        "client" if silent || by_proxy => (proxy, Tone::Unknown),
        "client" => (0, Tone::Network),
        "server" if by_proxy && below("server") => (own, Tone::Proxy),
        "server" if by_proxy => (proxy, Tone::Application),
        _ => (0, Tone::Application),
    }
}

/// The first `proxy` microseconds are the proxy's: it works before it sends.
fn toned(free: &[(u64, u64)], mut proxy: u64, tone: Tone) -> Vec<Part> {
    let mut parts = Vec::with_capacity(free.len() + 1);
    for &(from, to) in free {
        let first = proxy.min(to - from);
        proxy -= first;
        let stretches = [(Tone::Proxy, from, first), (tone, from + first, to - from - first)];
        let stretches = stretches.into_iter().filter(|(_, _, length)| *length > 0);
        parts.extend(stretches.map(|(tone, start_us, duration_us)| Part { tone, start_us, duration_us }));
    }
    parts
}
