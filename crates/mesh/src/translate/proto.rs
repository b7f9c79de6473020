//! Short names for the wrapper messages that Envoy's types are full of.

use std::{net::IpAddr, time::Duration};

use envoy_types::pb::{
    envoy::{
        config::core::v3 as core,
        r#type::{
            matcher::v3::{RegexMatcher, StringMatcher, string_matcher::MatchPattern},
            v3::{FractionalPercent, Percent, fractional_percent::DenominatorType},
        },
    },
    google::protobuf::{self, Struct, Value, value::Kind},
};

pub(super) fn boolean(value: bool) -> Option<protobuf::BoolValue> {
    Some(protobuf::BoolValue { value })
}

pub(super) fn uint32(value: u32) -> Option<protobuf::UInt32Value> {
    Some(protobuf::UInt32Value { value })
}

pub(super) fn uint64(value: u64) -> Option<protobuf::UInt64Value> {
    Some(protobuf::UInt64Value { value })
}

pub(super) fn duration(d: Duration) -> protobuf::Duration {
    protobuf::Duration {
        seconds: i64::try_from(d.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(d.subsec_nanos()).unwrap_or(0),
    }
}

pub(super) fn percent(value: f64) -> Percent {
    Percent { value }
}

/// A percentage from 0 to 100 in millionths, so that 0.01 % survives. Not-a-number counts as 0.
pub(super) fn fraction(percentage: f64) -> FractionalPercent {
    let millionths = (percentage.clamp(0.0, 100.0) * 10_000.0).round();
    let numerator = if millionths.is_nan() { 0 } else { millionths as u32 };
    FractionalPercent { numerator, denominator: DenominatorType::Million as i32 }
}

pub(super) fn runtime_fraction(percentage: f64) -> core::RuntimeFractionalPercent {
    core::RuntimeFractionalPercent { default_value: Some(fraction(percentage)), runtime_key: String::new() }
}

pub(super) fn socket(host: impl ToString, port: u16) -> core::Address {
    core::Address {
        address: Some(core::address::Address::SocketAddress(core::SocketAddress {
            address: host.to_string(),
            port_specifier: Some(core::socket_address::PortSpecifier::PortValue(port.into())),
            ..core::SocketAddress::default()
        })),
    }
}

pub(super) fn pipe(path: &str) -> core::Address {
    core::Address { address: Some(core::address::Address::Pipe(core::Pipe { path: path.to_owned(), mode: 0 })) }
}

pub(super) fn cidr(address: IpAddr, prefix: u8) -> core::CidrRange {
    core::CidrRange { address_prefix: address.to_string(), prefix_len: uint32(prefix.into()) }
}

/// "Ask for it on the stream that this came from." `wait` is how long the asking resource may hold up the rest;
/// zero means for ever, as Istio has it.
pub(super) fn ads() -> Option<core::ConfigSource> {
    Some(core::ConfigSource {
        resource_api_version: core::ApiVersion::V3 as i32,
        initial_fetch_timeout: Some(duration(Duration::ZERO)),
        config_source_specifier: Some(core::config_source::ConfigSourceSpecifier::Ads(core::AggregatedConfigSource {})),
        ..core::ConfigSource::default()
    })
}

pub(super) fn exact(value: impl Into<String>) -> StringMatcher {
    StringMatcher { match_pattern: Some(MatchPattern::Exact(value.into())), ignore_case: false }
}

pub(super) fn prefix(value: impl Into<String>) -> StringMatcher {
    StringMatcher { match_pattern: Some(MatchPattern::Prefix(value.into())), ignore_case: false }
}

pub(super) fn suffix(value: impl Into<String>) -> StringMatcher {
    StringMatcher { match_pattern: Some(MatchPattern::Suffix(value.into())), ignore_case: false }
}

/// Matches the whole value, as Envoy's regex matchers do.
pub(super) fn regex(pattern: impl Into<String>) -> StringMatcher {
    StringMatcher { match_pattern: Some(MatchPattern::SafeRegex(re2(pattern))), ignore_case: false }
}

pub(super) fn re2(pattern: impl Into<String>) -> RegexMatcher {
    RegexMatcher { regex: pattern.into(), engine_type: None }
}

/// Escapes what RE2 and the regex crate both treat as syntax.
pub(super) fn quote_regex(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation()
            && !matches!(
                c,
                '/' | '_'
                    | '-'
                    | ':'
                    | ','
                    | '%'
                    | '@'
                    | '='
                    | ';'
                    | '\''
                    | '"'
                    | '`'
                    | '<'
                    | '>'
                    | '!'
                    | '~'
                    | '&'
                    | '#'
            )
        {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

pub(super) fn text(value: impl Into<String>) -> Value {
    Value { kind: Some(Kind::StringValue(value.into())) }
}

pub(super) fn structure<const N: usize>(fields: [(&str, Value); N]) -> Struct {
    Struct { fields: fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect() }
}

pub(super) fn list(values: Vec<Value>) -> Value {
    Value { kind: Some(Kind::ListValue(protobuf::ListValue { values })) }
}

pub(super) fn object(fields: Struct) -> Value {
    Value { kind: Some(Kind::StructValue(fields)) }
}

/// Filter metadata by namespace; `None` when there is none, so that an empty message costs no bytes.
pub(super) fn metadata(entries: Vec<(&str, Struct)>) -> Option<core::Metadata> {
    if entries.is_empty() {
        return None;
    }
    let filter_metadata = entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    Some(core::Metadata { filter_metadata, ..core::Metadata::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_keep_small_percentages() {
        assert_eq!(fraction(0.01).numerator, 100);
        assert_eq!(fraction(100.0).numerator, 1_000_000);
        assert_eq!(fraction(250.0).numerator, 1_000_000);
        assert_eq!(fraction(f64::NAN).numerator, 0);
    }

    #[test]
    fn quoting_escapes_syntax() {
        assert_eq!(quote_regex("/a.b*(c)"), r"/a\.b\*\(c\)");
    }
}
