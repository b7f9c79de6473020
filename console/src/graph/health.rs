use weft_model::graph::{CodeRate, Health};

/// One threshold pair of Kiali's default health rule: a share, in percent of all requests, above zero and at or above
/// the number counts.
struct Tolerance {
    degraded: f64,
    failing: f64,
}

/// Server errors and requests without an answer.
const SERVER_ERRORS: Tolerance = Tolerance { degraded: 0.0, failing: 10.0 };
/// Client errors.
const CLIENT_ERRORS: Tolerance = Tolerance { degraded: 10.0, failing: 20.0 };

#[derive(PartialEq)]
enum Outcome {
    Success,
    ClientError,
    ServerError,
}

/// Flags of a TCP connection that the caller itself ended; no fault of the called side.
const CALLER_LEFT: [&str; 3] = ["DC", "DT", "DPE"];

fn outcome(code: &CodeRate) -> Outcome {
    match code.code.as_bytes() {
        // TCP has no code: a flag says that the connection failed.
        b"" => {
            let failed = code.flags != "-" && !code.flags.split(',').all(|flag| CALLER_LEFT.contains(&flag));
            if failed { Outcome::ServerError } else { Outcome::Success }
        }
        [b'5', _, _] | b"0" => Outcome::ServerError,
        [b'4', _, _] => Outcome::ClientError,
        _ => Outcome::Success,
    }
}

/// A sum that is plain zero when there is nothing to add: an empty `sum` gives minus zero, and a page would show it.
pub(super) fn total(rates: impl Iterator<Item = f64>) -> f64 {
    rates.fold(0.0, |sum, rate| sum + rate)
}

fn share(codes: &[CodeRate], of: &Outcome) -> Option<f64> {
    let all = total(codes.iter().map(|code| code.rate));
    let those = total(codes.iter().filter(|code| outcome(code) == *of).map(|code| code.rate));
    (all > 0.0).then(|| (those / all).clamp(0.0, 1.0))
}

/// Share of requests that failed (5xx, or no answer), 0 to 1; `None` without requests.
pub fn error_share(codes: &[CodeRate]) -> Option<f64> {
    share(codes, &Outcome::ServerError)
}

/// Health by Kiali's default thresholds: server errors degrade above 0 % and fail from 10 %, client errors degrade from
/// 10 % and fail from 20 %. `Idle` without requests.
pub fn judge(codes: &[CodeRate]) -> Health {
    let verdict = |outcome: &Outcome, tolerance: &Tolerance| match share(codes, outcome).map(|share| share * 100.0) {
        None => Health::Idle,
        Some(percent) if percent > 0.0 && percent >= tolerance.failing => Health::Failing,
        Some(percent) if percent > 0.0 && percent >= tolerance.degraded => Health::Degraded,
        Some(_) => Health::Healthy,
    };
    verdict(&Outcome::ServerError, &SERVER_ERRORS).max(verdict(&Outcome::ClientError, &CLIENT_ERRORS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(rates: &[(&str, f64)]) -> Vec<CodeRate> {
        rates
            .iter()
            .map(|(code, rate)| CodeRate {
                code: (*code).into(),
                flags: "-".into(),
                rate: *rate,
                ..CodeRate::default()
            })
            .collect()
    }

    #[test]
    fn thresholds_are_kialis() {
        for (rates, expected) in [
            (&[][..], Health::Idle),
            (&[("200", 10.0), ("302", 1.0)][..], Health::Healthy),
            (&[("200", 999.9), ("500", 0.1)], Health::Degraded),
            (&[("200", 90.0), ("503", 10.0)], Health::Failing),
            (&[("200", 95.0), ("0", 5.0)], Health::Degraded),
            (&[("200", 91.0), ("404", 9.0)], Health::Healthy),
            (&[("200", 90.0), ("404", 10.0)], Health::Degraded),
            (&[("200", 80.0), ("404", 20.0)], Health::Failing),
        ] {
            assert_eq!(judge(&codes(rates)), expected, "{rates:?}");
        }
        assert_eq!(error_share(&codes(&[("200", 3.0), ("404", 1.0), ("500", 1.0)])), Some(0.2));
        assert_eq!(error_share(&[]), None);
        assert!(error_share(&codes(&[("200", 3.0)])).is_some_and(f64::is_sign_positive));
    }

    #[test]
    fn a_connection_fails_by_its_flags() {
        let tcp =
            |flags: &str| [CodeRate { code: String::new(), flags: flags.into(), rate: 1.0, ..CodeRate::default() }];
        assert_eq!(judge(&tcp("-")), Health::Healthy);
        assert_eq!(judge(&tcp("DC")), Health::Healthy);
        assert_eq!(judge(&tcp("UF,URX")), Health::Failing);
    }
}
