//! Attributes of spans that the configuration asks for.

use std::sync::Arc;

use http::HeaderMap;
use weft_policy::config::{SpanTag, TagValue};

/// Bytes of a value that are kept: a span is to stay small, whatever a client sends.
const MAX_VALUE: usize = 1024;

/// What `tags` say of a request with these headers. Those that nothing is known of are left out.
pub fn of_request(tags: &[SpanTag], headers: &HeaderMap) -> Vec<(Arc<str>, String)> {
    tags.iter().filter_map(|tag| Some((tag.name.clone(), value(&tag.value, headers)?))).collect()
}

fn value(value: &TagValue, headers: &HeaderMap) -> Option<String> {
    let text = match value {
        TagValue::Literal(text) => text.to_string(),
        TagValue::Environment { name, default } => std::env::var(&**name).unwrap_or_else(|_| default.to_string()),
        TagValue::Header { name, default } => match name.as_ref().and_then(|name| headers.get(name)) {
            Some(value) => String::from_utf8_lossy(value.as_bytes()).into_owned(),
            None => default.to_string(),
        },
    };
    let end = text.floor_char_boundary(MAX_VALUE);
    (end > 0).then(|| text[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn tag(name: &str, value: TagValue) -> SpanTag {
        SpanTag { name: name.into(), value }
    }

    fn header(name: &'static str, default: &str) -> TagValue {
        TagValue::Header { name: Some(HeaderName::from_static(name)), default: default.into() }
    }

    #[test]
    fn each_kind_has_its_value_or_its_default() {
        let mut headers = HeaderMap::new();
        headers.insert("x-tenant", HeaderValue::from_static("acme"));
        headers.insert("x-empty", HeaderValue::from_static(""));
        let nowhere = |default: &str| TagValue::Environment {
            name: "WEFT_TEST_NO_SUCH_VARIABLE".into(),
            default: default.into(),
        };
        let tags = [
            tag("mesh", TagValue::Literal("m1".into())),
            tag("tenant", header("x-tenant", "none")),
            tag("other", header("x-other", "none")),
            tag("left-out", header("x-other", "")),
            tag("empty", header("x-empty", "none")),
            tag("pseudo", TagValue::Header { name: None, default: "-".into() }),
            tag("zone", nowhere("here")),
            tag("no-zone", nowhere("")),
        ];
        let found = of_request(&tags, &headers);
        let found: Vec<(&str, &str)> = found.iter().map(|(name, value)| (&**name, value.as_str())).collect();
        let expected = [("mesh", "m1"), ("tenant", "acme"), ("other", "none"), ("pseudo", "-"), ("zone", "here")];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let mut headers = HeaderMap::new();
        headers.insert("x-long", HeaderValue::from_bytes("é".repeat(2000).as_bytes()).unwrap());
        headers.insert("x-bytes", HeaderValue::from_bytes(&[b'a', 0xff]).unwrap());
        let found = of_request(&[tag("long", header("x-long", "")), tag("bytes", header("x-bytes", ""))], &headers);
        assert_eq!((found[0].1.len(), found[1].1.as_str()), (MAX_VALUE, "a\u{fffd}"));
    }
}
