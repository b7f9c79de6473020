//! One object out of its JSON, with everything that is wrong with it. Files and API servers both go through here.

use serde_json::Value;
use weft_api::{Object, ObjectError, UnknownField, code, field, parse_noting};
use weft_model::ObjectRef;

use crate::{DEFAULT_NAMESPACE, location::Lines, yaml};

/// A finding, with its code and yet without a place.
pub(crate) type Finding = (ObjectError, &'static str);

/// What came of reading one object.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// The object, when it could be read at all.
    pub(crate) object: Option<Object>,
    /// What keeps it from being taken.
    pub(crate) errors: Vec<Finding>,
    /// What does no harm.
    pub(crate) notes: Vec<Finding>,
}

/// Reads an object. With `validate`, one that makes no sense has errors as well.
pub(crate) fn read(value: &Value, validate: bool) -> Reading {
    let mut reading = Reading::default();
    let mut unknown_fields = Vec::new();
    let mut object = match parse_noting(value, DEFAULT_NAMESPACE, &mut unknown_fields) {
        Ok(object) => object,
        Err(error) => {
            // Often the reason: what was meant is written under a name that nothing has.
            if let Some(reference) = &error.object {
                reading.notes = notes(reference, unknown_fields);
            }
            reading.errors.push((*error, code::MALFORMED));
            return reading;
        }
    };
    match mesh_config(&mut object) {
        Ok(unknown) => unknown_fields.extend(unknown),
        Err((error, code)) => {
            reading.errors.push((*error, code));
            return reading;
        }
    }
    reading.notes = notes(&object.reference, unknown_fields);
    if validate {
        reading.errors = object.validate().into_iter().map(|error| (error, code::INVALID)).collect();
    }
    reading.object = Some(object);
    reading
}

fn notes(object: &ObjectRef, unknown: Vec<UnknownField>) -> Vec<Finding> {
    let note = |unknown: UnknownField| {
        let error = ObjectError {
            message: format!("{} has no field {:?}", object.kind, last_key(&unknown.field)),
            object: Some(object.clone()),
            field: unknown.field,
            suggestion: unknown.suggestion,
        };
        (error, code::UNKNOWN_FIELD)
    };
    unknown.into_iter().map(note).collect()
}

/// Reads the texts in Istio's ConfigMap, if the object is that.
fn mesh_config(object: &mut Object) -> Result<Vec<UnknownField>, (Box<ObjectError>, &'static str)> {
    let Some(texts) = object.mesh_config_texts() else { return Ok(Vec::new()) };
    let [mesh, networks] = texts.map(|(key, text)| {
        yaml::parse(text).map(|node| node.map_or(Value::Null, |node| node.to_value())).map_err(|error| {
            let line = Lines::new(text).place(text, error.offset).0;
            let error = ObjectError {
                object: Some(object.reference.clone()),
                field: format!("data.{key}"),
                message: format!("line {line} of the text: {}", error.message),
                suggestion: None,
            };
            (Box::new(error), code::UNREADABLE)
        })
    });
    let (mesh, networks) = (mesh?, networks?);
    object.attach_mesh_config(&mesh, &networks).map_err(|error| (error, code::MALFORMED))
}

fn last_key(path: &str) -> &str {
    let start = field::parent(path).map_or(0, str::len);
    path[start..].trim_start_matches('.')
}
