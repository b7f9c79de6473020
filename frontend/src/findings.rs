//! What findings mean for what is shown: which objects come first in a list, and what keeps a text from being applied.

use weft_model::{Diagnostic, Severity, config::ConfigRow, edit::ObjectPreview};

use crate::{order::Order, shown::visible};

/// A field that is not known: an API server refuses it, and so does the console. Other findings are no hindrance.
const UNKNOWN_FIELD: &str = "WEFT0003";

/// Why a text cannot be applied as it is, where nothing else on the page says so.
pub fn hindrance(preview: &ObjectPreview) -> Option<String> {
    let said = preview.refusal.is_some() || preview.conflict.is_some() || preview.owner.is_some();
    if preview.ready || said {
        return None;
    }
    // What could not be read as an object has neither a difference nor a command.
    let unread = preview.diff.is_empty() && preview.command.is_empty();
    let own = || preview.findings.iter().filter(|finding| finding.file.is_none());
    let unknown = own().filter(|finding| finding.code == UNKNOWN_FIELD);
    let wrong = |finding: &&Diagnostic| unread && finding.severity == Severity::Error && finding.code != UNKNOWN_FIELD;
    let blocks: Vec<&Diagnostic> = unknown.chain(own().filter(wrong)).collect();
    match blocks.first() {
        Some(first) => {
            let mut codes: Vec<(&str, usize)> = Vec::new();
            for finding in &blocks {
                match codes.iter_mut().find(|(code, _)| *code == finding.code) {
                    Some((_, count)) => *count += 1,
                    None => codes.push((&finding.code, 1)),
                }
            }
            let all = codes.into_iter().map(|(code, count)| match count {
                1 => code.to_owned(),
                _ => format!("{code} ({count} times)"),
            });
            let all = all.collect::<Vec<_>>().join(" and ");
            let (be, begin) = if blocks.len() == 1 { ("is", "") } else { ("are", "first, ") };
            let place = first.line.map(|line| format!("line {line}: ")).unwrap_or_default();
            Some(format!("It can be applied once {all} {be} mended: {begin}{place}{}.", visible(&first.message)))
        }
        None if preview.diff.is_empty() && !unread && !preview.findings.is_empty() => {
            Some("Nothing would change.".to_owned())
        }
        None => None,
    }
}

/// Errors that an edit would bring, in their words; `before` are the findings about the object as it is.
pub fn new_errors(preview: &ObjectPreview, before: &[Diagnostic]) -> Vec<String> {
    let known = |one: &Diagnostic| before.iter().any(|other| other.code == one.code && other.message == one.message);
    let all = preview.findings.iter().chain(&preview.new_findings);
    let new = all.filter(|finding| finding.severity == Severity::Error && !known(finding));
    new.map(|finding| format!("{}: {}.", finding.code, visible(&finding.message))).collect()
}

/// Objects with errors, then with warnings, then with notes, then the rest; each in the order that they came in.
pub fn worst_first<'a>(rows: impl Iterator<Item = &'a ConfigRow>) -> Vec<&'a ConfigRow> {
    let mut rows: Vec<&ConfigRow> = rows.collect();
    rows.order_by_key(|row| row.findings.iter().map(|finding| urgency(finding.severity)).min().unwrap_or(u8::MAX));
    rows
}

fn urgency(severity: Severity) -> u8 {
    match severity {
        Severity::Error => 0,
        Severity::Warning => 1,
        Severity::Info => 2,
    }
}

/// Severity, words and code of each finding. What is found at several fields is told once.
pub fn lines(findings: Vec<Diagnostic>) -> Vec<(Severity, String, String)> {
    let mut all: Vec<(Severity, String, String)> = Vec::new();
    for Diagnostic { severity, message, suggestion, code, .. } in findings {
        let words = match suggestion {
            Some(suggestion) => format!("{}; {suggestion}", message.trim_end_matches('.')),
            None => message,
        };
        let line = (severity, visible(&words), code);
        if !all.contains(&line) {
            all.push(line);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use weft_model::ObjectRef;

    use super::*;

    fn row(name: &str, severities: &[Severity]) -> ConfigRow {
        let finding = |severity: &Severity| Diagnostic {
            code: "WEFT0101".into(),
            aliases: vec![],
            severity: *severity,
            message: String::new(),
            object: None,
            field: String::new(),
            file: None,
            line: None,
            column: None,
            suggestion: None,
        };
        ConfigRow {
            object: ObjectRef { name: name.into(), ..ObjectRef::default() },
            file: None,
            line: None,
            changed_at_ms: None,
            findings: severities.iter().map(finding).collect(),
            ..ConfigRow::default()
        }
    }

    #[test]
    fn what_keeps_a_text_from_being_applied_is_named() {
        let finding = |code: &str| Diagnostic {
            code: code.into(),
            message: "there is no field \"x\"".into(),
            line: Some(8),
            ..row("a", &[Severity::Error]).findings.remove(0)
        };
        let preview = |codes: &[&str], diff: &str, command: &str| ObjectPreview {
            findings: codes.iter().map(|code| finding(code)).collect(),
            diff: diff.into(),
            command: command.into(),
            ..ObjectPreview::default()
        };
        let words = hindrance(&preview(&["WEFT0101", "WEFT0003"], "+x", "kubectl")).unwrap();
        assert_eq!(words, "It can be applied once WEFT0003 is mended: line 8: there is no field \"x\".");
        let words = hindrance(&preview(&["WEFT0004", "WEFT0003", "WEFT0004"], "", "")).unwrap();
        let all = "It can be applied once WEFT0003 and WEFT0004 (2 times) are mended: first, line 8: there is";
        assert!(words.starts_with(all), "{words}");
        assert!(hindrance(&preview(&["WEFT0004"], "", "")).unwrap().contains("WEFT0004"), "it could not be read");
        assert_eq!(hindrance(&preview(&["WEFT0101"], "", "kubectl")).unwrap(), "Nothing would change.");
        assert_eq!(hindrance(&ObjectPreview { ready: true, ..preview(&["WEFT0101"], "+x", "kubectl") }), None);
        let refused = ObjectPreview { refusal: Some("no".into()), ..preview(&["WEFT0003"], "+x", "kubectl") };
        assert_eq!(hindrance(&refused), None, "that is said already");
    }

    #[test]
    fn only_errors_that_were_not_there_are_asked_about() {
        let [known, new, warning] = ["a", "b", "c"].map(|message| Diagnostic {
            message: message.into(),
            severity: if message == "c" { Severity::Warning } else { Severity::Error },
            ..row("a", &[Severity::Error]).findings.remove(0)
        });
        let preview = ObjectPreview {
            findings: vec![known.clone(), warning],
            new_findings: vec![new],
            ..ObjectPreview::default()
        };
        assert_eq!(new_errors(&preview, &[known]), ["WEFT0101: b."]);
        assert_eq!(new_errors(&preview, &[]).len(), 2);
    }

    #[test]
    fn what_is_to_be_mended_comes_first() {
        use Severity::{Error, Info, Warning};
        let rows = [
            row("a", &[]),
            row("b", &[Info]),
            row("c", &[Warning]),
            row("d", &[]),
            row("e", &[Info, Error]),
            row("f", &[Error]),
        ];
        let names: Vec<&str> = worst_first(rows.iter()).into_iter().map(|row| row.object.name.as_str()).collect();
        assert_eq!(names, ["e", "f", "c", "b", "a", "d"]);
    }

    #[test]
    fn a_finding_is_told_once_with_its_remedy_set_off() {
        let finding = |field: &str, suggestion: Option<&str>| Diagnostic {
            code: "WEFT0012".into(),
            aliases: Vec::new(),
            severity: Severity::Error,
            message: "no subset \"v9\": there are \"v1\" and \"v2\"".into(),
            object: None,
            field: field.into(),
            file: None,
            line: None,
            column: None,
            suggestion: suggestion.map(str::to_owned),
        };
        let hint = Some("did you mean \"v1\"?");
        let told = lines(vec![finding("spec.http[0]", hint), finding("spec.http[1]", hint), finding("", None)]);
        let words: Vec<&str> = told.iter().map(|(_, words, _)| words.as_str()).collect();
        let message = "no subset \"v9\": there are \"v1\" and \"v2\"";
        assert_eq!(words, [&*format!("{message}; did you mean \"v1\"?"), message]);
    }
}
