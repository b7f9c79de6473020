//! What a search for traces may say. Whatever is wrong is named by its parameter.

use std::{convert::Infallible, str::FromStr};

use axum::{extract::FromRequestParts, http::request::Parts};
use schemars::JsonSchema;

use crate::{
    auth::Sight,
    db::{MAX_TAGS, TraceFilter},
    http::{
        ApiError,
        routes::{Operation, Takes},
    },
};

/// Rows given when nobody says how many.
const ROWS: usize = 50;
/// Rows given at most.
const MAX_ROWS: usize = 500;
/// Bytes of a text that is looked for.
const MAX_TEXT: usize = 1024;
/// Namespaces that may be named.
const MAX_NAMESPACES: usize = 500;

/// What `workload` and `cursor` are called, too.
const OTHER_NAMES: [&str; 2] = ["service", "before"];

/// A search as it was asked for.
pub(in crate::http) struct Search(Option<String>);

/// What a search may say, for the description; [`filter`] reads it.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[allow(dead_code, reason = "only its shape is read")]
struct Parameters {
    /// Workload that reports a span, `namespace/name`.
    workload: Option<String>,
    /// Operation of that span.
    operation: Option<String>,
    /// `key=value`, an attribute of that span; repeat it for several, at most 6.
    tag: Option<Vec<String>>,
    /// Only traces in which something failed.
    errors: Option<bool>,
    /// Shortest duration in milliseconds.
    #[schemars(range(min = 0))]
    min_ms: Option<f64>,
    /// Longest duration in milliseconds.
    #[schemars(range(min = 0))]
    max_ms: Option<f64>,
    /// Begun not before, milliseconds since the Unix epoch.
    from_ms: Option<u64>,
    /// Begun not after, milliseconds since the Unix epoch.
    to_ms: Option<u64>,
    /// Only these namespaces, with commas between them.
    namespace: Option<String>,
    /// Rows of one page at most; 50 by default.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
    /// Where the page begins: `next` of the page before. `before` is the same.
    cursor: Option<String>,
}

impl Takes for Search {
    fn describe(operation: &mut Operation<'_>) {
        operation.query::<Parameters>();
        operation.also(&OTHER_NAMES);
    }
}

impl<S: Sync> FromRequestParts<S> for Search {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.uri.query().map(str::to_owned)))
    }
}

impl Search {
    /// What it comes to for a caller; only spans that they see are looked at.
    pub(super) fn filter(&self, sight: &Sight) -> Result<TraceFilter, ApiError> {
        filter(self.0.as_deref(), sight)
    }
}

/// Reads the query of a search.
fn filter(query: Option<&str>, sight: &Sight) -> Result<TraceFilter, ApiError> {
    let mut filter = TraceFilter { limit: ROWS, ..TraceFilter::default() };
    let mut namespaces: Option<Vec<String>> = None;
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let (name, value) = (name.as_ref(), value.as_ref());
        if value.is_empty() {
            continue;
        }
        match name {
            "workload" | "service" => filter.workload = Some(text(name, value)?),
            "operation" => filter.operation = Some(text(name, value)?),
            "tag" => {
                let tag = text(name, value)?;
                let pair = tag.split_once('=').filter(|(key, _)| !key.is_empty());
                let (key, value) = pair.ok_or_else(|| {
                    wrong(name, value, "Write key=value, such as http.status_code=503; repeat it for several.")
                })?;
                if filter.tags.len() == MAX_TAGS {
                    let title = format!("tag: more than {MAX_TAGS} cannot be looked for at once.");
                    return Err(ApiError::bad_request(title, "Leave some out."));
                }
                filter.tags.push((key.to_owned(), value.to_owned()));
            }
            "errors" => filter.errors = number::<bool>(name, value, "Write true or false.")?,
            "minMs" => filter.min_us = Some(micros(name, value)?),
            "maxMs" => filter.max_us = Some(micros(name, value)?),
            "fromMs" => filter.from_us = Some(moment(name, value)?),
            "toMs" => filter.to_us = Some(moment(name, value)?.saturating_add(999)),
            "namespace" => {
                let names = namespaces.get_or_insert_default();
                names.extend(text(name, value)?.split(',').filter(|name| !name.is_empty()).map(str::to_owned));
                if names.len() > MAX_NAMESPACES {
                    let title = format!("namespace: more than {MAX_NAMESPACES} cannot be looked for at once.");
                    return Err(ApiError::bad_request(title, "Name fewer, or none for all."));
                }
            }
            "limit" => {
                let range = format!("Write a number of rows from 1 to {MAX_ROWS}.");
                filter.limit = number(name, value, &range)?;
                if !(1..=MAX_ROWS).contains(&filter.limit) {
                    return Err(wrong(name, value, &range));
                }
            }
            "cursor" | "before" => filter.before = Some(number(name, value, "Repeat what an answer gave as next.")?),
            _ => {
                return Err(ApiError::bad_request(
                    format!("A search for traces has no parameter {}.", shown(name)),
                    "It takes workload, operation, tag, errors, minMs, maxMs, fromMs, toMs, namespace, limit and cursor.",
                ));
            }
        }
    }
    if let (Some(least), Some(most)) = (filter.min_us, filter.max_us)
        && least > most
    {
        return Err(ApiError::bad_request("minMs is more than maxMs.", "Nothing can take that long; exchange them."));
    }
    if let (Some(from), Some(to)) = (filter.from_us, filter.to_us)
        && from > to
    {
        return Err(ApiError::bad_request("fromMs is later than toMs.", "No time is between; exchange them."));
    }
    filter.redacted = *sight != Sight::All;
    filter.namespaces = match (sight, namespaces) {
        (Sight::All, named) => named,
        (Sight::Only(seen), None) => Some(seen.iter().cloned().collect()),
        (Sight::Only(seen), Some(named)) => Some(named.into_iter().filter(|name| seen.contains(name)).collect()),
    };
    Ok(filter)
}

fn wrong(name: &str, value: &str, remedy: &str) -> ApiError {
    ApiError::bad_request(format!("{name} cannot be {}.", shown(value)), remedy)
}

/// At most a few words of what somebody sent.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    if short.len() < text.len() { format!("“{short}…”") } else { format!("“{short}”") }
}

fn text(name: &str, value: &str) -> Result<String, ApiError> {
    if value.len() > MAX_TEXT {
        let title = format!("{name} has {} bytes.", value.len());
        return Err(ApiError::bad_request(title, format!("Look for at most {MAX_TEXT}.")));
    }
    Ok(value.to_owned())
}

fn number<T: FromStr>(name: &str, value: &str, remedy: &str) -> Result<T, ApiError> {
    value.parse().map_err(|_| wrong(name, value, remedy))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn micros(name: &str, value: &str) -> Result<u64, ApiError> {
    const REMEDY: &str = "Write milliseconds, 0 or more, such as 250 or 0.5.";
    let ms: f64 = number(name, value, REMEDY)?;
    if ms.is_finite() && ms >= 0.0 { Ok((ms * 1000.0).round() as u64) } else { Err(wrong(name, value, REMEDY)) }
}

fn moment(name: &str, value: &str) -> Result<u64, ApiError> {
    let ms: u64 = number(name, value, "Write milliseconds since the Unix epoch, such as 1767225600000.")?;
    Ok(ms.saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(query: &str) -> String {
        let error = filter(Some(query), &Sight::All).unwrap_err();
        assert_eq!(error.status(), 400);
        format!("{error:?}")
    }

    #[test]
    fn a_search_is_read() {
        let query = "service=shop%2Fcart&operation=GET+x&tag=a%3Db%3Dc&tag=k=&errors=true&minMs=0.5&maxMs=10&fromMs=1&toMs=2&limit=7&before=5.0a";
        let read = filter(Some(query), &Sight::All).unwrap();
        assert_eq!((read.workload.as_deref(), read.operation.as_deref()), (Some("shop/cart"), Some("GET x")));
        assert_eq!(read.tags, [("a".to_owned(), "b=c".to_owned()), ("k".to_owned(), String::new())]);
        assert_eq!((read.errors, read.min_us, read.max_us, read.limit), (true, Some(500), Some(10_000), 7));
        assert_eq!((read.from_us, read.to_us), (Some(1000), Some(2999)));
        assert_eq!(read.before.map(|cursor| cursor.to_string()).as_deref(), Some("5.0a"));
        assert_eq!(filter(None, &Sight::All).unwrap(), TraceFilter { limit: ROWS, ..TraceFilter::default() });
    }

    #[test]
    fn what_is_described_is_what_is_read() {
        let described = schemars::schema_for!(Parameters);
        let names: Vec<&String> = described.get("properties").unwrap().as_object().unwrap().keys().collect();
        assert_eq!(names.len(), 11);
        for name in names.into_iter().map(String::as_str).chain(OTHER_NAMES) {
            let error = filter(Some(&format!("{name}=%3D")), &Sight::All).err();
            assert!(!format!("{error:?}").contains("has no parameter"), "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, named) in [
            ("minMs=fast", "minMs cannot be"),
            ("maxMs=-1", "maxMs cannot be"),
            ("maxMs=NaN", "maxMs cannot be"),
            ("minMs=2&maxMs=1", "minMs is more than maxMs"),
            ("fromMs=2&toMs=1", "fromMs is later than toMs"),
            ("fromMs=yesterday", "fromMs cannot be"),
            ("limit=0", "limit cannot be"),
            ("limit=501", "limit cannot be"),
            ("errors=perhaps", "errors cannot be"),
            ("tag=x", "tag cannot be"),
            ("tag=%3Dx", "tag cannot be"),
            ("before=now", "before cannot be"),
            ("before=5.%27", "before cannot be"),
            ("color=red", "no parameter “color”"),
        ] {
            assert!(refused(query).contains(named), "{query}: {}", refused(query));
        }
        assert!(refused(&"tag=a=b&".repeat(7)).contains("tag: more than 6"));
        assert!(refused(&format!("operation={}", "x".repeat(10_000))).contains("operation has 10000 bytes"));
        assert!(refused(&format!("minMs={}", "x".repeat(10_000))).len() < 400);
    }

    #[test]
    fn nobody_searches_what_they_do_not_see() {
        let sight = Sight::Only(["shop".to_owned(), "bank".to_owned()].into());
        let namespaces = |query| filter(Some(query), &sight).unwrap().namespaces.unwrap();
        assert_eq!(namespaces(""), ["bank", "shop"]);
        assert!(filter(None, &sight).unwrap().redacted);
        assert!(!filter(Some("namespace=shop"), &Sight::All).unwrap().redacted, "a choice hides nothing");
        assert_eq!(namespaces("namespace=shop,vault"), ["shop"]);
        assert!(namespaces("namespace=vault").is_empty());
    }
}
