//! What commands print: a table for people, or JSON for programs.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use weft_runtime::StartupError;

/// The flag that chooses.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct OutputArgs {
    /// How the answer is written.
    #[arg(short = 'o', long = "output", value_enum, default_value_t, global = true)]
    pub output: Format,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// An answer that can be written both ways.
pub trait Answer: Serialize {
    /// For people; ends without a line break.
    fn text(&self) -> String;
}

/// Prints an answer on standard output.
pub fn print(format: Format, answer: &impl Answer) -> anyhow::Result<()> {
    let text = match format {
        Format::Text => answer.text(),
        Format::Json => serde_json::to_string_pretty(answer)?,
    };
    write(&format!("{}\n", text.trim_end()))
}

/// Writes on standard output. Whoever closed it has seen enough.
pub fn write(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let remedy = "look where standard output leads, and whether there is room";
            Err(StartupError::new("cannot write the answer", error, remedy).into())
        }
        _ => Ok(()),
    }
}

/// Columns of even width, two spaces apart. An empty cell is shown as `-`.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let cell = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let mut lines: Vec<Vec<String>> = vec![head.iter().map(|title| (*title).to_owned()).collect()];
    lines.extend(rows.iter().map(|row| row.iter().map(|text| cell(text)).collect()));
    let mut widths = vec![0; head.len()];
    for line in &lines {
        for (width, text) in widths.iter_mut().zip(line) {
            *width = (*width).max(text.chars().count());
        }
    }
    let mut out = String::new();
    for line in lines {
        let mut row = String::new();
        for (width, text) in widths.iter().zip(line) {
            let _ = write!(row, "{text:<width$}  ");
        }
        out.push_str(row.trim_end());
        out.push('\n');
    }
    out
}

/// Reads what a program of ours answered; `from` is who.
///
/// # Errors
/// When it is not what this command knows.
pub fn answer<T: DeserializeOwned>(from: &str, page: &[u8]) -> Result<T, StartupError> {
    serde_json::from_slice(page).map_err(|error| {
        let remedy = "look whether it is a program of Weft, and of a version near this command's";
        StartupError::new(format!("cannot read the answer of {from}"), error, remedy)
    })
}

/// `1 pod`, `2 pods`.
pub fn plural(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// How long ago `then` was, to the second; nothing when it lies ahead.
pub fn ago(then: Timestamp, now: Timestamp) -> Option<Duration> {
    u64::try_from(now.duration_since(then).as_secs()).ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_even_and_holes_are_marked() {
        let rows =
            [vec!["web".into(), "SYNCED".into(), String::new()], vec!["a-long-name".into(), "NACK".into(), "x".into()]];
        let text = table(&["NAME", "CDS", "NOTE"], &rows);
        assert_eq!(text, "NAME         CDS     NOTE\nweb          SYNCED  -\na-long-name  NACK    x\n");
        assert_eq!((plural(1, "pod"), plural(0, "pod")), ("1 pod".into(), "0 pods".into()));
        let odd = answer::<Vec<String>>("http://127.0.0.1:1", b"<html>").unwrap_err().to_string();
        assert!(odd.contains("http://127.0.0.1:1") && odd.contains("program of Weft"), "{odd}");
    }
}
