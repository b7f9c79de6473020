//! Matchers and header changes as JSON, in Envoy's words.

use std::time::Duration;

use http::HeaderValue;
use serde_json::{Value, json};
use weft_policy::config::{
    Fraction, HeaderKey, HeaderMatch, HeaderOps, HeaderTest, PathMatch, Piece, QueryMatch, RouteMatch, SetAction,
    StringMatch, ValueTemplate, Variable,
};

/// As protobuf writes durations in JSON.
pub fn duration(duration: Duration) -> String {
    format!("{}s", duration.as_secs_f64())
}

pub fn fraction(fraction: Fraction) -> Value {
    json!({ "numerator": fraction.numerator, "denominator": fraction.denominator })
}

pub fn string(string: &StringMatch) -> Value {
    let (key, value, ignore_case) = match string {
        StringMatch::Exact(value) => ("exact", &**value, false),
        StringMatch::Prefix(value) => ("prefix", &**value, false),
        StringMatch::Suffix(value) => ("suffix", &**value, false),
        StringMatch::Contains(value) => ("contains", &**value, false),
        StringMatch::ExactNoCase(value) => ("exact", &**value, true),
        StringMatch::PrefixNoCase(value) => ("prefix", &**value, true),
        StringMatch::SuffixNoCase(value) => ("suffix", &**value, true),
        StringMatch::ContainsNoCase(value) => ("contains", &**value, true),
        StringMatch::Regex(value) => ("safe_regex", value.as_str(), false),
    };
    match ignore_case {
        true => json!({ key: value, "ignore_case": true }),
        false => json!({ key: value }),
    }
}

fn key(key: &HeaderKey) -> &str {
    match key {
        HeaderKey::Method => ":method",
        HeaderKey::Path => ":path",
        HeaderKey::Authority => ":authority",
        HeaderKey::Scheme => ":scheme",
        HeaderKey::Name(name) => name.as_str(),
    }
}

pub fn header(header: &HeaderMatch) -> Value {
    let (test, value) = match &header.test {
        HeaderTest::Present(present) => ("present_match", json!(present)),
        HeaderTest::Value(value) => ("string_match", string(value)),
        HeaderTest::Range(start, end) => ("range_match", json!({ "start": start, "end": end })),
    };
    json!({
        "name": key(&header.key),
        test: value,
        "invert_match": header.invert,
        "treat_missing_header_as_empty": header.missing_as_empty,
    })
}

fn query(query: &QueryMatch) -> Value {
    json!({ "name": &*query.name, "string_match": query.value.as_ref().map(string) })
}

pub fn route(route: &RouteMatch) -> Value {
    let (kind, path) = match &route.path {
        PathMatch::Prefix(path) => ("prefix", &**path),
        PathMatch::Exact(path) => ("path", &**path),
        PathMatch::Segments(path) => ("path_separated_prefix", &**path),
        PathMatch::Regex(path) => ("safe_regex", path.as_str()),
    };
    json!({
        kind: path,
        "case_sensitive": !route.ignore_case,
        "headers": route.headers.iter().map(header).collect::<Vec<_>>(),
        "query_parameters": route.query.iter().map(query).collect::<Vec<_>>(),
        "runtime_fraction": route.share.map(fraction),
        "grpc": route.grpc,
    })
}

/// `null` where nothing is changed.
pub fn header_ops(ops: &HeaderOps) -> Value {
    if ops.is_empty() {
        return Value::Null;
    }
    let set = ops.set.iter().map(|set| {
        json!({
            "name": set.name.as_str(),
            "value": template(&set.value),
            "action": match set.action {
                SetAction::Append => "APPEND_IF_EXISTS_OR_ADD",
                SetAction::AddIfAbsent => "ADD_IF_ABSENT",
                SetAction::Overwrite => "OVERWRITE_IF_EXISTS_OR_ADD",
                SetAction::OverwriteIfExists => "OVERWRITE_IF_EXISTS",
            },
        })
    });
    json!({ "remove": ops.remove.iter().map(|name| name.as_str()).collect::<Vec<_>>(), "set": set.collect::<Vec<_>>() })
}

fn template(template: &ValueTemplate) -> String {
    match template {
        ValueTemplate::Literal(value) => text(value),
        ValueTemplate::Format(pieces) => pieces.iter().map(piece).collect(),
    }
}

/// A header value for people.
pub fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn piece(piece: &Piece) -> String {
    let name = match piece {
        Piece::Text(text) => return text.replace('%', "%%"),
        Piece::Variable(variable) => match variable {
            Variable::DownstreamRemoteAddress => "DOWNSTREAM_REMOTE_ADDRESS",
            Variable::DownstreamRemoteIp => "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
            Variable::DownstreamRemotePort => "DOWNSTREAM_REMOTE_PORT",
            Variable::DownstreamLocalAddress => "DOWNSTREAM_LOCAL_ADDRESS",
            Variable::DownstreamLocalIp => "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
            Variable::DownstreamLocalPort => "DOWNSTREAM_LOCAL_PORT",
            Variable::DownstreamPeerUriSan => "DOWNSTREAM_PEER_URI_SAN",
            Variable::RequestedServerName => "REQUESTED_SERVER_NAME",
            Variable::Protocol => "PROTOCOL",
            Variable::UpstreamHost => "UPSTREAM_HOST",
            Variable::UpstreamCluster => "UPSTREAM_CLUSTER",
            Variable::RouteName => "ROUTE_NAME",
            Variable::ResponseCode => "RESPONSE_CODE",
            Variable::ResponseFlags => "RESPONSE_FLAGS",
            Variable::StartTime => "START_TIME",
            Variable::Request(first, second, limit) => {
                let second = second.as_ref().map(|second| format!("?{}", key(second))).unwrap_or_default();
                let limit = limit.map(|limit| format!(":{limit}")).unwrap_or_default();
                return format!("%REQ({}{second}){limit}%", key(first));
            }
        },
    };
    format!("%{name}%")
}
