//! YAML and JSON text as trees whose nodes know their bytes.
//!
//! Scalars mean what Kubernetes' own reader (YAML 1.1 with JSON's types) takes them for, so that a file means the same
//! here and on a cluster. Keys written twice, endless aliases and bottomless nesting are errors.

mod build;
mod json;
mod node;
pub(crate) mod scalar;
mod split;

pub use node::{Entry, Kind, Layout, Node, Step, steps};
pub use split::{Chunk, split};

/// Nodes of one document, with every alias counted as what it stands for.
pub const MAX_NODES: usize = 500_000;
/// Lists and mappings inside each other.
pub const MAX_DEPTH: usize = 64;

/// Why a text is not YAML (or JSON) of the kind that Kubernetes takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// Byte of the text at which it was noticed.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
}

/// Reads one YAML document (without its `---`). `None` when there is nothing but comments in it.
pub fn parse(text: &str) -> Result<Option<Node>, SyntaxError> {
    build::document(text)
}

/// Reads one JSON value.
pub fn parse_json(text: &str) -> Result<Node, SyntaxError> {
    json::value(text)
}

#[cfg(test)]
mod tests;
