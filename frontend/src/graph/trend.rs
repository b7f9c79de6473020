//! The lines of a node or a call as charts: what is counted together stands together.

use weft_model::{
    details::Chart,
    graph::{Line, SeriesAnswer},
};

/// A chart: its key, its title, and its lines with the words beside them.
type Group = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// The charts of a node, in their order; those of a call are the same without what it sends.
const GROUPS: [Group; 5] = [
    ("requests", "Requests received", &[("rate", "all"), ("errors", "failed"), ("client-errors", "refused (4xx)")]),
    ("duration", "Duration", &[("p50", "p50"), ("p95", "p95"), ("p99", "p99")]),
    ("requests-out", "Requests sent", &[("rate-out", "all"), ("errors-out", "failed")]),
    ("connections", "Connections opened", &[("connections", "all")]),
    ("bytes", "Bytes", &[("bytes-sent", "to it"), ("bytes-received", "from it")]),
];

/// The charts of what was counted at all. A line that was zero throughout says nothing, but for the first of its chart.
pub fn charts(answer: &SeriesAnswer, call: bool) -> Vec<Chart> {
    let line = |(name, words): &(&str, &str)| {
        let line = answer.lines.iter().find(|line| line.name == *name)?;
        Some(Line { name: (*words).to_owned(), ..line.clone() })
    };
    let moved = |line: &Line| line.values.iter().flatten().any(|value| *value > 0.0);
    let chart = |(key, title, names): &Group| {
        let lines: Vec<Line> = names.iter().filter_map(line).collect();
        let title = if call && *key == "requests" { "Requests" } else { title };
        let lines: Vec<Line> = lines
            .into_iter()
            .enumerate()
            .filter(|(index, line)| *index == 0 || moved(line))
            .map(|(_, line)| line)
            .collect();
        lines.iter().any(moved).then(|| Chart { key: (*key).to_owned(), title: title.to_owned(), lines, more: 0 })
    };
    GROUPS.iter().filter_map(chart).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, values: &[Option<f64>]) -> Line {
        Line { name: name.into(), unit: "req/s".into(), values: values.to_vec() }
    }

    #[test]
    fn what_never_moved_is_left_out() {
        let answer = SeriesAnswer {
            lines: vec![
                line("rate", &[None, Some(3.0)]),
                line("errors", &[Some(0.0), Some(0.0)]),
                line("client-errors", &[Some(0.0), Some(0.5)]),
                line("connections", &[Some(0.0), Some(0.0)]),
                line("p95", &[Some(9.0), None]),
            ],
            ..SeriesAnswer::default()
        };
        let charts = charts(&answer, true);
        let names: Vec<(&str, Vec<&str>)> = charts
            .iter()
            .map(|chart| (chart.key.as_str(), chart.lines.iter().map(|line| line.name.as_str()).collect()))
            .collect();
        assert_eq!(names, [("requests", vec!["all", "refused (4xx)"]), ("duration", vec!["p95"])]);
        assert_eq!(charts[0].title, "Requests");
    }
}
