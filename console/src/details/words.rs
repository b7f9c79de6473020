//! Sentences about traffic.

use weft_model::graph::{CodeRate, Health};

/// A share of 0 to 1 in percent, with a decimal below ten.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        p if p > 0.0 && p < 0.1 => "less than 0.1 %".to_owned(),
        p if p < 10.0 => format!("{p:.1} %").replace(".0 %", " %"),
        p => format!("{p:.0} %"),
    }
}

/// A window in words.
pub fn window(seconds: u64) -> String {
    match seconds {
        60 => "minute".to_owned(),
        s if s % 3600 == 0 && s > 3600 => format!("{} h", s / 3600),
        3600 => "hour".to_owned(),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

/// Why something has the health that it has. `codes` are of what it receives, or, for what receives nothing that is
/// counted, of what it sends; then `sends` is true.
pub fn reason(health: Health, codes: &[CodeRate], sends: bool, window_s: u64) -> String {
    let all = codes.iter().fold(0.0, |sum, code| sum + code.rate);
    let of_sent = if sends { "of what it sends, " } else { "" };
    let worst = |counts: &dyn Fn(&CodeRate) -> bool| {
        let those: Vec<&CodeRate> = codes.iter().filter(|code| counts(code)).collect();
        let share = those.iter().fold(0.0, |sum, code| sum + code.rate) / all;
        let most = those.into_iter().max_by(|a, b| a.rate.total_cmp(&b.rate));
        most.filter(|_| share > 0.0).map(|most| {
            let flags =
                if most.flags.is_empty() || most.flags == "-" { String::new() } else { format!(" {}", most.flags) };
            let code = match most.code.as_str() {
                "" | "0" => "no answer".to_owned(),
                // The HTTP status of a failed gRPC call says nothing: it is 200.
                _ if is_grpc_error(most) => format!("gRPC status {}", most.grpc),
                code => code.to_owned(),
            };
            (share, format!("{code}{flags}"))
        })
    };
    let capital = |text: String| {
        let mut letters = text.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    };
    match health {
        Health::Idle => format!("No requests in the last {}.", window(window_s)),
        Health::Unknown => "Not known: Prometheus gives no rates.".to_owned(),
        Health::Healthy if all <= 0.0 => "Connections that were opened before are still in use.".to_owned(),
        Health::Healthy | Health::Degraded | Health::Failing => {
            let server = worst(&|code| code.code.starts_with('5') || code.code == "0" || is_grpc_error(code));
            let client = worst(&|code| code.code.starts_with('4') && !is_grpc_error(code));
            match (server, client) {
                (Some((share, most)), None) => capital(format!("{of_sent}{} fails, most with {most}.", percent(share))),
                // Which of them is more decides nothing: each has thresholds of its own.
                (Some((failed, fault)), Some((refused, most))) => capital(format!(
                    "{of_sent}{} fails, most with {fault}, and {} is refused as the caller's error, most with {most}.",
                    percent(failed),
                    percent(refused)
                )),
                (None, Some((share, most))) => {
                    capital(format!("{of_sent}{} is refused as the caller's error, most with {most}.", percent(share)))
                }
                (None, None) if health == Health::Healthy => "Everything is answered without an error.".to_owned(),
                (None, None) => "Connections fail.".to_owned(),
            }
        }
    }
}

fn is_grpc_error(code: &CodeRate) -> bool {
    !matches!(code.grpc.as_str(), "" | "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(code: &str, flags: &str, rate: f64) -> CodeRate {
        CodeRate { code: code.into(), flags: flags.into(), rate, ..CodeRate::default() }
    }

    #[test]
    fn health_has_its_reason() {
        let failing = [code("200", "-", 90.0), code("503", "UF", 9.0), code("500", "-", 1.0)];
        assert_eq!(reason(Health::Failing, &failing, false, 60), "10 % fails, most with 503 UF.");
        assert_eq!(reason(Health::Failing, &failing, true, 60), "Of what it sends, 10 % fails, most with 503 UF.");
        let refused = [code("200", "-", 85.0), code("404", "-", 15.0)];
        assert_eq!(
            reason(Health::Degraded, &refused, false, 60),
            "15 % is refused as the caller's error, most with 404."
        );
        let both = [code("200", "-", 31.0), code("403", "UAEX", 68.0), code("503", "UF", 1.0)];
        assert_eq!(
            reason(Health::Failing, &both, false, 60),
            "1 % fails, most with 503 UF, and 68 % is refused as the caller's error, most with 403 UAEX."
        );
        let grpc = |status: &str, rate| CodeRate { grpc: status.into(), ..code("200", "-", rate) };
        assert_eq!(
            reason(Health::Failing, &[grpc("0", 75.0), grpc("14", 25.0)], false, 60),
            "25 % fails, most with gRPC status 14."
        );
        assert_eq!(reason(Health::Idle, &[], false, 300), "No requests in the last 5 min.");
        assert_eq!(
            reason(Health::Healthy, &[code("200", "-", 1.0)], false, 60),
            "Everything is answered without an error."
        );
        assert_eq!(percent(0.0312), "3.1 %");
        assert_eq!(percent(0.0002), "less than 0.1 %");
        assert_eq!(percent(0.05), "5 %");
    }
}
