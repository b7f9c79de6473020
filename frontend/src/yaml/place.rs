//! Where in a document a cursor stands, told from indentation alone: the text is half written while somebody writes.

use super::{key_end, split_comment};

/// What a cursor stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Keys from the root, `[]` for an item of a list; with the key itself where its value is written.
    pub path: Vec<String>,
    /// Whether a value is written, and not a key.
    pub value: bool,
    /// What stands there before the cursor.
    pub word: String,
    /// Column at which it begins, in characters.
    pub column: usize,
    /// Line, counted from zero.
    pub line: usize,
}

/// What a line is made of in front of its value.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'a> {
    Dash,
    Key(&'a str),
}

/// Dashes and the key of a line, each with its column, and the byte at which the rest begins.
fn tokens(line: &str) -> (Vec<(usize, Token<'_>)>, usize) {
    let (body, _) = split_comment(line);
    let mut out = Vec::new();
    let mut at = body.len() - body.trim_start_matches(' ').len();
    while let Some(rest) = body[at..].strip_prefix('-').filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
        out.push((at, Token::Dash));
        at = body.len() - rest.trim_start_matches(' ').len();
    }
    if let Some(end) = key_end(&body[at..]) {
        out.push((at, Token::Key(body[at..at + end].trim_matches(['"', '\'']))));
        at += end + 1;
    }
    (out, at)
}

/// Names of what a token at `column` of `line` belongs to; `dash` whether that token is a list's dash.
fn parents(lines: &[&str], line: usize, own: &[(usize, Token<'_>)], mut column: usize, mut dash: bool) -> Vec<String> {
    let mut path = Vec::new();
    let above = lines[..line].iter().rev().map(|line| tokens(line).0);
    for tokens in std::iter::once(own.to_vec()).chain(above) {
        for (at, token) in tokens.into_iter().rev() {
            match token {
                Token::Dash if at < column => {
                    path.push("[]".to_owned());
                    (column, dash) = (at, true);
                }
                Token::Key(name) if at < column || at == column && dash => {
                    path.push(name.to_owned());
                    (column, dash) = (at, false);
                }
                _ => {}
            }
        }
        if column == 0 && !dash {
            break;
        }
    }
    path.reverse();
    path
}

/// The place of a cursor, counted in UTF-16 units as browsers do. `None` inside of a comment, of `[…]` or `{…}`, and
/// right behind a colon.
pub fn place(text: &str, cursor: usize) -> Option<Place> {
    let mut units = 0;
    let byte = text.char_indices().find(|(_, letter)| {
        let here = units >= cursor;
        units += letter.len_utf16();
        here
    });
    let byte = byte.map_or(text.len(), |(byte, _)| byte);
    let start = text[..byte].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[..start].matches('\n').count();
    let head = &text[start..byte];
    if split_comment(head).0.len() < head.len() {
        return None;
    }
    let lines: Vec<&str> = text.split('\n').collect();
    let (own, rest) = tokens(head);
    let written = &head[rest.min(head.len())..];
    let value = matches!(own.last(), Some((_, Token::Key(_))));
    if value && written.is_empty() || written.trim_start().starts_with(['{', '[', '&', '*', '|', '>']) {
        return None;
    }
    let word = written.trim_start();
    let begins = head.len() - word.len();
    // The column past the last token is where a key or an item would be.
    let path = parents(&lines, line, &own, if value { usize::MAX } else { begins }, false);
    let column = head[..begins].chars().count();
    Some(Place { path, value, word: word.trim_start_matches(['"', '\'']).to_owned(), column, line })
}

/// The path of the key, or of the item, that a line has; `None` for a line that has neither.
pub fn of_line(text: &str, line: usize) -> Option<Vec<String>> {
    let lines: Vec<&str> = text.split('\n').collect();
    let (own, _) = tokens(lines.get(line)?);
    if own.is_empty() { None } else { Some(parents(&lines, line, &own, usize::MAX, false)) }
}

/// What a new line after the cursor's begins with: blanks to the depth of what would follow.
pub fn indent_after(head: &str) -> String {
    let (own, rest) = tokens(head);
    let depth = match own.last() {
        Some((at, Token::Key(_))) if head[rest.min(head.len())..].trim().is_empty() => at + 2,
        Some((at, _)) => *at,
        None => head.len() - head.trim_start_matches(' ').len(),
    };
    " ".repeat(depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
kind: VirtualService
spec:
  hosts: [a] # all
  http:
  - name: größe
    match:
    - headers:
        x-canary:
          exact: \"tr
    route:
      - destination:
          host: ord
          
  -
metadata:
  na";

    fn at(needle: &str) -> Option<Place> {
        let end = TEXT.find(needle).unwrap() + needle.len();
        place(TEXT, TEXT[..end].encode_utf16().count())
    }

    fn path(place: &Place) -> String {
        place.path.join(".")
    }

    #[test]
    fn paths_are_told_from_indentation() {
        let value = at("exact: \"tr").unwrap();
        assert_eq!((path(&value).as_str(), value.value), ("spec.http.[].match.[].headers.x-canary.exact", true));
        assert_eq!((value.word.as_str(), value.line, value.column), ("tr", 8, 17));
        let host = at("host: ord").unwrap();
        assert_eq!((path(&host).as_str(), host.word.as_str()), ("spec.http.[].route.[].destination.host", "ord"));
        let name = at("  - na").unwrap();
        assert_eq!((path(&name).as_str(), name.value, name.word.as_str()), ("spec.http.[]", false, "na"));
        let last = place(TEXT, TEXT.encode_utf16().count()).unwrap();
        assert_eq!((path(&last).as_str(), last.value, last.word.as_str()), ("metadata", false, "na"));
        let empty = at("host: ord\n          ").unwrap();
        assert_eq!((path(&empty).as_str(), empty.value), ("spec.http.[].route.[].destination", false));
    }

    #[test]
    fn nothing_is_told_where_nothing_is_known() {
        assert_eq!(at("hosts: [a"), None);
        assert_eq!(at("# al"), None);
        assert_eq!(at("route:"), None);
        assert_eq!(place("", 0).unwrap().path, Vec::<String>::new());
        assert_eq!(place("a: 1", 999).unwrap().word, "1");
    }

    #[test]
    fn lines_have_paths_and_depths() {
        assert_eq!(of_line(TEXT, 4).unwrap().join("."), "spec.http.[].name");
        assert_eq!(of_line(TEXT, 7).unwrap().join("."), "spec.http.[].match.[].headers.x-canary");
        assert_eq!(of_line(TEXT, 12), None);
        assert_eq!(of_line(TEXT, 99), None);
        assert_eq!(indent_after("  http:"), "    ");
        assert_eq!(indent_after("  - name: x"), "    ");
        assert_eq!(indent_after("    - match:"), "        ");
        assert_eq!(indent_after(""), "");
        assert_eq!(indent_after("  - "), "  ");
    }
}
