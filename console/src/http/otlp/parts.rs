//! How many parts an export request has, counted before it is decoded: an empty span is two bytes on the wire and hundreds in
//! memory.

/// Parts of one request at most: batches of exporters have some thousands.
pub(super) const MAX_PARTS: usize = 200_000;
/// How deep values may lie in one another.
const MAX_DEPTH: usize = 64;

/// Why a request is not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It has more than [`MAX_PARTS`].
    TooMany,
    /// It is no such message.
    Malformed,
}

/// The messages of OTLP's traces that hold others
/// (<https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto>).
#[derive(Clone, Copy)]
enum Part {
    Request,
    ResourceSpans,
    Resource,
    ScopeSpans,
    Scope,
    Span,
    Event,
    Link,
    KeyValue,
    AnyValue,
    Array,
    List,
}

impl Part {
    fn child(self, field: u64) -> Option<Self> {
        match (self, field) {
            (Self::Request, 1) => Some(Self::ResourceSpans),
            (Self::ResourceSpans, 1) => Some(Self::Resource),
            (Self::ResourceSpans, 2) => Some(Self::ScopeSpans),
            (Self::ScopeSpans, 1) => Some(Self::Scope),
            (Self::ScopeSpans, 2) => Some(Self::Span),
            (Self::Span, 11) => Some(Self::Event),
            (Self::Span, 13) => Some(Self::Link),
            (Self::Resource, 1)
            | (Self::Scope | Self::Event, 3)
            | (Self::Link, 4)
            | (Self::Span, 9)
            | (Self::List, 1) => Some(Self::KeyValue),
            (Self::KeyValue, 2) | (Self::Array, 1) => Some(Self::AnyValue),
            (Self::AnyValue, 5) => Some(Self::Array),
            (Self::AnyValue, 6) => Some(Self::List),
            _ => None,
        }
    }
}

/// Counts the parts of a request.
pub(super) fn count(request: &[u8]) -> Result<usize, Refused> {
    let mut seen = 0;
    // One place for each level; what is left of each is read when what lies in it is done.
    let mut open = vec![(Part::Request, request)];
    while let Some((part, rest)) = open.pop() {
        let Some((child, rest)) = next(part, rest)? else { continue };
        open.push((part, rest));
        if let Some(child) = child {
            seen += 1;
            if seen > MAX_PARTS {
                return Err(Refused::TooMany);
            }
            if open.len() > MAX_DEPTH {
                return Err(Refused::Malformed);
            }
            open.push(child);
        }
    }
    Ok(seen)
}

/// A part that lies in another, with its bytes.
type Inner<'a> = (Part, &'a [u8]);
/// A field, if it is such a part, and what comes after it.
type Field<'a> = (Option<Inner<'a>>, &'a [u8]);

/// The next field; nothing at the end.
fn next(part: Part, bytes: &[u8]) -> Result<Option<Field<'_>>, Refused> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let (tag, rest) = varint(bytes)?;
    let length = match tag & 7 {
        0 => return Ok(Some((None, varint(rest)?.1))),
        1 => return Ok(Some((None, rest.get(8..).ok_or(Refused::Malformed)?))),
        5 => return Ok(Some((None, rest.get(4..).ok_or(Refused::Malformed)?))),
        2 => varint(rest)?,
        _ => return Err(Refused::Malformed),
    };
    let (length, rest) = (usize::try_from(length.0).map_err(|_| Refused::Malformed)?, length.1);
    let (inner, rest) = rest.split_at_checked(length).ok_or(Refused::Malformed)?;
    Ok(Some((part.child(tag >> 3).map(|child| (child, inner)), rest)))
}

fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), Refused> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok((value, &bytes[index + 1..]));
        }
    }
    Err(Refused::Malformed)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::{
        collector::trace::v1::ExportTraceServiceRequest,
        common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value},
        resource::v1::Resource,
        trace::v1::{ResourceSpans, ScopeSpans, Span, span::Event},
    };
    use prost::Message;

    use super::*;

    fn request(spans: Vec<Span>) -> Vec<u8> {
        let attribute = KeyValue { key: "service.name".into(), value: None, ..KeyValue::default() };
        let resource = Resource { attributes: vec![attribute], ..Resource::default() };
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    fn nested(depth: usize) -> AnyValue {
        let values = if depth == 0 { Vec::new() } else { vec![nested(depth - 1)] };
        AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) }
    }

    fn span(value: Option<AnyValue>) -> Span {
        let attributes = vec![KeyValue { key: "k".into(), value, ..KeyValue::default() }];
        let events = vec![Event::default(), Event::default()];
        Span { trace_id: vec![1; 16], start_time_unix_nano: 7, attributes, events, ..Span::default() }
    }

    #[test]
    fn all_that_takes_memory_is_counted() {
        // Resource spans, resource, its attribute, scope spans.
        assert_eq!(count(&request(Vec::new())), Ok(4));
        // Each a span, two events, an attribute, its value, an array in it, and one in that.
        assert_eq!(count(&request(vec![span(Some(nested(1))); 3])), Ok(4 + 3 * 8));
        assert_eq!(count(&[]), Ok(0));
    }

    #[test]
    fn bombs_and_junk_are_refused() {
        let bomb = request(vec![Span::default(); MAX_PARTS]);
        assert!(bomb.len() < 500_000);
        assert_eq!(count(&bomb), Err(Refused::TooMany));
        assert_eq!(count(&request(vec![span(Some(nested(90)))])), Err(Refused::Malformed));
        for junk in [&b"\x0a"[..], b"\x0a\x05x", b"\x0b", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x09x"] {
            assert_eq!(count(junk), Err(Refused::Malformed), "{junk:?}");
        }
    }
}
