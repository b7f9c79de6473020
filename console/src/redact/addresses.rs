//! Addresses of servers, in words about what is wrong with them: whoever does not see the mesh as a whole is told what is
//! wrong, not where its servers are.

use weft_model::graph::Sources;

use crate::auth::Sight;

/// What stands for an address that the sentence cannot do without.
const SOME: &str = "an address";

/// What a sentence says to somebody.
pub fn text(text: &mut String, sight: &Sight) {
    if *sight != Sight::All && text.contains("://") {
        *text = without(text);
    }
}

/// The same of one that may not be there.
pub fn note(note: &mut Option<String>, sight: &Sight) {
    if let Some(words) = note {
        text(words, sight);
    }
}

/// What is wrong with an answer's sources.
pub fn sources(sources: &mut Sources, sight: &Sight) {
    for words in [&mut sources.problem, &mut sources.words, &mut sources.note] {
        note(words, sight);
    }
}

/// `Prometheus at http://a:9090 cannot …` without `at http://a:9090`.
pub fn without(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    for word in text.split(' ') {
        let Some(scheme) = word.find("://") else {
            if !said.is_empty() {
                said.push(' ');
            }
            said.push_str(word);
            continue;
        };
        let sign = word[..scheme].char_indices().rfind(|(_, c)| !c.is_ascii_alphanumeric());
        let start = sign.map_or(0, |(at, c)| at + c.len_utf8());
        let end = word.trim_end_matches(closes).len();
        let spared = start == 0 && said.ends_with(" at");
        if spared {
            said.truncate(said.len() - " at".len());
        } else {
            if !said.is_empty() {
                said.push(' ');
            }
            said.push_str(&word[..start]);
            said.push_str(SOME);
        }
        said.push_str(&word[end.max(start)..]);
    }
    // Whoever refuses a certificate names the host once more.
    hosts(text).fold(said, |said, host| unnamed(&said, host))
}

/// Whether a sign behind an address belongs to the sentence. An address may end with a letter of any language, and with no
/// quotation mark of any.
fn closes(sign: char) -> bool {
    matches!(sign, '"' | '\'' | ')' | ';' | ',' | ':' | '.') || !sign.is_ascii() && !sign.is_alphanumeric()
}

/// Hosts of the addresses in a text, as far as they are no ordinary words.
fn hosts(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let begins = text.split("://").skip(1).filter_map(move |rest| rest.split(|c: char| !is_part(c)).next());
    begins.map(|host| host.trim_end_matches('.')).filter(|host| host.contains('.'))
}

/// The text with other words for a host wherever it stands by itself.
fn unnamed(text: &str, host: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let (mut said, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(host) {
        let (before, behind) = (&rest[..at], &rest[at + host.len()..]);
        let alone = !before.ends_with(|c: char| is_part(c) || c == '.') && !behind.starts_with(is_part);
        said.push_str(before);
        said.push_str(if alone { SOME } else { host });
        rest = behind;
    }
    said + rest
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::telemetry::prometheus::QueryError;

    #[test]
    fn what_is_wrong_is_told_without_where() {
        for (said, told) in [
            (
                "Prometheus at http://a:9090 cannot be reached (refused); start it",
                "Prometheus cannot be reached (refused); start it",
            ),
            ("What answers at https://a/b, is not it.", "What answers, is not it."),
            ("http://a is not one (see \"http://b\").", "an address is not one (see \"an address\")."),
            (
                "answered 3 of 5 (Prometheus at http://a refused a query)",
                "answered 3 of 5 (Prometheus refused a query)",
            ),
            ("no address at all", "no address at all"),
            ("it said \u{201c}http://a\u{201d}", "it said \u{201c}an address\u{201d}"),
            ("it said 'http://a', \u{201e}http://b\u{201c}.", "it said 'an address', \u{201e}an address\u{201c}."),
            ("\u{ab}\u{a0}http://a\u{a0}\u{bb}: no", "\u{ab}\u{a0}an address\u{a0}\u{bb}: no"),
            (
                "The operator at https://a.example:1/ refused (not valid for name \"a.example\", but b.a.example or a.example-2)",
                "The operator refused (not valid for name \"an address\", but b.a.example or a.example-2)",
            ),
        ] {
            assert_eq!(without(said), told);
        }
    }

    #[test]
    fn no_problem_of_prometheus_tells_where_it_is() {
        let (url, why) = (|| "http://prom.internal:9090".to_owned(), || "broken pipe".to_owned());
        let all = [
            QueryError::Address { url: url(), why: why() },
            QueryError::Forbidden { url: url(), status: 401 },
            QueryError::Unreachable { url: url(), why: why() },
            QueryError::Late { url: url(), deadline: Duration::from_secs(1) },
            QueryError::Refused { url: url(), why: why(), overloaded: true },
            QueryError::Shape { url: url() },
        ];
        for problem in all {
            let mut told = Sources { problem: Some(problem.to_string()), ..Sources::default() };
            sources(&mut told, &Sight::All);
            assert_eq!(told.problem, Some(problem.to_string()));
            sources(&mut told, &Sight::Only(["shop".to_owned()].into()));
            assert!(
                told.problem.is_some_and(|words| !words.contains("prom.internal") && words.len() > 20),
                "{problem}"
            );
        }
    }
}
