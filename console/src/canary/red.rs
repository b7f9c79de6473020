//! Rate, errors and duration of each version over the last minute, from Istio's metrics.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use weft_model::{graph::CodeRate, metrics::REQUEST_DURATION};

use super::{Arm, Split, nothing};
use crate::{
    estate::Estate,
    graph::{Flow, GraphCache, Observed, Reporter, error_share, series::quoted},
    telemetry::prometheus::{Prometheus, QueryError, Series},
};

/// Over how long, in seconds.
const WINDOW_S: u64 = 60;

/// Figures of one destination.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figures {
    /// Requests per second.
    pub rate: f64,
    /// Share that failed, 0 to 1.
    pub error_share: Option<f64>,
    /// 95th percentile in milliseconds.
    pub p95_ms: Option<f64>,
    /// What most of those that failed ended with, such as `503 NC`.
    pub worst: Option<String>,
}

/// Cumulative rates by upper bound, in milliseconds, of one workload as one side measured it.
type Buckets = HashMap<(Reporter, String), BTreeMap<u64, f64>>;

/// What was observed of all versions.
pub(super) struct Red {
    flows: Arc<Observed>,
    buckets: Buckets,
    /// Outcome of each query.
    pub answers: [Result<(), QueryError>; 2],
}

/// Asks for the buckets of every host that is split; the rates are the graph's.
pub(super) async fn observe(
    prometheus: Option<&Prometheus>,
    graphs: &GraphCache,
    splits: &[Split],
    estate: &Estate,
) -> Red {
    let hosts: BTreeSet<&str> = splits.iter().flat_map(|split| &split.arms).map(|arm| arm.full_host.as_str()).collect();
    let pattern =
        hosts.into_iter().filter(|host| estate.hosts.contains_key(*host)).map(|host| host.replace('.', "\\\\."));
    // Other clusters have hosts and workloads of the same names.
    let own = graphs.told_last();
    let cluster = own.map(|own| format!(",destination_cluster={}", quoted(&own))).unwrap_or_default();
    let query = format!(
        "sum by (le, reporter, destination_workload, destination_workload_namespace) \
         (rate({REQUEST_DURATION}_bucket{{destination_service=~\"{}\"{cluster}}}[{WINDOW_S}s]))",
        pattern.collect::<Vec<_>>().join("|")
    );
    let latency = async {
        match prometheus {
            Some(prometheus) => prometheus.instant(&query, None).await,
            None => Err(QueryError::NotConfigured),
        }
    };
    let (flows, latency) = tokio::join!(graphs.get(WINDOW_S), latency);
    let rates = flows.rates_problem.clone().or_else(|| flows.outdated.clone()).map_or(Ok(()), Err);
    let answer = latency.as_ref().map(|_| ()).map_err(Clone::clone);
    Red { flows, buckets: read_buckets(latency.as_deref().unwrap_or_default()), answers: [rates, answer] }
}

fn read_buckets(series: &[Series]) -> Buckets {
    let mut buckets = Buckets::new();
    for row in series {
        let Some(flow) = Flow::read(row) else { continue };
        let (Some(workload), Ok(bound)) = (flow.destination.id(), row.labels.get("le").parse::<f64>()) else {
            continue;
        };
        // Bounds are positive, and the bits of positive numbers order as the numbers do.
        buckets.entry((flow.reporter, workload.to_owned())).or_default().insert(bound.to_bits(), row.value);
    }
    buckets
}

impl Red {
    /// The figures of one destination: all workloads of its subset together (of a subset that does not exist, `lost` of
    /// what failed at its host for want of one, and of one without workloads what failed for want of these), as their
    /// callers saw them, or as they saw themselves where no caller has a proxy. Of opaque connections, those opened, and
    /// how many of them failed.
    pub(super) fn of(&self, split: &Split, arm: &Arm, estate: &Estate, lost: f64) -> Figures {
        let workloads: BTreeSet<&str> = arm.workloads(estate).collect();
        // Other clusters may have what is not here.
        let empty = nothing::is_empty(arm, estate) && self.flows.clusters.told().is_none();
        let codes = |reporter: Reporter| -> Vec<CodeRate> {
            let all = if split.is_opaque() { &self.flows.tcp } else { &self.flows.requests };
            let counted = all.iter().filter(|flow| matches!(&*flow.what, "" | "opened"));
            let flows = counted.filter(|flow| flow.reporter == reporter && *flow.host == *arm.full_host);
            let here = flows.filter_map(|flow| match flow.destination.id() {
                Some(id) => workloads.contains(id).then_some((flow, 1.0)),
                None if arm.missing => no_cluster(&flow.flags).then_some((flow, lost)),
                None => (empty && has(&flow.flags, "UH")).then_some((flow, 1.0)),
            });
            here.map(|(flow, part)| CodeRate {
                code: flow.code.to_string(),
                grpc: flow.grpc.to_string(),
                flags: flow.flags.to_string(),
                rate: flow.rate * part,
            })
            .collect()
        };
        let (mut reporter, mut seen) = (Reporter::Source, codes(Reporter::Source));
        if seen.is_empty() {
            (reporter, seen) = (Reporter::Destination, codes(Reporter::Destination));
        }
        let mut merged: BTreeMap<u64, f64> = BTreeMap::new();
        for workload in workloads {
            for (bound, rate) in self.buckets.get(&(reporter, workload.to_owned())).into_iter().flatten() {
                *merged.entry(*bound).or_default() += rate;
            }
        }
        Figures {
            rate: seen.iter().fold(0.0, |sum, code| sum + code.rate),
            error_share: error_share(&seen),
            p95_ms: quantile(0.95, &merged),
            worst: nothing::worst(&seen),
        }
    }
}

/// Whether a request failed because its route names a cluster that does not exist.
pub(super) fn no_cluster(flags: &str) -> bool {
    has(flags, "NC")
}

fn has(flags: &str, wanted: &str) -> bool {
    flags.split(',').any(|flag| flag == wanted)
}

/// The part of what failed at a host for want of a subset that is one destination's. Metrics do not say which subset was
/// meant, so that several that are missing are told apart by how often each was picked; where none was, none has a part.
pub(super) fn lost_part(split: &Split, index: usize, picks: &[f64]) -> f64 {
    let host = split.arms.get(index).map(|arm| &arm.full_host);
    let rivals = split.arms.iter().zip(picks).filter(|(arm, _)| arm.missing && Some(&arm.full_host) == host);
    let (count, all) = rivals.fold((0, 0.0), |(count, all), (_, picks)| (count + 1, all + picks));
    match picks.get(index) {
        _ if count < 2 => 1.0,
        Some(own) if all > 0.0 => own / all,
        _ => 0.0,
    }
}

/// Prometheus' own interpolation: linear inside the bucket, the last finite bound for what lies above it.
pub(super) fn quantile(q: f64, buckets: &BTreeMap<u64, f64>) -> Option<f64> {
    let (&last, &all) = buckets.last_key_value()?;
    if all <= 0.0 || f64::from_bits(last).is_finite() {
        return None;
    }
    let rank = q * all;
    let (mut lower, mut below) = (0.0, 0.0);
    for (bound, &cumulative) in buckets {
        let bound = f64::from_bits(*bound);
        if cumulative >= rank {
            if bound.is_infinite() {
                return Some(lower);
            }
            let inside = cumulative - below;
            return Some(if inside > 0.0 { lower + (bound - lower) * (rank - below) / inside } else { bound });
        }
        (lower, below) = (bound, cumulative);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_prometheus_own() {
        let buckets = |pairs: &[(f64, f64)]| pairs.iter().map(|(bound, rate)| (bound.to_bits(), *rate)).collect();
        let inf = f64::INFINITY;
        assert_eq!(quantile(0.95, &buckets(&[(10.0, 90.0), (20.0, 100.0), (inf, 100.0)])), Some(15.0));
        assert_eq!(quantile(0.5, &buckets(&[(10.0, 100.0), (inf, 100.0)])), Some(5.0));
        assert_eq!(quantile(0.95, &buckets(&[(10.0, 50.0), (inf, 100.0)])), Some(10.0));
        assert_eq!(quantile(0.95, &buckets(&[(10.0, 0.0), (inf, 0.0)])), None);
        assert_eq!(quantile(0.95, &buckets(&[(10.0, 1.0)])), None);
        assert_eq!(quantile(0.95, &buckets(&[])), None);
    }

    fn arm(host: &str, missing: bool) -> Arm {
        Arm {
            host: host.into(),
            full_host: host.into(),
            subset: "x".into(),
            labels: BTreeMap::new(),
            missing,
            weight: 1,
            written: Some(1),
        }
    }

    fn split(arms: Vec<Arm>) -> Split {
        Split {
            object: weft_model::ObjectRef::default(),
            content: String::new(),
            route_index: 0,
            route: "http[0]".into(),
            arms,
            testers: Vec::new(),
            ambiguous: None,
        }
    }

    #[test]
    fn a_subset_without_workloads_has_what_failed_for_want_of_them() {
        let flow = |flags: &str, rate| Flow {
            reporter: Reporter::Source,
            source: Arc::default(),
            destination: Arc::default(),
            host: "cart".into(),
            protocol: "http".into(),
            code: "503".into(),
            grpc: "".into(),
            flags: flags.into(),
            policy: "".into(),
            what: "".into(),
            rate,
        };
        let flows = Observed { requests: vec![flow("UH", 2.0), flow("NC", 1.0)], ..Observed::default() };
        let red = Red { flows: Arc::new(flows), buckets: Buckets::new(), answers: [Ok(()), Ok(())] };
        let estate = Estate {
            hosts: [("cart".to_owned(), vec!["shop/cart-v1".to_owned()])].into(),
            workloads: [("shop/cart-v1".to_owned(), crate::estate::Workload::default())].into(),
            ..Estate::default()
        };
        let labelled = |version: &str| [("version".to_owned(), version.to_owned())].into();
        let empty = Arm { labels: labelled("v2"), ..arm("cart", false) };
        let split = split(vec![empty, arm("cart", true), arm("cart", false)]);
        let of = |index: usize| red.of(&split, &split.arms[index], &estate, 1.0);
        assert_eq!((of(0).rate, of(0).error_share, of(0).worst.as_deref()), (2.0, Some(1.0), Some("503 UH")));
        assert_eq!((of(1).rate, of(1).worst.as_deref()), (1.0, Some("503 NC")));
        assert_eq!((of(2).rate, of(2).error_share), (0.0, None), "whoever has workloads is not blamed");
    }

    #[test]
    fn what_missing_subsets_lost_is_told_apart_by_picks_alone() {
        let both = split(vec![arm("cart", true), arm("cart", true), arm("other", true)]);
        assert_eq!([0, 1, 2].map(|index| lost_part(&both, index, &[3.0, 1.0, 9.0])), [0.75, 0.25, 1.0]);
        assert_eq!([0, 1].map(|index| lost_part(&both, index, &[0.0, 0.0, 9.0])), [0.0, 0.0], "it is not known");
        let one = split(vec![arm("cart", false), arm("cart", true)]);
        assert_eq!(lost_part(&one, 1, &[0.0, 0.0]), 1.0, "nobody else's");
    }
}
