//! Edits as JSON patches (RFC 6902) that test what they replace.

use json_patch::{
    AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation, jsonptr::PointerBuf,
};
use serde_json::Value;

use super::conflict::{FieldChange, owner};
use crate::{
    patch::{FieldEdit, PatchError, equal},
    yaml::{Step, steps},
};

/// An edit, worked out.
#[derive(Debug)]
pub(super) struct Plan {
    /// Makes it.
    pub(super) forward: Patch,
    /// Takes it back; still without what it starts from.
    pub(super) back: Patch,
}

/// Works edits out against an object as it is, with the fields that are not what the edits start from.
pub(super) fn plan(live: &Value, edits: &[FieldEdit]) -> Result<(Plan, Vec<FieldChange>), PatchError> {
    let (mut forward, mut back, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    for edit in edits {
        let fail = |reason| PatchError::NotEditable { field: edit.field.clone(), reason };
        if matches!(edit.new, Value::Array(_) | Value::Object(_)) {
            return Err(fail("only single values can be set"));
        }
        let path = steps(&edit.field).ok_or_else(|| fail("the path is not one"))?;
        let found = find(live, &path);
        if !same(edit.old.as_ref(), found) {
            changes.push(FieldChange {
                field: edit.field.clone(),
                expected: words(edit.old.as_ref()),
                found: words(found),
                by: owner(live, &edit.field),
            });
            continue;
        }
        let path_of = || pointer(&path);
        match found {
            Some(Value::Array(_) | Value::Object(_)) => return Err(fail("it is not a single value")),
            Some(old) => {
                forward.push(PatchOperation::Test(TestOperation { path: path_of(), value: old.clone() }));
                forward.push(PatchOperation::Replace(ReplaceOperation { path: path_of(), value: edit.new.clone() }));
                // Taken back from the last to the first.
                back.push(PatchOperation::Replace(ReplaceOperation { path: path_of(), value: old.clone() }));
            }
            None => {
                let parent = path.split_last().and_then(|(last, parent)| {
                    matches!(last, Step::Key(_)).then(|| find(live, parent)).flatten().filter(|value| value.is_object())
                });
                if parent.is_none() {
                    return Err(fail("what it belongs to is not there"));
                }
                forward.push(PatchOperation::Add(AddOperation { path: path_of(), value: edit.new.clone() }));
                back.push(PatchOperation::Remove(RemoveOperation { path: path_of() }));
            }
        }
        back.push(PatchOperation::Test(TestOperation { path: path_of(), value: edit.new.clone() }));
    }
    back.reverse();
    Ok((Plan { forward: guarded(live, &Patch(forward)), back: Patch(back) }, changes))
}

/// The same operations, which hold only for this very version of the object.
pub(super) fn guarded(live: &Value, operations: &Patch) -> Patch {
    let guard = |field: &'static str| {
        let value = live.get("metadata")?.get(field)?.clone();
        let path = PointerBuf::from_tokens(["metadata", field]);
        Some(PatchOperation::Test(TestOperation { path, value }))
    };
    let guards = ["uid", "resourceVersion"].into_iter().filter_map(guard);
    Patch(guards.chain(operations.0.iter().cloned()).collect())
}

/// The fields that are not what the operations start from.
pub(super) fn differences(now: &Value, operations: &Patch) -> Vec<FieldChange> {
    let tests = operations.0.iter().filter_map(|operation| match operation {
        PatchOperation::Test(test) => Some(test),
        _ => None,
    });
    tests
        .filter_map(|test| {
            let field = field_of(&test.path);
            let found = now.pointer(test.path.as_str());
            (!field.starts_with("metadata") && found != Some(&test.value)).then(|| FieldChange {
                expected: test.value.to_string(),
                found: words(found),
                by: owner(now, &field),
                field,
            })
        })
        .collect()
}

fn find<'v>(value: &'v Value, path: &[Step]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

/// In JSON as an API server keeps it, a null is an absent value.
fn same(old: Option<&Value>, found: Option<&Value>) -> bool {
    match (old.filter(|value| !value.is_null()), found.filter(|value| !value.is_null())) {
        (None, None) => true,
        (Some(old), Some(found)) => equal(old, found),
        _ => false,
    }
}

fn words(value: Option<&Value>) -> String {
    value.map_or_else(|| "absent".to_owned(), Value::to_string)
}

fn pointer(path: &[Step]) -> PointerBuf {
    PointerBuf::from_tokens(path.iter().map(|step| match step {
        Step::Key(key) => key.clone(),
        Step::Index(index) => index.to_string(),
    }))
}

fn field_of(path: &PointerBuf) -> String {
    let mut field = String::new();
    for token in path.tokens() {
        let token = token.decoded();
        match token.parse() {
            Ok(index) => weft_api::field::push_index(&mut field, index),
            Err(_) => weft_api::field::push_key(&mut field, &token),
        }
    }
    field
}
