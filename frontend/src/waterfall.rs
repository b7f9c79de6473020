//! Where the bars of a trace stand, and what the time between them was.

use weft_model::trace::{Span, Trace};

/// A bar, in percent of the whole trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Left edge, 0 to 100.
    pub left: f64,
    /// Width, 0 to 100; the page draws at least a hairline.
    pub width: f64,
}

/// Start and length of a trace, in microseconds.
pub fn extent(trace: &Trace) -> (u64, u64) {
    let start = trace.spans.iter().map(|span| span.start_us).min().unwrap_or(0);
    let end = trace.spans.iter().map(|span| span.start_us.saturating_add(span.duration_us)).max().unwrap_or(start);
    (start, (end - start).max(1))
}

/// The bar of `span` in a trace that starts at `start` and takes `length` microseconds.
pub fn bar(span: &Span, start: u64, length: u64) -> Bar {
    let length = length.max(1) as f64;
    let left = (span.start_us.saturating_sub(start) as f64 / length * 100.0).clamp(0.0, 100.0);
    Bar { left, width: (span.duration_us as f64 / length * 100.0).clamp(0.0, 100.0 - left) }
}

/// Round positions of the time axis within `length` microseconds, at most `most` of them, the start excluded.
pub fn ticks(length: u64, most: usize) -> Vec<u64> {
    let raw = length as f64 / most.max(1) as f64;
    if raw <= 0.0 {
        return Vec::new();
    }
    let power = 10f64.powf(raw.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let step = factors.into_iter().map(|factor| factor * power).find(|step| *step >= raw).unwrap_or(raw);
    let step = (step as u64).max(1);
    (1..).map(|index| index * step).take_while(|tick| *tick < length).take(most).collect()
}

/// Microseconds of `span` that none of its children cover: for a server span the application and what it waited for,
/// for a client span the network and both proxies.
pub fn own_time(trace: &Trace, span: &Span) -> u64 {
    let (start, end) = (span.start_us, span.start_us.saturating_add(span.duration_us));
    let mut children: Vec<(u64, u64)> = trace
        .spans
        .iter()
        .filter(|child| child.parent_id == span.span_id && !span.span_id.is_empty())
        .map(|child| (child.start_us.max(start), child.start_us.saturating_add(child.duration_us).min(end)))
        .filter(|(from, to)| from < to)
        .collect();
    children.sort_unstable();
    let (mut covered, mut reached) = (0, start);
    for (from, to) in children {
        covered += to.saturating_sub(from.max(reached));
        reached = reached.max(to);
    }
    span.duration_us.saturating_sub(covered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: &str, parent: &str, start_us: u64, duration_us: u64) -> Span {
        Span {
            span_id: id.into(),
            parent_id: parent.into(),
            name: id.into(),
            workload: "a/b".into(),
            kind: "client".into(),
            start_us,
            duration_us,
            error: false,
            depth: 0,
            attributes: vec![],
        }
    }

    #[test]
    fn bars_lie_within_the_trace() {
        let spans = vec![span("a", "", 1000, 100), span("b", "a", 1050, 100)];
        let trace = Trace { trace_id: "t".into(), spans, missing_parents: 0 };
        let (start, length) = extent(&trace);
        assert_eq!((start, length), (1000, 150));
        let bar = bar(&trace.spans[1], start, length);
        assert!((bar.left - 33.333).abs() < 0.01 && (bar.width - 66.666).abs() < 0.01);
        assert_eq!(extent(&Trace { trace_id: String::new(), spans: vec![], missing_parents: 0 }), (0, 1));
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(1000, 5), [200, 400, 600, 800]);
        assert_eq!(ticks(48_300, 6), [10_000, 20_000, 30_000, 40_000]);
        assert!(ticks(0, 5).is_empty());
        assert!(ticks(1, 5).is_empty());
    }

    #[test]
    fn overlapping_children_are_counted_once() {
        let spans = vec![span("a", "", 0, 100), span("b", "a", 10, 30), span("c", "a", 20, 40), span("d", "a", 90, 50)];
        let trace = Trace { trace_id: "t".into(), spans, missing_parents: 0 };
        assert_eq!(own_time(&trace, &trace.spans[0]), 40);
    }
}
