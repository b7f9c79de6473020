//! The analyzers, and the order of what they find.

mod destinations;
mod duplicate_hosts;
mod gateway;
mod host;
mod names;
mod nobody;
mod not_applied;
mod object;
mod subset;
mod telemetry;
mod visibility;
mod weights;

use weft_api::ObjectKey;
use weft_mesh::Snapshot;
use weft_model::{Diagnostic, Severity};

use crate::Options;

/// Runs every analyzer.
pub(crate) fn all(snapshot: &Snapshot, options: &Options) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    object::check(snapshot, &mut findings);
    host::check(snapshot, options, &mut findings);
    subset::check(snapshot, options, &mut findings);
    gateway::check(snapshot, options, &mut findings);
    weights::check(snapshot, &mut findings);
    duplicate_hosts::check(snapshot, &mut findings);
    not_applied::check(snapshot, &mut findings);
    names::check(snapshot, &mut findings);
    nobody::check(snapshot, &mut findings);
    visibility::check(snapshot, &mut findings);
    telemetry::check(snapshot, options, &mut findings);
    findings.sort_by_cached_key(order);
    findings
}

/// Reading order: by object, then by place in it, then by code.
fn order(finding: &Diagnostic) -> (Option<ObjectKey>, Vec<Piece>, std::cmp::Reverse<Severity>, String) {
    let key = finding.object.as_ref().map(ObjectKey::from);
    (key, pieces(&finding.field), std::cmp::Reverse(finding.severity), finding.code.clone())
}

/// Part of a field path: `http[10]` comes after `http[2]`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Piece {
    Index(usize),
    Word(String),
}

fn pieces(field: &str) -> Vec<Piece> {
    field
        .split(['.', '[', ']'])
        .filter(|piece| !piece.is_empty())
        .map(|piece| piece.parse().map_or_else(|_| Piece::Word(piece.to_owned()), Piece::Index))
        .collect()
}
