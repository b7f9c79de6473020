//! Weights that do not say what they seem to say.

use weft_mesh::Snapshot;
use weft_model::{Diagnostic, ObjectRef};

use crate::{
    code::{SINGLE_WEIGHT, WEIGHTS_DO_NOT_ADD_UP},
    finding::finding,
};

pub(super) fn check(snapshot: &Snapshot, findings: &mut Vec<Diagnostic>) {
    for vs in snapshot.virtual_services() {
        for (index, route) in vs.spec.http.iter().enumerate() {
            let weights = route.route.iter().map(|to| to.weight);
            route_weights(vs.reference(), &format!("spec.http[{index}].route"), weights, findings);
        }
        for (index, route) in vs.spec.tls.iter().enumerate() {
            let weights = route.route.iter().map(|to| to.weight);
            route_weights(vs.reference(), &format!("spec.tls[{index}].route"), weights, findings);
        }
        for (index, route) in vs.spec.tcp.iter().enumerate() {
            let weights = route.route.iter().map(|to| to.weight);
            route_weights(vs.reference(), &format!("spec.tcp[{index}].route"), weights, findings);
        }
    }
}

/// Weights are shares of their sum, so any sum works; people mean percent, though, and a sum other than 100 is nearly
/// always a slip. Negative weights and a sum of 0 are errors of the object itself.
fn route_weights(
    object: &ObjectRef,
    field: &str,
    weights: impl Iterator<Item = Option<i32>>,
    findings: &mut Vec<Diagnostic>,
) {
    let weights: Vec<Option<i32>> = weights.collect();
    match weights.as_slice() {
        [] | [None | Some(100)] => {}
        [Some(weight)] => {
            let message = format!("the only destination gets every request, whatever its weight ({weight}) says");
            let mut found = finding(SINGLE_WEIGHT, object, format!("{field}[0].weight"), message);
            found.suggestion = Some("leave the weight out".to_owned());
            findings.push(found);
        }
        several => {
            let values = || several.iter().map(|weight| i64::from(weight.unwrap_or(0)));
            let sum: i64 = values().sum();
            if sum == 100 || sum <= 0 || values().any(|weight| weight < 0) {
                return;
            }
            let shares: Vec<String> = values().map(|weight| percent(weight, sum)).collect();
            let message = format!(
                "the weights add up to {sum}, not 100; the destinations get {} of the requests",
                shares.join(", ")
            );
            findings.push(finding(WEIGHTS_DO_NOT_ADD_UP, object, field, message));
        }
    }
}

/// To a tenth of a percent, without a needless `.0`.
fn percent(weight: i64, sum: i64) -> String {
    let tenths = (weight * 1000 + sum / 2) / sum;
    match tenths % 10 {
        0 => format!("{} %", tenths / 10),
        rest => format!("{}.{rest} %", tenths / 10),
    }
}
