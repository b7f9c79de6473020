//! Where the bars of a trace stand.

use weft_model::trace::{Totals, Trace, Usual};

use crate::format;

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

/// The bar of a time in a trace that starts at `start` and takes `length` microseconds.
pub fn bar(from_us: u64, duration_us: u64, start: u64, length: u64) -> Bar {
    let length = length.max(1) as f64;
    let left = (from_us.saturating_sub(start) as f64 / length * 100.0).clamp(0.0, 100.0);
    Bar { left, width: (duration_us as f64 / length * 100.0).clamp(0.0, 100.0 - left) }
}

/// Own time as words and shares of all of it: what it was spent on, how long, in percent.
pub fn shares(totals: &Totals) -> Vec<(&'static str, u64, f64)> {
    let all = [
        ("application", totals.application_us),
        ("network", totals.network_us),
        ("proxy", totals.proxy_us),
        ("unknown", totals.unknown_us),
    ];
    let sum: f64 = all.iter().map(|(_, us)| *us as f64).sum();
    all.into_iter().filter(|(_, us)| *us > 0).map(|(name, us)| (name, us, us as f64 / sum * 100.0)).collect()
}

/// How a duration compares with what is usual: whether it is slower than 95 of 100, and the words.
pub fn compared(duration_us: u64, usual: &Usual) -> (bool, String) {
    let source = match usual.spans {
        0 => "calls that Prometheus counted".to_owned(),
        spans => format!("{} spans of this operation", format::count(spans as u64)),
    };
    let (p50, p95) = (format::micros(usual.p50_us), format::micros(usual.p95_us));
    let slow = duration_us > usual.p95_us;
    let verdict = if slow {
        format!("Slower than 95 of 100: p95 is {p95}, p50 is {p50}")
    } else if duration_us > usual.p50_us {
        format!("Slower than half of them: p50 is {p50}, p95 is {p95}")
    } else {
        format!("As quick as half of them: p50 is {p50}, p95 is {p95}")
    };
    (slow, format!("{verdict} ({source})."))
}

/// Round positions of the time axis within `length` microseconds, at most `most` of them, the start excluded.
pub fn ticks(length: u64, most: usize) -> Vec<u64> {
    let raw = length as f64 / most.max(1) as f64;
    if raw <= 0.0 {
        return Vec::new();
    }
    let power = 10f64.powi(raw.log10().floor() as i32);
    let factors = [1.0, 2.0, 5.0, 10.0];
    let step = factors.into_iter().map(|factor| factor * power).find(|step| *step >= raw).unwrap_or(raw);
    let step = (step as u64).max(1);
    (1..).map(|index| index * step).take_while(|tick| *tick < length).take(most).collect()
}

#[cfg(test)]
mod tests {
    use weft_model::trace::Span;

    use super::*;

    #[test]
    fn bars_lie_within_the_trace() {
        let span = |start_us| Span { start_us, duration_us: 100, ..Span::default() };
        let trace = Trace { spans: vec![span(1000), span(1050)], ..Trace::default() };
        let (start, length) = extent(&trace);
        assert_eq!((start, length), (1000, 150));
        let second = bar(1050, 100, start, length);
        assert!((second.left - 33.333).abs() < 0.01 && (second.width - 66.666).abs() < 0.01);
        assert_eq!(bar(0, u64::MAX, 1000, 150), Bar { left: 0.0, width: 100.0 });
        assert_eq!(extent(&Trace::default()), (0, 1));
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(1000, 5), [200, 400, 600, 800]);
        assert_eq!(ticks(48_300, 6), [10_000, 20_000, 30_000, 40_000]);
        assert!(ticks(0, 5).is_empty());
        assert!(ticks(1, 5).is_empty());
    }

    #[test]
    fn a_span_is_compared_with_its_like() {
        let usual = Usual { p50_us: 10_000, p95_us: 40_000, spans: 1200 };
        let (slow, words) = compared(41_000, &usual);
        assert!(slow && words == "Slower than 95 of 100: p95 is 40 ms, p50 is 10 ms (1,200 spans of this operation).");
        assert!(!compared(40_000, &usual).0 && !compared(1, &usual).0);
        assert!(compared(1, &Usual { spans: 0, ..usual }).1.contains("Prometheus"));
    }

    #[test]
    fn shares_add_up() {
        let totals = Totals { proxy_us: 1, network_us: 3, application_us: 4, unknown_us: 0 };
        assert_eq!(shares(&totals), [("application", 4, 50.0), ("network", 3, 37.5), ("proxy", 1, 12.5)]);
        assert!(shares(&Totals::default()).is_empty());
    }
}
