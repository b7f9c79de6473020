//! Who changed what.

use std::fmt;

use serde_json::Value;
use weft_api::ObjectKey;

use super::ClusterError;
use crate::{
    config_store::StoreError,
    yaml::{Step, steps},
};

/// An object that is another one than an edit starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The object.
    pub key: ObjectKey,
    /// The fields of the edit that are different, if any is.
    pub changes: Vec<FieldChange>,
    /// Who wrote to the object last.
    pub last: Option<Changer>,
}

/// A field that says something else than an edit starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// Path such as `spec.http[0].route[1].weight`.
    pub field: String,
    /// What the edit starts from, as JSON or `absent`.
    pub expected: String,
    /// What is there now, as JSON or `absent`.
    pub found: String,
    /// Who owns the field now, as far as the API server tells.
    pub by: Option<Changer>,
}

/// A writer, as the API server knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changer {
    /// Field manager, such as `kubectl-edit` or `argocd-controller`.
    pub manager: String,
    /// When it wrote last; RFC 3339.
    pub at: Option<String>,
}

impl Conflict {
    /// An object that moved on; `changes` are the fields that are known to be different.
    pub(super) fn since(key: &ObjectKey, now: &Value, changes: Vec<FieldChange>) -> Self {
        let entries = entries(now).filter(|entry| entry.get("subresource").is_none());
        let last = entries.max_by_key(|entry| time(entry).map(str::to_owned)).map(changer);
        Self { key: key.clone(), changes, last }
    }

    /// A server-side apply that the API server refused, whose causes name the fields and their owners.
    pub(super) fn of_apply(key: &ObjectKey, error: &kube::Error) -> Self {
        let mut conflict = Self { key: key.clone(), changes: Vec::new(), last: None };
        let kube::Error::Api(status) = error else { return conflict };
        for cause in status.details.iter().flat_map(|details| &details.causes) {
            // `conflict with "kubectl-edit" using networking.istio.io/v1: .spec.http`
            let manager = cause.message.split('"').nth(1);
            conflict.changes.push(FieldChange {
                field: cause.field.trim_start_matches('.').to_owned(),
                expected: "ours".to_owned(),
                found: "theirs".to_owned(),
                by: manager.map(|manager| Changer { manager: manager.to_owned(), at: None }),
            });
        }
        conflict
    }
}

impl Conflict {
    /// What was changed and by whom, without what to do.
    pub fn what(&self) -> String {
        let mut what = format!("{} was changed since it was read", self.key);
        for FieldChange { field, expected, found, by } in &self.changes {
            let by = by.as_ref().map(|by| format!(" (by {by})")).unwrap_or_default();
            what.push_str(&format!("; {field} is {found} now, not {expected}{by}"));
        }
        if let (true, Some(last)) = (self.changes.is_empty(), &self.last) {
            what.push_str(&format!(", last by {last}"));
        }
        what
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: look at it again and repeat the edit", self.what())
    }
}

impl fmt::Display for Changer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.manager)?;
        self.at.iter().try_for_each(|at| write!(f, " at {at}"))
    }
}

impl From<Conflict> for StoreError {
    fn from(conflict: Conflict) -> Self {
        ClusterError::Conflict(Box::new(conflict)).into()
    }
}

/// Who owns a field: the writer whose claim reaches deepest towards it, and of several the latest.
pub(super) fn owner(object: &Value, field: &str) -> Option<Changer> {
    let path = steps(field)?;
    let claims = entries(object).filter_map(|entry| {
        let depth = depth(entry.get("fieldsV1")?, &path);
        (depth > 0).then(|| (depth, time(entry).map(str::to_owned), entry))
    });
    claims.max_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1))).map(|(_, _, entry)| changer(entry))
}

/// How many steps of a path a set of fields names. A list that is owned as a whole is named without its items.
fn depth(fields: &Value, path: &[Step]) -> usize {
    let mut fields = fields;
    for (index, step) in path.iter().enumerate() {
        let next = match step {
            Step::Key(key) => fields.get(format!("f:{key}")),
            Step::Index(_) => None,
        };
        match next {
            Some(inner) => fields = inner,
            None => return index,
        }
    }
    path.len()
}

/// Whether a manager made the object by server-side apply.
pub(super) fn created_by(object: &Value, manager: &str) -> bool {
    entries(object).any(|entry| {
        entry.get("manager").and_then(Value::as_str) == Some(manager)
            && entry.get("operation").and_then(Value::as_str) == Some("Apply")
    })
}

/// Everybody who wrote to the object.
pub(super) fn managers(object: &Value) -> impl Iterator<Item = &str> {
    entries(object).filter_map(|entry| entry.get("manager")?.as_str())
}

fn entries(object: &Value) -> impl Iterator<Item = &Value> {
    object.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten()
}

fn time(entry: &Value) -> Option<&str> {
    entry.get("time").and_then(Value::as_str)
}

fn changer(entry: &Value) -> Changer {
    let manager = entry.get("manager").and_then(Value::as_str).unwrap_or("unknown").to_owned();
    Changer { manager, at: time(entry).map(str::to_owned) }
}
