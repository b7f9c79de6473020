//! Matchers of strings, headers, query parameters and paths.

use std::sync::Arc;

use http::HeaderName;
use regex::Regex;

use super::Fraction;

/// A pattern for a string, compiled.
#[derive(Clone, Debug)]
pub enum StringMatch {
    /// The whole string.
    Exact(Arc<str>),
    /// Its start.
    Prefix(Arc<str>),
    /// Its end.
    Suffix(Arc<str>),
    /// A part of it.
    Contains(Arc<str>),
    /// The whole string by ASCII case-insensitive comparison.
    ExactNoCase(Arc<str>),
    /// Its start, ASCII case-insensitively.
    PrefixNoCase(Arc<str>),
    /// Its end, ASCII case-insensitively.
    SuffixNoCase(Arc<str>),
    /// A part of it, ASCII case-insensitively.
    ContainsNoCase(Arc<str>),
    /// The whole string by a regular expression (already anchored).
    Regex(Regex),
}

impl PartialEq for StringMatch {
    fn eq(&self, other: &Self) -> bool {
        use StringMatch::*;
        match (self, other) {
            (Exact(a), Exact(b)) | (Prefix(a), Prefix(b)) | (Suffix(a), Suffix(b)) | (Contains(a), Contains(b)) => {
                a == b
            }
            (ExactNoCase(a), ExactNoCase(b)) | (PrefixNoCase(a), PrefixNoCase(b)) => a == b,
            (SuffixNoCase(a), SuffixNoCase(b)) | (ContainsNoCase(a), ContainsNoCase(b)) => a == b,
            (Regex(a), Regex(b)) => a.as_str() == b.as_str(),
            _ => false,
        }
    }
}

impl StringMatch {
    /// Whether `s` fits.
    pub fn matches(&self, s: &str) -> bool {
        match self {
            Self::Exact(p) => s == &**p,
            Self::Prefix(p) => s.starts_with(&**p),
            Self::Suffix(p) => s.ends_with(&**p),
            Self::Contains(p) => s.contains(&**p),
            Self::ExactNoCase(p) => s.eq_ignore_ascii_case(p),
            Self::PrefixNoCase(p) => starts_no_case(s.as_bytes(), p.as_bytes()),
            Self::SuffixNoCase(p) => {
                s.len() >= p.len() && s.as_bytes()[s.len() - p.len()..].eq_ignore_ascii_case(p.as_bytes())
            }
            Self::ContainsNoCase(p) => {
                p.is_empty() || s.as_bytes().windows(p.len()).any(|w| w.eq_ignore_ascii_case(p.as_bytes()))
            }
            Self::Regex(r) => r.is_match(s),
        }
    }
}

/// Whether `s` starts with `prefix`, ASCII case-insensitively.
pub(crate) fn starts_no_case(s: &[u8], prefix: &[u8]) -> bool {
    s.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// Which header a matcher looks at; pseudo-headers come from the request line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderKey {
    /// `:method`.
    Method,
    /// `:path`, with the query.
    Path,
    /// `:authority` or `host`.
    Authority,
    /// `:scheme`.
    Scheme,
    /// An ordinary header.
    Name(HeaderName),
}

/// A condition on a header (`HeaderMatcher`).
#[derive(Clone, Debug)]
pub struct HeaderMatch {
    /// Which header.
    pub key: HeaderKey,
    /// What about it.
    pub test: HeaderTest,
    /// Whether the outcome is turned round. A missing header still fails a value test unless
    /// `missing_as_empty`, whatever this says (Envoy's rule).
    pub invert: bool,
    /// Whether a missing header counts as an empty value.
    pub missing_as_empty: bool,
}

/// What is asked of a header. Several values are joined by `,` first, as Envoy does.
#[derive(Clone, Debug)]
pub enum HeaderTest {
    /// Whether it is there (`true`) or not (`false`).
    Present(bool),
    /// Its value.
    Value(StringMatch),
    /// Its value as a decimal integer within `[start, end)`.
    Range(i64, i64),
}

/// A condition on a query parameter; the first one of that name counts.
#[derive(Clone, Debug)]
pub struct QueryMatch {
    /// Parameter name, percent-encoded as on the wire.
    pub name: Arc<str>,
    /// `None`: it need only be there.
    pub value: Option<StringMatch>,
}

/// A condition on the path, without its query.
#[derive(Clone, Debug)]
pub enum PathMatch {
    /// Starts with.
    Prefix(Arc<str>),
    /// Is exactly.
    Exact(Arc<str>),
    /// Is exactly this, or continues with `/` (`path_separated_prefix`).
    Segments(Arc<str>),
    /// Whole path by a regular expression (already anchored).
    Regex(Regex),
}

/// When a route is meant.
#[derive(Clone, Debug)]
pub struct RouteMatch {
    /// Path condition.
    pub path: PathMatch,
    /// Whether path comparison (never a regular expression) ignores ASCII case.
    pub ignore_case: bool,
    /// All must hold.
    pub headers: Vec<HeaderMatch>,
    /// All must hold.
    pub query: Vec<QueryMatch>,
    /// Share of requests that this route takes; the rest goes on to the next route.
    pub share: Option<Fraction>,
    /// Only requests whose content type is gRPC.
    pub grpc: bool,
}
