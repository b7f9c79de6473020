//! Lines over time as SVG paths, and the figures beside their axes. Nothing here touches the browser.

use weft_model::{details::Chart, graph::Line};

use crate::format;

/// A picture of this size, in the units of its view box.
pub const SIZE: (f64, f64) = (480.0, 132.0);

/// The largest value of all lines, rounded up to a figure that reads well; 1 when there is none.
pub fn top(lines: &[Line]) -> f64 {
    let largest = lines.iter().flat_map(|line| line.values.iter().flatten()).copied().fold(0.0, f64::max);
    if largest <= 0.0 || !largest.is_finite() {
        return 1.0;
    }
    // Bytes are written in steps of 1,024, and a round figure is one that is written as such.
    let prefix = if lines.iter().any(|line| line.unit == "B/s") { prefix(largest).0 } else { 1.0 };
    let unit = prefix * 10f64.powi((largest / prefix).log10().floor() as i32);
    [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|step| step * unit).find(|step| *step >= largest).unwrap_or(largest)
}

/// Charts of which that of failures says that none was counted: Prometheus has no series of what never happened. `whole`
/// is whether it answered all that was asked.
pub fn with_zero(mut charts: Vec<Chart>, whole: bool) -> Vec<Chart> {
    let counted = charts.iter().find(|chart| whole && chart.key == "requests" && is_known(chart));
    let zero = counted.and_then(|chart| {
        let at = |index: usize| chart.lines.iter().any(|line| line.values.get(index).is_some_and(Option::is_some));
        let first = chart.lines.first()?;
        let values = (0..first.values.len()).map(|index| at(index).then_some(0.0)).collect();
        Some(Line { name: "failed".to_owned(), unit: first.unit.clone(), values })
    });
    if let (Some(zero), Some(errors)) =
        (zero, charts.iter_mut().find(|chart| chart.key == "errors" && !is_known(chart)))
    {
        errors.lines = vec![zero];
    }
    charts
}

/// Whether anything is known of what a chart shows.
pub fn is_known(chart: &Chart) -> bool {
    chart.lines.iter().any(|line| line.values.iter().any(Option::is_some))
}

/// The path of one line. Where nothing is known it has a gap; a lonely point is a short dash, so that it shows.
pub fn path(values: &[Option<f64>], top: f64) -> String {
    let last = values.len().saturating_sub(1).max(1) as f64;
    let mut path = String::new();
    let mut drawing = false;
    for (index, value) in values.iter().enumerate() {
        let Some(value) = value else {
            drawing = false;
            continue;
        };
        let x = index as f64 / last * SIZE.0;
        let y = SIZE.1 - (value / top).clamp(0.0, 1.0) * SIZE.1;
        let lonely = !drawing && values.get(index + 1).is_none_or(Option::is_none);
        path.push_str(&format!("{}{x:.1} {y:.1}", if drawing { "L" } else { "M" }));
        if lonely {
            path.push_str("h2");
        }
        drawing = true;
    }
    path
}

/// The newest value that is known.
pub fn newest(line: &Line) -> Option<f64> {
    line.values.iter().rev().flatten().next().copied()
}

/// A value with its unit.
pub fn value(value: f64, unit: &str) -> String {
    match unit {
        "ms" => format::millis(value),
        "B/s" => bytes(value) + "/s",
        unit => format!("{} {unit}", format::digits(value)),
    }
}

/// Bytes in the unit that reads best.
pub fn bytes(value: f64) -> String {
    let (size, unit) = prefix(value);
    format!("{} {unit}", format::digits(value / size))
}

/// The size and the name of the unit in which so many bytes read best.
fn prefix(value: f64) -> (f64, &'static str) {
    let (mut size, mut unit) = (1.0, "B");
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if value / size < 999.5 {
            break;
        }
        (size, unit) = (size * 1024.0, larger);
    }
    (size, unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(values: &[Option<f64>]) -> Line {
        Line { name: "x".into(), unit: "ms".into(), values: values.to_vec() }
    }

    #[test]
    fn axes_end_at_round_figures() {
        for (largest, expected) in
            [(0.0, 1.0), (0.7, 1.0), (12.0, 20.0), (21.0, 25.0), (260.0, 500.0), (1000.0, 1000.0)]
        {
            assert!((top(&[line(&[Some(largest)])]) - expected).abs() < 1e-9, "{largest}");
        }
        assert_eq!(top(&[]), 1.0);
        let bytes = Line { unit: "B/s".into(), ..line(&[Some(15_700.0)]) };
        assert_eq!(value(top(&[bytes]), "B/s"), "20 KiB/s");
    }

    #[test]
    fn none_failed_is_not_nothing_counted() {
        let chart = |key: &str, lines: Vec<Line>| Chart { key: key.into(), title: String::new(), lines, more: 0 };
        let counted = || vec![chart("requests", vec![line(&[None, Some(3.0)])]), chart("errors", vec![])];
        assert_eq!(with_zero(counted(), true)[1].lines[0].values, [None, Some(0.0)]);
        assert!(with_zero(counted(), false)[1].lines.is_empty(), "the one that failed may be that of failures");
        let idle = vec![chart("requests", vec![line(&[None, None])]), chart("errors", vec![])];
        assert!(with_zero(idle, true)[1].lines.is_empty());
        let failing = vec![chart("requests", vec![line(&[Some(3.0)])]), chart("errors", vec![line(&[Some(1.0)])])];
        assert_eq!(with_zero(failing, true)[1].lines[0].values, [Some(1.0)]);
    }

    #[test]
    fn a_gap_is_a_gap() {
        assert_eq!(path(&[Some(0.0), Some(1.0), None, Some(0.5)], 1.0), "M0.0 132.0L160.0 0.0M480.0 66.0h2");
        assert_eq!(path(&[None, None], 1.0), "");
        assert_eq!(path(&[], 1.0), "");
    }

    #[test]
    fn values_have_units() {
        assert_eq!(value(1536.0, "B/s"), "1.5 KiB/s");
        assert_eq!(value(12.0, "req/s"), "12 req/s");
        assert_eq!(newest(&line(&[Some(1.0), Some(2.0), None])), Some(2.0));
    }
}
