//! What a provider says, made fit for a log, an audit and a page. It may say anything, and repeat what we told it.

/// Longest sentence that is kept, in characters.
const MAX_WORDS: usize = 300;

/// A stranger's text on one line, in its written order, and not long.
pub(crate) fn one_line(text: &str) -> String {
    let turns =
        |c: &char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.chars().filter(|c| !turns(c)).map(|c| if breaks(c) { ' ' } else { c }).take(MAX_WORDS).collect()
}

/// The innermost cause of an error: what a person can act on.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    redacted(error, &[])
}

/// The same without what only the provider and this console may know, should it stand there.
pub(super) fn redacted(error: &dyn std::error::Error, secrets: &[&str]) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    without(&cause.to_string(), secrets)
}

/// A stranger's text on one line, without what only the provider and this console may know.
pub(super) fn without(text: &str, secrets: &[&str]) -> String {
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    one_line(&secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "…")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_words_are_one_line_without_secrets() {
        assert_eq!(one_line("a\r\nb\u{202e}c\u{2028}d\u{1b}[0m"), "a  bc d [0m");
        assert_eq!(one_line(&"x".repeat(10_000)).len(), MAX_WORDS);
        let error = std::io::Error::other("the code abc of client xyz is spent");
        assert_eq!(redacted(&error, &["abc", "", "xyz"]), "the code … of client … is spent");
    }
}
