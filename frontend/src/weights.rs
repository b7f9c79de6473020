//! Arithmetic of the canary slider.

use crate::order::Order;

/// Where the slider comes to rest by itself.
pub const SNAPS: [u32; 7] = [0, 1, 5, 10, 25, 50, 100];

/// How near a dragged value must come to a snap, in percent.
const PULL: u32 = 2;

/// The value that a drag to `percent` gives: a snap when one is near, else `percent` itself. Near the ends the snaps
/// lie close together and only an exact hit counts.
pub fn snap(percent: u32) -> u32 {
    let percent = percent.min(100);
    let nearest = SNAPS.into_iter().min_by_key(|snap| snap.abs_diff(percent)).unwrap_or(percent);
    let pull = if percent < 8 { 0 } else { PULL };
    if nearest.abs_diff(percent) <= pull { nearest } else { percent }
}

/// Where an arrow key leads the slider: to the next snap, up or down; at the ends it stays. A step of one would be pulled
/// back to the snap that it leaves.
pub fn step(percent: u32, up: bool) -> u32 {
    let mut snaps = SNAPS.into_iter();
    let next = if up { snaps.find(|snap| *snap > percent) } else { snaps.rfind(|snap| *snap < percent) };
    next.unwrap_or(percent.min(100))
}

/// Weights of a route with two destinations when the second gets `percent`.
pub fn pair(percent: u32) -> Vec<u32> {
    let percent = percent.min(100);
    vec![100 - percent, percent]
}

/// Percentages as whole numbers that add up to 100, the largest remainders rounded up.
pub fn whole(percentages: &[f64]) -> Vec<u32> {
    let total: f64 = percentages.iter().filter(|percent| percent.is_finite()).sum();
    if total <= 0.0 {
        return vec![0; percentages.len()];
    }
    let exact: Vec<f64> =
        percentages.iter().map(|percent| if percent.is_finite() { percent * 100.0 / total } else { 0.0 }).collect();
    let mut out: Vec<u32> = exact.iter().map(|percent| percent.floor() as u32).collect();
    let mut order: Vec<usize> = (0..exact.len()).collect();
    order.order(|a, b| (exact[*b] - exact[*b].floor()).total_cmp(&(exact[*a] - exact[*a].floor())).then(a.cmp(b)));
    let missing = 100u32.saturating_sub(out.iter().sum());
    for index in order.into_iter().take(missing as usize) {
        out[index] += 1;
    }
    out
}

/// Whether each of them is a weight at all; what they add up to is another matter.
pub fn are_weights(typed: &[Option<u32>]) -> bool {
    typed.iter().all(|weight| weight.is_some_and(|weight| weight <= 100))
}

/// What is wrong with weights that were typed, in words; `None` when they may be applied.
pub fn fault(weights: &[Option<u32>]) -> Option<String> {
    if !are_weights(weights) {
        return Some("Each weight is a whole number from 0 to 100.".to_owned());
    }
    let sum: u32 = weights.iter().flatten().fold(0, |sum, weight| sum.saturating_add(*weight));
    match sum {
        100 => None,
        0..100 => Some(format!("The weights add up to {sum}; {} are missing.", 100 - sum)),
        _ => Some(format!("The weights add up to {sum}; {} are too many.", sum - 100)),
    }
}

/// Typed weights as one line; empty for none.
pub fn write(typed: &[Option<u32>]) -> String {
    typed.iter().map(|weight| weight.map(|weight| weight.to_string()).unwrap_or_default()).collect::<Vec<_>>().join(",")
}

/// What [`write`] wrote; what is no number is `None`.
pub fn read(text: &str) -> Vec<Option<u32>> {
    text.split(',').map(|weight| weight.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drag_rests_on_snaps() {
        assert_eq!([snap(9), snap(12), snap(13), snap(48), snap(99), snap(100)], [10, 10, 13, 50, 100, 100]);
        assert_eq!([snap(0), snap(1), snap(2), snap(3), snap(5), snap(7)], [0, 1, 2, 3, 5, 7]);
        assert_eq!(snap(400), 100);
    }

    #[test]
    fn arrow_keys_go_from_snap_to_snap() {
        let way = |up: bool, from: u32| std::iter::successors(Some(from), move |at| Some(step(*at, up)));
        assert_eq!(way(true, 0).take(8).collect::<Vec<_>>(), [0, 1, 5, 10, 25, 50, 100, 100]);
        assert_eq!(way(false, 100).take(8).collect::<Vec<_>>(), [100, 50, 25, 10, 5, 1, 0, 0]);
        assert_eq!((step(37, true), step(37, false)), (50, 25));
    }

    #[test]
    fn shares_become_whole_numbers() {
        assert_eq!(whole(&[90.0, 10.0]), [90, 10]);
        assert_eq!(whole(&[100.0 / 3.0; 3]), [34, 33, 33]);
        assert_eq!(whole(&[0.0, 0.0]), [0, 0]);
        assert_eq!(whole(&[f64::NAN, 1.0]), [0, 100]);
        assert_eq!(pair(10), [90, 10]);
        assert_eq!(pair(300), [0, 100]);
    }

    #[test]
    fn typed_weights_are_written_and_read() {
        for typed in [vec![Some(80), Some(20)], vec![None, Some(100)], vec![Some(1), None, Some(3)]] {
            assert_eq!(read(&write(&typed)), typed);
        }
        assert_eq!(write(&[]), "");
    }

    #[test]
    fn sums_are_checked_in_words() {
        assert_eq!(fault(&[Some(90), Some(10)]), None);
        assert_eq!(fault(&[Some(90), Some(5)]).as_deref(), Some("The weights add up to 95; 5 are missing."));
        let no_weight = Some("Each weight is a whole number from 0 to 100.");
        assert_eq!(fault(&[Some(89), Some(110)]).as_deref(), no_weight, "whatever they add up to");
        assert!(!are_weights(&[None, Some(20)]) && are_weights(&[Some(90), Some(20)]));
        assert_eq!(fault(&[Some(90), Some(20)]).as_deref(), Some("The weights add up to 110; 10 are too many."));
        assert!(fault(&[None, Some(20)]).is_some());
        assert!(fault(&[Some(u32::MAX), Some(u32::MAX)]).is_some());
    }
}
