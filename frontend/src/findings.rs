//! Which objects come first in a list: those with something to mend.

use weft_model::{Severity, config::ConfigRow};

/// Objects with errors, then with warnings, then with notes, then the rest; each in the order that they came in.
pub fn worst_first<'a>(rows: impl Iterator<Item = &'a ConfigRow>) -> Vec<&'a ConfigRow> {
    let mut rows: Vec<&ConfigRow> = rows.collect();
    rows.sort_by_key(|row| row.findings.iter().map(|finding| urgency(finding.severity)).min().unwrap_or(u8::MAX));
    rows
}

fn urgency(severity: Severity) -> u8 {
    match severity {
        Severity::Error => 0,
        Severity::Warning => 1,
        Severity::Info => 2,
    }
}

#[cfg(test)]
mod tests {
    use weft_model::{Diagnostic, ObjectRef};

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
}
