//! Path normalization, before anything matches or authorizes a path.
//!
//! RFC 3986 §6.2.2 with the readings that Istio documents (`pathNormalization`): `\` is `/`, escapes of unreserved
//! characters are decoded, `.` and `..` are resolved. What cannot be read in one way only is refused.

use std::borrow::Cow;

use crate::config::{EscapedSlashes, PathNormalization};

/// A path and its query, normalized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Normalized<'a> {
    /// To go on with.
    Path(Cow<'a, str>),
    /// The client is to be redirected there (307).
    Redirect(String),
}

/// Why a path is refused (400).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// It is neither `*` nor starts with a slash.
    #[error("the path does not start with /")]
    NotAbsolute,
    /// It has a fragment, which no client may send.
    #[error("the path has a fragment")]
    Fragment,
    /// A `%` is not followed by two hexadecimal digits.
    #[error("the path has a broken percent escape")]
    Escape,
    /// A control character, raw or escaped.
    #[error("the path has a control character")]
    Control,
    /// An escaped slash, where the configuration refuses them.
    #[error("the path has an escaped slash")]
    EscapedSlash,
}

/// Normalizes a request path with its query; the query is never changed. Nothing is allocated for a path that is
/// normal already.
pub fn normalize_path(path: &str, how: PathNormalization) -> Result<Normalized<'_>, BadPath> {
    if path == "*" {
        return Ok(Normalized::Path(Cow::Borrowed(path)));
    }
    if how == PathNormalization::default() {
        return Ok(Normalized::Path(Cow::Borrowed(path)));
    }
    let (path_only, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    if path.contains('#') {
        return Err(BadPath::Fragment);
    }
    if !path_only.starts_with(['/', '\\']) || (!how.dot_segments && !path_only.starts_with('/')) {
        return Err(BadPath::NotAbsolute);
    }
    if is_normal(path_only.as_bytes(), how) {
        return Ok(Normalized::Path(Cow::Borrowed(path)));
    }
    let Decoded { bytes, slashes } = decode(path_only.as_bytes(), how)?;
    let bytes = if how.dot_segments { resolve_dots(&bytes) } else { bytes };
    let bytes = if how.merge_slashes { merge_slashes(&bytes) } else { bytes };
    // Only ASCII was taken out or put in, so this is still UTF-8.
    let mut text = String::from_utf8(bytes).map_err(|_| BadPath::Escape)?;
    text.push_str(query);
    Ok(match slashes && how.escaped_slashes == EscapedSlashes::UnescapeAndRedirect {
        true => Normalized::Redirect(text),
        false => Normalized::Path(Cow::Owned(text)),
    })
}

/// A quick look: whether nothing in the path could need work.
fn is_normal(path: &[u8], how: PathNormalization) -> bool {
    let mut before = 0;
    path.iter().all(|byte| {
        let odd = match *byte {
            b'%' | 0..=0x1f | 0x7f => true,
            b'\\' => how.dot_segments,
            b'.' => how.dot_segments && before == b'/',
            b'/' => how.merge_slashes && before == b'/',
            _ => false,
        };
        before = *byte;
        !odd
    })
}

struct Decoded {
    bytes: Vec<u8>,
    /// Whether an escaped slash was decoded.
    slashes: bool,
}

fn decode(path: &[u8], how: PathNormalization) -> Result<Decoded, BadPath> {
    let mut out = Decoded { bytes: Vec::with_capacity(path.len()), slashes: false };
    let mut rest = path;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        match *byte {
            b'%' => {
                let [high, low, tail @ ..] = tail else { return Err(BadPath::Escape) };
                let (Some(h), Some(l)) = (hex(*high), hex(*low)) else { return Err(BadPath::Escape) };
                rest = tail;
                let keep = [b'%', *high, *low];
                match (h << 4 | l, how.escaped_slashes) {
                    (0, _) => return Err(BadPath::Control),
                    (b'/' | b'\\', EscapedSlashes::Reject) => return Err(BadPath::EscapedSlash),
                    (b'/' | b'\\', EscapedSlashes::Keep) => out.bytes.extend_from_slice(&keep),
                    (slash @ (b'/' | b'\\'), _) => {
                        out.slashes = true;
                        out.bytes.push(if how.dot_segments { b'/' } else { slash });
                    }
                    (c, _) if how.dot_segments && is_unreserved(c) => out.bytes.push(c),
                    _ => out.bytes.extend_from_slice(&keep),
                }
            }
            b'\\' if how.dot_segments => out.bytes.push(b'/'),
            0..=0x1f | 0x7f => return Err(BadPath::Control),
            other => out.bytes.push(other),
        }
    }
    Ok(out)
}

/// RFC 3986 §2.3.
fn is_unreserved(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_' | b'~')
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|d| d as u8)
}

/// RFC 3986 §5.2.4 for a path that starts with a slash.
fn resolve_dots(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut segments = path[1..].split(|b| *b == b'/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            b"." => {
                if last {
                    out.push(b'/');
                }
            }
            b".." => {
                let parent = out.iter().rposition(|b| *b == b'/').unwrap_or(0);
                out.truncate(parent);
                if last {
                    out.push(b'/');
                }
            }
            name => {
                out.push(b'/');
                out.extend_from_slice(name);
            }
        }
    }
    if out.is_empty() {
        out.push(b'/');
    }
    out
}

fn merge_slashes(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    for byte in path {
        if *byte != b'/' || out.last() != Some(&b'/') {
            out.push(*byte);
        }
    }
    out
}

#[cfg(test)]
mod tests;
