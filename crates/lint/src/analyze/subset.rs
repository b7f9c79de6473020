//! Subsets that no DestinationRule defines.

use std::collections::BTreeSet;

use weft_api::error::did_you_mean;
use weft_mesh::{Snapshot, resolve::destination_rule::patterns};
use weft_model::{Diagnostic, Hostname};

use super::{destinations::destinations, host};
use crate::{
    Options,
    code::SUBSET_NOT_FOUND,
    finding::{finding, listed},
};

pub(super) fn check(snapshot: &Snapshot, options: &Options, findings: &mut Vec<Diagnostic>) {
    for vs in snapshot.virtual_services() {
        for (field, destination) in destinations(&vs.spec) {
            if destination.subset.is_empty() {
                continue;
            }
            let host = snapshot.resolve_host(&destination.host, vs.namespace());
            let rules = Rules::of(snapshot, &host);
            if rules.subsets.contains(destination.subset.as_str()) {
                continue;
            }
            // Without any rule for the host, the rule may be elsewhere; without the host, that is the finding.
            if rules.names.is_empty() && (options.assume_partial || !host::known(snapshot, &host)) {
                continue;
            }
            let (subset, name) = (&destination.subset, &destination.host);
            let (message, suggestion) = if rules.names.is_empty() {
                (
                    format!("the subset {subset:?} of {name:?} is not defined: no DestinationRule is for this host"),
                    Some(format!("add a DestinationRule for {:?} with this subset", host.as_str())),
                )
            } else {
                let known = rules.subsets.iter().copied();
                let message = format!(
                    "the subset {subset:?} of {name:?} is not defined: DestinationRule {} defines {}",
                    rules.names.join(" and "),
                    listed(known.clone())
                );
                (message, did_you_mean(subset, known))
            };
            let mut found = finding(SUBSET_NOT_FOUND, vs.reference(), format!("{field}.subset"), message);
            found.suggestion = suggestion;
            findings.push(found);
        }
    }
}

/// What the DestinationRules for a host define, wherever they are: which of them a client obeys depends on its namespace,
/// and one that defines the subset is enough not to call it missing.
struct Rules<'s> {
    names: Vec<String>,
    subsets: BTreeSet<&'s str>,
}

impl<'s> Rules<'s> {
    fn of(snapshot: &'s Snapshot, host: &Hostname) -> Self {
        let mut rules = Self { names: Vec::new(), subsets: BTreeSet::new() };
        for pattern in patterns(host) {
            for rule in snapshot.destination_rules_of(&pattern) {
                rules.names.push(format!("{}/{}", rule.namespace(), rule.name()));
                rules.subsets.extend(rule.subsets.iter().map(|subset| subset.name.as_str()));
            }
        }
        rules
    }
}
