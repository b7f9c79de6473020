use std::fmt::Write as _;

use serde_json::Value;
use weft_api::{Kind, ObjectKey};
use weft_model::{
    ObjectRef,
    canary::{WeightEdit, place},
};
use weft_source::FieldEdit;

use super::EditError;
use crate::{canary::Split, config::View};

/// The sum that Envoy takes.
const MAX_SUM: u64 = u32::MAX as u64;

/// An edit that fits its route.
pub(super) struct Plan {
    pub key: ObjectKey,
    object: ObjectRef,
    /// Where the route is: its list, and its index there.
    place: (&'static str, usize),
    /// Weights as written, `None` where there is none.
    written: Vec<Option<u32>>,
    /// Weights as they count.
    pub before: Vec<u32>,
    after: Vec<u32>,
}

impl Plan {
    /// Checks an edit against the present configuration.
    pub(super) fn new(view: &View, edit: &WeightEdit) -> Result<Self, EditError> {
        let key = ObjectKey::from(&edit.object);
        let is_it = |split: &&Split| split.route_index == edit.route_index && ObjectKey::from(&split.object) == key;
        let no_such = || EditError::NoSuchRoute { object: edit.object.clone(), route_index: edit.route_index };
        let split = view.splits.iter().find(is_it).ok_or_else(no_such)?;
        if edit.weights.len() != split.arms.len() {
            let message = format!(
                "the route has {} destinations and {} weights were given",
                split.arms.len(),
                edit.weights.len()
            );
            return Err(EditError::Weights(message));
        }
        let sum: u64 = edit.weights.iter().map(|weight| u64::from(*weight)).sum();
        if sum == 0 {
            return Err(EditError::Weights("at least one weight must be above zero".to_owned()));
        }
        if sum > MAX_SUM || edit.weights.iter().any(|weight| i32::try_from(*weight).is_err()) {
            return Err(EditError::Weights("the weights are too large".to_owned()));
        }
        Ok(Self {
            key,
            object: split.object.clone(),
            place: place(split.route_index),
            written: split.arms.iter().map(|arm| arm.written).collect(),
            before: split.arms.iter().map(|arm| arm.weight).collect(),
            after: edit.weights.clone(),
        })
    }

    fn changed(&self) -> impl Iterator<Item = (usize, Option<u32>, u32)> {
        let pairs = self.written.iter().zip(&self.after).enumerate();
        // An absent weight counts as zero; it is put in only when it is to be something else.
        pairs.filter(|(_, (old, new))| old.unwrap_or(0) != **new).map(|(index, (old, new))| (index, *old, *new))
    }

    /// The fields to change. Weights may be written as numbers or as strings of digits; both mean the same, so the second
    /// form is for when the first is not what stands there.
    pub(super) fn forms(&self) -> [Vec<FieldEdit>; 2] {
        let edits = |form: fn(u32) -> Value| -> Vec<FieldEdit> {
            let (list, at) = self.place;
            let field = |index| format!("spec.{list}[{at}].route[{index}].weight");
            let edit = |(index, old, new): (usize, Option<u32>, u32)| FieldEdit {
                field: field(index),
                old: old.map(form),
                new: Value::from(new),
            };
            self.changed().map(edit).collect()
        };
        [edits(Value::from), edits(|weight| Value::from(weight.to_string()))]
    }

    /// Share of the route's requests that would go to another destination, 0 to 1.
    pub(super) fn moved_share(&self) -> f64 {
        let shares = |weights: &[u32]| -> Vec<f64> {
            let sum: f64 = weights.iter().copied().map(f64::from).sum();
            weights.iter().map(|weight| if sum > 0.0 { f64::from(*weight) / sum } else { 0.0 }).collect()
        };
        let pairs = shares(&self.before).into_iter().zip(shares(&self.after));
        pairs.map(|(before, after)| (after - before).max(0.0)).sum()
    }

    /// The same with kubectl: a patch that tests what it replaces.
    pub(super) fn command(&self) -> String {
        let mut operations = Vec::new();
        for (index, old, new) in self.changed() {
            let (list, at) = self.place;
            let path = format!("/spec/{list}/{at}/route/{index}/weight");
            match old {
                Some(old) => {
                    operations.push(format!(r#"{{"op":"test","path":"{path}","value":{old}}}"#));
                    operations.push(format!(r#"{{"op":"replace","path":"{path}","value":{new}}}"#));
                }
                None => operations.push(format!(r#"{{"op":"add","path":"{path}","value":{new}}}"#)),
            }
        }
        let kind = Kind::VirtualService;
        let mut command = format!("kubectl patch {}.{} {}", kind.plural(), kind.group(), self.object.name);
        let _ = write!(command, " -n {} --type=json -p '[{}]'", self.object.namespace, operations.join(","));
        command
    }
}
