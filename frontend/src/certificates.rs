//! How well certificates are, by the time that they have left.

use weft_model::graph::Health;

use crate::format;

/// Less than this is left of what ought to be renewed by now, in milliseconds.
const SOON_MS: f64 = 30.0 * 86_400_000.0;

/// How well a certificate is that people renew, by the milliseconds that it has left.
pub fn by_people(left: f64) -> Health {
    match left {
        left if left <= 0.0 => Health::Failing,
        left if left < SOON_MS => Health::Degraded,
        _ => Health::Healthy,
    }
}

/// How long it is still good for, from the milliseconds that it has left.
pub fn words(left: f64) -> String {
    if left <= 0.0 { "expired".to_owned() } else { format!("{} left", format::span(left)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_renew_is_spoken_of_a_month_ahead() {
        const DAY: f64 = 86_400_000.0;
        let all = [(-1.0, Health::Failing), (0.0, Health::Failing), (29.0, Health::Degraded), (31.0, Health::Healthy)];
        for (days, health) in all {
            assert_eq!(by_people(days * DAY), health, "{days} days left");
        }
        assert_eq!((words(0.0).as_str(), words(2.0 * DAY).as_str()), ("expired", "2 d left"));
    }
}
