//! The table.

use std::{fmt::Write, time::Duration};

use serde_json::{Value, json};

/// A figure, and what it may be at most.
struct Row {
    what: String,
    value: f64,
    unit: &'static str,
    limit: Option<f64>,
}

/// What was measured, in order.
#[derive(Default)]
pub struct Report(Vec<Row>);

impl Report {
    /// A time in seconds.
    pub fn seconds(&mut self, what: &str, value: Duration, limit: Option<f64>) {
        self.add(what, value.as_secs_f64(), "s", limit);
    }

    /// The middle and the end of times, in milliseconds: `at` is the end's quantile, as of 1. The end has the limit.
    pub fn times(&mut self, what: &str, times: impl IntoIterator<Item = Duration>, at: f64, limit: Option<f64>) {
        let mut times: Vec<f64> = times.into_iter().map(|time| time.as_secs_f64() * 1000.0).collect();
        times.sort_by(f64::total_cmp);
        let quantile = |at: f64| {
            let rank = (times.len() as f64 * at).ceil() as usize;
            times.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
        };
        self.add(&format!("{what}, median"), quantile(0.5), "ms", None);
        let end = if at < 1.0 { format!("p{:.0}", at * 100.0) } else { "worst".to_owned() };
        self.add(&format!("{what}, {end}"), quantile(at), "ms", limit);
    }

    /// Memory, in MiB.
    pub fn memory(&mut self, what: &str, bytes: u64, limit: Option<f64>) {
        self.add(what, bytes as f64 / 1024.0 / 1024.0, "MiB", limit);
    }

    /// Something small, in KiB.
    pub fn size(&mut self, what: &str, bytes: u64, limit: Option<f64>) {
        self.add(what, bytes as f64 / 1024.0, "KiB", limit);
    }

    /// A number of things.
    pub fn count(&mut self, what: &str, count: usize) {
        self.add(what, count as f64, "", None);
    }

    fn add(&mut self, what: &str, value: f64, unit: &'static str, limit: Option<f64>) {
        eprintln!("{what}: {} {unit}", number(value));
        self.0.push(Row { what: what.to_owned(), value, unit, limit });
    }

    /// For people.
    pub fn table(&self) -> String {
        let width = self.0.iter().map(|row| row.what.chars().count()).max().unwrap_or_default();
        let mut text = format!("{:width$}  {:>10}      {:>6}\n", "", "measured", "limit");
        for Row { what, value, unit, limit } in &self.0 {
            let limit = limit.map_or_else(String::new, |limit| {
                format!("{:>6}{}", number(limit), if *value > limit { "  over" } else { "" })
            });
            // Writing into a string cannot fail.
            let _ = writeln!(text, "{}", format!("{what:width$}  {:>10} {unit:4} {limit}", number(*value)).trim_end());
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let row = |row: &Row| json!({ "what": row.what, "value": row.value, "unit": row.unit, "limit": row.limit });
        json!({ "scale": self.0.iter().map(row).collect::<Vec<_>>() })
    }
}

fn number(value: f64) -> String {
    if value == value.trunc() || value >= 1000.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}
