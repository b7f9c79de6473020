//! Clocks of different machines brought together. A call cannot begin before the one that caused it; where spans say so,
//! the callee's clock is off, and its spans are moved to the middle of the call, as Jaeger does.

use std::collections::BTreeMap;

use super::tree::Tree;

/// How much too early a span may begin, in microseconds, before a clock is called off: clocks of one machine agree.
pub const EARLY_US: u64 = 1000;
/// How much too late it may end: the last bytes of an answer are often read before the sender has written its span.
const LATE_US: u64 = 10_000;

/// Moves spans whose sender's clock is off, and writes down by how much.
pub(super) fn correct(tree: &mut Tree) {
    // By how much each span is moved; a workload's spans below one another share its clock.
    let mut shifts = vec![0i64; tree.spans.len()];
    for &parent in &tree.order {
        let (shift, whole) = (shifts[parent], &tree.spans[parent]);
        let start = whole.start_us.saturating_add_signed(shift);
        let call = (start, start.saturating_add(whole.duration_us));
        let mut others: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for &child in &tree.children[parent] {
            if tree.spans[child].workload == whole.workload {
                shifts[child] = shift;
            } else {
                others.entry(&tree.spans[child].workload).or_default().push(child);
            }
        }
        for children in others.into_values() {
            // Attempts of one call keep their distances.
            let from = children.iter().map(|&child| tree.spans[child].start_us).min().unwrap_or_default();
            let to = children.iter().map(|&child| tree.end(child)).max().unwrap_or_default();
            let moved = needed(call, (from, to), whole.error);
            for child in children {
                shifts[child] = moved;
            }
        }
    }
    for (span, shift) in tree.spans.iter_mut().zip(shifts) {
        span.start_us = span.start_us.saturating_add_signed(shift);
        span.skew_us = shift;
    }
}

/// By how much what a callee says (start, end) is to be moved to lie within the call; 0 when it can be true.
fn needed(call: (u64, u64), callee: (u64, u64), gave_up: bool) -> i64 {
    let length = callee.1.saturating_sub(callee.0);
    let room = (call.1 - call.0).checked_sub(length);
    let early = callee.0.saturating_add(EARLY_US) < call.0;
    // A caller that gave up leaves its callee at work; so does one that does not wait for the end.
    let late = callee.1 > call.1.saturating_add(LATE_US) && !gave_up && room.is_some();
    if !early && !late {
        return 0;
    }
    let wanted = call.0.saturating_add(room.unwrap_or(0) / 2);
    let difference = i128::from(wanted) - i128::from(callee.0);
    i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use weft_model::trace::Span;

    use super::*;

    fn span(id: &str, parent: &str, workload: &str, start_ms: u64, duration_ms: u64) -> Span {
        Span {
            span_id: id.into(),
            parent_id: parent.into(),
            workload: workload.into(),
            start_us: start_ms * 1000,
            duration_us: duration_ms * 1000,
            ..Span::default()
        }
    }

    /// Start and shift of each span in milliseconds, by id.
    fn corrected(spans: Vec<Span>) -> Vec<(String, u64, i64)> {
        let mut tree = Tree::new(spans);
        correct(&mut tree);
        let mut all: Vec<_> =
            tree.spans.into_iter().map(|span| (span.span_id, span.start_us / 1000, span.skew_us / 1000)).collect();
        all.sort();
        all
    }

    fn named(expected: &[(&str, u64, i64)]) -> Vec<(String, u64, i64)> {
        expected.iter().map(|&(id, start, shift)| (id.to_owned(), start, shift)).collect()
    }

    #[test]
    fn a_callee_ahead_or_behind_is_moved_with_what_it_does() {
        for off in [-5000i64, 5000] {
            let at = |ms: u64| ms.saturating_add_signed(off);
            let spans = vec![
                span("a", "", "shop/web", 10_000, 100),
                span("b", "a", "shop/cart", at(10_010), 60),
                span("c", "b", "shop/cart", at(10_020), 30),
                span("d", "c", "shop/stock", 10_035, 10),
            ];
            let expected = [("a", 10_000, 0), ("b", 10_020, 10 - off), ("c", 10_030, 10 - off), ("d", 10_035, 0)];
            assert_eq!(corrected(spans), named(&expected), "{off}");
        }
    }

    #[test]
    fn attempts_keep_their_distances() {
        let spans = vec![
            span("a", "", "shop/web", 1000, 100),
            span("b", "a", "shop/cart", 510, 20),
            span("c", "a", "shop/cart", 540, 20),
        ];
        assert_eq!(corrected(spans), named(&[("a", 1000, 0), ("b", 1025, 515), ("c", 1055, 515)]));
    }

    #[test]
    fn what_can_be_true_is_left_alone() {
        let mut gave_up = span("a", "", "shop/web", 1000, 100);
        gave_up.error = true;
        assert_eq!(corrected(vec![gave_up, span("b", "a", "shop/cart", 1050, 90)])[1].2, 0, "after a timeout");
        let longer = vec![span("a", "", "shop/web", 1000, 100), span("b", "a", "shop/cart", 1001, 900)];
        assert_eq!(corrected(longer)[1].2, 0, "not waited for");
        let near = vec![span("a", "", "shop/web", 1000, 100), span("b", "a", "shop/cart", 1005, 100)];
        assert_eq!(corrected(near)[1].2, 0, "the last bytes");
        let one = vec![span("a", "", "shop/web", 1000, 100), span("b", "a", "shop/web", 10, 10)];
        assert_eq!(corrected(one)[1].2, 0, "one clock");
    }

    #[test]
    fn extremes_do_no_harm() {
        let mut last = span("a", "", "x", 0, 0);
        (last.start_us, last.duration_us) = (u64::MAX, u64::MAX);
        corrected(vec![last.clone(), span("b", "a", "y", 0, 1)]);
        last.span_id = "c".into();
        last.parent_id = "d".into();
        corrected(vec![span("d", "", "x", 0, 1), last]);
    }
}
