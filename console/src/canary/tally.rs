//! Exact counts since a moment, from the samples that Prometheus scraped. `increase()` extrapolates to the window's
//! edges, which invents requests; here only differences of real samples are added up.

use std::collections::{BTreeMap, HashMap};

use crate::telemetry::prometheus::{Labels, Track};

/// What one counted destination is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ArmKey {
    /// Route id.
    pub route: String,
    /// Full host name.
    pub host: String,
    /// Subset; empty for none.
    pub subset: String,
}

/// Who counted: one proxy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Caller {
    /// Its workload, `namespace/name`.
    pub workload: String,
    /// As Prometheus names it.
    pub instance: String,
}

impl Caller {
    /// Those that are taken together because each sends too little.
    pub(super) fn rest() -> Self {
        Self { workload: "other callers".to_owned(), instance: String::new() }
    }
}

/// A scraped process, as Prometheus names it.
type Target = (String, String);

struct Seen {
    arm: ArmKey,
    caller: Caller,
    at: f64,
    value: f64,
    counted: f64,
}

/// Counts of one VirtualService's routes since a moment.
pub(super) struct Tally {
    /// Seconds since the epoch.
    since: f64,
    /// The first scrape of each target at or after `since`: what it shows was counted before.
    first_scrape: HashMap<Target, f64>,
    series: HashMap<Vec<(String, String)>, Seen>,
    /// Time of the newest sample.
    until: f64,
}

fn target(labels: &Labels) -> Target {
    (labels.get("job").to_owned(), labels.get("instance").to_owned())
}

impl Tally {
    pub(super) fn new(since: f64) -> Self {
        Self { since, first_scrape: HashMap::new(), series: HashMap::new(), until: since }
    }

    /// Time of the newest sample; `since` before there is one.
    pub(super) fn until(&self) -> f64 {
        self.until
    }

    /// When the first target was scraped from `since` on; `None` before any was.
    pub(super) fn first(&self) -> Option<f64> {
        self.first_scrape.values().copied().reduce(f64::min)
    }

    /// Takes note of when each target was scraped first after `since`, from samples of `up`. A series that is absent
    /// from that scrape and appears later started from zero.
    pub(super) fn note_scrapes(&mut self, up: &[Track]) {
        for track in up {
            if let Some(first) = track.points.iter().find(|point| point.at >= self.since) {
                let at = self.first_scrape.entry(target(&track.labels)).or_insert(first.at);
                *at = at.min(first.at);
            }
        }
    }

    /// Adds what the tracks show beyond what was seen before, and calls `step` after each moment with what is known by
    /// then. Samples that were seen already, and those before `since`, change nothing.
    pub(super) fn advance(&mut self, tracks: &[Track], mut step: impl FnMut(f64, &Self)) {
        let mut moments: Vec<(f64, usize, f64)> = Vec::new();
        let keys: Vec<Vec<(String, String)>> = tracks.iter().map(|track| key(&track.labels)).collect();
        for (index, track) in tracks.iter().enumerate() {
            let seen = self.series.get(&keys[index]).map_or(f64::NEG_INFINITY, |seen| seen.at);
            let new = track.points.iter().filter(|point| point.at >= self.since && point.at > seen);
            moments.extend(new.map(|point| (point.at, index, point.value)));
        }
        moments.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for together in moments.chunk_by(|a, b| a.0 == b.0) {
            for &(at, index, value) in together {
                self.observe(&keys[index], &tracks[index].labels, at, value);
                self.until = self.until.max(at);
            }
            step(self.until, self);
        }
    }

    fn observe(&mut self, key: &[(String, String)], labels: &Labels, at: f64, value: f64) {
        match self.series.get_mut(key) {
            Some(seen) => {
                // A counter that fell was started again from zero.
                seen.counted += if value >= seen.value { value - seen.value } else { value };
                (seen.at, seen.value) = (at, value);
            }
            None => {
                let first = *self.first_scrape.entry(target(labels)).or_insert(at);
                let counted = if at > first { value } else { 0.0 };
                let arm = ArmKey {
                    route: labels.get("route").to_owned(),
                    host: labels.get("host").to_owned(),
                    subset: labels.get("subset").to_owned(),
                };
                let workload = [labels.get("source_workload_namespace"), labels.get("source_workload")].join("/");
                let caller = Caller { workload, instance: labels.get("instance").to_owned() };
                self.series.insert(key.to_vec(), Seen { arm, caller, at, value, counted });
            }
        }
    }

    /// Requests counted so far.
    pub(super) fn counts(&self) -> BTreeMap<ArmKey, u64> {
        whole(self.series.values().map(|seen| (seen.arm.clone(), seen.counted)))
    }

    /// The same of each proxy that counted.
    pub(super) fn by_caller(&self) -> BTreeMap<(Caller, ArmKey), u64> {
        whole(self.series.values().map(|seen| ((seen.caller.clone(), seen.arm.clone()), seen.counted)))
    }
}

/// Adds up. Counters count whole requests; what is left of a fraction is rounding.
fn whole<K: Ord>(parts: impl Iterator<Item = (K, f64)>) -> BTreeMap<K, u64> {
    let mut sums: BTreeMap<K, f64> = BTreeMap::new();
    for (key, counted) in parts {
        *sums.entry(key).or_default() += counted;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    sums.into_iter().map(|(key, counted)| (key, counted.round().max(0.0) as u64)).collect()
}

fn key(labels: &Labels) -> Vec<(String, String)> {
    labels.sorted().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::prometheus::Point;

    fn track(instance: &str, subset: &str, points: &[(f64, f64)]) -> Track {
        let labels = Labels::from([
            ("job", "p"),
            ("instance", instance),
            ("route", "http[1]"),
            ("host", "h"),
            ("subset", subset),
        ]);
        Track { labels, points: points.iter().map(|&(at, value)| Point { at, value }).collect() }
    }

    fn total(tally: &Tally, subset: &str) -> u64 {
        tally.counts().iter().filter(|(arm, _)| arm.subset == subset).map(|(_, count)| count).sum()
    }

    fn advance(tally: &mut Tally, tracks: &[Track]) {
        tally.advance(tracks, |_, _| {});
    }

    #[test]
    fn counting_begins_at_the_first_scrape_after() {
        let mut tally = Tally::new(100.0);
        advance(&mut tally, &[track("a", "v1", &[(98.0, 5.0), (103.0, 50.0), (108.0, 60.0)])]);
        assert_eq!(total(&tally, "v1"), 10);
        // The same samples again, and then some more.
        advance(&mut tally, &[track("a", "v1", &[(103.0, 50.0), (108.0, 60.0), (113.0, 61.0)])]);
        assert_eq!((total(&tally, "v1"), tally.until(), tally.first()), (11, 113.0, Some(103.0)));
    }

    #[test]
    fn a_restart_counts_from_zero() {
        let mut tally = Tally::new(100.0);
        advance(&mut tally, &[track("a", "v1", &[(101.0, 50.0), (102.0, 70.0), (103.0, 4.0), (104.0, 6.0)])]);
        assert_eq!(total(&tally, "v1"), 26);
    }

    #[test]
    fn a_series_that_appears_later_counts_whole_only_if_its_process_was_there() {
        let mut tally = Tally::new(100.0);
        tally.note_scrapes(&[track("b", "", &[(99.0, 1.0), (101.5, 1.0)])]);
        advance(
            &mut tally,
            &[
                track("a", "v1", &[(101.0, 50.0), (106.0, 50.0)]),
                // First seen one scrape later on the same process: all three came after.
                track("a", "v2", &[(106.0, 3.0)]),
                // On a process that had not called this route before: `up` tells that it was there.
                track("b", "v2", &[(106.5, 2.0)]),
                // On a process that nobody knew: it may have counted for long.
                track("c", "v2", &[(107.0, 1000.0), (112.0, 1001.0)]),
            ],
        );
        assert_eq!((total(&tally, "v1"), total(&tally, "v2")), (0, 6));
    }

    #[test]
    fn what_the_first_scrape_shows_may_be_from_before() {
        let mut tally = Tally::new(100.0);
        tally.note_scrapes(&[track("a", "", &[(101.0, 1.0)])]);
        // One request at 99.5 under the old weights is first scraped at 101.
        advance(&mut tally, &[track("a", "v2", &[(101.0, 1.0), (106.0, 1.0)])]);
        assert_eq!(total(&tally, "v2"), 0);
    }

    #[test]
    fn each_proxy_is_counted_apart() {
        let mut tally = Tally::new(0.0);
        advance(
            &mut tally,
            &[track("a", "v1", &[(1.0, 0.0), (3.0, 5.0)]), track("b", "v1", &[(2.0, 0.0), (3.0, 7.0)])],
        );
        let counts: Vec<_> =
            tally.by_caller().into_iter().map(|((caller, _), count)| (caller.instance, count)).collect();
        assert_eq!(counts, [("a".to_owned(), 5), ("b".to_owned(), 7)]);
    }

    #[test]
    fn moments_come_in_order_across_series() {
        let mut tally = Tally::new(0.0);
        let mut moments = Vec::new();
        let tracks = [track("a", "v1", &[(1.0, 0.0), (3.0, 5.0)]), track("b", "v1", &[(2.0, 0.0), (3.0, 7.0)])];
        tally.advance(&tracks, |at, tally| moments.push((at, tally.counts().values().sum::<u64>())));
        assert_eq!(moments, [(1.0, 0), (2.0, 0), (3.0, 12)]);
    }
}
