//! What can be wrong with one object.

use std::fmt;

use weft_model::{Diagnostic, ObjectRef, Severity, diagnostic::shortened};

use crate::code;

/// One thing that is wrong with one object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ObjectError {
    /// The object, as far as it could be told.
    pub object: Option<ObjectRef>,
    /// Path such as `spec.http[0].timeout`; empty for the object as a whole.
    pub field: String,
    /// One sentence that names what is wrong.
    pub message: String,
    /// What to do about it, such as `did you mean "STRICT"?`.
    pub suggestion: Option<String>,
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(object) = &self.object {
            write!(f, "{}", shortened(&object.to_string()))?;
        }
        match (self.object.is_some(), self.field.is_empty()) {
            (true, false) => write!(f, " {}: ", shortened(&self.field))?,
            (false, false) => write!(f, "{}: ", shortened(&self.field))?,
            (true, true) => f.write_str(": ")?,
            (false, true) => {}
        }
        f.write_str(&shortened(&self.message))?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, " ({})", shortened(suggestion))?;
        }
        Ok(())
    }
}

impl ObjectError {
    /// The same as a finding, yet without a place.
    pub fn diagnostic(self, code: &str) -> Diagnostic {
        Diagnostic {
            code: code.to_owned(),
            aliases: code::aliases(code),
            severity: Severity::Error,
            message: shortened(&self.message).into_owned(),
            object: self.object,
            field: self.field,
            file: None,
            line: None,
            column: None,
            suggestion: self.suggestion.map(|suggestion| shortened(&suggestion).into_owned()),
        }
    }
}

/// A field that the object's kind does not have. The field has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// Path such as `spec.http[0].timeOut`.
    pub field: String,
    /// `did you mean "timeout"?`, when some known field is close.
    pub suggestion: Option<String>,
}

/// The candidate nearest to `written`, as a question, when one is near enough to be a slip of the pen.
pub fn did_you_mean<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(written, candidates).map(|candidate| format!("did you mean {candidate:?}?"))
}

/// The candidate nearest to `written`, when one is near enough to be a slip of the pen. The first of equals wins.
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Edit distance is quadratic: absurdly long input is not a typo.
    if written.len() > 512 {
        return None;
    }
    let wanted = written.to_lowercase();
    let bound = (wanted.chars().count() / 3).clamp(1, 3);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate == written || candidate.len() > 512 {
            continue;
        }
        let distance = strsim::osa_distance(&wanted, &candidate.to_lowercase());
        if distance <= bound && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_is_near() {
        assert_eq!(did_you_mean("STRIC", ["STRICT", "PERMISSIVE"]).as_deref(), Some("did you mean \"STRICT\"?"));
        assert_eq!(nearest("v9", ["v1", "v2"]), Some("v1"));
        assert_eq!(nearest("reviews", ["payments"]), None);
    }
}
