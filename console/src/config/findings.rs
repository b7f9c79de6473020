//! What is wrong with a configuration: the files' own findings and those of lint, each with its place.

use std::{collections::BTreeSet, sync::Arc};

use weft_api::{Change, Object, ObjectKey};
use weft_lint::Options;
use weft_mesh::{Snapshot, Store};
use weft_model::Diagnostic;
use weft_source::Index;

/// Findings of lint about a snapshot. Places are those of `index`, as far as it knows the objects. The directory is the
/// whole estate, so what is missing in it is missing.
pub fn lint(snapshot: &Snapshot, index: &Index) -> Vec<Diagnostic> {
    let mut findings = weft_lint::analyze(snapshot, &Options::default());
    index.locate_all(&mut findings);
    findings
}

/// Findings of lint about what stands in files that are not in force, because something else in them keeps them from it:
/// whoever mends such a file is told all of it at once, as `weft lint` tells it.
pub fn lint_refused(snapshot: &Snapshot, index: &Index, refused: &Index) -> Vec<Diagnostic> {
    // What another file defines is that file's.
    let elsewhere = |key: &ObjectKey, file: &str| index.document(key).is_some_and(|in_force| in_force.file != file);
    let own = refused.documents().filter(|document| !elsewhere(&document.object.key(), document.file));
    let own: Vec<Arc<Object>> = own.map(|document| document.object.clone()).collect();
    if own.is_empty() {
        return Vec::new();
    }
    let keys: BTreeSet<ObjectKey> = own.iter().map(|object| object.key()).collect();
    let mut store = Store::new(snapshot.settings().clone());
    let others = snapshot.objects().filter(|(key, _)| !keys.contains(*key)).map(|(_, object)| object.clone());
    store.apply(others.chain(own).map(Change::Put).collect());
    let mut findings = weft_lint::analyze(&store.snapshot(), &Options::default());
    findings.retain(|finding| finding.object.as_ref().is_some_and(|object| keys.contains(&ObjectKey::from(object))));
    refused.locate_all(&mut findings);
    findings
}

/// Whether two findings are the same one, wherever it stands: an edit moves lines.
pub fn same(a: &Diagnostic, b: &Diagnostic) -> bool {
    a.code == b.code && a.object == b.object && a.field == b.field && a.message == b.message
}
