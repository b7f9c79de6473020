use std::collections::{HashMap, HashSet};

use weft_model::trace::{Span, Trace};

/// Orders spans depth first by start time and fills in their depth. A span whose parent was not received stands at
/// depth 0 like a root, and is counted; so does one whose parents form a circle.
pub fn arrange(trace_id: String, mut spans: Vec<Span>) -> Trace {
    spans.sort_by(|a, b| (a.start_us, &a.span_id).cmp(&(b.start_us, &b.span_id)));
    let index: HashMap<&str, usize> = spans.iter().enumerate().map(|(at, span)| (span.span_id.as_str(), at)).collect();
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut roots = Vec::new();
    let mut missing_parents = 0;
    for (at, span) in spans.iter().enumerate() {
        match index.get(span.parent_id.as_str()) {
            Some(&parent) => children.entry(parent).or_default().push(at),
            None => {
                missing_parents += usize::from(!span.parent_id.is_empty());
                roots.push(at);
            }
        }
    }
    let mut order: Vec<(usize, usize)> = Vec::with_capacity(spans.len());
    let mut seen = HashSet::new();
    // Members of a circle hang below no root; the second pass takes them in by start time.
    for start in roots.into_iter().chain(0..spans.len()) {
        let mut stack = vec![(start, 0)];
        while let Some((at, depth)) = stack.pop() {
            if seen.insert(at) {
                order.push((at, depth));
                stack.extend(children.get(&at).into_iter().flatten().rev().map(|&child| (child, depth + 1)));
            }
        }
    }
    let mut held: Vec<Option<Span>> = spans.into_iter().map(Some).collect();
    let take = |(at, depth): (usize, usize)| held.get_mut(at)?.take().map(|span| Span { depth, ..span });
    Trace { trace_id, spans: order.into_iter().filter_map(take).collect(), missing_parents }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: &str, parent: &str, start_us: u64) -> Span {
        Span {
            span_id: id.into(),
            parent_id: parent.into(),
            name: String::new(),
            workload: String::new(),
            kind: "server".into(),
            start_us,
            duration_us: 1,
            error: false,
            depth: 0,
            attributes: Vec::new(),
        }
    }

    fn shape(spans: Vec<Span>) -> (Vec<(String, usize)>, usize) {
        let trace = arrange("t".into(), spans);
        (trace.spans.into_iter().map(|span| (span.span_id, span.depth)).collect(), trace.missing_parents)
    }

    #[test]
    fn children_follow_their_parent_by_start() {
        let (order, missing) =
            shape(vec![span("d", "b", 9), span("c", "a", 3), span("b", "a", 2), span("a", "", 1), span("e", "c", 4)]);
        let expected = [("a", 0), ("b", 1), ("d", 2), ("c", 1), ("e", 2)];
        assert_eq!(order, expected.map(|(id, depth)| (id.to_owned(), depth)));
        assert_eq!(missing, 0);
    }

    #[test]
    fn orphans_and_circles_are_shown() {
        let (order, missing) =
            shape(vec![span("x", "gone", 5), span("p", "q", 1), span("q", "p", 2), span("s", "s", 3)]);
        let expected = [("x", 0), ("p", 0), ("q", 1), ("s", 0)];
        assert_eq!(order, expected.map(|(id, depth)| (id.to_owned(), depth)));
        assert_eq!(missing, 1);
    }
}
