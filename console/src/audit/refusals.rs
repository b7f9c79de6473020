//! How many refusals are written down: a flood of them must neither fill the audit nor push out what people changed.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::auth::Limit;

/// Refusals of one address that are written down at once, and in a second after that.
const OF_ONE: (f64, f64) = (20.0, 1.0 / 30.0);
/// Those of all addresses together.
const OF_ALL: (f64, f64) = (200.0, 0.2);

/// Counts refusals.
pub(super) struct Refusals {
    of_one: Limit,
    of_all: Limit,
    left_out: AtomicU64,
}

impl Default for Refusals {
    fn default() -> Self {
        let limit = |(burst, per_second)| Limit::new(burst, per_second);
        Self { of_one: limit(OF_ONE), of_all: limit(OF_ALL), left_out: AtomicU64::new(0) }
    }
}

impl std::fmt::Debug for Refusals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refusals").field("left_out", &self.left_out).finish_non_exhaustive()
    }
}

impl Refusals {
    /// Whether one more is written down; then with how many that were left out since the last.
    pub(super) fn one_more(&self, from: IpAddr) -> Option<u64> {
        let all = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        if self.of_one.take(from).is_ok() && self.of_all.take(all).is_ok() {
            return Some(self.left_out.swap(0, Ordering::Relaxed));
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_left_out() {
        let refusals = Refusals::default();
        let one: IpAddr = "10.0.0.1".parse().unwrap();
        let written = (0..1_000).filter(|_| refusals.one_more(one).is_some()).count();
        assert!((20..30).contains(&written), "{written}");
        let left_out = refusals.one_more("10.0.0.2".parse().unwrap()).unwrap();
        assert_eq!(left_out as usize, 1_000 - written);
        let written = (0..5_000_u32).filter(|n| refusals.one_more(IpAddr::V4((0x0b00_0000 + n).into())).is_some());
        assert!(written.count() <= 250);
    }
}
