//! Checks that need one object alone.

use crate::{Object, ObjectError};

pub(crate) fn object(_object: &Object) -> Vec<ObjectError> {
    Vec::new()
}
