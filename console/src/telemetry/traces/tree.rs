use std::collections::{HashMap, HashSet};

use weft_model::trace::{Span, Tone, Totals, Trace};

use super::{clock, hops};

/// Spans by start time, each below the one that caused it.
#[derive(Debug)]
pub(super) struct Tree {
    pub spans: Vec<Span>,
    /// By span: those directly below it.
    pub children: Vec<Vec<usize>>,
    /// Parents before children.
    pub order: Vec<usize>,
    /// Spans below none, by start time.
    pub tops: Vec<usize>,
    /// Those among them whose parent was not received.
    pub orphans: HashSet<usize>,
}

impl Tree {
    /// Members of a circle hang below whichever of them began first.
    pub(super) fn new(mut spans: Vec<Span>) -> Self {
        spans.sort_by(|a, b| (a.start_us, &a.span_id).cmp(&(b.start_us, &b.span_id)));
        let index: HashMap<&str, usize> =
            spans.iter().enumerate().map(|(at, span)| (span.span_id.as_str(), at)).collect();
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
        let (mut roots, mut orphans) = (Vec::new(), HashSet::new());
        for (at, span) in spans.iter().enumerate() {
            match index.get(span.parent_id.as_str()) {
                Some(&parent) => below[parent].push(at),
                None => {
                    if !span.parent_id.is_empty() {
                        orphans.insert(at);
                    }
                    roots.push(at);
                }
            }
        }
        let mut tree =
            Self { children: vec![Vec::new(); spans.len()], order: Vec::new(), tops: Vec::new(), orphans, spans };
        let mut seen = vec![false; tree.spans.len()];
        for top in roots.into_iter().chain(0..tree.spans.len()) {
            if std::mem::replace(&mut seen[top], true) {
                continue;
            }
            tree.tops.push(top);
            let mut stack = vec![top];
            while let Some(at) = stack.pop() {
                tree.order.push(at);
                for &child in &below[at] {
                    if !std::mem::replace(&mut seen[child], true) {
                        tree.children[at].push(child);
                        stack.push(child);
                    }
                }
            }
        }
        tree
    }

    /// The span's end, microseconds since the epoch.
    pub(super) fn end(&self, at: usize) -> u64 {
        self.spans[at].start_us.saturating_add(self.spans[at].duration_us)
    }

    /// Depth first; what `gaps` gives stands above a span without its parent, or below a call without its callee.
    fn into_spans(mut self, mut above: HashMap<usize, Span>, mut below: HashMap<usize, Span>) -> Vec<Span> {
        for children in &mut self.children {
            children.sort_by_key(|&child| (self.spans[child].start_us, child));
        }
        self.tops.sort_by_key(|&top| (self.spans[top].start_us, top));
        let mut held: Vec<Option<Span>> = std::mem::take(&mut self.spans).into_iter().map(Some).collect();
        let mut out = Vec::with_capacity(held.len());
        for top in std::mem::take(&mut self.tops) {
            let mut stack = vec![(top, 0)];
            if let Some(gap) = above.remove(&top) {
                out.push(gap);
                stack = vec![(top, 1)];
            }
            while let Some((at, depth)) = stack.pop() {
                out.extend(held[at].take().map(|span| Span { depth, ..span }));
                out.extend(below.remove(&at).map(|gap| Span { depth: depth + 1, ..gap }));
                stack.extend(self.children[at].iter().rev().map(|&child| (child, depth + 1)));
            }
        }
        out
    }
}

/// When a trace begins and ends once its clocks are brought together, microseconds since the epoch.
pub fn extent(spans: Vec<Span>) -> Option<(u64, u64)> {
    let mut tree = Tree::new(spans);
    clock::correct(&mut tree);
    let end = (0..tree.spans.len()).map(|at| tree.end(at)).max()?;
    Some((tree.spans.iter().map(|span| span.start_us).min()?, end))
}

/// Orders spans depth first by start time, brings their clocks together, and says of each what its time was spent on.
/// Hops that sent no span become gaps.
pub fn arrange(trace_id: String, spans: Vec<Span>) -> Trace {
    let mut tree = Tree::new(spans);
    clock::correct(&mut tree);
    hops::attempts(&mut tree);
    hops::edges(&mut tree);
    let (above, below) = (hops::missing_callers(&tree), hops::missing_callees(&tree));
    hops::parts(&mut tree, &below);
    let mut totals = Totals::default();
    for part in tree.spans.iter().flat_map(|span| &span.parts) {
        let sum = match part.tone {
            Tone::Proxy => &mut totals.proxy_us,
            Tone::Network => &mut totals.network_us,
            Tone::Application => &mut totals.application_us,
            Tone::Unknown => &mut totals.unknown_us,
        };
        *sum = sum.saturating_add(part.duration_us);
    }
    Trace {
        trace_id,
        missing_parents: tree.orphans.len(),
        gaps: above.len() + below.len(),
        skewed: tree.spans.iter().filter(|span| span.skew_us != 0).count(),
        totals,
        spans: tree.into_spans(above, below),
        links: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
