//! How far through its life a certificate is that people renew, or a program of theirs.

use crate::graph::Health;

/// The longest time before the end at which a renewal is due, in milliseconds.
const SOON_MS: u64 = 30 * 86_400_000;

/// Where a certificate stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Its time has not begun: nobody accepts it.
    NotYet,
    /// It holds.
    Good,
    /// It holds, and should have been renewed by now.
    Due,
    /// Its time is over: nobody accepts it.
    Expired,
}

impl Validity {
    /// At `now_ms` of a certificate that holds between the others; all are milliseconds since the Unix epoch. It is due in
    /// the last quarter of its life, and at most 30 days before the end: what renews those of an ACME authority does so
    /// with a third left, and some of them live for days.
    pub fn of(not_before_ms: u64, not_after_ms: u64, now_ms: u64) -> Self {
        let left = not_after_ms.saturating_sub(now_ms);
        let due = SOON_MS.min(not_after_ms.saturating_sub(not_before_ms) / 4);
        match left {
            0 => Self::Expired,
            _ if not_before_ms > now_ms => Self::NotYet,
            left if left < due => Self::Due,
            _ => Self::Good,
        }
    }

    /// How well that is.
    pub fn health(self) -> Health {
        match self {
            Self::Good => Health::Healthy,
            Self::Due => Health::Degraded,
            Self::NotYet | Self::Expired => Health::Failing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400_000;

    #[test]
    fn a_renewal_is_due_by_the_length_of_a_life() {
        let at = |life: u64, left: u64| Validity::of(1000 * DAY, (1000 + life) * DAY, (1000 + life - left) * DAY);
        for (life, left, wanted) in [
            (3650, 31, Validity::Good),
            (3650, 29, Validity::Due),
            (90, 30, Validity::Good),
            (90, 22, Validity::Due),
            // With a fixed month these were never good.
            (47, 16, Validity::Good),
            (8, 3, Validity::Good),
            (8, 1, Validity::Due),
            (8, 0, Validity::Expired),
        ] {
            assert_eq!(at(life, left), wanted, "{left} of {life} days left");
        }
    }

    #[test]
    fn what_holds_later_holds_not_now() {
        assert_eq!(Validity::of(2 * DAY, 90 * DAY, DAY), Validity::NotYet);
        assert_eq!(Validity::of(2 * DAY, 90 * DAY, 2 * DAY), Validity::Good);
        assert_eq!(Validity::NotYet.health(), Health::Failing);
        // An end before its beginning is an end.
        assert_eq!(Validity::of(5 * DAY, 2 * DAY, 3 * DAY), Validity::Expired);
    }
}
