//! The mesh's own state, the audit, and who asks.

use std::fmt::Write as _;

use weft_model::{
    audit::{AuditEntry, AuditList},
    config::{Dependency, Status},
    mesh::{MeshState, ServingCertificate},
    session::{Method, SessionInfo},
    validity::Validity,
};

use super::{clean, figure, health, lists::sync, millis, moment, note, percent, section, table};

/// What is wrong, then all that there is.
pub fn mesh(state: &MeshState) -> String {
    let mut text = String::new();
    for verdict in &state.verdicts {
        let _ = writeln!(text, "{:<9} {}", health(verdict.health), clean(&verdict.text));
    }
    let (all, good) = state.in_step;
    let _ = write!(text, "\n{good} of {all} proxies are in step; ");
    let _ =
        writeln!(text, "mutual TLS: {}", state.mtls_share.map_or("not known".to_owned(), |share| percent(Some(share))));
    let head =
        ["CONTROL PLANE", "REVISION", "VERSION", "PROXIES", "PUSHES", "PUSH P50", "PUSH P99", "REFUSED", "PROBLEM"];
    let planes = state.control_planes.iter().map(|one| {
        vec![
            one.name.clone(),
            one.revision.clone(),
            one.version.clone(),
            one.proxies.to_string(),
            one.pushes.to_string(),
            millis(one.push_p50_ms),
            millis(one.push_p99_ms),
            one.nacks.to_string(),
            one.problem.clone().unwrap_or_default(),
        ]
    });
    text.push_str(&section("Control planes:", &head, planes.collect()));
    let proxies = state.proxies.iter().map(|one| {
        let version = if one.skewed { format!("{} (too far)", one.version) } else { one.version.clone() };
        vec![
            format!("{}/{}", one.namespace, one.name),
            sync(one.sync).to_owned(),
            version,
            one.control_plane.clone(),
            one.words.clone(),
        ]
    });
    let head = ["PROXY", "STATE", "VERSION", "CONTROL PLANE", "WORDS"];
    text.push_str(&section("Proxies:", &head, proxies.collect()));
    let certificates = state.certificates.iter().map(|one| {
        let signs = if one.signs { "yes" } else { "" };
        vec![one.role.clone(), one.name.clone(), moment(one.not_after_ms), signs.to_owned()]
    });
    text.push_str(&section("Certificates:", &["ROLE", "NAME", "UNTIL", "SIGNS"], certificates.collect()));
    text.push_str(&note(state.certificates_note.as_deref()));
    let serving = state.serving.iter().map(|one| {
        vec![
            format!("{}/{}", one.gateway.namespace, one.gateway.name),
            format!("{}/{}", one.namespace, one.secret),
            if one.names.is_empty() { one.subject.clone() } else { one.names.join(", ") },
            one.issuer.clone(),
            one.problem.clone().unwrap_or_else(|| until(one, state.at_ms)),
        ]
    });
    let head = ["GATEWAY", "SECRET", "NAMES", "ISSUER", "UNTIL"];
    text.push_str(&section("Serving certificates:", &head, serving.collect()));
    text.push_str(&note(state.serving_note.as_deref()));
    let costs = state.costs.iter().map(|one| {
        let memory = format!("{} MiB", figure(one.memory / 1_048_576.0));
        vec![one.namespace.clone(), one.proxies.to_string(), memory, figure(one.cpu)]
    });
    text.push_str(&section("Cost:", &["NAMESPACE", "PROXIES", "MEMORY", "CPU CORES"], costs.collect()));
    text.push_str(&note(state.costs_note.as_deref()));
    text
}

/// Until when, with a word where that is not well.
fn until(one: &ServingCertificate, now_ms: u64) -> String {
    let at = moment(one.not_after_ms);
    match Validity::of(one.not_before_ms, one.not_after_ms, now_ms) {
        Validity::Good => at,
        Validity::Due => format!("{at} (DUE)"),
        Validity::NotYet => format!("{at} (NOT VALID BEFORE {})", moment(one.not_before_ms)),
        Validity::Expired => format!("{at} (EXPIRED)"),
    }
}

/// The newest first.
pub fn audit(list: &AuditList) -> String {
    let head = ["TIME", "WHO", "HOW", "ACTION", "OBJECT", "DETAIL"];
    table(&head, list.entries.iter().map(entry).collect(), "Nothing was done, or nothing that you may see.")
}

fn entry(entry: &AuditEntry) -> Vec<String> {
    let from = entry.address.as_ref().map(|address| format!(" from {address}")).unwrap_or_default();
    vec![
        moment(entry.at_ms),
        entry.who.clone(),
        format!("{}{from}", entry.how),
        entry.action.to_string(),
        entry.object.as_ref().map(ToString::to_string).unwrap_or_default(),
        entry.detail.clone(),
    ]
}

/// What the console depends on.
pub fn status(status: &Status) -> String {
    let line = |name: &str, state: &Dependency| {
        let words = if state.up { "answers".to_owned() } else { "DOES NOT ANSWER".to_owned() };
        vec![name.to_owned(), words, state.problem.clone().unwrap_or_default()]
    };
    let rows = vec![
        line("Prometheus", &status.prometheus),
        line("operator", &status.operator),
        line("database", &status.database),
    ];
    let (errors, warnings, notes) = status.findings;
    let mtls = status.mtls_share.map_or("not known".to_owned(), |share| percent(Some(share)));
    format!(
        "{}\nFindings: {errors} errors, {warnings} warnings, {notes} notes\nMutual TLS: {mtls}\n",
        table(&["DEPENDENCY", "STATE", "PROBLEM"], rows, "")
    )
}

/// Who asks.
pub fn session(session: &SessionInfo) -> String {
    let Some(person) = &session.person else {
        let ways: Vec<String> = session.methods.iter().map(way).collect();
        return format!("Nobody is signed in. Ways to sign in: {}\n", ways.join("; "));
    };
    let sees = match (person.sees_all, person.sees_any) {
        (true, _) => "every namespace",
        (false, true) => "some namespaces",
        (false, false) => "nothing",
    };
    let mut text = format!("{} ({}) sees {sees}\n", clean(&person.name), clean(&person.how));
    let mut line = |name: &str, words: &[String]| {
        if !words.is_empty() {
            let _ = writeln!(text, "{name}: {}", clean(&words.join(", ")));
        }
    };
    line("Groups", &person.groups);
    line("Roles", &person.roles);
    line("Until", &person.expires_ms.map(moment).into_iter().collect::<Vec<_>>());
    if !session.guarded {
        text.push_str("This console asks nobody who they are.\n");
    }
    text
}

fn way(method: &Method) -> String {
    match method {
        Method::Oidc { provider } => format!("at {} (--token-file with its ID token)", clean(provider)),
        Method::Link => "by a link (weft console login LINK)".to_owned(),
        Method::Proxy => "through the proxy in front of it".to_owned(),
        Method::Token => "with a token of the cluster (--token-file FILE)".to_owned(),
    }
}
