//! What somebody is shown of an answer: namespaces that they do not see are not in it.

pub mod addresses;
pub(crate) mod names;
pub mod views;

use std::collections::BTreeSet;

use weft_model::{
    Diagnostic, ObjectRef, Severity,
    canary::Canaries,
    config::{ConfigList, ConfigRow, Meta, Status},
    details::{Detail, SyncState},
    mesh::{Drift, MeshState, ProxyDetail, ProxyRow},
    trace::{Span, Trace, TraceRow},
};

use crate::auth::Sight;

/// Objects and findings.
pub fn config(list: &ConfigList, sight: &Sight) -> ConfigList {
    let shown = list.rows.iter().filter(|row| sight.sees(&row.object.namespace));
    let rows = rows(shown.cloned().collect(), list, sight);
    ConfigList { rows, file_findings: file_findings(list, sight), next: None }
}

/// Rows of objects that are seen, with findings that name none that is not. `list` is the whole one.
pub fn rows(mut rows: Vec<ConfigRow>, list: &ConfigList, sight: &Sight) -> Vec<ConfigRow> {
    if *sight != Sight::All {
        let all: BTreeSet<&str> = list.rows.iter().map(|row| home(&row.object)).collect();
        let mut hides = |namespace: &str| all.contains(namespace) && !sight.sees(namespace);
        for finding in rows.iter_mut().flat_map(|row| &mut row.findings) {
            names::finding(finding, &mut hides);
        }
    }
    rows
}

/// The namespace that an object is in, or is.
fn home(object: &ObjectRef) -> &str {
    if object.kind == "Namespace" { &object.name } else { &object.namespace }
}

/// Findings that belong to no object.
pub fn file_findings(list: &ConfigList, sight: &Sight) -> Vec<Diagnostic> {
    let mut shown: Vec<Diagnostic> =
        list.file_findings.iter().filter(|finding| sees_finding(finding, sight)).cloned().collect();
    let mut hides = |namespace: &str| !namespace.is_empty() && !sight.sees(namespace);
    shown.iter_mut().for_each(|finding| names::finding(finding, &mut hides));
    shown
}

/// A finding about a file may quote anything that is in it, so it is for those who see the mesh as a whole.
fn sees_finding(finding: &Diagnostic, sight: &Sight) -> bool {
    sight.sees(finding.object.as_ref().map_or("", |object| object.namespace.as_str()))
}

/// What a draft of somebody's own brings with it; what is about no object is about the draft. `namespaces` are all that
/// there are.
pub fn findings(findings: &mut Vec<Diagnostic>, namespaces: &BTreeSet<String>, sight: &Sight) {
    findings.retain(|finding| finding.object.as_ref().is_none_or(|object| sight.sees(&object.namespace)));
    named(findings, namespaces, sight);
}

/// The same of findings about the draft itself: all of them are shown, without the names of what is not seen.
pub fn named(findings: &mut [Diagnostic], namespaces: &BTreeSet<String>, sight: &Sight) {
    let mut hides = |namespace: &str| namespaces.contains(namespace) && !sight.sees(namespace);
    findings.iter_mut().for_each(|finding| names::finding(finding, &mut hides));
}

/// Weighted routes.
pub fn canaries(mut list: Canaries, sight: &Sight) -> Canaries {
    list.canaries.retain(|canary| sight.sees(&canary.object.namespace));
    addresses::sources(&mut list.sources, sight);
    // Without the list of all namespaces, whatever a finding names that is not seen is left out.
    let mut hides = |namespace: &str| !namespace.is_empty() && !sight.sees(namespace);
    for canary in &mut list.canaries {
        addresses::text(&mut canary.sentence, sight);
        canary.findings.iter_mut().for_each(|finding| names::finding(finding, &mut hides));
    }
    list
}

/// What the page asks first.
pub fn meta(mut meta: Meta, sight: &Sight) -> Meta {
    meta.namespaces.retain(|namespace| sight.sees(namespace));
    if *sight != Sight::All {
        meta.prometheus_url.clear();
        meta.directory.clear();
    }
    meta
}

/// Counts of findings that are shown.
pub fn status(mut status: Status, list: &ConfigList, sight: &Sight) -> Status {
    if *sight != Sight::All {
        let shown = config(list, sight);
        let findings = || shown.file_findings.iter().chain(shown.rows.iter().flat_map(|row| &row.findings));
        let count = |severity| findings().filter(|finding| finding.severity == severity).count();
        status.findings = (count(Severity::Error), count(Severity::Warning), count(Severity::Info));
        // A share of everybody's traffic.
        status.mtls_share = None;
        for dependency in [&mut status.prometheus, &mut status.operator, &mut status.database] {
            addresses::note(&mut dependency.problem, sight);
        }
    }
    status
}

/// The mesh's own state.
pub fn mesh(mut state: MeshState, sight: &Sight) -> MeshState {
    let problems = [&mut state.prometheus, &mut state.operator].map(|dependency| &mut dependency.problem);
    let notes = [&mut state.certificates_note, &mut state.serving_note, &mut state.costs_note];
    let planes = state.control_planes.iter_mut().map(|plane| &mut plane.problem);
    planes.chain(problems).chain(notes).for_each(|note| addresses::note(note, sight));
    state.verdicts.iter_mut().for_each(|verdict| addresses::text(&mut verdict.text, sight));
    state.proxies.iter_mut().for_each(|row| proxy_row(row, sight));
    state
}

/// The page of a workload and its sisters.
pub fn detail(detail: &mut Detail, sight: &Sight) {
    addresses::sources(&mut detail.sources, sight);
    addresses::note(&mut detail.operator_problem, sight);
    for instance in detail.instances.iter_mut().filter(|instance| instance.sync == SyncState::Unknown) {
        addresses::text(&mut instance.words, sight);
    }
}

/// The page of one proxy.
pub fn proxy(detail: &mut ProxyDetail, sight: &Sight) {
    drift(&mut detail.drift, sight);
    proxy_row(&mut detail.row, sight);
    detail.notes.iter_mut().for_each(|note| addresses::text(note, sight));
    for (_, command) in detail.commands.iter_mut().filter(|_| *sight != Sight::All) {
        command.truncate(command.find(" --operator-admin ").unwrap_or(command.len()));
    }
}

/// One that is not known is so because the operator has no answer; what a proxy refused is told in its own words.
fn proxy_row(row: &mut ProxyRow, sight: &Sight) {
    if row.sync == SyncState::Unknown {
        addresses::text(&mut row.words, sight);
    }
    if *sight != Sight::All {
        row.control_plane.clear();
    }
}

/// Whether a workload (`namespace/name`) is named.
pub fn sees_workload(workload: &str, sight: &Sight) -> bool {
    sight.sees(namespace(workload))
}

/// What a proxy's differences are made from; of objects that are not seen only how many they are.
fn drift(drift: &mut [Drift], sight: &Sight) {
    for one in drift {
        let all = one.origins.len();
        one.origins.retain(|object| sight.sees(&object.namespace));
        one.hidden_origins += all - one.origins.len();
    }
}

/// A trace's row with only its totals where it began at a workload that is not seen.
pub fn trace_row(row: TraceRow, sight: &Sight) -> TraceRow {
    if sees_workload(&row.workload, sight) {
        return row;
    }
    TraceRow { root: "hidden".to_owned(), workload: String::new(), ..row }
}

/// A trace with only the times of hops that are not seen. `None` when none is seen.
pub fn trace(mut trace: Trace, sight: &Sight) -> Option<Trace> {
    let mut any = false;
    for span in &mut trace.spans {
        if sight.sees(namespace(&span.workload)) {
            // A gap only says that somebody else called.
            any |= span.kind != "gap";
        } else {
            *span = Span {
                name: "hidden".to_owned(),
                workload: String::new(),
                attributes: Vec::new(),
                edge: String::new(),
                ..std::mem::take(span)
            };
        }
    }
    any.then_some(trace)
}

fn namespace(workload: &str) -> &str {
    workload.split_once('/').map_or("", |(namespace, _)| namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Sight {
        Sight::Only(["shop".to_owned()].into())
    }

    #[test]
    fn a_proxy_tells_where_its_control_plane_is_to_whoever_sees_the_mesh() {
        let url = "http://10.0.0.2:15014";
        let why = format!("The operator at {url} cannot be reached (refused)");
        let row = ProxyRow {
            sync: SyncState::Unknown,
            words: why.clone(),
            control_plane: url.to_owned(),
            ..ProxyRow::default()
        };
        let command = format!("weft proxy-status cart.shop --operator-admin {url}");
        let whole = ProxyDetail {
            row: row.clone(),
            notes: vec![why],
            commands: vec![(String::new(), command)],
            ..ProxyDetail::default()
        };
        let mut shown = whole.clone();
        proxy(&mut shown, &shop());
        assert!(!format!("{shown:?}").contains("10.0.0.2"), "{shown:?}");
        assert_eq!(shown.notes, ["The operator cannot be reached (refused)"]);
        assert_eq!(shown.commands[0].1, "weft proxy-status cart.shop");
        let mut shown = whole.clone();
        proxy(&mut shown, &Sight::All);
        assert_eq!(shown, whole);
        let mut refused = ProxyRow { sync: SyncState::Refused, words: "no https://keys".to_owned(), ..row };
        proxy_row(&mut refused, &shop());
        assert_eq!(refused.words, "no https://keys");
    }

    #[test]
    fn a_trace_keeps_its_times_and_loses_its_names() {
        let span = |workload: &str| Span {
            span_id: workload.to_owned(),
            name: "GET /secret".to_owned(),
            workload: workload.to_owned(),
            duration_us: 7,
            attributes: vec![("http.url".to_owned(), "/secret".to_owned())],
            ..Span::default()
        };
        let whole = Trace { spans: vec![span("shop/cart"), span("bank/till")], ..Trace::default() };
        let shown = trace(whole.clone(), &shop()).unwrap();
        assert_eq!(shown.spans[0], whole.spans[0]);
        let hidden = &shown.spans[1];
        assert_eq!((hidden.name.as_str(), hidden.workload.as_str(), hidden.duration_us), ("hidden", "", 7));
        assert!(hidden.attributes.is_empty());
        assert_eq!(trace(whole.clone(), &Sight::All), Some(whole.clone()));
        assert_eq!(trace(Trace { spans: vec![span("bank/till")], ..whole }, &shop()), None);
    }
}
