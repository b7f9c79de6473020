//! Just enough reading of YAML to colour it and to help whoever writes it; what it means is the server's business.

pub mod complete;
pub mod place;

/// What a piece of a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Indentation, dashes, colons.
    Plain,
    /// A key.
    Key,
    /// A quoted string.
    Text,
    /// A comment.
    Comment,
}

/// Pieces of one line; together they are the line.
pub fn pieces(line: &str) -> Vec<(Tone, &str)> {
    let mut out = Vec::new();
    let (body, comment) = split_comment(line);
    let mut start = body.len() - body.trim_start_matches([' ', '-', '?']).len();
    if body.trim() == "---" {
        start = 0;
    }
    if start > 0 {
        out.push((Tone::Plain, &body[..start]));
    }
    let rest = &body[start..];
    if let Some(end) = key_end(rest) {
        out.push((Tone::Key, &rest[..end]));
        value(&rest[end..], &mut out);
    } else {
        value(rest, &mut out);
    }
    if !comment.is_empty() {
        out.push((Tone::Comment, comment));
    }
    out
}

/// Length of the key that `text` begins with.
fn key_end(text: &str) -> Option<usize> {
    let end = text
        .char_indices()
        .find(|(index, letter)| *letter == ':' && text[index + 1..].chars().next().is_none_or(char::is_whitespace))?;
    let key = &text[..end.0];
    (!key.is_empty() && !key.contains(['{', '[', ' '])).then_some(end.0)
}

fn value<'a>(text: &'a str, out: &mut Vec<(Tone, &'a str)>) {
    if text.is_empty() {
        return;
    }
    let trimmed = text.trim_start_matches([':', ' ']);
    let quoted = trimmed.starts_with(['"', '\'']);
    let start = text.len() - trimmed.len();
    if quoted {
        out.push((Tone::Plain, &text[..start]));
        out.push((Tone::Text, trimmed));
    } else {
        out.push((Tone::Plain, text));
    }
}

/// Splits at a `#` that begins a comment: at the start or after a blank, outside of quotes.
fn split_comment(line: &str) -> (&str, &str) {
    let (mut quote, mut before) = (None, ' ');
    for (index, letter) in line.char_indices() {
        match (quote, letter) {
            (None, '"' | '\'') if !before.is_alphanumeric() => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None, '#') if before.is_whitespace() => return line.split_at(index),
            _ => {}
        }
        before = letter;
    }
    (line, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_up_the_line() {
        for line in [
            "",
            "  - name: \"a # b\" # c",
            "---",
            "# only",
            "- *.example.com",
            "a: {b: c}",
            "größe: 'x'",
            "x:",
            "url: http://a:80/#b",
        ] {
            let whole: String = pieces(line).into_iter().map(|(_, piece)| piece).collect();
            assert_eq!(whole, line);
        }
    }

    #[test]
    fn keys_strings_and_comments_are_told_apart() {
        assert_eq!(
            pieces("  - name: \"a # b\" # c"),
            [
                (Tone::Plain, "  - "),
                (Tone::Key, "name"),
                (Tone::Plain, ": "),
                (Tone::Text, "\"a # b\" "),
                (Tone::Comment, "# c")
            ]
        );
        assert_eq!(pieces("- host: reviews"), [(Tone::Plain, "- "), (Tone::Key, "host"), (Tone::Plain, ": reviews")]);
        assert_eq!(pieces("- 10.0.0.1"), [(Tone::Plain, "- "), (Tone::Plain, "10.0.0.1")]);
    }
}
