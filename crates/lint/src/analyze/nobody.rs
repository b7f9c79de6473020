//! Sources of AuthorizationPolicies that no caller can be.

use weft_mesh::Snapshot;
use weft_model::Diagnostic;

use crate::{
    code::NOBODY,
    finding::{finding, listed},
};

/// Principals and namespaces of one source must both fit; two sources are what people mean who write both into one.
pub(super) fn check(snapshot: &Snapshot, findings: &mut Vec<Diagnostic>) {
    for policy in snapshot.authorization_policies() {
        for (rule, from) in policy.spec.rules.iter().enumerate() {
            for (index, from) in from.from.iter().enumerate().filter(|(_, from)| from.source.is_nobody()) {
                let field = format!("spec.rules[{rule}].from[{index}].source");
                let message = format!(
                    "nobody matches this source: its principals are all in other namespaces than {}",
                    listed(from.source.namespaces.iter().map(String::as_str))
                );
                let mut found = finding(NOBODY, policy.reference(), field, message);
                found.suggestion = Some("leave one of the lists out, or write them into two sources".to_owned());
                findings.push(found);
            }
        }
    }
}
