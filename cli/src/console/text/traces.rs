//! Traces, in a list and span by span.

use std::fmt::Write as _;

use weft_model::trace::{Heat, Span, Trace, TraceList};

use super::{figure, moment, note, table};

/// The deepest indentation that is drawn.
const DEEPEST: usize = 20;

fn micros(value: u64) -> String {
    format!("{} ms", figure(value as f64 / 1000.0))
}

/// The newest first.
pub fn list(list: &TraceList) -> String {
    let head = ["STARTED", "TRACE", "DURATION", "SPANS", "RESULT", "ENTERED AT", "OPERATION"];
    let rows = list.traces.iter().map(|row| {
        vec![
            moment(row.start_us / 1000),
            row.trace_id.clone(),
            micros(row.duration_us),
            row.spans.to_string(),
            if row.error { "FAILED" } else { "ok" }.to_owned(),
            row.workload.clone(),
            row.root.clone(),
        ]
    });
    table(&head, rows.collect(), "No trace fits.") + &note(list.note.as_deref())
}

/// How many there are by time and duration, where there are any.
pub fn heat(heat: &Heat) -> String {
    let step = heat.to_ms.saturating_sub(heat.from_ms) / (heat.columns as u64).max(1);
    let border = |row: usize| heat.borders_us.get(row).copied().map(micros).unwrap_or_default();
    let rows = heat.cells.iter().map(|cell| {
        vec![
            moment(heat.from_ms.saturating_add(step.saturating_mul(cell.column as u64))),
            format!("{} to {}", border(cell.row), border(cell.row + 1)),
            cell.traces.to_string(),
            if cell.errors > 0 { cell.errors.to_string() } else { String::new() },
        ]
    });
    let mut text = table(&["FROM", "DURATION", "TRACES", "FAILED"], rows.collect(), "No trace fits.");
    if heat.cut {
        let _ = write!(
            text,
            "
These are the newest {}: there are more.\n",
            heat.counted
        );
    }
    text + &note(heat.note.as_deref())
}

/// Depth first, each span below the one that called it.
pub fn trace(trace: &Trace) -> String {
    let start = trace.spans.iter().map(|span| span.start_us).min().unwrap_or_default();
    let head = ["AT", "DURATION", "USUAL P95", "KIND", "WORKLOAD", "RESULT", "OPERATION"];
    let rows = trace.spans.iter().map(|span| row(span, start)).collect();
    let mut text = format!("Trace {}, begun {}\n\n", super::clean(&trace.trace_id), moment(start / 1000));
    text.push_str(&table(&head, rows, "No span of it is kept."));
    let totals = &trace.totals;
    let _ = write!(
        text,
        "\nProxies {}, network {}, application {}, not told {}\n",
        micros(totals.proxy_us),
        micros(totals.network_us),
        micros(totals.application_us),
        micros(totals.unknown_us)
    );
    let wrong = [
        (trace.missing_parents, "spans whose parent was not received"),
        (trace.gaps, "hops that sent no span"),
        (trace.skewed, "spans moved because their sender's clock was off"),
    ];
    for (count, words) in wrong.into_iter().filter(|(count, _)| *count > 0) {
        let _ = writeln!(text, "{count} {words}");
    }
    text
}

/// Whether it failed, and what the proxy says of it: `FAILED 503 FI`.
fn result(span: &Span) -> String {
    let said = |name: &str| span.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let word = if span.error { "FAILED" } else { "ok" };
    let parts = [Some(word), said("http.status_code"), said("response_flags")];
    parts.into_iter().flatten().filter(|part| !part.is_empty() && *part != "-").collect::<Vec<_>>().join(" ")
}

fn row(span: &Span, start: u64) -> Vec<String> {
    let attempt = span.attempt.map(|one| format!(" (attempt {} of {})", one.number, one.of)).unwrap_or_default();
    vec![
        format!("+{}", micros(span.start_us.saturating_sub(start))),
        micros(span.duration_us),
        span.usual.map(|usual| micros(usual.p95_us)).unwrap_or_default(),
        span.kind.clone(),
        span.workload.clone(),
        result(span),
        format!("{}{}{attempt}", "  ".repeat(span.depth.min(DEEPEST)), span.name),
    ]
}
