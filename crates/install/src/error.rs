//! Why a Mesh cannot be installed.

use std::fmt;

use weft_api::ObjectError;

/// Everything that is wrong with a Mesh: field, message and remedy of each.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct RenderError {
    /// At least one.
    pub problems: Vec<ObjectError>,
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl From<ObjectError> for RenderError {
    fn from(problem: ObjectError) -> Self {
        Self { problems: vec![problem] }
    }
}
