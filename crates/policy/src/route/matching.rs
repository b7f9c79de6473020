//! Whether a request fits a route's conditions.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

use crate::{
    config::{HeaderKey, HeaderMatch, HeaderTest, PathMatch, QueryMatch, RouteMatch, starts_no_case},
    facts::RequestFacts,
};

impl RouteMatch {
    /// Whether the request fits; `random` is for routes that take a share.
    pub fn matches(&self, request: &RequestFacts<'_>, random: u64) -> bool {
        self.path.matches(request.path_only(), self.ignore_case)
            && (!self.grpc || request.is_grpc())
            && self.headers.iter().all(|h| h.matches(request))
            && (self.query.is_empty() || {
                let query = request.query().unwrap_or_default();
                self.query.iter().all(|q| q.matches(query))
            })
            && self.share.is_none_or(|share| share.hits(random))
    }
}

impl PathMatch {
    /// Whether a path without query fits.
    pub fn matches(&self, path: &str, ignore_case: bool) -> bool {
        match self {
            Self::Prefix(p) => starts(path, p, ignore_case),
            Self::Exact(p) if ignore_case => path.eq_ignore_ascii_case(p),
            Self::Exact(p) => path == &**p,
            Self::Segments(p) => {
                starts(path, p, ignore_case) && (path.len() == p.len() || path.as_bytes()[p.len()] == b'/')
            }
            Self::Regex(r) => r.is_match(path),
        }
    }
}

fn starts(path: &str, prefix: &str, ignore_case: bool) -> bool {
    if ignore_case { starts_no_case(path.as_bytes(), prefix.as_bytes()) } else { path.starts_with(prefix) }
}

impl QueryMatch {
    /// Whether a query (without `?`) fits.
    pub fn matches(&self, query: &str) -> bool {
        match (parameter(query, &self.name), &self.value) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(value), Some(test)) => test.matches(value),
        }
    }
}

/// First value of a query parameter, as it is on the wire; empty when it has no `=`.
pub(crate) fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })
}

impl HeaderMatch {
    /// Whether a request's header fits.
    pub fn matches(&self, request: &RequestFacts<'_>) -> bool {
        match &self.key {
            HeaderKey::Name(name) => self.matches_headers(request.headers, name),
            pseudo => self.test(request.pseudo(pseudo).filter(|v| !v.is_empty())),
        }
    }

    /// Whether a response's header fits; pseudo-headers count as missing.
    pub fn matches_response(&self, headers: &HeaderMap) -> bool {
        match &self.key {
            HeaderKey::Name(name) => self.matches_headers(headers, name),
            _ => self.test(None),
        }
    }

    /// The outcome where there are no headers at all.
    pub(crate) fn matches_nothing(&self) -> bool {
        self.test(None)
    }

    fn matches_headers(&self, headers: &HeaderMap, name: &HeaderName) -> bool {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => self.test(None),
            (Some(one), None) => self.test(Some(&text(one.as_bytes()))),
            _ => {
                let joined: Vec<_> = headers.get_all(name).iter().map(|v| text(v.as_bytes())).collect();
                self.test(Some(&joined.join(",")))
            }
        }
    }

    fn test(&self, value: Option<&str>) -> bool {
        let value = if self.missing_as_empty { Some(value.unwrap_or_default()) } else { value };
        let hit = match &self.test {
            HeaderTest::Present(wanted) => return (value.is_some() == *wanted) != self.invert,
            // A value that is not there satisfies no test of a value, inverted or not.
            HeaderTest::Value(test) => match value {
                Some(value) => test.matches(value),
                None => return false,
            },
            HeaderTest::Range(start, end) => match value {
                Some(value) => value.parse::<i64>().is_ok_and(|n| (*start..*end).contains(&n)),
                None => return false,
            },
        };
        hit != self.invert
    }
}

/// Bytes that are not UTF-8 can match no pattern but `present`, so a lossy reading does no harm.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
