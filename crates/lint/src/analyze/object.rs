//! Objects that make no sense by themselves.

use weft_api::code;
use weft_mesh::Snapshot;
use weft_model::Diagnostic;

pub(super) fn check(snapshot: &Snapshot, findings: &mut Vec<Diagnostic>) {
    for (_, object) in snapshot.objects() {
        findings.extend(object.validate().into_iter().map(|error| error.diagnostic(code::INVALID)));
    }
}
