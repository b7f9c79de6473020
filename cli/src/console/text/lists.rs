//! Configuration, and namespaces, applications, workloads and services.

use std::fmt::Write as _;

use weft_model::{
    Diagnostic, Severity,
    config::{ConfigList, ConfigObject, ConfigRow},
    details::{Call, Detail, Findings, Instance, Inventory, Proxies, Row, Subject, SyncState},
    graph::{Health, called},
};

use super::{clean, clean_lines, figure, gaps, health, lock, millis, note, percent, section, table};
use crate::output::plural;

/// The list of objects, then what is wrong with them.
pub fn config(list: &ConfigList) -> String {
    let head = ["KIND", "NAMESPACE", "NAME", "FINDINGS", "OWNER", "FROM"];
    let rows = list.rows.iter().map(object_row).collect();
    let mut text = table(&head, rows, "There is no such object, or none that you may see.");
    let findings = list.rows.iter().flat_map(|row| &row.findings).chain(&list.file_findings);
    let lines: Vec<String> = findings.map(|finding| clean(&finding.to_string())).collect();
    if !lines.is_empty() {
        let _ = write!(text, "\n{}\n", lines.join("\n"));
    }
    text
}

fn object_row(row: &ConfigRow) -> Vec<String> {
    vec![
        row.object.kind.clone(),
        row.object.namespace.clone(),
        row.object.name.clone(),
        findings(&count(&row.findings)),
        owner(row),
        from(row),
    ]
}

/// Who keeps it as it is, as the page has it: where no tool does, what is in a file is as the file has it.
fn owner(row: &ConfigRow) -> String {
    row.owner.clone().or_else(|| row.file.as_ref().map(|_| "File".to_owned())).unwrap_or_default()
}

/// File and line, or when it was made.
fn from(row: &ConfigRow) -> String {
    match (&row.file, row.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        (None, _) => row.created.clone().unwrap_or_default(),
    }
}

fn count(found: &[Diagnostic]) -> Findings {
    let of = |severity: Severity| found.iter().filter(|one| one.severity == severity).count();
    Findings { errors: of(Severity::Error), warnings: of(Severity::Warning), notes: of(Severity::Info) }
}

fn findings(found: &Findings) -> String {
    let parts = [(found.errors, "error"), (found.warnings, "warning"), (found.notes, "note")];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| plural(count, word));
    parts.collect::<Vec<_>>().join(", ")
}

/// One object: what it does, what is wrong with it, and how it is written.
pub fn object(object: &ConfigObject) -> String {
    let from = from(&object.row);
    let place = if from.is_empty() { String::new() } else { format!(" ({from})") };
    let mut text = format!("{}\n", clean(&format!("{}{place}", object.row.object)));
    for line in &object.sentences {
        let _ = writeln!(text, "{}", clean(line));
    }
    for finding in &object.row.findings {
        let _ = writeln!(text, "{}", clean(&finding.to_string()));
    }
    let _ = write!(text, "\n{}\n", clean_lines(&object.yaml));
    text
}

const ROW: [&str; 10] =
    ["HEALTH", "NAME", "KIND", "IN", "ERRORS", "P95", "ENCRYPTION", "PROXIES", "VERSIONS", "FINDINGS"];

/// One of the lists.
pub fn inventory(list: &Inventory) -> String {
    let rows = list.rows.iter().map(row).collect();
    let mut text = table(&ROW, rows, "There is nothing of this kind, or nothing that you may see.");
    text.push_str(&gaps(&list.sources));
    text.push_str(&note(list.operator_problem.as_deref()));
    text
}

fn row(row: &Row) -> Vec<String> {
    let name = match row.subject {
        Subject::Namespace => row.name.clone(),
        _ => format!("{}/{}", row.namespace, row.name),
    };
    let observed = lock(row.lock, row.plaintext_share);
    let encryption: Vec<&str> =
        [observed.as_str(), row.mode.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
    vec![
        health(row.health).to_owned(),
        name,
        row.kind.clone(),
        rate(row),
        failures(row.error_share, row.client_error_share),
        millis(row.p95_ms),
        encryption.join(", "),
        proxies(&row.proxies),
        row.versions.join(", "),
        findings(&row.findings),
    ]
}

/// `0 %, 68 % refused`: what fails, and what is answered with 4xx, which health counts too.
pub(super) fn failures(errors: Option<f64>, refused: f64) -> String {
    let shares =
        [percent(errors), if refused > 0.0 { format!("{} refused", percent(Some(refused))) } else { String::new() }];
    shares.into_iter().filter(|share| !share.is_empty()).collect::<Vec<_>>().join(", ")
}

/// What comes in, or what is sent by one that only sends, as the page has it: its errors are of that, too. Nothing where
/// nobody could count.
fn rate(row: &Row) -> String {
    let only_sends = matches!(row.subject, Subject::App | Subject::Workload) && row.rate <= 0.0 && row.rate_out > 0.0;
    match row.health {
        _ if only_sends => format!("sends {}", figure(row.rate_out)),
        Health::Unknown if row.rate <= 0.0 => String::new(),
        _ => figure(row.rate),
    }
}

/// `2/3, 1 stale`: those with a proxy of all, and what is wrong with them.
fn proxies(state: &Proxies) -> String {
    if state.instances == 0 {
        return String::new();
    }
    let wrong = [(state.missing, "missing"), (state.away, "away"), (state.stale, "stale"), (state.refused, "refused")];
    let wrong = wrong.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    std::iter::once(format!("{}/{}", state.present, state.instances)).chain(wrong).collect::<Vec<_>>().join(", ")
}

/// One of a list, with what it is made of.
pub fn detail(detail: &Detail) -> String {
    let mut text = table(&ROW, vec![row(&detail.row)], "");
    let _ = write!(text, "\n{}\n", clean(&detail.row.reason));
    let rows = |rows: &[Row]| rows.iter().map(row).collect::<Vec<_>>();
    text.push_str(&section("Workloads:", &ROW, rows(&detail.workloads)));
    text.push_str(&section("Services:", &ROW, rows(&detail.services)));
    let head = ["INSTANCE", "ADDRESS", "VERSION", "READY", "RESTARTS", "PROXY", "WORDS"];
    text.push_str(&section("Instances:", &head, detail.instances.iter().map(instance).collect()));
    if detail.more_instances > 0 {
        let _ = writeln!(text, "and {} more", detail.more_instances);
    }
    let head = ["HEALTH", "PEER", "PROTOCOL", "RATE", "ERRORS", "P95", "ENCRYPTION"];
    text.push_str(&section("Called by:", &head, detail.callers.iter().map(call).collect()));
    text.push_str(&section("Calls:", &head, detail.called.iter().map(call).collect()));
    let applies =
        detail.config.iter().map(|one| vec![one.object.to_string(), findings(&one.findings), one.why.clone()]);
    text.push_str(&section("Configuration:", &["OBJECT", "FINDINGS", "WHY"], applies.collect()));
    if detail.hidden_config > 0 {
        let _ = writeln!(text, "and {} that you may not read", detail.hidden_config);
    }
    text.push_str(&gaps(&detail.sources));
    text.push_str(&note(detail.operator_problem.as_deref()));
    text
}

fn instance(one: &Instance) -> Vec<String> {
    let ready = match (one.terminating, one.ready) {
        (true, _) => "ending",
        (false, true) => "yes",
        (false, false) => "NO",
    };
    vec![
        one.name.clone(),
        one.address.clone(),
        one.version.clone(),
        ready.to_owned(),
        one.restarts.map(|count| count.to_string()).unwrap_or_default(),
        sync(one.sync).to_owned(),
        one.words.clone(),
    ]
}

/// A proxy's state.
pub fn sync(state: SyncState) -> &'static str {
    match state {
        SyncState::None => "none",
        SyncState::Unknown => "unknown",
        SyncState::Synced => "synced",
        SyncState::Stale => "STALE",
        SyncState::Away => "AWAY",
        SyncState::Refused => "REFUSED",
        SyncState::Missing => "MISSING",
    }
}

fn call(call: &Call) -> Vec<String> {
    vec![
        health(call.health).to_owned(),
        called(&call.peer),
        call.protocol.clone(),
        figure(call.rate),
        failures(call.error_share, call.client_error_share),
        millis(call.p95_ms),
        lock(call.lock, None),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_only_sends_has_the_errors_of_what_it_sends() {
        let of = |subject: Subject, health: Health, comes_in: f64, goes_out: f64| {
            rate(&Row { subject, health, rate: comes_in, rate_out: goes_out, ..Row::default() })
        };
        assert_eq!(of(Subject::Workload, Health::Degraded, 0.0, 30.0), "sends 30.0");
        assert_eq!(of(Subject::Workload, Health::Healthy, 8.0, 30.0), "8.00");
        assert_eq!(of(Subject::Namespace, Health::Healthy, 0.0, 30.0), "0", "a namespace may call itself");
        assert_eq!(of(Subject::Workload, Health::Unknown, 0.0, 0.0), "", "nobody counted");
    }

    #[test]
    fn what_is_refused_is_told_beside_what_fails() {
        assert_eq!(failures(Some(0.0), 0.0), percent(Some(0.0)));
        assert_eq!(failures(Some(0.0), 0.68), format!("{}, {} refused", percent(Some(0.0)), percent(Some(0.68))));
        assert_eq!(failures(None, 0.0), "");
        let refused = Row { error_share: Some(0.0), client_error_share: 0.68, ..Row::default() };
        assert!(row(&refused).iter().any(|cell| cell.ends_with("refused")));
    }

    #[test]
    fn what_no_tool_keeps_is_kept_by_its_file() {
        let row = |tool: Option<&str>, file: Option<&str>| ConfigRow {
            owner: tool.map(str::to_owned),
            file: file.map(str::to_owned),
            ..ConfigRow::default()
        };
        assert_eq!(owner(&row(None, Some("shop.yaml"))), "File");
        assert_eq!(owner(&row(Some("Flux"), Some("shop.yaml"))), "Flux");
        assert_eq!(owner(&row(None, None)), "");
    }
}
