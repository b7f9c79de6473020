//! From counts and weights to a verdict and its sentence.

use weft_model::canary::Verdict;

use super::{
    splits::Split,
    stats::wilson,
    sticky::{Part, Spread},
    windows::{self, Windows},
    words,
};

/// What the counts since the last acknowledgement are judged by.
pub(super) struct Evidence<'a> {
    pub split: &'a Split,
    /// Requests by destination.
    pub counts: &'a [u64],
    pub windows: &'a Windows,
    /// What keeps requests from being independent draws.
    pub spread: Option<&'a Spread>,
    /// Milliseconds since the epoch.
    pub since_ms: u64,
    pub now_ms: u64,
}

/// Judges a split whose weights have reached every proxy.
pub(super) fn judge(evidence: &Evidence<'_>) -> (Verdict, String) {
    let shares = evidence.split.shares();
    let since = words::moment(evidence.since_ms, evidence.now_ms);
    let all: u64 = evidence.counts.iter().sum();
    if let Some(sentence) = strays(evidence, &shares, all, &since) {
        return (Verdict::Diverging, sentence);
    }
    let needed = windows::needed(&shares);
    if all < needed {
        let sentence = format!(
            "Too little traffic to tell: {} since {since}, {} are needed",
            words::requests(all),
            words::count(needed)
        );
        return (Verdict::TooLittleTraffic, sentence);
    }
    // Before the weights: their test takes each request for a draw of its own.
    if let Some(spread) = evidence.spread {
        return (Verdict::Sticky, sticky(evidence, spread, &shares, &since));
    }
    if let Some(window) = evidence.windows.diverging() {
        let arm = window.outside.unwrap_or_default();
        let seen = seen(evidence, &window.counts, arm);
        return (
            Verdict::Diverging,
            format!("{seen} of the last {}: diverging from {} %", of(&window.counts), target(&shares, arm)),
        );
    }
    let far = windows::outside(evidence.counts, &shares);
    let arm = far.unwrap_or_else(|| spotlight(&shares));
    let total = format!("{} of {} since {since}", seen(evidence, evidence.counts, arm), of(evidence.counts));
    match (far, evidence.windows.settled()) {
        (None, _) => (Verdict::Consistent, format!("{total}: {}", agreement(evidence.counts, &shares, arm))),
        // The past outweighs the present in the total; the last windows tell that it is over.
        (Some(_), Some(window)) => {
            let seen = seen(evidence, &window.counts, arm);
            let last = of(&window.counts);
            let earlier = evidence.counts.get(arm).map_or(0.0, |hits| ratio(*hits, all));
            let sentence = format!(
                "{seen} of the last {last}: consistent with {} % again, after {} % of {} since {since}",
                target(&shares, arm),
                words::percent(earlier),
                words::requests(all)
            );
            (Verdict::Consistent, sentence)
        }
        (Some(_), None) => {
            let sentence = format!(
                "{total}: outside what {} % explains; more traffic is needed to tell, to be confirmed by the next window",
                target(&shares, arm)
            );
            (Verdict::TooLittleTraffic, sentence)
        }
    }
}

/// A destination without weight must get nothing: no chance explains even one request.
fn strays(evidence: &Evidence<'_>, shares: &[f64], all: u64, since: &str) -> Option<String> {
    let (arm, hits) =
        evidence.counts.iter().enumerate().find(|(arm, hits)| **hits > 0 && shares.get(*arm) == Some(&0.0))?;
    let name = evidence.split.arms.get(arm)?.name();
    Some(format!(
        "{name} has weight 0 and got {} of {} since {since}: diverging from 0 %",
        words::count(*hits),
        words::requests(all)
    ))
}

/// Who or what gets another split than the rest, and what that makes of the total.
fn sticky(evidence: &Evidence<'_>, spread: &Spread, shares: &[f64], since: &str) -> String {
    let arm = spotlight(shares);
    let name = evidence.split.arms.get(arm).map_or("", |arm| arm.name());
    let part =
        |counts: &[u64]| words::percent(ratio(counts.get(arm).copied().unwrap_or_default(), counts.iter().sum()));
    let (most, least) = (part(&spread.most.counts), part(&spread.least.counts));
    let apart = match (&spread.most.caller, &spread.least.caller) {
        (Some(one), Some(other)) => {
            let same = one.workload == other.workload;
            let called = |part: &Part| {
                part.caller.as_ref().map_or_else(String::new, |caller| {
                    if same { format!("{} ({})", caller.workload, caller.instance) } else { caller.workload.clone() }
                })
            };
            let (one, other) = (called(&spread.most), called(&spread.least));
            format!(
                "Callers keep to one version more than chance allows: {name} gets {most} % of the requests of {one} and \
                 {least} % of those of {other}"
            )
        }
        _ => format!(
            "Requests keep to one version for a while, more than chance allows: {name} gets between {least} % and \
             {most} % of them from one moment to the next"
        ),
    };
    format!(
        "{apart}, so {} % of {} since {since} says little about the weight of {} %",
        part(evidence.counts),
        of(evidence.counts),
        target(shares, arm)
    )
}

/// `consistent with 10 %`, in words that do not contradict an interval that misses the weight: one in twenty does.
fn agreement(counts: &[u64], shares: &[f64], arm: usize) -> String {
    let weight = target(shares, arm);
    let share = shares.get(arm).copied().unwrap_or_default();
    let hits = counts.get(arm).copied().unwrap_or_default();
    match wilson(hits, counts.iter().sum()) {
        Some((low, high)) if share < low || share > high => format!("within chance of {weight} %"),
        _ => format!("consistent with {weight} %"),
    }
}

/// The destination that the sentence is about: the one with the least weight above zero, the later one of two equals.
pub(super) fn spotlight(shares: &[f64]) -> usize {
    let weighted = shares.iter().enumerate().filter(|(_, share)| **share > 0.0);
    weighted.rev().min_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(arm, _)| arm)
}

fn seen(evidence: &Evidence<'_>, counts: &[u64], arm: usize) -> String {
    let name = evidence.split.arms.get(arm).map_or("", |arm| arm.name());
    let hits = counts.get(arm).copied().unwrap_or_default();
    let all = counts.iter().sum();
    let (low, high) = wilson(hits, all).unwrap_or_default();
    format!("{name} gets {} % ({}–{})", words::percent(ratio(hits, all)), words::percent(low), words::percent(high))
}

fn of(counts: &[u64]) -> String {
    words::requests(counts.iter().sum())
}

fn target(shares: &[f64], arm: usize) -> String {
    words::configured(shares.get(arm).copied().unwrap_or_default())
}

/// `hits` of `all`, 0 to 1.
#[allow(clippy::cast_precision_loss)]
pub(super) fn ratio(hits: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { hits as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use weft_model::ObjectRef;

    use super::*;
    use crate::canary::{splits::Arm, tally::Caller};

    fn split(weights: &[u32]) -> Split {
        let arm = |(index, weight): (usize, &u32)| Arm {
            host: "order-service".into(),
            full_host: "order-service.shop.svc.cluster.local".into(),
            subset: format!("v{}", index + 1),
            labels: BTreeMap::new(),
            missing: false,
            weight: *weight,
            written: Some(*weight),
        };
        Split {
            object: ObjectRef::default(),
            content: String::new(),
            route_index: 1,
            route: "http[1]".into(),
            arms: weights.iter().enumerate().map(arm).collect(),
            testers: Vec::new(),
            ambiguous: None,
        }
    }

    const SINCE: u64 = 1_763_899_320_000;

    /// Judges the last of several moments, fifteen seconds apart.
    fn judged(weights: &[u32], moments: &[&[u64]]) -> (Verdict, String) {
        let split = split(weights);
        let mut windows = Windows::new(split.shares(), 0.0);
        let mut at = 0.0;
        for counts in moments {
            at += 15.0;
            windows.step(at, counts);
        }
        let counts = moments.last().copied().unwrap_or_default();
        told(&split, counts, &windows, None)
    }

    fn told(split: &Split, counts: &[u64], windows: &Windows, spread: Option<&Spread>) -> (Verdict, String) {
        judge(&Evidence { split, counts, windows, spread, since_ms: SINCE, now_ms: SINCE + 60_000 })
    }

    #[test]
    fn the_sentence_is_the_one_on_the_card() {
        let (verdict, sentence) = judged(&[90, 10], &[&[4350, 462]]);
        assert_eq!(verdict, Verdict::Consistent);
        assert_eq!(sentence, "v2 gets 9.6 % (8.8–10.5) of 4,812 requests since 12:02 UTC: consistent with 10 %");
    }

    #[test]
    fn two_windows_outside_diverge() {
        let (verdict, sentence) = judged(&[90, 10], &[&[400, 100], &[800, 200]]);
        assert_eq!(verdict, Verdict::Diverging);
        assert_eq!(sentence, "v2 gets 20.0 % (16.7–23.7) of the last 500 requests: diverging from 10 %");
        let (verdict, sentence) = judged(&[90, 10], &[&[400, 100]]);
        assert_eq!(verdict, Verdict::TooLittleTraffic);
        assert!(sentence.ends_with("to be confirmed by the next window"), "{sentence}");
    }

    #[test]
    fn a_sticky_split_says_who_gets_what() {
        let split = split(&[90, 10]);
        let windows = Windows::new(split.shares(), 0.0);
        let part = |workload: Option<&str>, instance: &str, counts: [u64; 2]| Part {
            caller: workload.map(|name| Caller { workload: name.into(), instance: instance.into() }),
            counts: counts.to_vec(),
        };
        let spread =
            Spread { most: part(Some("shop/cart"), "a:1", [2, 98]), least: part(Some("shop/web"), "b:1", [500, 0]) };
        let (verdict, sentence) = told(&split, &[4350, 462], &windows, Some(&spread));
        assert_eq!(verdict, Verdict::Sticky);
        assert_eq!(
            sentence,
            "Callers keep to one version more than chance allows: v2 gets 98.0 % of the requests of shop/cart and 0 % of \
             those of shop/web, so 9.6 % of 4,812 requests since 12:02 UTC says little about the weight of 10 %"
        );
        // Two of one workload are told apart; slices of time have no name.
        let same = Spread { least: part(Some("shop/cart"), "b:1", [500, 0]), ..spread };
        let (_, sentence) = told(&split, &[4350, 462], &windows, Some(&same));
        assert!(sentence.contains("shop/cart (a:1) and 0 % of those of shop/cart (b:1)"), "{sentence}");
        let slices = Spread { most: part(None, "", [60, 40]), least: part(None, "", [100, 0]) };
        let (_, sentence) = told(&split, &[4350, 462], &windows, Some(&slices));
        assert!(sentence.contains("between 0 % and 40.0 % of them"), "{sentence}");
        // What goes where no weight is, is worse, and too little traffic says nothing yet.
        let (verdict, _) = told(&split, &[40, 5], &windows, Some(&slices));
        assert_eq!(verdict, Verdict::TooLittleTraffic);
    }

    #[test]
    fn a_divergence_that_is_over_is_said_to_be() {
        let (verdict, sentence) = judged(&[90, 10], &[&[0, 1000], &[900, 1100], &[1800, 1200]]);
        assert_eq!(verdict, Verdict::Consistent);
        assert!(sentence.contains("of the last 1,000 requests: consistent with"), "{sentence}");
        assert!(sentence.contains("again, after 40.0 % of 3,000 requests"), "{sentence}");
    }

    #[test]
    fn nothing_may_go_where_no_weight_is() {
        assert_eq!(
            judged(&[100, 0], &[&[5000, 0]]),
            (
                Verdict::Consistent,
                "v1 gets 100 % (99.9–100) of 5,000 requests since 12:02 UTC: consistent with 100 %".into()
            )
        );
        let (verdict, sentence) = judged(&[100, 0], &[&[50, 1]]);
        assert_eq!(verdict, Verdict::Diverging);
        assert_eq!(sentence, "v2 has weight 0 and got 1 of 51 requests since 12:02 UTC: diverging from 0 %");
    }

    #[test]
    fn little_traffic_says_how_much_is_needed() {
        let (verdict, sentence) = judged(&[99, 1], &[&[120, 0]]);
        assert_eq!(verdict, Verdict::TooLittleTraffic);
        assert_eq!(sentence, "Too little traffic to tell: 120 requests since 12:02 UTC, 500 are needed");
    }

    #[test]
    fn one_interval_in_twenty_misses_and_the_words_allow_for_it() {
        let (verdict, sentence) = judged(&[50, 50], &[&[430, 570]]);
        assert_eq!(verdict, Verdict::TooLittleTraffic, "{sentence}");
        let (verdict, sentence) = judged(&[50, 50], &[&[462, 538]]);
        assert_eq!(verdict, Verdict::Consistent);
        assert!(sentence.ends_with("within chance of 50 %"), "{sentence}");
    }
}
