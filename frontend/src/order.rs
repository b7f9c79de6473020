//! Sorting by one sort. The standard library's is compiled anew for each type and each comparison, some 3 kB a time; this one
//! sorts positions, and only how two elements compare is compiled for each.

use std::cmp::Ordering;

/// What can be put in order.
pub trait Order<T> {
    /// Sorts stably.
    fn order(&mut self, by: impl Fn(&T, &T) -> Ordering);

    /// Sorts stably by a key.
    fn order_by_key<K: Ord>(&mut self, key: impl Fn(&T) -> K) {
        self.order(|a, b| key(a).cmp(&key(b)));
    }
}

impl<T> Order<T> for [T] {
    fn order(&mut self, by: impl Fn(&T, &T) -> Ordering) {
        let own: &[T] = self;
        let from = sorted(own.len(), &|a, b| by(&own[a], &own[b]));
        for at in 0..from.len() {
            let mut source = from[at];
            // What stood before here has changed its place already.
            while source < at {
                source = from[source];
            }
            self.swap(at, source);
        }
    }
}

/// Positions in the order of what stands there.
fn sorted(count: usize, by: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut all: Vec<usize> = (0..count).collect();
    all.sort_by(|a, b| by(*a, *b));
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_sorts_as_the_standard_library_does(all in prop::collection::vec((0_u8..8, any::<u8>()), 0..80)) {
            let (mut own, mut other) = (all.clone(), all);
            own.order_by_key(|one| one.0);
            other.sort_by_key(|one| one.0);
            prop_assert_eq!(own, other);
        }
    }
}
