//! What is wrong with a configuration: the files' own findings and those of lint, each with its place.

use weft_lint::Options;
use weft_mesh::Snapshot;
use weft_model::Diagnostic;
use weft_source::Index;

/// Findings of lint about a snapshot. Places are those of `index`, as far as it knows the objects. The directory is the
/// whole estate, so what is missing in it is missing.
pub fn lint(snapshot: &Snapshot, index: &Index) -> Vec<Diagnostic> {
    let mut findings = weft_lint::analyze(snapshot, &Options::default());
    index.locate_all(&mut findings);
    findings
}

/// Whether two findings are the same one, wherever it stands: an edit moves lines.
pub fn same(a: &Diagnostic, b: &Diagnostic) -> bool {
    a.code == b.code && a.object == b.object && a.field == b.field && a.message == b.message
}
