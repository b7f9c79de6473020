//! What the page says of its own sources when they are silent: nobody who was not asked has failed to answer, and what
//! is not known is not nothing.

use weft_model::{
    canary::{Canary, Verdict},
    config::{Dependency, Problem},
    graph::Sources,
    session::Person,
};

use crate::format;

/// Whether the console was told where it is; what was not asked has not failed to answer.
pub fn is_configured(dependency: &Dependency) -> bool {
    let problem = dependency.problem.as_deref().unwrap_or_default();
    !(problem.starts_with("No ") && problem.contains(" is configured"))
}

/// Whether it should answer and does not: what depends on it grows old from now on.
pub fn is_away(dependency: &Dependency) -> bool {
    !dependency.up && is_configured(dependency)
}

/// What to tell of the queries behind an answer: how many failed and what is missing for it, or what is odd about what
/// came. `said` is whether the page has told already that Prometheus is away. The first part stands out.
pub fn told(sources: &Sources, said: bool) -> Option<(String, String)> {
    let note = sources.note.clone().unwrap_or_default();
    if said || (sources.answered >= sources.asked && sources.problem.is_none()) {
        return (!said && !note.is_empty()).then(|| (note, String::new()));
    }
    let count = match &sources.words {
        Some(words) => words.clone(),
        None if sources.asked == 0 => "Prometheus was not asked.".to_owned(),
        None => format!("Prometheus answered {} of {} queries.", sources.answered, sources.asked),
    };
    let rest = [sources.problem.clone().unwrap_or_default(), note];
    Some((count, rest.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")))
}

/// Whether all that was asked was answered.
pub fn is_whole(sources: &Sources) -> bool {
    sources.problem.is_none() && sources.answered >= sources.asked
}

/// Whether the reader may not see what was asked for: the console answered, so nothing failed. Not everything that it
/// forbids (403) is a matter of rights.
pub fn lacks_rights(problem: &Problem) -> bool {
    matches!(problem.kind.as_str(), "no-rights" | "forbidden")
}

/// Whether the same may be answered otherwise a moment later: it was not refused, it could not be done.
pub fn may_pass(problem: &Problem) -> bool {
    problem.status == 0 || problem.status == 429 || problem.status >= 500
}

/// Whether somebody has no role but the one that reads. What a role file gives it beside that is not told here.
pub fn only_reads(person: &Person) -> bool {
    !person.admin && !person.roles.is_empty() && person.roles.iter().all(|role| role == "role:viewer")
}

/// What is said beside what such a person is likely to be refused.
pub const ONLY_READS: &str = "Your only role is role:viewer, which reads: unless the role file gives it more, this will be \
                              refused. Ask an administrator for role:operator, or for a line there.";

/// Whether the console answered that there is no such thing: what was asked about is gone, or was never there.
pub fn is_absent(problem: &Problem) -> bool {
    problem.status == 404
}

/// What stands where charts of such a thing would be.
pub const NOTHING_KNOWN: &str =
    "Nothing is known of this: it is not configured now, and nothing was counted in this time.";

/// What stands where a chart has no figures: nothing was counted, or nobody could say.
pub fn without_figures(sources: &Sources) -> &'static str {
    if is_whole(sources) { "Nothing was counted in this time." } else { "Not known: Prometheus did not answer." }
}

/// How many proxies are in step. While no control plane answers, none of them is known to be out of it either.
pub fn in_step((all, good): (usize, usize), asked: bool) -> String {
    if good == 0 && !asked { format!("not known, of {all}") } else { format!("{good} of {all}") }
}

/// A count; of nobody who `answered` none is no number.
pub fn known(value: u64, answered: bool) -> String {
    if value == 0 && !answered { format::maybe(None, format::digits) } else { format::count(value) }
}

/// Whether anybody could count what a weighted route carries: none is not none where the question had no answer.
pub fn is_counted(canary: &Canary) -> bool {
    let some = canary.shares.iter().any(|share| share.observed_percent.is_some());
    some || canary.verdict != Verdict::Unknown
}

/// What stands in place of the observed shares where there are none.
pub fn without_shares(canary: &Canary) -> String {
    let what = canary.counted().many;
    if is_counted(canary) { format!("No {what} counted yet") } else { format!("Not known: no {what} could be counted") }
}

#[cfg(test)]
mod tests {
    use weft_model::ObjectRef;

    use super::*;

    fn canary(verdict: Verdict) -> Canary {
        Canary {
            object: ObjectRef::default(),
            route_index: 0,
            route: String::new(),
            connections: false,
            shares: Vec::new(),
            testers: Vec::new(),
            verdict,
            sentence: String::new(),
            since_ms: None,
            since_text: String::new(),
            revision: String::new(),
            query: String::new(),
            findings: Vec::new(),
        }
    }

    #[test]
    fn zero_is_told_only_by_who_counted() {
        assert_eq!([known(0, true), known(0, false), known(1_200, false)], ["0", "–", "1,200"]);
        assert!(is_counted(&canary(Verdict::Settling)) && !is_counted(&canary(Verdict::Unknown)));
        assert_eq!(without_shares(&canary(Verdict::TooLittleTraffic)), "No requests counted yet");
        assert!(without_shares(&canary(Verdict::Unknown)).starts_with("Not known"));
        let tcp = Canary { connections: true, ..canary(Verdict::Unknown) };
        assert!(!without_shares(&tcp).contains("request"));
    }

    #[test]
    fn what_is_not_configured_does_not_fail_to_answer() {
        let away = |problem: &str| Dependency { up: false, problem: Some(problem.to_owned()) };
        assert!(!is_configured(&away("No Prometheus is configured; start the console with --prometheus")));
        assert!(!is_configured(&away("No operator is configured; start the console with --operator-admin")));
        assert!(is_configured(&away("Prometheus at http://127.0.0.1:9090 cannot be reached (refused); start it")));
        assert!(!is_away(&away("No Prometheus is configured; start the console with --prometheus")));
        assert!(is_away(&away("It cannot be reached")));
        assert!(!is_away(&Dependency { up: true, problem: Some("one of two queries failed".into()) }));
    }

    #[test]
    fn what_is_missing_is_named_and_silence_explained() {
        let words = || Some("Prometheus answered 3 of 4 queries; missing: TCP.".to_owned());
        let partial =
            Sources { asked: 4, answered: 3, problem: Some("it is late".into()), words: words(), ..Sources::default() };
        assert_eq!(told(&partial, false), Some((words().unwrap(), "it is late".to_owned())));
        assert_eq!(told(&partial, true), None);
        let whole = Sources { asked: 4, answered: 4, ..Sources::default() };
        assert_eq!(told(&whole, false), None);
        let silent = Sources { note: Some("Nothing is scraped.".into()), ..whole };
        assert_eq!(told(&silent, false), Some(("Nothing is scraped.".to_owned(), String::new())));
    }

    #[test]
    fn what_could_not_be_asked_is_not_nothing() {
        let answered = Sources { asked: 5, answered: 5, ..Sources::default() };
        assert_eq!(without_figures(&answered), "Nothing was counted in this time.");
        let away = Sources { asked: 5, problem: Some("connection refused".into()), ..Sources::default() };
        assert!(without_figures(&away).starts_with("Not known"));
        assert!(without_figures(&Sources { answered: 4, ..answered }).starts_with("Not known"), "the one may be its");
    }

    #[test]
    fn what_is_not_the_readers_to_see_has_not_failed() {
        let problem = |kind: &str, status| Problem {
            kind: kind.into(),
            title: String::new(),
            detail: String::new(),
            status,
            patch: None,
        };
        assert!(lacks_rights(&problem("no-rights", 403)) && lacks_rights(&problem("forbidden", 403)));
        for (kind, status) in [("cross-site", 403), ("bad-token", 401), ("not-found", 404), ("storage", 503)] {
            assert!(!lacks_rights(&problem(kind, status)), "{kind}");
            assert_eq!(is_absent(&problem(kind, status)), kind == "not-found", "{kind}");
            assert_eq!(may_pass(&problem(kind, status)), kind == "storage", "{kind}");
        }
    }

    #[test]
    fn who_only_reads_is_told_before_they_try() {
        let person = |roles: &[&str], admin| Person {
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            admin,
            ..Person::default()
        };
        assert!(only_reads(&person(&["role:viewer"], false)));
        for other in [person(&["role:viewer", "role:shop"], false), person(&["role:viewer"], true), person(&[], false)]
        {
            assert!(!only_reads(&other), "{other:?}: a file or a cluster says");
        }
    }

    #[test]
    fn nobody_asked_is_not_nobody_in_step() {
        assert_eq!(in_step((7, 0), false), "not known, of 7");
        assert_eq!(in_step((7, 0), true), "0 of 7");
        assert_eq!(in_step((7, 3), false), "3 of 7", "one of several replicas answered");
    }
}
