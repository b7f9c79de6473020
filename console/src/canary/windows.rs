//! Consecutive windows: one outside the 99.9 % interval is chance once in a thousand, two in a row once in a million.

use super::stats::{ALPHA, binomial_p};

/// Least lengths of the windows in seconds. The short ones tell quickly, the long ones see small differences.
const LENGTHS: [f64; 3] = [15.0, 60.0, 300.0];
/// Requests below which a window says nothing.
pub(super) const ENOUGH: u64 = 100;
/// Expected requests to the rarest destination below which a window says nothing.
pub(super) const ENOUGH_EXPECTED: f64 = 5.0;

/// Requests that are needed before a split with these shares (0 to 1) can be judged.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn needed(shares: &[f64]) -> u64 {
    let rarest = shares.iter().copied().filter(|share| *share > 0.0).fold(1.0, f64::min);
    ENOUGH.max((ENOUGH_EXPECTED / rarest).ceil().min(1e15) as u64)
}

/// The destination that lies farthest outside, if any does. Of two that mirror each other, the one with less weight.
pub(super) fn outside(counts: &[u64], shares: &[f64]) -> Option<usize> {
    let all: u64 = counts.iter().sum();
    let mut tested: Vec<(usize, f64, f64)> = counts
        .iter()
        .zip(shares)
        .enumerate()
        .map(|(arm, (&hits, &share))| (arm, share, binomial_p(hits, all, share)))
        .collect();
    tested.sort_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
    // Mirrored tests give the same value but for rounding.
    let worst = tested.into_iter().reduce(|worst, next| if next.2 < worst.2 * 0.99 { next } else { worst });
    worst.filter(|(_, _, p)| *p < ALPHA).map(|(arm, _, _)| arm)
}

/// One window that was closed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Window {
    /// Requests by destination.
    pub counts: Vec<u64>,
    /// The destination that lies outside.
    pub outside: Option<usize>,
}

#[derive(Clone, Debug)]
struct Level {
    length: f64,
    began: f64,
    at_start: Vec<u64>,
    previous: Option<Window>,
    last: Option<Window>,
}

/// Windows of one split, over disjoint stretches of time.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    shares: Vec<f64>,
    levels: Vec<Level>,
}

impl Windows {
    /// `shares` are the configured ones, 0 to 1; `began` is in seconds since the epoch.
    pub(super) fn new(shares: Vec<f64>, began: f64) -> Self {
        let level = |length| Level { length, began, at_start: vec![0; shares.len()], previous: None, last: None };
        Self { levels: LENGTHS.into_iter().map(level).collect(), shares }
    }

    /// Takes the counts so far at a moment and closes the windows that are long and full enough by then.
    pub(super) fn step(&mut self, at: f64, counts: &[u64]) {
        let needed = needed(&self.shares);
        for level in &mut self.levels {
            let inside: Vec<u64> =
                counts.iter().zip(&level.at_start).map(|(now, then)| now.saturating_sub(*then)).collect();
            if at - level.began < level.length || inside.iter().sum::<u64>() < needed {
                continue;
            }
            let outside = outside(&inside, &self.shares);
            level.previous = level.last.replace(Window { counts: inside, outside });
            level.began = at;
            level.at_start = counts.to_vec();
        }
    }

    /// The latest window of a length at which the last two both lie outside.
    pub(super) fn diverging(&self) -> Option<&Window> {
        self.levels.iter().find_map(|level| {
            let (previous, last) = (level.previous.as_ref()?, level.last.as_ref()?);
            (last.outside.is_some() && previous.outside.is_some()).then_some(last)
        })
    }

    /// The latest short window, if it and the one before it lie inside.
    pub(super) fn settled(&self) -> Option<&Window> {
        let level = self.levels.first()?;
        let (previous, last) = (level.previous.as_ref()?, level.last.as_ref()?);
        (last.outside.is_none() && previous.outside.is_none()).then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng, rngs::StdRng};

    use super::*;

    /// Sends `rate` requests each second for `seconds`, a share of them to the second destination; says whether and
    /// when the split was called diverging.
    fn run(rng: &mut StdRng, configured: f64, actual: f64, rate: u64, seconds: u64) -> Option<u64> {
        let mut windows = Windows::new(vec![1.0 - configured, configured], 0.0);
        let mut counts = [0, 0];
        for second in 1..=seconds {
            for _ in 0..rate {
                counts[usize::from(rng.random_bool(actual))] += 1;
            }
            windows.step(second as f64, &counts);
            if windows.diverging().is_some() {
                return Some(second);
            }
        }
        None
    }

    #[test]
    fn consistent_streams_are_hardly_ever_called_diverging() {
        let mut rng = StdRng::seed_from_u64(7);
        let mut false_alarms = 0;
        // Two thousand canaries watched for ten minutes each.
        for _ in 0..500 {
            for (share, rate) in [(0.1, 20), (0.5, 20), (0.01, 60), (0.05, 8)] {
                false_alarms += usize::from(run(&mut rng, share, share, rate, 600).is_some());
            }
        }
        assert!(false_alarms <= 2, "{false_alarms} of 2000");
    }

    #[test]
    fn a_wrong_split_is_found_within_a_minute() {
        let mut rng = StdRng::seed_from_u64(11);
        for _ in 0..200 {
            let found = run(&mut rng, 0.1, 0.2, 40, 60);
            assert!(found.is_some_and(|second| second <= 60), "{found:?}");
        }
    }

    #[test]
    fn a_small_difference_is_found_by_the_long_windows() {
        let mut rng = StdRng::seed_from_u64(13);
        assert!((0..10).all(|_| run(&mut rng, 0.1, 0.115, 100, 1300).is_some()));
    }

    #[test]
    fn one_window_outside_is_not_enough_and_two_inside_settle() {
        let mut windows = Windows::new(vec![0.9, 0.1], 0.0);
        windows.step(15.0, &[500, 500]);
        assert!(windows.diverging().is_none() && windows.settled().is_none());
        windows.step(30.0, &[500 + 180, 500 + 20]);
        windows.step(45.0, &[500 + 360, 500 + 40]);
        assert!(windows.diverging().is_none());
        assert_eq!(windows.settled().map(|w| w.counts.clone()), Some(vec![180, 20]));
    }

    #[test]
    fn a_window_waits_until_it_is_full() {
        assert_eq!((needed(&[0.9, 0.1]), needed(&[0.99, 0.01]), needed(&[1.0, 0.0])), (100, 500, 100));
        let mut windows = Windows::new(vec![0.9, 0.1], 0.0);
        windows.step(1000.0, &[0, 99]);
        windows.step(2000.0, &[0, 99]);
        assert!(windows.diverging().is_none());
        windows.step(3000.0, &[0, 120]);
        windows.step(4000.0, &[0, 240]);
        assert_eq!(windows.diverging().and_then(|w| w.outside), Some(1));
    }
}
