//! Trace context: W3C Trace Context (<https://www.w3.org/TR/trace-context/>) in and out, B3
//! (<https://github.com/openzipkin/b3-propagation>) in, and out too where it came in.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use rand::Rng;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const B3: HeaderName = HeaderName::from_static("b3");
const B3_TRACE: HeaderName = HeaderName::from_static("x-b3-traceid");
const B3_SPAN: HeaderName = HeaderName::from_static("x-b3-spanid");
const B3_PARENT: HeaderName = HeaderName::from_static("x-b3-parentspanid");
const B3_SAMPLED: HeaderName = HeaderName::from_static("x-b3-sampled");
const B3_FLAGS: HeaderName = HeaderName::from_static("x-b3-flags");

/// 16 bytes, not all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub [u8; 16]);

/// 8 bytes, not all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(pub [u8; 8]);

/// Which headers brought the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// None did, or `traceparent`.
    W3c,
    /// The single `b3` header.
    B3Single,
    /// `x-b3-*`.
    B3Multi,
}

/// What a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: TraceId,
    /// The caller's span; `None` when this proxy begins the trace.
    pub parent: Option<SpanId>,
    /// Whether spans are recorded. Decided once, where the trace begins.
    pub sampled: bool,
    /// How it came.
    pub format: Format,
}

impl TraceId {
    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        match text.len() {
            32 => hex(text, &mut bytes)?,
            // B3 allows 64-bit ids; they are padded on the left.
            16 => hex(text, &mut bytes[8..])?,
            _ => return None,
        }
        (bytes != [0; 16]).then_some(Self(bytes))
    }
}

impl SpanId {
    /// A new random id.
    pub fn random() -> Self {
        loop {
            let id: [u8; 8] = rand::rng().random();
            if id != [0; 8] {
                return Self(id);
            }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 8];
        if text.len() != 16 {
            return None;
        }
        hex(text, &mut bytes)?;
        (bytes != [0; 8]).then_some(Self(bytes))
    }
}

fn hex(text: &str, into: &mut [u8]) -> Option<()> {
    let digit = |c: u8| (c as char).to_digit(16);
    for (pair, byte) in text.as_bytes().chunks_exact(2).zip(into) {
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(())
}

impl TraceContext {
    /// The context of a request: from its headers, or a new trace that is sampled with probability `ratio` (0 to 1).
    pub fn of(headers: &HeaderMap, ratio: f64) -> Self {
        Self::extract(headers, ratio).unwrap_or_else(|| {
            loop {
                let id: [u8; 16] = rand::rng().random();
                if id != [0; 16] {
                    return Self { trace: TraceId(id), parent: None, sampled: sample(ratio), format: Format::W3c };
                }
            }
        })
    }

    fn extract(headers: &HeaderMap, ratio: f64) -> Option<Self> {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(context) = text(&TRACEPARENT).and_then(traceparent) {
            return Some(context);
        }
        if let Some(context) = text(&B3).and_then(|value| b3_single(value, ratio)) {
            return Some(context);
        }
        let trace = TraceId::parse(text(&B3_TRACE)?)?;
        let sampled = match (text(&B3_FLAGS), text(&B3_SAMPLED)) {
            (Some("1"), _) | (_, Some("1" | "true")) => true,
            (_, Some("0" | "false")) => false,
            _ => sample(ratio),
        };
        Some(Self { trace, parent: text(&B3_SPAN).and_then(SpanId::parse), sampled, format: Format::B3Multi })
    }

    /// Writes the context with `span` as the sender's span: `traceparent` always, B3 where the request came with it.
    pub fn inject(&self, span: SpanId, headers: &mut HeaderMap) {
        let sampled = if self.sampled { "1" } else { "0" };
        set(headers, TRACEPARENT, format!("00-{}-{span}-0{sampled}", self.trace));
        match self.format {
            Format::W3c => {}
            Format::B3Single => match self.parent {
                Some(parent) => set(headers, B3, format!("{}-{span}-{sampled}-{parent}", self.trace)),
                None => set(headers, B3, format!("{}-{span}-{sampled}", self.trace)),
            },
            Format::B3Multi => {
                set(headers, B3_TRACE, self.trace.to_string());
                set(headers, B3_SPAN, span.to_string());
                set(headers, B3_SAMPLED, sampled.to_owned());
                match self.parent {
                    Some(parent) => set(headers, B3_PARENT, parent.to_string()),
                    None => drop(headers.remove(B3_PARENT)),
                }
            }
        }
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: String) {
    // Hexadecimal digits and dashes are always a valid header value.
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

fn sample(ratio: f64) -> bool {
    ratio >= 1.0 || (ratio > 0.0 && rand::rng().random::<f64>() < ratio)
}

/// `00-<trace>-<parent>-<flags>`; later versions may carry more fields, which are ignored as the standard asks.
fn traceparent(value: &str) -> Option<TraceContext> {
    let mut parts = value.trim().split('-');
    let version = parts.next()?;
    let (trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?);
    let lower = value.bytes().all(|b| !b.is_ascii_uppercase());
    if version.len() != 2 || version == "ff" || !lower || trace.len() != 32 || flags.len() != 2 {
        return None;
    }
    if version == "00" && parts.next().is_some() {
        return None;
    }
    let (mut v, mut f) = ([0], [0]);
    hex(version, &mut v)?;
    hex(flags, &mut f)?;
    Some(TraceContext {
        trace: TraceId::parse(trace)?,
        parent: Some(SpanId::parse(parent)?),
        sampled: f[0] & 1 == 1,
        format: Format::W3c,
    })
}

/// `<trace>-<span>[-<sampled>[-<parent>]]`. A lone `0` only says "do not sample" and carries no trace.
fn b3_single(value: &str, ratio: f64) -> Option<TraceContext> {
    let mut parts = value.split('-');
    let trace = TraceId::parse(parts.next()?)?;
    let parent = SpanId::parse(parts.next()?)?;
    let sampled = match parts.next() {
        Some("1" | "d") => true,
        Some("0") => false,
        _ => sample(ratio),
    };
    Some(TraceContext { trace, parent: Some(parent), sampled, format: Format::B3Single })
}

macro_rules! write_hex {
    ($($type:ty),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}
write_hex!(TraceId, SpanId);

#[cfg(test)]
mod tests;
