//! Prometheus' text format, as far as a control plane's own figures need it.

/// One sample: name, labels as they are written, value.
pub type Sample<'a> = (&'a str, &'a str, f64);

/// Samples of a page; comments and lines that cannot be read are left out.
pub fn samples(page: &str) -> impl Iterator<Item = Sample<'_>> {
    page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (name, rest) = match line.split_once('{') {
            Some((name, rest)) => {
                let end = rest.rfind('}')?;
                (name, (&rest[..end], &rest[end + 1..]))
            }
            None => line.split_once(' ').map(|(name, rest)| (name, ("", rest)))?,
        };
        let value = rest.1.split_whitespace().next()?.parse().ok()?;
        Some((name, rest.0, value))
    })
}

/// Sum of a metric over all of its labels.
pub fn sum(page: &str, name: &str) -> f64 {
    samples(page).filter(|sample| sample.0 == name).fold(0.0, |sum, sample| sum + sample.2)
}

/// A quantile of a histogram without other labels than `le`, in the unit of its bounds; `None` when it is empty.
/// Interpolated as Prometheus does it.
pub fn quantile(page: &str, histogram: &str, q: f64) -> Option<f64> {
    let name = format!("{histogram}_bucket");
    let bound = |labels: &str| -> Option<f64> {
        let value = labels.split(',').find_map(|label| label.trim().strip_prefix("le=\""))?.trim_end_matches('"');
        if value == "+Inf" { Some(f64::INFINITY) } else { value.parse().ok() }
    };
    let mut buckets: Vec<(f64, f64)> = samples(page)
        .filter(|sample| sample.0 == name)
        .filter_map(|(_, labels, count)| Some((bound(labels)?, count)))
        .collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all = buckets.last()?.1;
    if all <= 0.0 {
        return None;
    }
    let rank = q * all;
    let (mut lower, mut below) = (0.0, 0.0);
    for (bound, count) in buckets {
        if count >= rank {
            let inside = count - below;
            return Some(match (bound.is_infinite(), inside > 0.0) {
                (true, _) => lower,
                (false, true) => lower + (bound - lower) * (rank - below) / inside,
                (false, false) => bound,
            });
        }
        (lower, below) = (bound, count);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# HELP x y\nweft_nacks_total{type=\"cds\"} 2\nweft_nacks_total{type=\"lds {\"} 3 1700\n\
        ack_seconds_bucket{le=\"0.1\"} 5\nack_seconds_bucket{le=\"0.2\"} 10\nack_seconds_bucket{le=\"+Inf\"} 10\nup 1\n# EOF\nbroken\n";

    #[test]
    fn a_page_is_read() {
        assert_eq!(sum(PAGE, "weft_nacks_total"), 5.0);
        assert_eq!(sum(PAGE, "up"), 1.0);
        assert_eq!(quantile(PAGE, "ack_seconds", 0.5), Some(0.1));
        assert!((quantile(PAGE, "ack_seconds", 0.75).unwrap() - 0.15).abs() < 1e-9);
        assert_eq!(quantile(PAGE, "none", 0.5), None);
        assert_eq!(quantile("none_bucket{le=\"+Inf\"} 0\n", "none", 0.5), None);
    }
}
