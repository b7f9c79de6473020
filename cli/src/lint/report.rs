//! Writes findings.

use std::io::{self, Write};

use serde::Serialize;
use weft_model::{Diagnostic, Severity, diagnostic::shortened};

use super::Findings;

/// The shape of `--output json`, which stays as it is.
#[derive(Serialize)]
struct Report<'f> {
    diagnostics: &'f [Diagnostic],
}

/// One JSON object.
pub(super) fn json(out: &mut impl Write, findings: &Findings) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Report { diagnostics: &findings.diagnostics })?;
    writeln!(out)
}

/// File by file, each finding with its place first, where editors and terminals look for it; a summary last.
pub(super) fn text(out: &mut impl Write, findings: &Findings, color: bool) -> io::Result<()> {
    let paint = |code: &str, text: &str| if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let mut file = None;
    for finding in &findings.diagnostics {
        if file.is_some_and(|file| file != &finding.file) {
            writeln!(out)?;
        }
        file = Some(&finding.file);
        let severity = match finding.severity {
            Severity::Error => paint("1;31", "error"),
            Severity::Warning => paint("1;33", "warning"),
            Severity::Info => paint("1;36", "info"),
        };
        write!(out, "{}{severity} {}", paint("1", &place(finding)), finding.code)?;
        if !finding.aliases.is_empty() {
            write!(out, " ({})", finding.aliases.join(", "))?;
        }
        if let Some(object) = &finding.object {
            write!(out, " {}", shortened(&object.to_string()))?;
        }
        if !finding.field.is_empty() {
            write!(out, " {}", shortened(&finding.field))?;
        }
        writeln!(out, "\n    {}", finding.message)?;
        if let Some(suggestion) = &finding.suggestion {
            writeln!(out, "    {} {suggestion}", paint("32", "→"))?;
        }
    }
    if !findings.diagnostics.is_empty() {
        writeln!(out)?;
    }
    writeln!(out, "{}", summary(findings))
}

fn place(finding: &Diagnostic) -> String {
    match (&finding.file, finding.line, finding.column) {
        (Some(file), Some(line), Some(column)) => format!("{file}:{line}:{column}: "),
        (Some(file), ..) => format!("{file}: "),
        _ => String::new(),
    }
}

fn summary(findings: &Findings) -> String {
    let looked = format!("{} in {}", count(findings.objects, "object"), count(findings.files, "file"));
    let of = |severity| findings.diagnostics.iter().filter(|finding| finding.severity == severity).count();
    let parts: Vec<String> = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "info")]
        .into_iter()
        .filter(|(severity, _)| of(*severity) > 0)
        .map(|(severity, word)| count(of(severity), word))
        .collect();
    if parts.is_empty() { format!("Nothing found in {looked}.") } else { format!("{} in {looked}.", parts.join(", ")) }
}

fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}
