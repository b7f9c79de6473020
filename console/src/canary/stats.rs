//! Whether counts agree with weights: an interval to show, and an exact test to decide.

/// Normal quantile of a two-sided 95 % interval.
const Z95: f64 = 1.959_963_984_540_054;
/// Error that the decision allows itself: outside means outside the 99.9 % interval.
pub(super) const ALPHA: f64 = 0.001;

/// Wilson's 95 % interval of the share of `hits` in `all`, 0 to 1; `None` without any.
#[allow(clippy::cast_precision_loss)]
pub fn wilson(hits: u64, all: u64) -> Option<(f64, f64)> {
    if all == 0 {
        return None;
    }
    let n = all as f64;
    let share = hits as f64 / n;
    let z2 = Z95 * Z95;
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z95 / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    // At the ends the interval touches them exactly; rounding must not leave a crumb.
    let low = if hits == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if hits == all { 1.0 } else { (centre + half).min(1.0) };
    Some((low, high))
}

/// How much larger the share of hits in `this` (hits, all) is than in `that`, with the 95 % interval of the difference
/// (Newcombe's, from both Wilson intervals); `None` without any of either.
#[allow(clippy::cast_precision_loss)]
pub(super) fn more(this: (u64, u64), that: (u64, u64)) -> Option<(f64, f64, f64)> {
    let ((low, high), (base_low, base_high)) = (wilson(this.0, this.1)?, wilson(that.0, that.1)?);
    let (share, base) = (this.0 as f64 / this.1 as f64, that.0 as f64 / that.1 as f64);
    let difference = share - base;
    let below = (share - low).hypot(base_high - base);
    let above = (high - share).hypot(base - base_low);
    Some((difference, difference - below, difference + above))
}

/// Two-sided p-value of seeing `hits` of `all` when each is a hit with probability `share`: twice the smaller exact
/// binomial tail, at most 1. Exact also where shares are small and the normal approximation is not.
#[allow(clippy::cast_precision_loss)]
pub fn binomial_p(hits: u64, all: u64, share: f64) -> f64 {
    if all == 0 || hits > all {
        return 1.0;
    }
    if share <= 0.0 {
        return if hits == 0 { 1.0 } else { 0.0 };
    }
    if share >= 1.0 {
        return if hits == all { 1.0 } else { 0.0 };
    }
    let (k, n) = (hits as f64, all as f64);
    let odds = share / (1.0 - share);
    let ln_pmf =
        ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0) + k * share.ln() + (n - k) * (-share).ln_1p();
    // Sums away from the mean, so terms fall and the sum ends after some multiples of the standard deviation.
    let upward = k >= n * share;
    let (mut term, mut sum, mut at) = (1.0, 1.0, k);
    loop {
        if upward {
            term *= (n - at) / (at + 1.0) * odds;
            at += 1.0;
        } else {
            term *= at / ((n - at + 1.0) * odds);
            at -= 1.0;
        }
        sum += term;
        if term < sum * 1e-12 {
            break;
        }
    }
    (2.0 * ln_pmf.exp() * sum).min(1.0)
}

/// Chance that a chi-squared variable of `freedom` degrees is at least `distance`: the regularized upper incomplete gamma
/// function, by its series where that converges quickly and else by its continued fraction (Lentz's way).
pub(super) fn chi_squared_p(distance: f64, freedom: f64) -> f64 {
    if distance.is_nan() || freedom.is_nan() || distance <= 0.0 || freedom <= 0.0 {
        return 1.0;
    }
    let (shape, x) = (freedom / 2.0, distance / 2.0);
    let front = (shape * x.ln() - x - ln_gamma(shape)).exp();
    if x < shape + 1.0 {
        let (mut term, mut sum, mut at) = (1.0 / shape, 1.0 / shape, shape);
        for _ in 0..MOST_TERMS {
            at += 1.0;
            term *= x / at;
            sum += term;
            if term < sum * 1e-14 {
                break;
            }
        }
        return (1.0 - front * sum).clamp(0.0, 1.0);
    }
    let mut b = x + 1.0 - shape;
    let mut c = f64::MAX;
    let mut inverse = 1.0 / b;
    let mut fraction = inverse;
    for index in 1..=MOST_TERMS {
        let step = -f64::from(index) * (f64::from(index) - shape);
        b += 2.0;
        inverse = 1.0 / nonzero(step * inverse + b);
        c = nonzero(b + step / c);
        let factor = c * inverse;
        fraction *= factor;
        if (factor - 1.0).abs() < 1e-14 {
            break;
        }
    }
    (front * fraction).clamp(0.0, 1.0)
}

/// Terms of the series at most; they are some multiples of the root of the degrees of freedom.
const MOST_TERMS: u32 = 10_000;

fn nonzero(x: f64) -> f64 {
    if x.abs() < 1e-300 { 1e-300 } else { x }
}

/// Natural logarithm of the gamma function for `x` > 0: Stirling's series, shifted up where it converges slowly.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 0.0);
    while x < 10.0 {
        shift += x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series = inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0)));
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_agrees_with_published_values() {
        // 10 of 100: Brown, Cai and DasGupta's tables give 0.0552 to 0.1744.
        let (low, high) = wilson(10, 100).unwrap();
        assert!((low - 0.0552).abs() < 5e-5 && (high - 0.1744).abs() < 5e-5, "{low} {high}");
        assert_eq!(wilson(0, 0), None);
        assert_eq!(wilson(0, 50).unwrap().0, 0.0);
        assert_eq!(wilson(50, 50).unwrap().1, 1.0);
    }

    #[test]
    fn differences_agree_with_published_values() {
        // Newcombe 1998, method 10: 56/70 against 48/80 gives 0.0524 to 0.3339.
        let (difference, low, high) = more((56, 70), (48, 80)).unwrap();
        assert!((difference - 0.2).abs() < 1e-9);
        assert!((low - 0.0524).abs() < 5e-5 && (high - 0.3339).abs() < 5e-5, "{low} {high}");
        assert_eq!(more((0, 0), (1, 2)), None);
    }

    #[test]
    fn gamma_agrees_with_factorials() {
        let mut ln_factorial = 0.0_f64;
        for n in 1..60 {
            ln_factorial += f64::from(n).ln();
            assert!((ln_gamma(f64::from(n) + 1.0) - ln_factorial).abs() < 1e-9, "{n}");
        }
    }

    #[test]
    fn chi_squared_agrees_with_published_values() {
        // Critical values of the usual tables.
        for (distance, freedom, p) in [
            (3.841, 1.0, 0.05),
            (10.828, 1.0, 0.001),
            (5.991, 2.0, 0.05),
            (20.515, 5.0, 0.001),
            (18.307, 10.0, 0.05),
            (124.342, 100.0, 0.05),
            (3.940, 10.0, 0.95),
        ] {
            let found = chi_squared_p(distance, freedom);
            assert!((found - p).abs() < p * 2e-3, "{distance} of {freedom}: {found}");
        }
        // Of two degrees it is an exponential.
        assert!((chi_squared_p(60.0, 2.0) / (-30.0_f64).exp() - 1.0).abs() < 1e-9);
        assert_eq!((chi_squared_p(0.0, 3.0), chi_squared_p(f64::NAN, 3.0)), (1.0, 1.0));
        assert!(chi_squared_p(1e9, 3.0) < 1e-100);
    }

    #[test]
    fn the_test_is_exact() {
        // Fair coin, 0 or 10 heads of 10: 2 / 1024.
        assert!((binomial_p(0, 10, 0.5) - 2.0 / 1024.0).abs() < 1e-12);
        assert!((binomial_p(10, 10, 0.5) - 2.0 / 1024.0).abs() < 1e-12);
        // 8 or more of 10: 56 / 1024, doubled.
        assert!((binomial_p(8, 10, 0.5) - 112.0 / 1024.0).abs() < 1e-12);
        assert_eq!(binomial_p(5, 10, 0.5), 1.0);
        assert_eq!((binomial_p(0, 10, 0.0), binomial_p(1, 10, 0.0)), (1.0, 0.0));
        assert_eq!((binomial_p(10, 10, 1.0), binomial_p(9, 10, 1.0)), (1.0, 0.0));
        assert!(binomial_p(1_000_000, 10_000_000, 0.1) > 0.99);
        assert!(binomial_p(1_010_000, 10_000_000, 0.1) < 1e-20);
    }
}
