//! Numbers and matches in words.

use std::fmt::Write as _;

use time::{OffsetDateTime, macros::format_description};
use weft_api::{StringMatch, networking::virtual_service::HttpMatch};

/// An observed share, 0 to 1, in percent without the sign: `9.6`, `0.52`, `100`.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let text = if percent > 0.0 && percent < 0.995 { format!("{percent:.2}") } else { format!("{percent:.1}") };
    match text.as_str() {
        "100.0" => "100".into(),
        "0.0" => "0".into(),
        _ => text,
    }
}

/// A configured share, 0 to 1, in percent without the sign and without needless digits: `10`, `33.3`.
pub(super) fn configured(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A count with thousands set off: `4,812`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 request`, `4,812 requests`.
pub(super) fn requests(number: u64) -> String {
    format!("{} request{}", count(number), if number == 1 { "" } else { "s" })
}

/// A moment in UTC: the time alone on the same day, with the date on another.
pub(super) fn moment(at_ms: u64, now_ms: u64) -> String {
    let read = |ms: u64| {
        i64::try_from(ms / 1000)
            .ok()
            .and_then(|s| OffsetDateTime::from_unix_timestamp(s).ok())
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    };
    let (at, now) = (read(at_ms), read(now_ms));
    let format = if at.date() == now.date() {
        at.format(format_description!("[hour]:[minute] UTC"))
    } else {
        at.format(format_description!("[day padding:none] [month repr:short] [hour]:[minute] UTC"))
    };
    format.unwrap_or_default()
}

/// `a`, `a and b`, `a, b and 3 more`.
pub(super) fn names(all: &[String]) -> String {
    match all {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
    }
}

/// The workload that a proxy serves, `namespace/name`, from its xDS node id
/// (`sidecar~<address>~<workload>.<namespace>~<domain>`); another id stays as it is.
pub(super) fn workload(node: &str) -> String {
    let id = node.split('~').nth(2).and_then(|id| id.rsplit_once('.'));
    id.map_or_else(|| node.to_owned(), |(name, namespace)| format!("{namespace}/{name}"))
}

/// What requests a route takes, such as `x-canary: true`.
pub(super) fn matches(matches: &[HttpMatch]) -> String {
    if matches.is_empty() {
        return "every request".to_owned();
    }
    matches.iter().map(one_match).collect::<Vec<_>>().join(" or ")
}

fn one_match(one: &HttpMatch) -> String {
    let mut parts = Vec::new();
    let named = [("path", &one.uri), ("method", &one.method), ("host", &one.authority), ("scheme", &one.scheme)];
    parts.extend(
        named.into_iter().filter_map(|(name, pattern)| pattern.as_ref().map(|p| format!("{name} {}", value(p)))),
    );
    parts.extend(one.headers.iter().map(|(name, pattern)| pair(name, ": ", pattern)));
    parts.extend(one.without_headers.iter().map(|(name, pattern)| format!("without {}", pair(name, ": ", pattern))));
    parts.extend(one.query_params.iter().map(|(name, pattern)| format!("query {}", pair(name, "=", pattern))));
    parts.extend(one.port.map(|port| format!("port {port}")));
    if !one.source_labels.is_empty() {
        let mut labels = String::from("from workloads with");
        for (name, value) in &one.source_labels {
            let _ = write!(labels, " {name}={value}");
        }
        parts.push(labels);
    }
    if !one.source_namespace.is_empty() {
        parts.push(format!("from namespace {}", one.source_namespace));
    }
    if !one.gateways.is_empty() {
        parts.push(format!("through {}", names(&one.gateways)));
    }
    if parts.is_empty() { "every request".to_owned() } else { parts.join(" and ") }
}

fn pair(name: &str, between: &str, pattern: &StringMatch) -> String {
    match pattern {
        StringMatch::Present => name.to_owned(),
        _ => format!("{name}{between}{}", value(pattern)),
    }
}

fn value(pattern: &StringMatch) -> String {
    match pattern {
        StringMatch::Present => "any".to_owned(),
        StringMatch::Exact(text) => text.clone(),
        StringMatch::Prefix(text) => format!("{text}*"),
        StringMatch::Regex(text) => format!("~ {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([0.0, 0.096, 0.104, 0.00523, 0.9, 1.0].map(percent), ["0", "9.6", "10.4", "0.52", "90.0", "100"]);
        assert_eq!([0.1, 1.0 / 3.0, 1.0].map(configured), ["10", "33.3", "100"]);
        assert_eq!([0, 999, 4812, 1_234_567].map(count), ["0", "999", "4,812", "1,234,567"]);
        assert_eq!((requests(1), requests(0)), ("1 request".into(), "0 requests".into()));
    }

    #[test]
    fn moments_carry_a_date_only_when_needed() {
        let noon = 1_763_899_200_000 + 2 * 60_000;
        assert_eq!(moment(noon, noon + 3_600_000), "12:02 UTC");
        assert_eq!(moment(noon, noon + 24 * 3_600_000), "23 Nov 12:02 UTC");
    }

    #[test]
    fn matches_read_like_the_request() {
        let header = HttpMatch {
            headers: [("x-canary".into(), StringMatch::Exact("true".into()))].into(),
            ..HttpMatch::default()
        };
        assert_eq!(matches(std::slice::from_ref(&header)), "x-canary: true");
        let path = HttpMatch {
            uri: Some(StringMatch::Prefix("/beta".into())),
            method: Some(StringMatch::Exact("GET".into())),
            ..HttpMatch::default()
        };
        assert_eq!(matches(&[header, path]), "x-canary: true or path /beta* and method GET");
        assert_eq!(matches(&[]), "every request");
        assert_eq!(workload("sidecar~127.0.0.9~web.shop~shop.svc.cluster.local"), "shop/web");
        assert_eq!(workload("other"), "other");
        assert_eq!(names(&["a".into(), "b".into(), "c".into(), "d".into()]), "a, b and 2 more");
    }
}
