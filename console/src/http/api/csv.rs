//! Comma-separated values (RFC 4180) that a spreadsheet can open without running any of them.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use weft_model::audit::AuditEntry;

/// The audit, one line an entry. When there are older ones, a last line in the same columns says so, with the cursor
/// `next` of the file that goes on.
pub(super) fn audit(entries: &[AuditEntry], next: Option<&str>) -> String {
    let mut text = "id,time,who,how,address,action,kind,namespace,name,detail,diff\r\n".to_owned();
    for entry in entries {
        let object = entry.object.clone().unwrap_or_default();
        let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(entry.at_ms) * 1_000_000)
            .ok()
            .and_then(|time| time.format(&Rfc3339).ok())
            .unwrap_or_default();
        let fields: [&str; 11] = [
            &entry.id.to_string(),
            &time,
            &entry.who,
            entry.how.as_str(),
            entry.address.as_deref().unwrap_or_default(),
            entry.action.as_str(),
            &object.kind,
            &object.namespace,
            &object.name,
            &entry.detail,
            &entry.diff,
        ];
        line(&mut text, fields);
    }
    if let Some(next) = next {
        let detail = format!("The file ends here and older entries follow: ask for cursor={next}.");
        line(&mut text, ["", "", "", "", "", "cut", "", "", "", &detail, ""]);
    }
    text
}

fn line(text: &mut String, fields: [&str; 11]) {
    text.push_str(&fields.map(field).join(","));
    text.push_str("\r\n");
}

/// One field. What a spreadsheet would take for a formula gets an apostrophe, which it does not show.
fn field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn fields_are_quoted_and_formulas_are_not_run() {
        assert_eq!(field("plain"), "plain");
        assert_eq!(field("a,\"b\"\nc"), "\"a,\"\"b\"\"\nc\"");
        for formula in ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)"] {
            assert!(field(formula).trim_start_matches('"').starts_with('\''), "{formula}");
        }
    }
}
