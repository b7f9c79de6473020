use std::collections::HashMap;

use super::{Policy, Rule, built_in};

/// Lines that are read; a file that is longer was not written by a person.
const MAX_LINES: usize = 10_000;
const ACTIONS: [&str; 8] = ["get", "list", "create", "update", "patch", "delete", "admin", "*"];

/// What is wrong with a role file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A line does not say what it should.
    #[error("line {line}: {what}")]
    Line {
        /// One-based.
        line: usize,
        /// What is wrong, and what would be right.
        what: String,
    },
    /// There are too many lines.
    #[error("it has more than {MAX_LINES} lines")]
    Long,
    /// The default role is not one.
    #[error("the role {0} is neither built in (role:viewer, role:operator, role:admin) nor in the file")]
    NoSuchRole(String),
}

/// Reads lines; empty ones and those that begin with `#` say nothing.
pub(super) fn parse(text: &str) -> Result<Policy, PolicyError> {
    let mut policy = Policy::default();
    let mut roles_used: Vec<(usize, String)> = Vec::new();
    for (index, text) in text.lines().enumerate() {
        if index >= MAX_LINES {
            return Err(PolicyError::Long);
        }
        let line = index + 1;
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let wrong = |what: String| PolicyError::Line { line, what };
        let fields: Vec<&str> = text.split(',').map(|field| field.trim().trim_matches('"')).collect();
        if fields.iter().any(|field| field.is_empty()) {
            return Err(wrong("a field is empty; write * for any".to_owned()));
        }
        match fields.as_slice() {
            ["p", subject, resource, action, object, effect] => {
                if !ACTIONS.contains(action) {
                    let near = ACTIONS
                        .iter()
                        .max_by(|a, b| strsim::jaro_winkler(a, action).total_cmp(&strsim::jaro_winkler(b, action)));
                    let near = near.copied().unwrap_or("get");
                    return Err(wrong(format!("{action} is not an action; did you mean {near}?")));
                }
                let allow = match *effect {
                    "allow" => true,
                    "deny" => false,
                    other => return Err(wrong(format!("the last field is allow or deny, not {other}"))),
                };
                if !object.contains('/') && *object != "*" {
                    return Err(wrong(format!(
                        "{object} is not NAMESPACE/NAME; write {object}/* for all that is in the namespace {object}"
                    )));
                }
                policy.rules.push(Rule {
                    subject: (*subject).to_owned(),
                    resource: (*resource).to_owned(),
                    action: (*action).to_owned(),
                    object: (*object).to_owned(),
                    allow,
                });
            }
            ["g", subject, role] => {
                if !role.starts_with("role:") {
                    return Err(wrong(format!("{role} is not a role; a role's name begins with role:")));
                }
                roles_used.push((line, (*role).to_owned()));
                policy.given.entry((*subject).to_owned()).or_default().push((*role).to_owned());
            }
            ["p", ..] => {
                return Err(wrong(format!(
                    "a rule has six fields (p, SUBJECT, RESOURCE, ACTION, NAMESPACE/NAME, allow), and this one has {}",
                    fields.len()
                )));
            }
            ["g", ..] => return Err(wrong("a role is given as g, USER-OR-GROUP, role:NAME".to_owned())),
            [other, ..] => return Err(wrong(format!("a line begins with p or g, not with {other}"))),
            [] => {}
        }
    }
    for (line, role) in roles_used {
        known_role(&policy, &role).map_err(|error| PolicyError::Line { line, what: error.to_string() })?;
    }
    Ok(policy)
}

/// A role that no rule is about gives nobody anything: that is a typo.
pub(super) fn known_role(policy: &Policy, role: &str) -> Result<(), PolicyError> {
    let built_in = built_in::rules();
    let mut subjects = policy.rules.iter().chain(&built_in).map(|rule| rule.subject.as_str());
    let given: &HashMap<String, Vec<String>> = &policy.given;
    if subjects.any(|subject| subject == role) || given.contains_key(role) {
        return Ok(());
    }
    Err(PolicyError::NoSuchRole(role.to_owned()))
}
