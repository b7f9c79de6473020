//! Views as tables, read through the types that the page reads them by.

mod graph;
mod lists;
mod mesh;
mod past;
mod proxy;
mod traces;

use std::{
    fmt::Write as _,
    time::{Duration, UNIX_EPOCH},
};

use serde::de::DeserializeOwned;
use serde_json::Value;
use weft_model::graph::{Health, Lock, Sources};
use weft_runtime::StartupError;

use super::{ask::Shape, pages::Answer};
use crate::output;

/// Letters of a cell: names that are longer are cut.
const CELL: usize = 100;

/// An answer for people; `from` is who gave it.
///
/// # Errors
/// When it is not what this command knows.
pub fn of(answer: &Answer, from: &str) -> Result<String, StartupError> {
    let value = &answer.value;
    let mut text = match answer.shape {
        Shape::Graph => graph::graph(&typed(value, from)?),
        Shape::Canaries => graph::canaries(&typed(value, from)?),
        Shape::History => past::history(&typed(value, from)?),
        Shape::Course => past::course(&typed(value, from)?),
        Shape::Config => lists::config(&typed(value, from)?),
        Shape::Object => lists::object(&typed(value, from)?),
        Shape::Inventory => lists::inventory(&typed(value, from)?),
        Shape::Detail => lists::detail(&typed(value, from)?),
        Shape::Charts => past::charts(&typed(value, from)?),
        Shape::Series => past::series(&typed(value, from)?),
        Shape::Logs => past::logs(&typed(value, from)?),
        Shape::Views => past::views(&typed(value, from)?),
        Shape::Heat => traces::heat(&typed(value, from)?),
        Shape::Traces => traces::list(&typed(value, from)?),
        Shape::Trace => traces::trace(&typed(value, from)?),
        Shape::Mesh => mesh::mesh(&typed(value, from)?),
        Shape::Proxy => proxy::proxy(&typed(value, from)?),
        Shape::Audit => mesh::audit(&typed(value, from)?),
        Shape::Status => mesh::status(&typed(value, from)?),
        Shape::Session => mesh::session(&typed(value, from)?),
    };
    if answer.cut {
        text.push_str("\nThere are more rows: a larger --limit shows them.\n");
    } else if let Some(next) = value.get("next").and_then(Value::as_str) {
        let _ = write!(text, "\nThere are more rows: a larger --limit shows them, or --cursor {}\n", clean(next));
    }
    Ok(text)
}

fn typed<T: DeserializeOwned>(value: &Value, from: &str) -> Result<T, StartupError> {
    T::deserialize(value).map_err(|error| {
        let remedy = "its version and this command's may be far apart; -o json shows the answer as it is";
        StartupError::new(format!("cannot read the answer of {from}"), error, remedy)
    })
}

/// Words that came from elsewhere, without what a terminal would obey or what turns the order of letters around.
pub fn clean(text: &str) -> String {
    let turns =
        |letter: char| matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|letter| if letter.is_control() || turns(letter) { '\u{fffd}' } else { letter }).collect()
}

/// The same over several lines.
fn clean_lines(text: &str) -> String {
    text.lines().map(|line| clean(&line.replace('\t', "    "))).collect::<Vec<_>>().join("\n")
}

/// A table of words that came from elsewhere; without rows `none`.
fn table(head: &[&str], rows: Vec<Vec<String>>, none: &str) -> String {
    if rows.is_empty() {
        return format!("{none}\n");
    }
    let cell = |text: String| {
        let text = clean(&text);
        let end = text.char_indices().nth(CELL).map(|(end, _)| end);
        end.map_or_else(|| text.clone(), |end| format!("{}…", &text[..end]))
    };
    let rows: Vec<Vec<String>> = rows.into_iter().map(|row| row.into_iter().map(cell).collect()).collect();
    output::table(head, &rows)
}

/// A table below a heading; nothing without rows.
fn section(title: &str, head: &[&str], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() { String::new() } else { format!("\n{title}\n{}", table(head, rows, "")) }
}

/// A sentence on a line of its own; nothing when there is none.
fn note(words: Option<&str>) -> String {
    words.filter(|words| !words.is_empty()).map(|words| format!("\n{}\n", clean(words))).unwrap_or_default()
}

/// What of the figures is missing, if something is.
fn gaps(sources: &Sources) -> String {
    note(sources.words.as_deref()) + &note(sources.problem.as_deref())
}

/// Three significant digits.
fn figure(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.9995 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// A share of 0 to 1 in percent; nothing when it is not known.
fn percent(share: Option<f64>) -> String {
    share.map(|share| format!("{} %", figure(share * 100.0))).unwrap_or_default()
}

/// Milliseconds; nothing when they are not known.
fn millis(value: Option<f64>) -> String {
    value.map(|value| format!("{} ms", figure(value))).unwrap_or_default()
}

/// The end of the year 9999 in milliseconds: later moments are none.
const LAST_MS: u64 = 253_402_300_799_000;

/// A moment in UTC; nothing for 0, which stands for none.
fn moment(at_ms: u64) -> String {
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(at_ms.min(LAST_MS)));
    let at = at.filter(|_| at_ms > 0);
    at.map(|at| humantime::format_rfc3339_seconds(at).to_string()).unwrap_or_default()
}

fn health(health: Health) -> &'static str {
    match health {
        Health::Idle => "idle",
        Health::Unknown => "unknown",
        Health::Healthy => "healthy",
        Health::Degraded => "DEGRADED",
        Health::Failing => "FAILING",
    }
}

/// Encryption, with the share that is plaintext where some is.
fn lock(lock: Lock, plaintext_share: Option<f64>) -> String {
    match (lock, plaintext_share) {
        (Lock::Mtls, _) => "mTLS".to_owned(),
        (Lock::Mixed, Some(share)) => format!("{} plaintext", percent(Some(share))),
        (Lock::Mixed, None) => "some plaintext".to_owned(),
        (Lock::Plaintext, _) => "plaintext".to_owned(),
        (Lock::Unknown, _) => String::new(),
    }
}

#[cfg(test)]
mod tests;
