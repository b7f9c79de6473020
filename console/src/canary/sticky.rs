//! Whether requests are independent draws at all. Where callers stay on one version, or requests come in runs, the total
//! may agree with the weights or not: it says little about them either way.

use std::collections::BTreeMap;

use super::{
    stats::chi_squared_p,
    tally::Caller,
    windows::{ENOUGH_EXPECTED, needed},
};

/// Least length in seconds of a window in which callers are compared.
const LENGTH: f64 = 60.0;
/// Least length in seconds of a slice of time.
const SLICE: f64 = 15.0;
/// Slices that are compared with each other.
const SLICES: usize = 8;
/// Two windows in a row must each lie beyond this. Stricter than a weight's test: the distribution is an approximation
/// where few requests are expected, and real stickiness is far beyond it.
const ALPHA: f64 = 0.0001;

/// Requests by destination of each caller.
pub(super) type Table = BTreeMap<Caller, Vec<u64>>;

/// One of the two that are farthest apart: its name, and its requests by destination.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// The caller; `None` for a slice of time.
    pub caller: Option<Caller>,
    /// Requests by destination.
    pub counts: Vec<u64>,
}

/// What is farther apart than chance allows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spread {
    /// The one that sends the largest share to the destination with the least weight.
    pub most: Part,
    /// The one that sends the smallest.
    pub least: Part,
}

/// The last two windows.
#[derive(Clone, Debug, Default)]
struct Pair {
    previous: Option<Spread>,
    last: Option<Spread>,
}

impl Pair {
    fn push(&mut self, spread: Option<Spread>) {
        self.previous = std::mem::replace(&mut self.last, spread);
    }

    fn both(&self) -> Option<&Spread> {
        self.previous.as_ref().and(self.last.as_ref())
    }
}

/// Watches one split, over disjoint stretches of time.
#[derive(Clone, Debug)]
pub(super) struct Stickiness {
    shares: Vec<f64>,
    /// The destination that is spoken about.
    arm: usize,
    callers: Pair,
    began: f64,
    at_start: Table,
    slices: Pair,
    slice_began: f64,
    slice_start: Vec<u64>,
    open: Vec<Vec<u64>>,
}

impl Stickiness {
    /// `shares` are the configured ones, 0 to 1, `arm` the destination to speak about; `began` is in seconds since the
    /// epoch.
    pub(super) fn new(shares: Vec<f64>, arm: usize, began: f64) -> Self {
        Self {
            slice_start: vec![0; shares.len()],
            shares,
            arm,
            callers: Pair::default(),
            began,
            at_start: Table::new(),
            slices: Pair::default(),
            slice_began: began,
            open: Vec::new(),
        }
    }

    /// Takes the counts so far at a moment; `table` is asked only where a window may close.
    pub(super) fn step(&mut self, at: f64, counts: &[u64], table: impl FnOnce() -> Table) {
        self.slice(at, counts);
        if at - self.began < LENGTH {
            return;
        }
        let now = table();
        let inside = now.iter().map(|(caller, counts)| {
            let before = self.at_start.get(caller).map_or(&[][..], Vec::as_slice);
            Part { caller: Some(caller.clone()), counts: since(counts, before) }
        });
        // A window waits until two callers can be compared.
        let Some((p, spread)) = compare(inside.collect(), self.arm) else { return };
        self.callers.push((p < ALPHA).then_some(spread));
        self.began = at;
        self.at_start = now;
    }

    fn slice(&mut self, at: f64, counts: &[u64]) {
        let inside = since(counts, &self.slice_start);
        if at - self.slice_began < SLICE || inside.iter().sum::<u64>() < needed(&self.shares) {
            return;
        }
        self.open.push(inside);
        self.slice_began = at;
        self.slice_start = counts.to_vec();
        if self.open.len() < SLICES {
            return;
        }
        let parts = self.open.drain(..).map(|counts| Part { caller: None, counts }).collect();
        let spread = compare(parts, self.arm).and_then(|(p, spread)| (p < ALPHA).then_some(spread));
        self.slices.push(spread);
    }

    /// What is farther apart than chance allows in the last two windows: callers, or else slices of time.
    pub(super) fn spread(&self) -> Option<&Spread> {
        self.callers.both().or_else(|| self.slices.both())
    }
}

fn since(now: &[u64], before: &[u64]) -> Vec<u64> {
    now.iter().enumerate().map(|(arm, now)| now.saturating_sub(before.get(arm).copied().unwrap_or(0))).collect()
}

/// The chance that all parts follow one split (Pearson's test of homogeneity), and which two are farthest apart; `None`
/// where fewer than two send enough. Those that send too little are taken together.
#[allow(clippy::cast_precision_loss)]
fn compare(parts: Vec<Part>, arm: usize) -> Option<(f64, Spread)> {
    let arms = parts.first()?.counts.len();
    let columns = |rows: &[Part]| -> Vec<u64> {
        (0..arms).map(|arm| rows.iter().filter_map(|row| row.counts.get(arm)).sum()).collect()
    };
    let totals = columns(&parts);
    let all: u64 = totals.iter().sum();
    let rarest = totals.iter().copied().filter(|total| *total > 0).min()?;
    let enough = |row: &Part| row.counts.iter().sum::<u64>() as f64 * rarest as f64 >= ENOUGH_EXPECTED * all as f64;
    let (mut rows, few): (Vec<Part>, Vec<Part>) = parts.into_iter().partition(enough);
    let rest = few.first().and_then(|part| part.caller.as_ref()).map(|_| Caller::rest());
    rows.push(Part { caller: rest, counts: columns(&few) });
    if !rows.last().is_some_and(enough) {
        rows.pop();
    }
    let by_share = |a: &&Part, b: &&Part| share(a, arm).total_cmp(&share(b, arm));
    let spread = Spread { most: rows.iter().max_by(by_share)?.clone(), least: rows.iter().min_by(by_share)?.clone() };
    let totals = columns(&rows);
    let all = totals.iter().sum::<u64>() as f64;
    let used: Vec<usize> = (0..arms).filter(|arm| totals[*arm] > 0).collect();
    if rows.len() < 2 || used.len() < 2 {
        return None;
    }
    let mut distance = 0.0;
    for row in &rows {
        let sent = row.counts.iter().sum::<u64>() as f64;
        for &arm in &used {
            let expected = sent * totals[arm] as f64 / all;
            distance += (row.counts[arm] as f64 - expected).powi(2) / expected;
        }
    }
    let freedom = (rows.len() - 1) * (used.len() - 1);
    Some((chi_squared_p(distance, freedom as f64), spread))
}

fn share(part: &Part, arm: usize) -> f64 {
    super::verdict::ratio(part.counts.get(arm).copied().unwrap_or_default(), part.counts.iter().sum())
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng, rngs::StdRng};

    use super::*;

    fn caller(number: usize) -> Caller {
        Caller { workload: format!("shop/c{number}"), instance: format!("10.0.0.{number}:15090") }
    }

    /// Each second every caller sends `rate` requests, each to the second destination with the chance that `chance`
    /// gives for the caller and the second; says when the split was called sticky, and whether for its callers.
    fn run(
        rng: &mut StdRng,
        configured: f64,
        callers: usize,
        rate: u64,
        seconds: u32,
        chance: impl Fn(usize, u32) -> f64,
    ) -> Option<(u32, bool)> {
        let mut sticky = Stickiness::new(vec![1.0 - configured, configured], 1, 0.0);
        let mut table: Table = (0..callers).map(|number| (caller(number), vec![0, 0])).collect();
        for second in 1..=seconds {
            for (number, counts) in table.values_mut().enumerate() {
                for _ in 0..rate {
                    counts[usize::from(rng.random_bool(chance(number, second)))] += 1;
                }
            }
            let counts: Vec<u64> = (0..2).map(|arm| table.values().map(|counts| counts[arm]).sum()).collect();
            sticky.step(f64::from(second), &counts, || table.clone());
            if let Some(spread) = sticky.spread() {
                return Some((second, spread.most.caller.is_some()));
            }
        }
        None
    }

    #[test]
    fn independent_requests_are_hardly_ever_called_sticky() {
        let mut rng = StdRng::seed_from_u64(17);
        let mut false_alarms = 0;
        // Two thousand canaries watched for ten minutes each.
        for _ in 0..400 {
            for (share, callers, rate) in [(0.1, 4, 5), (0.5, 2, 8), (0.01, 3, 20), (0.05, 20, 2), (0.2, 1, 20)] {
                false_alarms += usize::from(run(&mut rng, share, callers, rate, 600, |_, _| share).is_some());
            }
        }
        assert!(false_alarms <= 1, "{false_alarms} of 2000");
    }

    #[test]
    fn callers_that_stay_on_one_version_are_found_although_the_total_agrees() {
        let mut rng = StdRng::seed_from_u64(19);
        for _ in 0..50 {
            // One of ten callers always gets v2, which makes ten percent of all.
            let found = run(&mut rng, 0.1, 10, 5, 180, |caller, _| if caller == 3 { 1.0 } else { 0.0 });
            assert!(found.is_some_and(|(second, callers)| second <= 180 && callers), "{found:?}");
        }
    }

    #[test]
    fn runs_of_requests_are_found_behind_a_single_caller() {
        let mut rng = StdRng::seed_from_u64(23);
        for _ in 0..50 {
            // A gateway's clients: for half a minute all on one version, then on the other.
            let runs = |_: usize, second: u32| if (second / 30).is_multiple_of(2) { 0.02 } else { 0.18 };
            let found = run(&mut rng, 0.1, 1, 20, 400, runs);
            assert!(found.is_some_and(|(_, callers)| !callers), "{found:?}");
        }
    }

    #[test]
    fn both_ends_are_told_and_one_window_is_not_enough() {
        let mut sticky = Stickiness::new(vec![0.9, 0.1], 1, 0.0);
        let table = |a: [u64; 2], b: [u64; 2]| -> Table {
            [(caller(1), a.to_vec()), (caller(2), b.to_vec())].into_iter().collect()
        };
        sticky.step(60.0, &[900, 100], || table([100, 100], [800, 0]));
        assert_eq!(sticky.spread(), None);
        sticky.step(120.0, &[1800, 200], || table([200, 200], [1600, 0]));
        let spread = sticky.spread().unwrap();
        assert_eq!((&spread.most.caller, &spread.most.counts), (&Some(caller(1)), &vec![100, 100]));
        assert_eq!((&spread.least.caller, &spread.least.counts), (&Some(caller(2)), &vec![800, 0]));
        // It is over when a window says so.
        sticky.step(180.0, &[2700, 300], || table([380, 220], [2320, 80]));
        assert_eq!(sticky.spread(), None);
    }

    #[test]
    fn nothing_is_compared_where_there_is_too_little() {
        let part = |counts: [u64; 2]| Part { caller: None, counts: counts.to_vec() };
        assert_eq!(compare(vec![], 1), None);
        assert_eq!(compare(vec![part([1000, 100])], 1), None);
        assert_eq!(compare(vec![part([1000, 0]), part([500, 0])], 1), None);
        assert_eq!(compare(vec![part([10, 1]), part([0, 3])], 1), None);
        // Small ones together are enough: forty that got nothing of v2 against one that got all of it.
        let mut parts = vec![Part { caller: Some(caller(0)), ..part([0, 100]) }];
        parts.extend((1..=40).map(|number| Part { caller: Some(caller(number)), ..part([8, 0]) }));
        let (p, spread) = compare(parts, 1).unwrap();
        assert!(p < 1e-20 && spread.most.caller == Some(caller(0)) && spread.least.caller == Some(Caller::rest()));
    }
}
