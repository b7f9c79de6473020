//! What a process said last, from its log.

/// Lines of a log that are shown when its process failed.
const SHOWN: usize = 20;

/// The end of a log without the reason itself, which is told beside it; `None` when there is nothing more to know.
pub fn besides(log: &str, reason: &str) -> Option<String> {
    let hint = |line: &str| line.starts_with("For more information, try");
    let more: Vec<&str> =
        log.lines().filter(|line| !line.trim().is_empty() && !line.contains(reason) && !hint(line)).collect();
    (!more.is_empty()).then(|| tail(&more.join("\n")))
}

/// The end of a log, for people who look for the reason.
pub fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(SHOWN)..].join("\n")
}

/// Why a process ended, in its own words: its error line if there is one, else its last line.
pub fn reason(log: &str) -> String {
    let lines = || log.lines().map(str::trim).filter(|line| !line.is_empty()).rev();
    let error = lines().find_map(|line| usage(line).or_else(|| own(line)).or_else(|| logfmt(line)));
    error.or_else(|| lines().next().map(str::to_owned)).unwrap_or_else(|| "no output".to_owned())
}

/// A wrong flag: `error: …`.
fn usage(line: &str) -> Option<String> {
    line.strip_prefix("error: ").map(str::to_owned)
}

/// A failed start of our own programs: `weft-proxy: …`.
fn own(line: &str) -> Option<String> {
    let (program, words) = line.split_once(": ")?;
    let is_name =
        program.starts_with("weft-") && program.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
    is_name.then(|| words.to_owned())
}

/// An error of Prometheus: `… level=error msg="…" err="…"`.
fn logfmt(line: &str) -> Option<String> {
    let value = |key: &str| {
        let (_, rest) = line.split_once(&format!("{key}=\""))?;
        rest.split('"').next()
    };
    if !line.to_ascii_lowercase().contains("level=error") {
        return None;
    }
    match (value("msg"), value("err")) {
        (Some(what), Some(why)) => Some(format!("{what}: {why}")),
        (one, other) => one.or(other).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_found_among_what_was_said() {
        let usage = "error: invalid value 'abc' for '--cert-ttl <CERT_TTL>': expected number at 0\n\nFor more information, try '--help'.\n";
        assert_eq!(reason(usage), "invalid value 'abc' for '--cert-ttl <CERT_TTL>': expected number at 0");
        let own = "2026-11-23T20:00:00Z INFO starting\nweft-operator: cannot read key: denied (make it readable)\n";
        assert_eq!(reason(own), "cannot read key: denied (make it readable)");
        let prometheus = "ts=1 caller=main.go:802 level=error msg=\"Unable to start web listener\" err=\"listen tcp 127.0.0.1:22002: bind: address already in use\"\n";
        assert_eq!(
            reason(prometheus),
            "Unable to start web listener: listen tcp 127.0.0.1:22002: bind: address already in use"
        );
        assert_eq!(reason("one\ntwo\n\n"), "two");
        assert_eq!(reason(""), "no output");
    }

    #[test]
    fn the_reason_is_not_told_twice() {
        let alone = [
            "error: invalid value 'abc' for '--cert-ttl <CERT_TTL>': expected number at 0\n\nFor more information, try '--help'.\n",
            "weft-operator: cannot issue certificates for 1s: too short (choose --cert-ttl between 60s and 365d)\n",
        ];
        for log in alone {
            assert_eq!(besides(log, &reason(log)), None);
        }
        let more = format!("2026-11-23T20:00:00Z INFO starting\n\n{}", alone[1]);
        assert_eq!(besides(&more, &reason(&more)).as_deref(), Some("2026-11-23T20:00:00Z INFO starting"));
        assert_eq!(besides("", &reason("")), None);
    }

    #[test]
    fn the_tail_is_bounded() {
        let log: String = (0..100).map(|line| format!("line {line}\n")).collect();
        assert_eq!(tail(&log).lines().count(), SHOWN);
        assert!(tail(&log).ends_with("line 99"));
    }
}
