//! What is said of certificates, and of lists of them.

use weft_model::validity::Validity;

use crate::{format, words::out_of_scope};

/// How long it is still good for at `now_ms`, and where it stands, in words.
pub fn words(not_before_ms: u64, not_after_ms: u64, now_ms: u64) -> String {
    let span = |from: u64, to: u64| format::span(to.saturating_sub(from) as f64);
    match Validity::of(not_before_ms, not_after_ms, now_ms) {
        Validity::Expired => "expired".to_owned(),
        Validity::NotYet => format!("not valid for {}", span(now_ms, not_before_ms)),
        Validity::Due => format!("{} left, renewal is due", span(now_ms, not_after_ms)),
        Validity::Good => format!("{} left", span(now_ms, not_after_ms)),
    }
}

/// What is said in place of certificates that gateways show where none of `all` is of the chosen namespaces; nothing where
/// a note says already why none is known. Who does not see `everything` cannot tell none from hidden ones.
pub fn none_shown(all: usize, noted: bool, everything: bool) -> Option<String> {
    match all {
        0 if noted => None,
        0 if !everything => Some(
            "No gateway that you may see shows a certificate of a Secret; those of other namespaces are hidden."
                .to_owned(),
        ),
        0 => Some("No gateway shows a certificate of a Secret.".to_owned()),
        all => Some(out_of_scope(all)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_certificate_stands_is_said_in_words() {
        const DAY: u64 = 86_400_000;
        let told = |from: u64, to: u64| words(from * DAY, to * DAY, 1000 * DAY);
        assert_eq!(told(900, 1000), "expired");
        assert_eq!(told(900, 1002), "2 d left, renewal is due");
        assert_eq!(told(999, 1005), "5 d left");
        assert_eq!(told(1001, 1090), "not valid for 1 d");
    }

    #[test]
    fn not_known_is_not_none_and_neither_is_hidden() {
        assert_eq!(none_shown(0, true, true), None, "the note says why");
        assert!(none_shown(0, false, true).is_some_and(|text| text.contains("No gateway shows")));
        assert!(none_shown(0, false, false).is_some_and(|text| text.contains("hidden")));
        for noted in [true, false] {
            assert!(none_shown(7, noted, true).is_some_and(|text| text.contains("none of 7")));
        }
    }
}
