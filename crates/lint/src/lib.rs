//! What is wrong with configuration that each object for itself cannot tell: analyzers over a [`Snapshot`], one file
//! each. Pure; findings have no place in a file, which the caller adds where there is one.

mod analyze;
pub mod code;
mod finding;
pub mod meaning;

use weft_mesh::Snapshot;
use weft_model::Diagnostic;

/// How findings are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether objects may exist that the snapshot does not hold, so that one that is missing is no finding.
    pub assume_partial: bool,
}

/// Every finding about a snapshot, ordered by object and field.
pub fn analyze(snapshot: &Snapshot, options: &Options) -> Vec<Diagnostic> {
    analyze::all(snapshot, options)
}

#[cfg(test)]
mod tests;
