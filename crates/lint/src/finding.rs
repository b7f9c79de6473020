//! Makes findings.

use weft_model::{Diagnostic, ObjectRef, diagnostic::shortened};

use crate::code::Code;

/// A finding about a field of an object.
pub(crate) fn finding(
    code: Code,
    object: &ObjectRef,
    field: impl Into<String>,
    message: impl AsRef<str>,
) -> Diagnostic {
    Diagnostic {
        code: code.id.to_owned(),
        aliases: code.aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        severity: code.severity,
        message: shortened(message.as_ref()).into_owned(),
        object: Some(object.clone()),
        field: field.into(),
        file: None,
        line: None,
        column: None,
        suggestion: None,
    }
}

/// Words in quotes, in a row: `"v1", "v2" and "v3"`.
pub(crate) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("{word:?}")).collect();
    match words.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
