//! Reading xDS. What is not supported and would change behaviour is an error, so that it is answered with a NACK
//! instead of being ignored; the message names the field.

use std::sync::Arc;

use crate::config::{Kind, Resource};

/// Why a resource is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct ReadError {
    /// Path of the field, such as `filter_chains[0].filters[1]`; empty for the resource as a whole.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Reads one resource: `name` as in the delta response, `value` the bytes inside its `Any`.
pub fn read(kind: Kind, name: &Arc<str>, value: &[u8]) -> Result<Resource, ReadError> {
    let _ = (kind, value);
    Err(ReadError { field: name.to_string(), reason: "not readable yet".into() })
}
