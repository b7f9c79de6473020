//! What codes, flags, marks and states mean, in words.

use weft_model::graph::{Health, Lock, NodeKind};
use weft_model::{
    Counted, Severity,
    audit::{Action, How},
    canary::Verdict,
};

use crate::icons::Icon;

/// A state of health as one word, also used as `data-health`.
pub fn health(health: Health) -> &'static str {
    match health {
        Health::Idle => "idle",
        Health::Unknown => "unknown",
        Health::Healthy => "healthy",
        Health::Degraded => "degraded",
        Health::Failing => "failing",
    }
}

/// What kind of node it is, in words.
pub fn node_kind(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Workload => "Workload with a proxy",
        NodeKind::Unmeshed => "Workload without a proxy",
        NodeKind::Gateway => "Ingress gateway",
        NodeKind::Egress => "Egress gateway",
        NodeKind::Service => "Service",
        NodeKind::App => "App, all versions",
        NodeKind::Unknown => "Callers that cannot be told apart",
        NodeKind::Hidden => "Workloads that you may not see",
        NodeKind::External => "Host outside the mesh",
    }
}

/// The state of encryption, as used in `data-lock`.
pub fn lock(lock: Lock) -> &'static str {
    match lock {
        Lock::Mtls => "mtls",
        Lock::Mixed => "mixed",
        Lock::Plaintext => "plaintext",
        Lock::Unknown => "unknown",
    }
}

/// The state of encryption as a sentence.
pub fn lock_sentence(lock: Lock, plaintext_share: Option<f64>) -> String {
    match (lock, plaintext_share) {
        (Lock::Mtls, _) => "All requests are mutual TLS.".to_owned(),
        (Lock::Mixed, Some(share)) => format!("{} of requests are plaintext.", crate::format::share(share)),
        (Lock::Mixed, None) => "Some requests are plaintext.".to_owned(),
        (Lock::Plaintext, _) => "All requests are plaintext: anyone on the path can read and change them.".to_owned(),
        (Lock::Unknown, _) => "Not known: the destination has no proxy, or has reported nothing yet.".to_owned(),
    }
}

/// What stands in place of a list of which the chosen namespaces leave nothing, though there are `all`.
pub fn out_of_scope(all: usize) -> String {
    format!("The chosen namespaces leave none of {all}: choose others in the top bar.")
}

/// The head of a column of counts since a moment, which is given as it is written.
pub fn counted_since(counted: Counted, moment: Option<&str>) -> String {
    let title = counted.title;
    moment.map_or_else(|| title.to_owned(), |moment| format!("{title} since {moment}"))
}

/// Whether a share of errors is of what is sent: nothing that is counted comes in.
pub fn are_errors_out(comes_in: f64, goes_out: f64) -> bool {
    comes_in <= 0.0 && goes_out > 0.0
}

/// The name of a share of errors.
pub fn errors(comes_in: f64, goes_out: f64) -> &'static str {
    if are_errors_out(comes_in, goes_out) { "errors out" } else { "errors" }
}

/// What stands where no change is listed; with `more` there are entries that nobody has looked through.
pub fn unchanged(more: bool) -> &'static str {
    if more {
        "None of the newest changes applies here. There may be older ones."
    } else {
        "Nothing that applies here was changed through this console. What others apply, with kubectl or from a pipeline, is \
         not in its audit."
    }
}

/// How many move to another destination when weights are applied, per second; `None` where it is not known.
pub fn moved(counted: Counted, rate: Option<f64>) -> String {
    match rate {
        Some(rate) => format!("About {} move to another destination.", crate::format::rate(rate, counted)),
        None => format!("How many {} move is not known without Prometheus.", counted.many),
    }
}

/// A verdict as used in `data-verdict`.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Consistent => "consistent",
        Verdict::Diverging => "diverging",
        Verdict::Sticky => "sticky",
        Verdict::TooLittleTraffic => "too-little-traffic",
        Verdict::Settling => "settling",
        Verdict::Unknown => "unknown",
    }
}

/// A verdict as a short title.
pub fn verdict_title(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Consistent => "Consistent",
        Verdict::Diverging => "Diverging",
        Verdict::Sticky => "Sticky",
        Verdict::TooLittleTraffic => "Too little traffic",
        Verdict::Settling => "Settling",
        Verdict::Unknown => "Not known",
    }
}

/// The state of health whose colour and shape a verdict takes.
pub fn verdict_health(verdict: Verdict) -> Health {
    match verdict {
        Verdict::Consistent => Health::Healthy,
        Verdict::Diverging => Health::Failing,
        Verdict::Sticky => Health::Degraded,
        Verdict::TooLittleTraffic | Verdict::Settling => Health::Idle,
        Verdict::Unknown => Health::Unknown,
    }
}

/// The state of health whose colour and shape a finding takes.
pub fn severity_health(severity: Severity) -> Health {
    match severity {
        Severity::Error => Health::Failing,
        Severity::Warning => Health::Degraded,
        Severity::Info => Health::Idle,
    }
}

/// That more applies than the reader may see; `None` where they see all of it.
pub fn hidden_objects(count: usize) -> Option<String> {
    let applies = if count == 1 { "more object applies" } else { "more objects apply" };
    (count > 0).then(|| format!("{count} {applies} that you may not read: ask whoever administrates the mesh."))
}

/// Confirmations of changes by a control plane that `answers`. What a proxy was sent when it came is no change.
pub fn confirmations(count: u64, answers: bool) -> String {
    match (answers, count) {
        (false, _) => "–".to_owned(),
        (true, 0) => "no change yet".to_owned(),
        (true, count) => crate::format::count(count),
    }
}

/// Where a proxy's control plane is, and the title of that. An address is told to those only who see every namespace.
pub fn control_plane(address: &str, sees_all: bool) -> (&str, Option<&'static str>) {
    match (address.trim_start_matches("http://"), sees_all) {
        ("", false) => ("–", Some("Not shown: you may not see every namespace")),
        ("", true) => ("–", Some("No control plane has it on the line")),
        (host, _) => (host, None),
    }
}

/// The title of a node's mark.
pub fn badge(kind: &str) -> &str {
    match kind {
        "canary" => "Canary",
        "fault" => "Fault injection",
        "circuit-breaker" => "Circuit breaker",
        "missing-sidecar" => "No proxy",
        "lint" => "Finding",
        other => other,
    }
}

/// A response flag of the access log in words; `None` when it is not one that we know.
pub fn response_flag(flag: &str) -> Option<&'static str> {
    Some(match flag {
        "DC" => "The caller closed the connection before the answer was complete.",
        "DPE" => "The caller broke the protocol.",
        "DI" => "A fault rule delayed the request.",
        "FI" => "A fault rule aborted the request.",
        "LR" => "The proxy reset the stream.",
        "NC" => "The route names a cluster that does not exist.",
        "NR" => "No route matches the request.",
        "OM" => "The proxy is short of memory.",
        "RL" => "The rate limit is reached.",
        "SI" => "The stream was idle for too long.",
        "UAEX" => "An authorization policy denied the request.",
        "UC" => "The destination closed the connection.",
        "UF" => "The destination did not accept the connection.",
        "UH" => "No healthy endpoint is left.",
        "UMSDR" => "The request took longer than its whole time limit.",
        "UO" => "The circuit breaker is open: too many requests at once.",
        "UPE" => "The destination broke the protocol.",
        "UR" => "The destination reset the stream.",
        "URX" => "All retries are used up.",
        "UT" => "The destination did not answer in time.",
        _ => return None,
    })
}

/// Response flags as they stand in the label (`URX,UF`), each in words.
pub fn response_flags(flags: &str) -> Vec<(String, &'static str)> {
    let flags = flags.split(',').map(str::trim).filter(|flag| !flag.is_empty() && *flag != "-");
    flags.map(|flag| (flag.to_owned(), response_flag(flag).unwrap_or("No explanation is known."))).collect()
}

/// A response code in words.
pub fn response_code(code: &str) -> &'static str {
    match code {
        "0" => "no answer",
        "400" => "bad request",
        "401" => "not authenticated",
        "403" => "forbidden",
        "404" => "not found",
        "408" => "request timeout",
        "409" => "conflict",
        "429" => "too many requests",
        "500" => "application error",
        "501" => "not implemented",
        "502" => "bad gateway",
        "503" => "not available",
        "504" => "gateway timeout",
        _ => match code.as_bytes().first() {
            Some(b'1') => "informational",
            Some(b'2') => "success",
            Some(b'3') => "redirect",
            Some(b'4') => "caller's error",
            Some(b'5') => "server's error",
            _ => "",
        },
    }
}

/// What somebody did, as a heading.
pub fn action(action: Action) -> &'static str {
    match action {
        Action::Create => "Created",
        Action::Update => "Changed",
        Action::Delete => "Deleted",
        Action::Weights => "Moved weights",
        Action::Undo => "Took a move back",
        Action::SignIn => "Signed in",
        Action::SignOut => "Signed out",
        Action::SignInRefused => "Could not sign in",
        Action::Denied => "Was refused",
        Action::Other => "Did something newer than this page",
    }
}

/// The drawing beside it.
pub fn action_icon(action: Action) -> Icon {
    match action {
        Action::Create => Icon::Plus,
        Action::Delete => Icon::Minus,
        Action::Weights | Action::Undo => Icon::Split,
        Action::SignIn => Icon::Unlock,
        Action::SignOut => Icon::Lock,
        Action::SignInRefused | Action::Denied => Icon::Alert,
        Action::Update | Action::Other => Icon::Configuration,
    }
}

/// How the console knew who it was.
pub fn how(how: How) -> &'static str {
    match how {
        How::Session => "signed in",
        How::Token => "by a token",
        How::Proxy => "through the sign-in proxy",
        How::Local => "on this machine, without sign-in",
        How::Anonymous => "without signing in",
        How::Other => "in a way newer than this page",
    }
}

/// The same of somebody who may not have come in.
pub fn tried(action: Action, known: How) -> &'static str {
    match (action, known) {
        (Action::SignInRefused, How::Session) => "tried to sign in",
        (Action::SignInRefused, How::Token) => "came with a token",
        (Action::SignInRefused, How::Proxy) => "came through the sign-in proxy",
        (_, known) => how(known),
    }
}

/// What a tone of the waterfall stands for.
pub fn tone(name: &str) -> &'static str {
    match name {
        "proxy" => "A proxy's own work, waits for a connection and between attempts among it",
        "network" => "Between two proxies, and their own work where they do not tell it apart",
        "application" => "The application, and the proxy beside it where it does not tell itself apart",
        _ => "Not known: the hop behind sent no span",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_plane_that_is_not_shown_says_why() {
        assert_eq!(control_plane("http://10.0.0.2:15014", true), ("10.0.0.2:15014", None));
        let (shown, why) = control_plane("", false);
        assert!(shown == "–" && why.is_some_and(|why| why.starts_with("Not shown")), "{why:?}");
        assert_eq!(control_plane("", true), ("–", Some("No control plane has it on the line")));
    }

    #[test]
    fn connections_are_not_called_requests() {
        let (requests, connections) = (Counted::REQUESTS, Counted::CONNECTIONS);
        assert_eq!(counted_since(requests, Some("12:02")), "Requests since 12:02");
        assert_eq!(counted_since(connections, None), "Connections");
        assert_eq!(moved(requests, Some(8.0)), "About 8 req/s move to another destination.");
        assert_eq!(moved(connections, Some(8.0)), "About 8 conn/s move to another destination.");
        let unknown = moved(connections, None);
        assert!(unknown.contains("How many connections move"), "{unknown}");
    }

    #[test]
    fn errors_say_of_what_they_are() {
        assert_eq!([errors(0.0, 3.0), errors(1.0, 3.0), errors(0.0, 0.0)], ["errors out", "errors", "errors"]);
    }

    #[test]
    fn what_was_not_looked_through_is_not_said_to_be_unchanged() {
        assert!(unchanged(true).contains("older") && !unchanged(true).contains("Nothing"));
        assert!(unchanged(false).starts_with("Nothing that applies here was changed"));
    }

    #[test]
    fn flags_are_told_apart() {
        let words = response_flags("URX,UF");
        assert_eq!(words.len(), 2);
        assert_eq!(words[0], ("URX".to_owned(), "All retries are used up."));
        assert!(response_flags("-").is_empty());
        assert!(response_flags("").is_empty());
        assert_eq!(response_flags("XX")[0].1, "No explanation is known.");
    }

    #[test]
    fn what_is_kept_from_the_reader_is_said() {
        assert_eq!(hidden_objects(0), None);
        assert!(
            hidden_objects(1).is_some_and(|words| words.starts_with("1 more object applies that you may not read"))
        );
        assert!(hidden_objects(3).is_some_and(|words| words.starts_with("3 more objects apply")));
    }

    #[test]
    fn no_confirmation_of_a_change_is_not_a_lack_of_any() {
        assert_eq!(confirmations(0, true), "no change yet");
        assert_eq!((confirmations(1234, true), confirmations(0, false)), (crate::format::count(1234), "–".to_owned()));
    }

    #[test]
    fn a_mixed_lock_says_how_much() {
        assert_eq!(lock_sentence(Lock::Mixed, Some(0.25)), "25 % of requests are plaintext.");
    }

    #[test]
    fn codes_have_words() {
        assert_eq!(response_code("503"), "not available");
        assert_eq!(response_code("418"), "caller's error");
        assert_eq!(response_code("-"), "");
    }
}
