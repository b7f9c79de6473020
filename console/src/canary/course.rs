//! A weighted route over time: what was configured, what was observed, and how each version fared meanwhile.

mod effects;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use weft_model::{
    canary::{ArmCourse, ArmTotal, Course},
    graph::CodeRate,
    metrics::{
        REPORTER_DESTINATION, REPORTER_SOURCE, REQUEST_DURATION, REQUESTS_TOTAL, ROUTE_REQUESTS_TOTAL,
        TCP_CONNECTIONS_OPENED_TOTAL,
    },
};

pub use self::effects::Known;
use super::{
    Arm, Split, connections,
    red::{lost_part, no_cluster, quantile},
    stats::more,
};
use crate::{
    db::Edit,
    estate::Estate,
    graph::{error_share, tally},
    telemetry::prometheus::{Grid, Labels, POINTS, Prometheus, QueryError, Track},
};

/// What is known of the weights: the moves, newest first, and since when the present ones are in force.
pub struct Weights<'a> {
    /// Moves of this route.
    pub edits: &'a [Edit],
    /// When every proxy had acknowledged the present weights, milliseconds since the epoch.
    pub since_ms: Option<u64>,
    /// What earlier questions found out about moves.
    pub known: &'a Known,
}

/// How `split` fared in the `window_s` seconds before `now_ms`, by a few range queries side by side.
pub async fn course(
    prometheus: Option<&Prometheus>,
    split: &Split,
    estate: &Estate,
    weights: &Weights<'_>,
    window_s: u64,
    now_ms: u64,
) -> Course {
    let grid = Grid::new(now_ms, window_s, window_s / POINTS);
    let (times, step_s, rate_s) = (&grid.times, grid.step_s, grid.rate_s());
    let queries = queries(split, rate_s);
    let (answers, (moves, more)) = tokio::join!(
        join_all(queries.iter().map(|(_, promql)| grid.ask(prometheus, promql))),
        effects::effects(prometheus, split, (weights.edits, weights.known), now_ms)
    );
    let all = answers.iter().map(|answer| answer.as_ref().map(|_| ()).map_err(Clone::clone)).chain(more);
    let sources = tally(&all.collect::<Vec<Result<(), QueryError>>>());
    // Of connections no metric tells the route.
    let told = !split.is_opaque() && answers.first().is_some_and(Result::is_ok);
    // What is not asked for is empty, as what failed is.
    let mut answers = answers.into_iter().map(Result::unwrap_or_default);
    let mut next = || answers.next().unwrap_or_default();
    let (mut picked, codes, buckets) = (next(), next(), next());
    if split.is_opaque() {
        picked = connections::of_split(split, estate, &picked);
    }
    let rates = rates(&grid, split, &picked);
    let observed = observed(&rates);
    let configured = configured(&split.shares(), weights, first_ms(&grid, &split.arms, &picked));
    let fared = (0..split.arms.len()).map(|index| {
        let picks = |at: usize| rates.iter().map(|line| line[at]).collect::<Vec<f64>>();
        let lost: Vec<f64> = (0..times.len()).map(|at| lost_part(split, index, &picks(at))).collect();
        Fared::read(&grid, &split.arms[index], estate, (&codes, &buckets), &lost)
    });
    let fared: Vec<Fared> = fared.collect();
    let picked_of = |index: usize| rates.get(index).filter(|_| told).map(|line| whole(line.iter().sum(), step_s));
    let first = fared.first().filter(|_| picked_of(0) != Some(0)).map(|first| first.counts(step_s));
    let arms = split.arms.iter().enumerate().zip(&fared).map(|((index, arm), fared)| {
        let born = born_ms(&grid, arm, &picked, weights.since_ms);
        let known = |time: u64| born.is_some_and(|born| time * 1000 >= born);
        let at = |time: &u64| {
            let moment = time * 1000;
            let span = configured.iter().find(|span| (span.from_ms..span.until_ms).contains(&moment))?;
            // The weight of before, which a destination that came in its place never had.
            span.shares.get(index).filter(|share| **share <= 0.0 || known(*time)).map(|share| share * 100.0)
        };
        let configured_percent: Vec<Option<f64>> = times.iter().map(at).collect();
        let mut observed_percent = observed.get(index).cloned().unwrap_or_default();
        for ((seen, time), configured) in observed_percent.iter_mut().zip(times).zip(&configured_percent) {
            if configured.is_none() && !known(*time) {
                *seen = None;
            }
        }
        ArmCourse {
            name: arm.name().to_owned(),
            configured_percent,
            observed_percent,
            rate: fared.line(|codes| Some(codes.iter().map(|code| code.rate).sum())),
            error_percent: fared.line(|codes| error_share(codes).map(|share| share * 100.0)),
            p95_ms: fared.buckets.iter().map(|buckets| quantile(0.95, buckets)).collect(),
            whole: fared.whole(step_s, first.filter(|_| index > 0), picked_of(index)),
        }
    });
    let arms = arms.collect();
    let times_ms = grid.times_ms();
    let commands = queries.into_iter().map(|(name, promql)| (name.to_owned(), promql)).collect();
    Course { step_s, rate_s, times_ms, arms, moves, sources, commands }
}

/// By what every rate is told apart.
const BY: &str = "reporter, destination_workload, destination_workload_namespace";

/// What each destination was picked for, what came of it, and how long it took: connections have no duration.
fn queries(split: &Split, rate_s: u64) -> Vec<(&'static str, String)> {
    let own = format!("virtual_service=\"{}\", route=\"{}\"", escaped(&split.virtual_service()), escaped(&split.route));
    let outcomes = outcomes(split, rate_s);
    if split.is_opaque() {
        let opened = connections::selector(std::iter::once(split));
        return vec![
            ("split", format!("sum by (destination_service, {BY}) (rate({opened}[{rate_s}s]))")),
            ("rate and errors", outcomes),
        ];
    }
    vec![
        ("split", format!("sum by (host, subset) (rate({ROUTE_REQUESTS_TOTAL}{{{own}}}[{rate_s}s]))")),
        ("rate and errors", outcomes),
        ("duration", format!("sum by (le, {BY}) (rate({REQUEST_DURATION}_bucket{{{}}}[{rate_s}s]))", to(split))),
    ]
}

/// What came of everything that was sent to the destinations, per second over `rate_s` seconds.
fn outcomes(split: &Split, rate_s: u64) -> String {
    let (what, by) = if split.is_opaque() {
        (TCP_CONNECTIONS_OPENED_TOTAL, "response_flags")
    } else {
        (REQUESTS_TOTAL, "response_code, grpc_response_status")
    };
    // What fails for want of a subset reaches no workload: its flag and its host tell it.
    let missing = !split.is_opaque() && split.arms.iter().any(|arm| arm.missing);
    let more = if missing { ", response_flags, destination_service" } else { "" };
    format!("sum by ({BY}, {by}{more}) (rate({what}{{{}}}[{rate_s}s]))", to(split))
}

/// Selects what was sent to the hosts of the destinations.
fn to(split: &Split) -> String {
    let hosts: BTreeSet<&str> = split.arms.iter().map(|arm| arm.full_host.as_str()).collect();
    let hosts: Vec<String> = hosts.into_iter().map(|host| escaped(&host.replace('.', "\\."))).collect();
    format!("destination_service=~\"{}\"", hosts.join("|"))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// How often each destination was picked, per second, by destination and moment. The last line is of destinations that the
/// route has no more.
fn rates(grid: &Grid, split: &Split, tracks: &[Track]) -> Vec<Vec<f64>> {
    let mut picked = vec![vec![0.0; grid.times.len()]; split.arms.len() + 1];
    for track in tracks {
        let arm = split.arms.iter().position(|arm| is_of(track, arm)).unwrap_or(split.arms.len());
        for point in &track.points {
            if let Some(at) = grid.at(point.at) {
                picked[arm][at] += point.value;
            }
        }
    }
    picked
}

/// The share of each destination in percent, by destination and moment.
fn observed(rates: &[Vec<f64>]) -> Vec<Vec<Option<f64>>> {
    let Some((gone, own)) = rates.split_last() else { return Vec::new() };
    let all: Vec<f64> = (0..gone.len()).map(|at| rates.iter().map(|line| line[at]).sum()).collect();
    let share =
        |line: &Vec<f64>| line.iter().zip(&all).map(|(part, all)| (*all > 0.0).then(|| part / all * 100.0)).collect();
    own.iter().map(share).collect()
}

fn is_of(track: &Track, arm: &Arm) -> bool {
    track.labels.get("host") == arm.full_host && track.labels.get("subset") == arm.subset
}

/// Since when a destination is known to be one of the route's, in milliseconds: its first count, or since the present
/// weights are in force.
fn born_ms(grid: &Grid, arm: &Arm, tracks: &[Track], since_ms: Option<u64>) -> Option<u64> {
    first_ms(grid, std::slice::from_ref(arm), tracks).into_iter().chain(since_ms).min()
}

/// When the first count of any of `arms` is of, in milliseconds, be it of an idle one; `None` when nothing ever counted them.
fn first_ms(grid: &Grid, arms: &[Arm], tracks: &[Track]) -> Option<u64> {
    let own = tracks.iter().filter(|track| arms.iter().any(|arm| is_of(track, arm)));
    let points = own.filter_map(|track| track.points.first());
    points.filter_map(|point| grid.at(point.at)).min().and_then(|at| grid.times.get(at)).map(|time| time * 1000)
}

/// Weights that were in force for a while.
#[derive(Debug, PartialEq)]
struct Span {
    from_ms: u64,
    until_ms: u64,
    /// 0 to 1.
    shares: Vec<f64>,
}

/// What was configured when, as far as it is known, newest first. The moves tell it, and before the oldest known one its
/// weights were those that it moved from, as far back as the route was counted (`counted_ms`): before that there was no
/// mesh, no such route, or nothing that is known. Where somebody changed them elsewhere, the time in between stays open.
fn configured(present: &[f64], weights: &Weights<'_>, counted_ms: Option<u64>) -> Vec<Span> {
    let parts = |weights: &[u32]| -> Vec<f64> {
        let all: f64 = weights.iter().copied().map(f64::from).sum();
        weights.iter().map(|weight| if all > 0.0 { f64::from(*weight) / all } else { 0.0 }).collect()
    };
    let same = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
    let Some(newest) = weights.edits.first() else {
        let since = weights.since_ms.map(|from_ms| Span { from_ms, until_ms: u64::MAX, shares: present.to_vec() });
        return since.into_iter().collect();
    };
    let mut spans = Vec::new();
    if !same(&parts(&newest.weights_after), present)
        && let Some(since) = weights.since_ms
    {
        spans.push(Span { from_ms: since.max(newest.at_ms), until_ms: u64::MAX, shares: present.to_vec() });
    }
    let (mut until_ms, mut held) = (u64::MAX, present.to_vec());
    for edit in weights.edits {
        let after = parts(&edit.weights_after);
        if same(&after, &held) {
            spans.push(Span { from_ms: edit.at_ms, until_ms, shares: after });
        }
        (until_ms, held) = (edit.at_ms, parts(&edit.weights_before));
    }
    if let Some(from_ms) = counted_ms.filter(|from_ms| *from_ms < until_ms) {
        spans.push(Span { from_ms, until_ms, shares: held });
    }
    spans
}

/// What came at `rate` per second, by its labels.
fn code_rate(labels: &Labels, rate: f64) -> CodeRate {
    CodeRate {
        code: labels.get("response_code").to_owned(),
        grpc: labels.get("grpc_response_status").to_owned(),
        // Only connections are asked for by flags: they have no code.
        flags: match labels.get("response_flags") {
            "" => "-".to_owned(),
            flags => flags.to_owned(),
        },
        rate,
    }
}

/// What rates add up to, `step_s` seconds apart.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(rates: f64, step_s: u64) -> u64 {
    (rates * step_s as f64).round().max(0.0) as u64
}

/// What one destination received, by moment, as its callers counted it, or itself where no caller has a proxy.
struct Fared {
    codes: Vec<Vec<CodeRate>>,
    buckets: Vec<BTreeMap<u64, f64>>,
}

impl Fared {
    /// Reads what is of `arm`; of what failed at its host for want of a subset the part `lost`, by moment.
    fn read(grid: &Grid, arm: &Arm, estate: &Estate, (codes, buckets): (&[Track], &[Track]), lost: &[f64]) -> Self {
        let workloads: BTreeSet<&str> = arm.workloads(estate).collect();
        let is_lost = |track: &Track| {
            arm.missing
                && no_cluster(track.labels.get("response_flags"))
                && track.labels.get("destination_service") == arm.full_host
        };
        let mine = |track: &Track| {
            let id = format!(
                "{}/{}",
                track.labels.get("destination_workload_namespace"),
                track.labels.get("destination_workload")
            );
            is_lost(track) || workloads.contains(id.as_str())
        };
        let counted = |track: &&Track| mine(track) && track.points.iter().any(|point| point.value > 0.0);
        let called = codes.iter().filter(counted).any(|track| track.labels.get("reporter") == REPORTER_SOURCE);
        let reporter = if called { REPORTER_SOURCE } else { REPORTER_DESTINATION };
        let here = |track: &&Track| track.labels.get("reporter") == reporter && mine(track);
        let mut out =
            Self { codes: vec![Vec::new(); grid.times.len()], buckets: vec![BTreeMap::new(); grid.times.len()] };
        for track in codes.iter().filter(here) {
            for point in &track.points {
                let Some(at) = grid.at(point.at) else { continue };
                let part = if is_lost(track) { lost.get(at).copied().unwrap_or(1.0) } else { 1.0 };
                out.codes[at].push(code_rate(&track.labels, point.value.max(0.0) * part));
            }
        }
        for track in buckets.iter().filter(here) {
            let Ok(bound) = track.labels.get("le").parse::<f64>() else { continue };
            for point in &track.points {
                if let Some(at) = grid.at(point.at) {
                    *out.buckets[at].entry(bound.to_bits()).or_default() += point.value;
                }
            }
        }
        out
    }

    fn line(&self, of: impl Fn(&[CodeRate]) -> Option<f64>) -> Vec<Option<f64>> {
        self.codes.iter().map(|codes| if codes.is_empty() { None } else { of(codes) }).collect()
    }

    /// Requests that failed, and all, about.
    fn counts(&self, step_s: u64) -> (u64, u64) {
        let of = |codes: &[CodeRate]| -> (f64, f64) {
            let all: f64 = codes.iter().map(|code| code.rate).sum();
            (all * error_share(codes).unwrap_or(0.0), all)
        };
        let sums = self.codes.iter().map(|codes| of(codes)).fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        (whole(sums.0, step_s), whole(sums.1, step_s))
    }

    #[allow(clippy::cast_precision_loss)]
    fn whole(&self, step_s: u64, first: Option<(u64, u64)>, picked: Option<u64>) -> ArmTotal {
        let (failed, requests) = self.counts(step_s);
        let counted = self.codes.iter().filter(|codes| !codes.is_empty()).count();
        let mut merged: BTreeMap<u64, f64> = BTreeMap::new();
        for (bound, rate) in self.buckets.iter().flatten() {
            *merged.entry(*bound).or_default() += rate;
        }
        ArmTotal {
            requests,
            rate: requests as f64 / (counted as u64 * step_s).max(1) as f64,
            error_share: (requests > 0).then(|| failed as f64 / requests as f64),
            // What the route never sent there failed on other ways.
            more_errors: first.filter(|_| picked != Some(0)).and_then(|first| more((failed, requests), first)),
            picked,
            p95_ms: quantile(0.95, &merged),
        }
    }
}

#[cfg(test)]
mod tests;
