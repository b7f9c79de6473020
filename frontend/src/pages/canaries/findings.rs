//! What lint found, as lines.

use weft_model::{Diagnostic, Severity};

/// Severity, words and code of each finding. What is found at several fields is told once.
pub fn lines(findings: Vec<Diagnostic>) -> Vec<(Severity, String, String)> {
    let mut all: Vec<(Severity, String, String)> = Vec::new();
    for Diagnostic { severity, message, suggestion, code, .. } in findings {
        let words = match suggestion {
            Some(suggestion) => format!("{}; {suggestion}", message.trim_end_matches('.')),
            None => message,
        };
        let line = (severity, words, code);
        if !all.contains(&line) {
            all.push(line);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

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
