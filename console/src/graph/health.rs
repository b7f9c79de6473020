//! Health by thresholds: Kiali's defaults, those of the mesh in the shape of its `health_config`, or those of its annotation.

mod config;
mod rules;

use weft_model::graph::CodeRate;

pub use self::{
    config::{HealthConfig, HealthConfigError},
    rules::{ANNOTATION, RuleError, Rules},
};

/// Which way traffic goes, seen from the workload whose rules judge it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It comes in.
    Inbound,
    /// It goes out.
    Outbound,
}

/// What became of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Success,
    ClientError,
    ServerError,
    GrpcError,
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
        _ if !matches!(code.grpc.as_str(), "" | "0") => Outcome::GrpcError,
        _ => Outcome::Success,
    }
}

/// A sum that is plain zero when there is nothing to add: an empty `sum` gives minus zero, and a page would show it.
pub(super) fn total(rates: impl Iterator<Item = f64>) -> f64 {
    rates.fold(0.0, |sum, rate| sum + rate)
}

fn share(codes: &[CodeRate], of: impl Fn(&CodeRate) -> bool) -> Option<f64> {
    let all = total(codes.iter().map(|code| code.rate));
    let those = total(codes.iter().filter(|code| of(code)).map(|code| code.rate));
    (all > 0.0).then(|| (those / all).clamp(0.0, 1.0))
}

/// Share of requests that failed (5xx, no answer, or a gRPC status other than 0), 0 to 1; `None` without requests.
pub fn error_share(codes: &[CodeRate]) -> Option<f64> {
    share(codes, |code| matches!(outcome(code), Outcome::ServerError | Outcome::GrpcError))
}

/// Share of requests that were answered with 4xx, 0 to 1; `None` without requests.
pub fn client_error_share(codes: &[CodeRate]) -> Option<f64> {
    share(codes, |code| outcome(code) == Outcome::ClientError)
}

#[cfg(test)]
mod tests {
    use weft_model::graph::Health;

    use super::*;

    fn codes(rates: &[(&str, f64)]) -> Vec<CodeRate> {
        let code = |code: &str| CodeRate { code: code.into(), flags: "-".into(), ..CodeRate::default() };
        rates.iter().map(|(name, rate)| CodeRate { rate: *rate, ..code(name) }).collect()
    }

    fn judge(codes: &[CodeRate]) -> Health {
        Rules::default().judge(codes, Direction::Inbound)
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
        assert_eq!(client_error_share(&codes(&[("200", 3.0), ("404", 1.0)])), Some(0.25));
        assert_eq!(error_share(&[]), None);
        assert!(error_share(&codes(&[("200", 3.0)])).is_some_and(f64::is_sign_positive));
    }

    #[test]
    fn grpc_fails_by_its_status() {
        let grpc =
            |status: &str, rate: f64| CodeRate { code: "200".into(), grpc: status.into(), flags: "-".into(), rate };
        assert_eq!(judge(&[grpc("0", 10.0)]), Health::Healthy);
        assert_eq!(judge(&[grpc("0", 95.0), grpc("5", 5.0)]), Health::Degraded);
        assert_eq!(judge(&[grpc("0", 90.0), grpc("14", 10.0)]), Health::Failing);
        assert_eq!(error_share(&[grpc("0", 3.0), grpc("16", 1.0)]), Some(0.25));
    }

    #[test]
    fn a_connection_fails_by_its_flags() {
        let tcp = |flags: &str| [CodeRate { flags: flags.into(), rate: 1.0, ..CodeRate::default() }];
        assert_eq!(judge(&tcp("-")), Health::Healthy);
        assert_eq!(judge(&tcp("DC")), Health::Healthy);
        assert_eq!(judge(&tcp("UF,URX")), Health::Failing);
    }

    #[test]
    fn an_annotation_takes_the_place_of_the_defaults() {
        let rules = Rules::parse("4XX,0,50,http,inbound;^5,20,40,.*,.*").unwrap();
        let judge = |rates: &[(&str, f64)], direction| rules.judge(&codes(rates), direction);
        assert_eq!(judge(&[("200", 99.0), ("404", 1.0)], Direction::Inbound), Health::Degraded);
        assert_eq!(judge(&[("200", 50.0), ("404", 50.0)], Direction::Inbound), Health::Failing);
        assert_eq!(judge(&[("200", 50.0), ("404", 50.0)], Direction::Outbound), Health::Healthy);
        assert_eq!(judge(&[("200", 90.0), ("500", 10.0)], Direction::Inbound), Health::Healthy);
        assert_eq!(judge(&[("200", 70.0), ("0", 30.0)], Direction::Outbound), Health::Degraded);
        for (bad, word) in [
            ("", "empty"),
            (";", "empty"),
            ("4XX,10,20,http", "five"),
            ("4XX,10,20,http,inbound,x", "five"),
            ("4XX,ten,20,http,inbound", "ten"),
            ("4XX,NaN,20,http,inbound", "NaN"),
            ("4XX,30,20,http,inbound", "below"),
            ("4XX,10,200,http,inbound", "200"),
            ("(4XX,10,20,http,inbound", "regular expression"),
            (&format!("{},10,20,http,inbound", "4".repeat(10_000)), "long"),
            (&"4XX,10,20,http,inbound;".repeat(50), "rules"),
        ] {
            let error = Rules::parse(bad).unwrap_err().to_string();
            assert!(error.contains(word), "{bad}: {error}");
        }
    }
}
