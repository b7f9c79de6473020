//! Routes of opaque connections. No proxy counts them by route: what callers opened to each workload is counted, and the
//! labels of the subsets say whose it is.

use std::collections::BTreeSet;

use weft_model::metrics::TCP_CONNECTIONS_OPENED_TOTAL;

use super::Split;
use crate::{
    estate::{self, Estate},
    graph::series::quoted,
    telemetry::prometheus::Track,
};

/// The connections that callers opened to the hosts of some routes.
pub(super) fn selector<'a>(splits: impl Iterator<Item = &'a Split>) -> String {
    let hosts: BTreeSet<&str> = splits.flat_map(|split| &split.arms).map(|arm| arm.full_host.as_str()).collect();
    let hosts: Vec<String> = hosts.into_iter().map(regex::escape).collect();
    format!("{TCP_CONNECTIONS_OPENED_TOTAL}{{reporter=\"source\",destination_service=~{}}}", quoted(&hosts.join("|")))
}

/// What is a destination's of some series, under the labels by which requests are counted.
pub(super) fn of_split(split: &Split, estate: &Estate, tracks: &[Track]) -> Vec<Track> {
    let arms: Vec<(&super::Arm, BTreeSet<&str>)> =
        split.arms.iter().map(|arm| (arm, arm.workloads(estate).collect())).collect();
    let name = split.virtual_service();
    let known = |track: &Track| {
        let of = |label| track.labels.get(label);
        let id = estate::id_of(of("destination_workload_namespace"), of("destination_workload"));
        let own = |(arm, ids): &&(&super::Arm, BTreeSet<&str>)| {
            of("destination_service") == arm.full_host && ids.contains(id.as_str())
        };
        let (arm, _) = arms.iter().find(own)?;
        let labels = track.labels.clone().with([
            ("virtual_service", name.as_str()),
            ("route", split.route.as_str()),
            ("host", arm.full_host.as_str()),
            ("subset", arm.subset.as_str()),
        ]);
        Some(Track { labels, points: track.points.clone() })
    };
    tracks.iter().filter_map(known).collect()
}

/// A sentence about requests as one about connections.
pub(super) fn sentence(text: &str) -> String {
    let word = |word: &str| match word.trim_end_matches([',', ':', ';', '.']) {
        "request" | "requests" => word.replacen("request", "connection", 1),
        "Requests" => word.replacen("Requests", "Connections", 1),
        _ => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Why connections of a route cannot be told apart, if so. `elsewhere` says of a host whether other routes of opaque
/// connections lead to it.
pub(super) fn ambiguity(split: &Split, elsewhere: impl Fn(&str) -> bool) -> Option<String> {
    if let Some(arm) = split.arms.iter().find(|arm| elsewhere(&arm.full_host)) {
        return Some(format!(
            "Another route leads connections to {}, and connections are not counted by route, so those of this one cannot \
             be told apart.",
            arm.host
        ));
    }
    let mut pairs =
        split.arms.iter().enumerate().flat_map(|(at, one)| split.arms[at + 1..].iter().map(move |two| (one, two)));
    let overlap = |(one, two): &(&super::Arm, &super::Arm)| {
        let within = |a: &super::Arm, b: &super::Arm| a.labels.iter().all(|(k, v)| b.labels.get(k) == Some(v));
        one.full_host == two.full_host && (within(one, two) || within(two, one))
    };
    pairs.find(overlap).map(|(one, two)| {
        format!(
            "{} and {} may choose the same workloads, so their connections cannot be told apart; give them subsets whose \
             labels exclude each other.",
            one.name(),
            two.name()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        canary::Arm,
        telemetry::prometheus::{Labels, Point},
    };

    fn arm(subset: &str, labels: &[(&str, &str)]) -> Arm {
        Arm {
            host: "db".into(),
            full_host: "db.shop.svc.cluster.local".into(),
            subset: subset.into(),
            labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            missing: false,
            weight: 1,
            written: Some(1),
        }
    }

    fn split(arms: Vec<Arm>) -> Split {
        Split {
            object: weft_model::ObjectRef { namespace: "shop".into(), name: "db".into(), ..Default::default() },
            content: String::new(),
            route_index: weft_model::canary::FIRST_TCP,
            route: "tcp[0]".into(),
            arms,
            testers: Vec::new(),
            ambiguous: None,
        }
    }

    #[test]
    fn connections_are_of_the_subset_whose_workload_took_them() {
        let split = split(vec![arm("v1", &[("version", "v1")]), arm("v2", &[("version", "v2")])]);
        let mut estate = Estate::default();
        for version in ["v1", "v2"] {
            let labels = [("version", version)].into_iter().collect();
            let known = crate::estate::Workload { labels, ..Default::default() };
            estate.workloads.insert(format!("shop/db-{version}"), known);
        }
        let ids = vec!["shop/db-v1".to_owned(), "shop/db-v2".to_owned()];
        estate.hosts.insert("db.shop.svc.cluster.local".into(), ids);
        let track = |workload: &str, host: &str| Track {
            labels: Labels::from([
                ("destination_workload", workload),
                ("destination_workload_namespace", "shop"),
                ("destination_service", host),
                ("instance", "a"),
            ]),
            points: vec![Point { at: 1.0, value: 7.0 }],
        };
        let host = "db.shop.svc.cluster.local";
        let all = [track("db-v2", host), track("db-v1", "cache.shop.svc.cluster.local"), track("other", host)];
        let read = of_split(&split, &estate, &all);
        let told: Vec<_> = read
            .iter()
            .map(|one| ["virtual_service", "route", "subset", "instance"].map(|n| one.labels.get(n)))
            .collect();
        assert_eq!(told, [["shop/db", "tcp[0]", "v2", "a"]]);
        assert_eq!(
            selector(std::iter::once(&split)),
            "istio_tcp_connections_opened_total{reporter=\"source\",\
             destination_service=~\"db\\\\.shop\\\\.svc\\\\.cluster\\\\.local\"}"
        );
    }

    #[test]
    fn what_cannot_be_told_apart_is_said() {
        let told = split(vec![arm("v1", &[("version", "v1")]), arm("v2", &[("version", "v2")])]);
        assert_eq!(ambiguity(&told, |_| false), None);
        assert!(ambiguity(&told, |_| true).is_some_and(|why| why.contains("Another route")));
        let whole = split(vec![arm("", &[]), arm("v2", &[("version", "v2")])]);
        assert!(ambiguity(&whole, |_| false).is_some_and(|why| why.contains("db and v2")));
    }

    #[test]
    fn sentences_are_about_connections() {
        assert_eq!(
            sentence("requests-v2 gets 9.6 % of 4,812 requests since 12:02 UTC: 1 request, 500 requests: all"),
            "requests-v2 gets 9.6 % of 4,812 connections since 12:02 UTC: 1 connection, 500 connections: all"
        );
    }
}
