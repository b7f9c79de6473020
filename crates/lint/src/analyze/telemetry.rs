//! Telemetries that do not do what they say: another one holds in their place, nobody is meant, or a field is without
//! effect here.

use std::collections::BTreeMap;

use weft_api::{
    error::nearest,
    field::push_key,
    telemetry::{CustomTag, Telemetry, Tracing},
};
use weft_mesh::{Snapshot, Typed};
use weft_model::{Diagnostic, WorkloadRef};

use crate::{
    Options,
    code::{FIELD_NOT_APPLIED, PROVIDER_NOT_FOUND, SELECTS_NOBODY, TELEMETRIES_OF_ONE_SCOPE, TELEMETRIES_SELECT_ALIKE},
    finding::finding,
};

pub(super) fn check(snapshot: &Snapshot, options: &Options, findings: &mut Vec<Diagnostic>) {
    // In the order of age, so that the first of a scope is the one that holds.
    let mut wide: BTreeMap<&str, &Typed<Telemetry>> = BTreeMap::new();
    let mut holders: BTreeMap<&WorkloadRef, &Typed<Telemetry>> = BTreeMap::new();
    for telemetry in snapshot.telemetries() {
        without_effect(telemetry, findings);
        providers(snapshot, telemetry, options, findings);
        if telemetry.is_attached() {
            continue;
        }
        match telemetry.labels() {
            None => match wide.get(telemetry.namespace()) {
                Some(first) => findings.push(in_vain(snapshot, telemetry, first)),
                None => {
                    wide.insert(telemetry.namespace(), telemetry);
                }
            },
            Some(labels) => {
                let mut rival = None;
                let mut any = false;
                for workload in snapshot.workloads_selected(telemetry.namespace(), labels) {
                    any = true;
                    let holder = *holders.entry(&workload.reference).or_insert(telemetry);
                    if holder.reference() != telemetry.reference() {
                        rival = rival.or(Some((holder, &workload.reference)));
                    }
                }
                findings.extend(rival.map(|(holder, workload)| overlapping(telemetry, holder, workload)));
                // Where no workload is known at all, the files are those of a cluster whose pods stand elsewhere.
                if !any && !options.assume_partial && !snapshot.workloads().is_empty() {
                    findings.push(selects_nobody(snapshot, telemetry));
                }
            }
        }
    }
}

/// The younger of two that are for a whole namespace, or for the mesh.
fn in_vain(snapshot: &Snapshot, telemetry: &Typed<Telemetry>, first: &Typed<Telemetry>) -> Diagnostic {
    let scope = match telemetry.namespace() == snapshot.settings().root_namespace {
        true => "the whole mesh".to_owned(),
        false => format!("all of namespace {}", telemetry.namespace()),
    };
    let message = format!(
        "Telemetry {}/{} is for {scope} too, and is the older one; this one is not applied",
        first.namespace(),
        first.name()
    );
    let mut found = finding(TELEMETRIES_OF_ONE_SCOPE, telemetry.reference(), "spec", message);
    found.suggestion = Some("put both into one Telemetry, or write a selector".to_owned());
    found
}

/// The younger of two that select a workload.
fn overlapping(telemetry: &Typed<Telemetry>, holder: &Typed<Telemetry>, workload: &WorkloadRef) -> Diagnostic {
    let message = format!(
        "Telemetry {}/{} selects the workload {} too, and is the older one; this one is not applied to it",
        holder.namespace(),
        holder.name(),
        workload.name
    );
    let mut found = finding(TELEMETRIES_SELECT_ALIKE, telemetry.reference(), "spec.selector.matchLabels", message);
    found.suggestion = Some("let only one Telemetry select a workload".to_owned());
    found
}

fn selects_nobody(snapshot: &Snapshot, telemetry: &Typed<Telemetry>) -> Diagnostic {
    let namespace = telemetry.namespace();
    let message = format!("no workload in namespace {namespace} has these labels");
    let mut found = finding(SELECTS_NOBODY, telemetry.reference(), "spec.selector.matchLabels", message);
    if namespace == snapshot.settings().root_namespace {
        found.suggestion = Some(
            "a selector looks no further than its namespace: put the Telemetry where the workloads are".to_owned(),
        );
    }
    found
}

fn providers(snapshot: &Snapshot, telemetry: &Typed<Telemetry>, options: &Options, findings: &mut Vec<Diagnostic>) {
    let known = || snapshot.mesh().config.extension_providers.iter().filter_map(|provider| provider["name"].as_str());
    for (index, tracing) in telemetry.spec.tracing.iter().enumerate() {
        for (place, provider) in tracing.providers.iter().enumerate() {
            let name = provider.name.as_str();
            let elsewhere = options.assume_partial && known().next().is_none();
            if name.is_empty() || elsewhere || known().any(|known| known == name) {
                continue;
            }
            let message = format!("meshConfig.extensionProviders has no provider {name:?}; spans go where they went");
            let field = format!("spec.tracing[{index}].providers[{place}].name");
            let mut found = finding(PROVIDER_NOT_FOUND, telemetry.reference(), field, message);
            found.suggestion = nearest(name, known()).map(|close| format!("did you mean {close:?}?"));
            findings.push(found);
        }
    }
}

/// Fields of Istio that nothing is made of here.
fn without_effect(telemetry: &Typed<Telemetry>, findings: &mut Vec<Diagnostic>) {
    let mut tell = |field: String, message: &str, suggestion: Option<&str>| {
        let mut found = finding(FIELD_NOT_APPLIED, telemetry.reference(), field, message);
        found.suggestion = suggestion.map(str::to_owned);
        findings.push(found);
    };
    let attached = "nothing here is attached to objects, so this Telemetry is for no workload";
    let selector = Some("write a selector in place of it");
    if telemetry.target_ref.is_some() {
        tell("spec.targetRef".to_owned(), attached, selector);
    }
    if !telemetry.target_refs.is_empty() {
        tell("spec.targetRefs".to_owned(), attached, selector);
    }
    if !telemetry.metrics.is_empty() {
        let message = "this has no effect: every proxy counts Istio's standard metrics, with their own labels";
        tell("spec.metrics".to_owned(), message, None);
    }
    if !telemetry.access_logging.is_empty() {
        let message = "this has no effect: where a proxy writes its access log is set for the mesh";
        tell("spec.accessLogging".to_owned(), message, Some("set meshConfig.accessLogFile"));
    }
    for (index, tracing) in telemetry.spec.tracing.iter().enumerate() {
        of_tracing(tracing, &format!("spec.tracing[{index}]"), &mut tell);
    }
}

fn of_tracing(tracing: &Tracing, at: &str, tell: &mut impl FnMut(String, &str, Option<&str>)) {
    if tracing.providers.len() > 1 {
        tell(format!("{at}.providers[1]"), "only the first provider counts", Some("leave the others out"));
    }
    if tracing.use_request_id_for_trace_sampling == Some(true) {
        let message = "this has no effect: the context of a trace carries the decision, and x-request-id does not";
        tell(format!("{at}.useRequestIdForTraceSampling"), message, Some("leave it out"));
    }
    if tracing.enable_istio_tags == Some(false) {
        let message = "this has no effect: spans always say what they are about";
        tell(format!("{at}.enableIstioTags"), message, Some("leave it out"));
    }
    for (name, tag) in &tracing.custom_tags {
        if let Some((part, message)) = silent(tag) {
            let mut field = format!("{at}.customTags");
            push_key(&mut field, name);
            field.push_str(part);
            tell(field, message, Some("write a literal, an environment or a header"));
        }
    }
}

/// Why a tag is in no span, and which part of it is to blame.
fn silent(tag: &CustomTag) -> Option<(&'static str, &'static str)> {
    if tag.formatter.is_some() {
        return Some((".formatter", "this has no effect: it is written in the words of Envoy's access log"));
    }
    if tag.literal.is_none() && tag.environment.is_none() && tag.header.is_none() {
        return Some(("", "the tag has no value, so no span has it"));
    }
    let pseudo = tag.header.as_ref().is_some_and(|header| header.name.starts_with(':'));
    pseudo.then_some((".header.name", "no request has such a header here: spans say what is the default"))
}
