//! Findings about configuration, as the command line, the console and the webhook all show them.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

use crate::ObjectRef;

/// The longest word of a message, in characters: longer than most names may be.
const LONGEST: usize = 200;

/// A message fit to be read: words that are too long, such as a name of ten thousand letters, are cut.
pub fn shortened(text: &str) -> Cow<'_, str> {
    let too_long = |word: &str| word.len() > LONGEST && word.chars().count() > LONGEST;
    if text.len() <= LONGEST || !text.split_whitespace().any(too_long) {
        return Cow::Borrowed(text);
    }
    let mut short = String::new();
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        if too_long(word) {
            short.extend(word.chars().take(LONGEST));
            short.push('…');
            // What closes the word, and the space behind it.
            let end = word.trim_end_matches(['"', '\'', ')', ']', ',', ';', ':', '.']).len();
            short.push_str(&piece[end.max(word.len().saturating_sub(3))..]);
        } else {
            short.push_str(piece);
        }
    }
    Cow::Owned(short)
}

/// How bad a finding is; ordered, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Probably not what was meant.
    Warning,
    /// Does not work as written.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One finding. The JSON form is part of `weft lint --output json` and must stay stable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// Weft's own code, `WEFT` and four digits.
    pub code: String,
    /// The codes that istioctl analyze and Kiali give the same finding.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence that names what is wrong.
    pub message: String,
    /// The object it is about; absent when the file could not be read as objects at all.
    pub object: Option<ObjectRef>,
    /// Path such as `spec.http[0].route[1].destination.subset`; empty for the object as a whole.
    #[serde(default)]
    pub field: String,
    /// File as it was given, when the object came from one.
    pub file: Option<String>,
    /// One-based line of the field.
    pub line: Option<u32>,
    /// One-based column of the field, in characters.
    pub column: Option<u32>,
    /// What to do, such as `did you mean "v2"?`.
    pub suggestion: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
            if let (Some(line), Some(column)) = (self.line, self.column) {
                write!(f, "{line}:{column}:")?;
            }
            f.write_str(" ")?;
        }
        write!(f, "{} {}", self.severity, self.code)?;
        if let Some(object) = &self.object {
            write!(f, " {}", shortened(&object.to_string()))?;
        }
        if !self.field.is_empty() {
            write!(f, " {}", shortened(&self.field))?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, " ({suggestion})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_too_long_are_cut() {
        assert!(matches!(shortened("the host \"a\" is not there"), Cow::Borrowed(_)));
        let many = "word ".repeat(1000);
        assert_eq!(shortened(&many), many);
        let (long, short) = ("é".repeat(10_000), "é".repeat(LONGEST - 1));
        assert_eq!(shortened(&format!("the host \"{long}\", twice")), format!("the host \"{short}…\", twice"));
        assert_eq!(shortened(&long), format!("{}…", "é".repeat(LONGEST)));
        assert_eq!(shortened(&")".repeat(10_000)), format!("{}…)))", ")".repeat(LONGEST)));
    }
}
