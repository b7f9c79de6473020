//! The Prometheus text exposition (version 0.0.4) of everything that the proxy counts.

mod process;
mod standard;

use std::fmt::{Display, Write};

pub(super) use standard::{request_labels, route_labels, tcp_labels};

use crate::state::Shared;

/// Writes all metrics.
pub fn exposition(shared: &Shared, worker_loads: &[usize]) -> String {
    let mut text = Text::default();
    standard::write(&mut text, &shared.stats);
    process::write(&mut text, shared, worker_loads);
    text.0
}

/// The text as it grows.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    /// Begins a metric family.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Writes one sample; `labels` is already `a="b",c="d"`, or empty.
    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = match labels.is_empty() {
            true => writeln!(self.0, "{name} {value}"),
            false => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    /// A family with one sample and no labels.
    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, "", value);
    }
}

/// Adds `name="value"` with the escapes that the format asks for.
pub(super) fn label(labels: &mut String, name: &str, value: &str) {
    if !labels.is_empty() {
        labels.push(',');
    }
    labels.push_str(name);
    labels.push_str("=\"");
    for c in value.chars() {
        match c {
            '\\' => labels.push_str("\\\\"),
            '"' => labels.push_str("\\\""),
            '\n' => labels.push_str("\\n"),
            c => labels.push(c),
        }
    }
    labels.push('"');
}
