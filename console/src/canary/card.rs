//! From acknowledgements and counts to the card that the page shows.

use std::collections::BTreeMap;

use weft_api::ObjectKey;
use weft_model::{
    Diagnostic,
    canary::{Canary, Share, TesterRoute, Verdict},
    metrics::ROUTE_REQUESTS_TOTAL,
    sync::ObjectAck,
};

use super::{
    Arm, Split, TrackerKey, connections,
    heard::Heard,
    nothing,
    red::{Red, lost_part},
    stats::wilson,
    tracker::Tracker,
    tracker_key,
    verdict::{self, Evidence},
    words,
};
use crate::config::View;

/// How far the present weights have got.
pub(super) enum Settled {
    /// Every proxy has acknowledged them, at this time in milliseconds since the epoch.
    At(u64),
    /// Some have not; in words.
    Waiting(String),
    /// The operator cannot be asked and did not say before.
    Unknown,
}

/// What a card can say.
pub(super) enum Standing {
    Counted,
    Settling(String),
    Unknown(String),
}

/// What is known about each split's way to the proxies.
pub(super) fn settle(heard: &Heard, splits: &[Split]) -> BTreeMap<TrackerKey, Settled> {
    let of = |split: &Split| {
        let ack = heard.acks.get(&ObjectKey::from(&split.object)).filter(|ack| ack.content == split.content);
        match (ack, heard.is_whole()) {
            (Some(ObjectAck { acked_at_ms: Some(at), .. }), _) => Settled::At(*at),
            (Some(ack), _) if !ack.pending.is_empty() => Settled::Waiting(format!(
                "The present weights have not reached every proxy yet: waiting for {}",
                words::names(&ack.pending.iter().map(|node| words::workload(node)).collect::<Vec<_>>())
            )),
            (_, false) => Settled::Unknown,
            (_, true) => Settled::Waiting("The present weights have not reached the proxies yet".to_owned()),
        }
    };
    splits.iter().map(|split| (tracker_key(split), of(split))).collect()
}

/// The card of one split.
pub(super) fn card(
    split: &Split,
    tracker: Option<&Tracker>,
    standing: &Standing,
    red: &Red,
    view: &View,
    now_ms: u64,
) -> Canary {
    let counts = tracker.map_or_else(|| vec![0; split.arms.len()], |tracker| tracker.counts(split));
    let since_ms = tracker.map(Tracker::counted_from_ms);
    let (verdict, sentence) = match (standing, tracker, &split.ambiguous) {
        (_, _, Some(reason)) => (Verdict::Unknown, reason.clone()),
        (Standing::Settling(words), _, _) => (Verdict::Settling, words.clone()),
        (Standing::Unknown(words), _, _) => (Verdict::Unknown, words.clone()),
        (Standing::Counted, None, _) => (Verdict::Unknown, String::new()),
        (Standing::Counted, Some(tracker), _) => verdict::judge(&Evidence {
            split,
            counts: &counts,
            windows: &tracker.windows,
            spread: tracker.stickiness.spread(),
            since_ms: tracker.counted_from_ms(),
            now_ms,
        }),
    };
    let all: u64 = counts.iter().sum();
    let picks: Vec<f64> = counts.iter().map(|hits| verdict::ratio(*hits, all)).collect();
    let shares = split.shares();
    let mut lost = Vec::new();
    let share = |(index, arm): (usize, &Arm)| {
        let hits = counts.get(index).copied().unwrap_or_default();
        let figures = red.of(split, arm, &view.estate, lost_part(split, index, &picks));
        let share = Share {
            host: arm.host.clone(),
            subset: arm.subset.clone(),
            configured_percent: shares.get(index).copied().unwrap_or_default() * 100.0,
            requests: hits,
            observed_percent: (all > 0).then(|| verdict::ratio(hits, all) * 100.0),
            interval: wilson(hits, all).map(|(low, high)| (low * 100.0, high * 100.0)),
            rate: figures.rate,
            error_share: figures.error_share,
            p95_ms: figures.p95_ms,
        };
        lost.extend(nothing::sentence(arm, &share, &figures, &view.estate));
        share
    };
    let shares_of: Vec<Share> = split.arms.iter().enumerate().map(share).collect();
    // Whoever reads that shares are as configured is told first what comes of it. While weights settle, it is of others.
    let told = lost.into_iter().filter(|_| verdict != Verdict::Settling).chain([sentence]);
    let sentence = told.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(". ");
    let sentence = if split.is_opaque() { connections::sentence(&sentence) } else { sentence };
    Canary {
        object: split.object.clone(),
        route_index: split.route_index,
        route: split.route.clone(),
        shares: shares_of,
        testers: split
            .testers
            .iter()
            .map(|tester| TesterRoute {
                route: tester.route.clone(),
                matches: tester.matches.clone(),
                destination: tester.destination.clone(),
                requests: tracker.map_or(0, |tracker| tracker.route_count(&tester.route)),
            })
            .collect(),
        verdict,
        since_text: since_ms
            .map(|at| words::moment(at, now_ms))
            .filter(|text| sentence.contains(text))
            .unwrap_or_default(),
        sentence,
        since_ms,
        revision: view.revision(&split.object),
        connections: split.is_opaque(),
        query: query(split, tracker.map_or(60, Tracker::span_s)),
        findings: findings(view, split),
    }
}

/// What lint says of the object.
fn findings(view: &View, split: &Split) -> Vec<Diagnostic> {
    let row = view.list.rows.iter().find(|row| row.object == split.object);
    row.map(|row| row.findings.clone()).unwrap_or_default()
}

/// What gives about the same counts.
fn query(split: &Split, span_s: u64) -> String {
    if split.is_opaque() {
        let counters = connections::selector(std::iter::once(split));
        return format!("sum by (destination_service, destination_workload) (increase({counters}[{span_s}s]))");
    }
    format!(
        "sum by (host, subset) (increase({ROUTE_REQUESTS_TOTAL}{{virtual_service=\"{}\", route=\"{}\"}}[{span_s}s]))",
        split.virtual_service(),
        split.route.replace('\\', "\\\\").replace('"', "\\\""),
    )
}
