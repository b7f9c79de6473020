//! Kinds that are read, kept, and have no effect.

use weft_api::Kind;
use weft_mesh::Snapshot;
use weft_model::Diagnostic;

use crate::{code::NOT_APPLIED, finding::finding};

pub(super) fn check(snapshot: &Snapshot, findings: &mut Vec<Diagnostic>) {
    for (_, object) in snapshot.objects() {
        let reason = match object.kind() {
            Some(Kind::EnvoyFilter) => "it patches Envoy's own configuration, and this mesh's proxy is not Envoy",
            Some(Kind::WasmPlugin) => "this mesh's proxy runs no WebAssembly",
            _ => continue,
        };
        let message = format!("{} is read and not applied: {reason}", object.reference.kind);
        findings.push(finding(NOT_APPLIED, &object.reference, "", message));
    }
}
