//! What checks found.

use std::fmt::Write as _;

use serde::Serialize;

use crate::output::{Answer, plural};

/// Findings of all checks.
#[derive(Debug, Serialize)]
pub struct Checks {
    /// In order.
    pub findings: Vec<Finding>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// What was checked, as a short name.
    pub check: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// What was seen.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// It works, but not as well as it could.
    Warning,
    /// It does not work.
    Failed,
}

impl Finding {
    /// All is well.
    pub fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Ok, message: message.into(), hint: None }
    }

    /// It works, but.
    pub fn warning(check: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Warning, message: message.into(), hint: Some(hint.into()) }
    }

    /// It does not work.
    pub fn failed(check: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Failed, message: message.into(), hint: Some(hint.into()) }
    }

    /// It could not be checked; `error` ends with its own remedy in parentheses.
    pub fn unchecked(check: &'static str, error: &dyn std::fmt::Display) -> Self {
        let words = error.to_string();
        match words.rsplit_once(" (") {
            Some((message, hint)) => Self::failed(check, message, hint.trim_end_matches(')')),
            None => Self::failed(check, words, "try again, or look at the API server's log"),
        }
    }
}

impl Checks {
    /// Whether anything failed.
    pub fn failed(&self) -> bool {
        self.count(Outcome::Failed) > 0
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.findings.iter().filter(|finding| finding.outcome == outcome).count()
    }
}

impl Answer for Checks {
    fn text(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let mark = match finding.outcome {
                Outcome::Ok => "ok     ",
                Outcome::Warning => "warning",
                Outcome::Failed => "FAILED ",
            };
            let _ = writeln!(text, "{mark}  {}: {}", finding.check, finding.message);
            if let Some(hint) = &finding.hint {
                let _ = writeln!(text, "         hint: {hint}");
            }
        }
        let (failed, warnings) = (self.count(Outcome::Failed), self.count(Outcome::Warning));
        let _ = match (failed, warnings) {
            (0, 0) => writeln!(text, "\nAll is well."),
            (0, _) => writeln!(text, "\nIt works, with {}.", plural(warnings, "warning")),
            _ => writeln!(text, "\n{} failed, {}.", plural(failed, "check"), plural(warnings, "warning")),
        };
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_comes_with_its_hint() {
        let unchecked = Finding::unchecked("proxies", &"cannot list pods: forbidden (ask for a role that allows it)");
        assert_eq!(
            (unchecked.message.as_str(), unchecked.hint.as_deref()),
            ("cannot list pods: forbidden", Some("ask for a role that allows it"))
        );
        let checks = Checks { findings: vec![Finding::ok("API server", "1.35"), unchecked] };
        assert!(checks.failed());
        assert_eq!(
            checks.text(),
            "ok       API server: 1.35\nFAILED   proxies: cannot list pods: forbidden\n         hint: ask for a role that allows it\n\n1 check failed, 0 warnings.\n"
        );
        assert_eq!(Checks { findings: vec![Finding::ok("x", "y")] }.text(), "ok       x: y\n\nAll is well.\n");
    }
}
