//! The analyzers, and the order of what they find.

mod destinations;
mod duplicate_hosts;
mod gateway;
mod host;
mod left_out;
mod names;
mod nobody;
mod not_applied;
mod object;
mod subset;
mod telemetry;
mod visibility;
mod weights;

use std::collections::HashSet;

use weft_api::ObjectKey;
use weft_mesh::Snapshot;
use weft_model::{Diagnostic, ObjectRef, Severity};

use crate::{
    Options,
    code::{HOST_NOT_FOUND, RULE_HOST_NOT_FOUND},
};

/// Runs every analyzer.
pub(crate) fn all(snapshot: &Snapshot, options: &Options) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    object::check(snapshot, &mut findings);
    host::check(snapshot, options, &mut findings);
    subset::check(snapshot, options, &mut findings);
    gateway::check(snapshot, options, &mut findings);
    weights::check(snapshot, &mut findings);
    left_out::check(snapshot, &mut findings);
    duplicate_hosts::check(snapshot, &mut findings);
    not_applied::check(snapshot, &mut findings);
    names::check(snapshot, &mut findings);
    nobody::check(snapshot, &mut findings);
    visibility::check(snapshot, &mut findings);
    telemetry::check(snapshot, options, &mut findings);
    once(&mut findings);
    findings.sort_by_cached_key(order);
    findings
}

/// Leaves out that nobody has a host where it was said already that it is none.
fn once(findings: &mut Vec<Diagnostic>) {
    let of = |finding: &Diagnostic| -> (Option<ObjectRef>, String) { (finding.object.clone(), finding.field.clone()) };
    let invalid: HashSet<_> =
        findings.iter().filter(|finding| finding.code == weft_api::code::INVALID).map(of).collect();
    findings.retain(|finding| {
        let not_found = [HOST_NOT_FOUND.id, RULE_HOST_NOT_FOUND.id].contains(&finding.code.as_str());
        !not_found || !invalid.contains(&of(finding))
    });
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
