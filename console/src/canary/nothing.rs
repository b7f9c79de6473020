//! Destinations that answer nothing: their shares may be as configured, and half of the requests lost.

use std::collections::BTreeMap;

use weft_model::{canary::Share, graph::CodeRate};

use super::{Arm, red::Figures};
use crate::{estate::Estate, graph::error_share};

/// That a destination answers nothing and why, as a sentence without its full stop; `None` while it does, and of one that
/// nothing is meant for.
pub(super) fn sentence(arm: &Arm, share: &Share, figures: &Figures, estate: &Estate) -> Option<String> {
    let why = if arm.missing {
        Some("no DestinationRule has such a subset")
    } else {
        is_empty(arm, estate).then_some("no workload has its labels")
    };
    let name = arm.name();
    if !share.answers_nothing() {
        // Nothing is known to be sent to it now; what is will fail.
        return (arm.missing && arm.weight > 0).then(|| format!("{name} answers nothing: {}", why.unwrap_or_default()));
    }
    let all = if figures.error_share.is_some_and(|share| share < 0.9995) { "nearly all" } else { "all" };
    let with = figures.worst.as_ref().map(|worst| format!(" with {worst}")).unwrap_or_default();
    let why = why.map(|why| format!(", because {why}")).unwrap_or_default();
    Some(format!("{name} answers nothing: {all} its requests fail{with}{why}"))
}

/// Whether a subset chooses none of the workloads that its host has.
pub(super) fn is_empty(arm: &Arm, estate: &Estate) -> bool {
    let behind = estate.hosts.get(&arm.full_host).is_some_and(|workloads| !workloads.is_empty());
    !arm.missing && !arm.labels.is_empty() && behind && arm.workloads(estate).next().is_none()
}

/// What most of the failed ones ended with, such as `503 NC`.
pub(super) fn worst(codes: &[CodeRate]) -> Option<String> {
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for code in codes.iter().filter(|code| error_share(std::slice::from_ref(*code)) == Some(1.0)) {
        *sums.entry(outcome(code)).or_default() += code.rate;
    }
    sums.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(outcome, _)| outcome)
}

fn outcome(code: &CodeRate) -> String {
    let answer = match (code.code.as_str(), code.grpc.as_str()) {
        ("0", _) => "no answer".to_owned(),
        (answer, "" | "0") => answer.to_owned(),
        (_, status) => format!("gRPC status {status}"),
    };
    let flags = Some(code.flags.as_str()).filter(|flags| !matches!(*flags, "" | "-"));
    let parts = [Some(answer.as_str()).filter(|answer| !answer.is_empty()), flags];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::Workload;

    fn arm(subset: &str, missing: bool) -> Arm {
        Arm {
            host: "orders".into(),
            full_host: "orders.shop".into(),
            subset: subset.into(),
            labels: [("version".to_owned(), subset.to_owned())].into(),
            missing,
            weight: 1,
            written: Some(1),
        }
    }

    fn told(arm: &Arm, errors: Option<f64>, worst: &str) -> Option<String> {
        let figures = Figures { rate: 15.0, error_share: errors, p95_ms: None, worst: Some(worst.into()) };
        let share = Share {
            host: arm.host.clone(),
            subset: arm.subset.clone(),
            configured_percent: 50.0,
            requests: 0,
            observed_percent: None,
            interval: None,
            rate: if errors.is_some() { figures.rate } else { 0.0 },
            error_share: errors,
            p95_ms: None,
        };
        let workload = Workload { labels: [("version", "v1")].into_iter().collect(), ..Workload::default() };
        let estate = Estate {
            hosts: [("orders.shop".to_owned(), vec!["shop/v1".to_owned()])].into(),
            workloads: [("shop/v1".to_owned(), workload)].into(),
            ..Estate::default()
        };
        sentence(arm, &share, &figures, &estate)
    }

    #[test]
    fn it_is_said_what_answers_nothing_and_why() {
        let lost =
            "v9 answers nothing: all its requests fail with 503 NC, because no DestinationRule has such a subset";
        assert_eq!(told(&arm("v9", true), Some(1.0), "503 NC").as_deref(), Some(lost));
        let silent = "v9 answers nothing: no DestinationRule has such a subset";
        assert_eq!(told(&arm("v9", true), None, "").as_deref(), Some(silent));
        let empty = "v2 answers nothing: all its requests fail with 503 UH, because no workload has its labels";
        assert_eq!(told(&arm("v2", false), Some(1.0), "503 UH").as_deref(), Some(empty));
        let broken = "v1 answers nothing: nearly all its requests fail with 500";
        assert_eq!(told(&arm("v1", false), Some(0.98), "500").as_deref(), Some(broken));
        assert_eq!((told(&arm("v1", false), Some(0.5), "500"), told(&arm("v1", false), None, "")), (None, None));
    }

    #[test]
    fn failures_are_named_by_what_most_ended_with() {
        let code = |code: &str, grpc: &str, flags: &str, rate: f64| CodeRate {
            code: code.into(),
            grpc: grpc.into(),
            flags: flags.into(),
            rate,
        };
        let all = [code("200", "", "-", 9.0), code("503", "", "UF", 1.0), code("503", "", "NC", 2.0)];
        assert_eq!(worst(&all).as_deref(), Some("503 NC"));
        assert_eq!(worst(&all[..1]), None);
        assert_eq!(worst(&[code("200", "14", "-", 1.0)]).as_deref(), Some("gRPC status 14"));
        assert_eq!(worst(&[code("0", "", "DC", 1.0)]).as_deref(), Some("no answer DC"));
        assert_eq!(worst(&[code("", "", "UF", 1.0)]).as_deref(), Some("UF"), "a connection has no code");
    }
}
