//! Changes single scalars in a document's text and leaves every other byte as it is.

use std::ops::Range;

use serde_json::Value;

use crate::yaml::{Kind, Layout, Node, Step, scalar, steps};

/// A new value for one scalar field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldEdit {
    /// Path such as `spec.http[0].route[1].weight`.
    pub field: String,
    /// What it must be now; `None` when it must be absent.
    pub old: Option<Value>,
    /// What it is to be; null, a boolean, a number or a string.
    pub new: Value,
}

/// Why a field cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// It has another value than the edit starts from.
    #[error("{field} is {found}, not {expected}: it was changed by someone else")]
    Changed {
        /// The field.
        field: String,
        /// What the edit starts from, as JSON or `absent`.
        expected: String,
        /// What is there, as JSON or `absent`.
        found: String,
    },
    /// It is written in a way that cannot be changed in one place.
    #[error("{field} cannot be edited here: {reason}")]
    NotEditable {
        /// The field.
        field: String,
        /// Why.
        reason: &'static str,
    },
}

/// Applies edits to a document. `tree` is what the text was read as, `json` whether as JSON.
pub(crate) fn patch(text: &str, tree: &Node, edits: &[FieldEdit], json: bool) -> Result<String, PatchError> {
    let mut cuts: Vec<(Range<usize>, String)> = Vec::new();
    for edit in edits {
        let fail = |reason| PatchError::NotEditable { field: edit.field.clone(), reason };
        if matches!(edit.new, Value::Array(_) | Value::Object(_)) {
            return Err(fail("only single values can be set"));
        }
        let path = steps(&edit.field).ok_or_else(|| fail("the path is not one"))?;
        let node = tree.find(&path);
        test(edit, node)?;
        match node {
            Some(node) if node.shared => return Err(fail("its value is shared through a YAML anchor")),
            Some(Node { kind: Kind::List(_) | Kind::Map(_), .. }) => return Err(fail("it is not a single value")),
            Some(node) if node.layout == Layout::Block => return Err(fail("it is written as a block of text")),
            Some(node) => {
                let mut new = scalar::write(&edit.new, json);
                // `weight:` with nothing after it.
                if node.start == node.end && !text[..node.start].ends_with([' ', '\n', '\t']) {
                    new.insert(0, ' ');
                }
                cuts.push((node.start..node.end, new));
            }
            None => {
                let Some((Step::Key(key), parent)) = path.split_last() else {
                    return Err(fail("there is no such item in the list"));
                };
                let parent = tree.find(parent).ok_or_else(|| fail("what it belongs to is not there"))?;
                cuts.push(insertion(text, parent, key, &edit.new, json).map_err(fail)?);
            }
        }
    }
    // From the back, so that places in front stay where they are. The sort is stable: insertions at one place keep the
    // order they were asked for when they are applied in reverse.
    cuts.sort_by_key(|(range, _)| range.start);
    let mut patched = text.to_owned();
    for (range, new) in cuts.into_iter().rev() {
        patched.replace_range(range, &new);
    }
    Ok(patched)
}

fn test(edit: &FieldEdit, node: Option<&Node>) -> Result<(), PatchError> {
    let found = node.map(Node::to_value);
    let same = match (&edit.old, &found) {
        (None, None) => true,
        (Some(old), Some(found)) => equal(old, found),
        _ => false,
    };
    if same {
        return Ok(());
    }
    let words = |value: Option<&Value>| value.map_or_else(|| "absent".to_owned(), Value::to_string);
    Err(PatchError::Changed {
        field: edit.field.clone(),
        expected: words(edit.old.as_ref()),
        found: words(found.as_ref()),
    })
}

/// 90 and 90.0 are one number.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// Where and how a new entry goes into a mapping.
fn insertion(
    text: &str,
    mapping: &Node,
    key: &str,
    value: &Value,
    json: bool,
) -> Result<(Range<usize>, String), &'static str> {
    let Kind::Map(entries) = &mapping.kind else { return Err("what it belongs to is not a mapping") };
    if mapping.shared {
        return Err("what it belongs to is shared through a YAML anchor");
    }
    let key = scalar::write(&Value::from(key), json);
    let entry = format!("{key}: {}", scalar::write(value, json));
    // Entries that `<<` brought in stand elsewhere.
    let own = || entries.iter().filter(|entry| !entry.value.shared);
    let (Some(first), Some(last)) = (own().min_by_key(|e| e.key_start), own().max_by_key(|e| e.key_start)) else {
        return match mapping.layout {
            Layout::Flow if entries.is_empty() => Ok((mapping.start + 1..mapping.start + 1, entry)),
            _ => Err("the mapping has no entry of its own"),
        };
    };
    let end = last.value.end;
    if mapping.layout == Layout::Flow {
        let line = text[..last.key_start].rfind('\n').map_or(0, |newline| newline + 1);
        let before = &text[line..last.key_start];
        // One entry a line stays one entry a line.
        let gap =
            if line > mapping.start && before.trim().is_empty() { format!(",\n{before}") } else { ", ".to_owned() };
        return Ok((end..end, format!("{gap}{entry}")));
    }
    let line = text[..first.key_start].rfind('\n').map_or(0, |newline| newline + 1);
    let indent: String = text[line..first.key_start].chars().map(|_| ' ').collect();
    if ends_on_its_line(&last.value) {
        let newline = text[end..].find('\n').map_or(text.len(), |offset| end + offset);
        let (at, gap) = if text[..newline].ends_with('\r') { (newline - 1, "\r\n") } else { (newline, "\n") };
        Ok((at..at, format!("{gap}{indent}{entry}")))
    } else {
        // After a block of text it is not plain where the mapping ends; in front of its first key always is.
        Ok((first.key_start..first.key_start, format!("{entry}\n{indent}")))
    }
}

/// Whether the line on which the node's last byte stands belongs to it alone (but for a comment).
fn ends_on_its_line(node: &Node) -> bool {
    match (&node.kind, node.layout) {
        (_, Layout::Flow) => true,
        (Kind::Scalar(_), Layout::Inline) => node.end > node.start,
        (Kind::Scalar(_), _) => false,
        (Kind::List(items), _) => items.last().is_some_and(ends_on_its_line),
        (Kind::Map(entries), _) => {
            entries.iter().max_by_key(|entry| entry.key_start).is_some_and(|entry| ends_on_its_line(&entry.value))
        }
    }
}

#[cfg(test)]
mod tests;
