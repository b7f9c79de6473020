//! Header matchers and mutations.

use envoy_types::pb::envoy::config::{
    core::v3::{HeaderValueOption, header_value_option::HeaderAppendAction},
    route::v3::{HeaderMatcher, QueryParameterMatcher, header_matcher::HeaderMatchSpecifier, query_parameter_matcher},
};
use http::{HeaderName, HeaderValue};

use super::{
    At, Result, each, fail,
    proto::{boolean, choice},
    strings,
};
use crate::config::{
    HeaderKey, HeaderMatch, HeaderOps, HeaderSet, HeaderTest, Piece, QueryMatch, SetAction, StringMatch, ValueTemplate,
    Variable,
};

pub(super) fn header_name(name: &str) -> Result<HeaderName> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| fail(format!("{name:?} is not a header name")))
}

fn key(name: &str) -> Result<HeaderKey> {
    Ok(match name {
        ":method" => HeaderKey::Method,
        ":path" => HeaderKey::Path,
        ":scheme" => HeaderKey::Scheme,
        ":authority" => HeaderKey::Authority,
        host if host.eq_ignore_ascii_case("host") => HeaderKey::Authority,
        other => HeaderKey::Name(header_name(other)?),
    })
}

#[allow(deprecated, reason = "older control planes write the specific matchers")]
pub(super) fn header(matcher: &HeaderMatcher) -> Result<HeaderMatch> {
    let exactly = |m: StringMatch| HeaderTest::Value(m);
    let test = match &matcher.header_match_specifier {
        None => HeaderTest::Present(true),
        Some(specifier) => match specifier {
            HeaderMatchSpecifier::PresentMatch(wanted) => HeaderTest::Present(*wanted),
            HeaderMatchSpecifier::StringMatch(m) => exactly(strings::string(m).at("string_match")?),
            HeaderMatchSpecifier::RangeMatch(range) => HeaderTest::Range(range.start, range.end),
            HeaderMatchSpecifier::ExactMatch(s) => exactly(StringMatch::Exact(s.as_str().into())),
            HeaderMatchSpecifier::PrefixMatch(s) => exactly(StringMatch::Prefix(s.as_str().into())),
            HeaderMatchSpecifier::SuffixMatch(s) => exactly(StringMatch::Suffix(s.as_str().into())),
            HeaderMatchSpecifier::ContainsMatch(s) => exactly(StringMatch::Contains(s.as_str().into())),
            HeaderMatchSpecifier::SafeRegexMatch(r) => {
                exactly(StringMatch::Regex(strings::whole(r).at("safe_regex_match")?))
            }
        },
    };
    Ok(HeaderMatch {
        key: key(&matcher.name).at("name")?,
        test,
        invert: matcher.invert_match,
        missing_as_empty: matcher.treat_missing_header_as_empty,
    })
}

pub(super) fn header_matches(field: &str, matchers: &[HeaderMatcher]) -> Result<Vec<HeaderMatch>> {
    each(field, matchers, header)
}

pub(super) fn query(matcher: &QueryParameterMatcher) -> Result<QueryMatch> {
    use query_parameter_matcher::QueryParameterMatchSpecifier as Specifier;
    let value = match &matcher.query_parameter_match_specifier {
        None | Some(Specifier::PresentMatch(true)) => None,
        Some(Specifier::StringMatch(m)) => Some(strings::string(m).at("string_match")?),
        Some(Specifier::PresentMatch(false)) => {
            return Err(fail("a parameter that must be missing is not supported")).at("present_match");
        }
    };
    Ok(QueryMatch { name: matcher.name.as_str().into(), value })
}

/// Mutations of one level; `of` is `request_headers` or `response_headers`.
pub(super) fn ops(of: &str, add: &[HeaderValueOption], remove: &[String]) -> Result<HeaderOps> {
    Ok(HeaderOps {
        remove: each(&format!("{of}_to_remove"), remove, |name| mutable(name))?.into(),
        set: each(&format!("{of}_to_add"), add, set)?.into(),
    })
}

/// A header that may be changed. The authority has rewrites of its own.
fn mutable(name: &str) -> Result<HeaderName> {
    if name.starts_with(':') || name.eq_ignore_ascii_case("host") {
        return Err(fail(format!("{name:?} cannot be changed as a header; use a host or path rewrite")));
    }
    header_name(name)
}

#[allow(deprecated, reason = "older control planes set `append`")]
fn set(option: &HeaderValueOption) -> Result<HeaderSet> {
    let Some(header) = &option.header else { return Err(fail("a header is needed")).at("header") };
    let name = mutable(&header.key).at("header.key")?;
    let action = match (boolean(&option.append), choice("append_action", option.append_action)?) {
        (Some(true), _) => SetAction::Append,
        (Some(false), _) => SetAction::Overwrite,
        (None, HeaderAppendAction::AppendIfExistsOrAdd) => SetAction::Append,
        (None, HeaderAppendAction::AddIfAbsent) => SetAction::AddIfAbsent,
        (None, HeaderAppendAction::OverwriteIfExistsOrAdd) => SetAction::Overwrite,
        (None, HeaderAppendAction::OverwriteIfExists) => SetAction::OverwriteIfExists,
    };
    let value = if header.value.is_empty() && !header.raw_value.is_empty() {
        let value = HeaderValue::from_bytes(&header.raw_value).map_err(|_| fail("not a header value"));
        ValueTemplate::Literal(value.at("header.raw_value")?)
    } else {
        template(&header.value).at("header.value")?
    };
    Ok(HeaderSet { name, value, action, keep_empty: option.keep_empty_value })
}

/// A value with `%VARIABLES%`; `%%` is a percent sign.
fn template(text: &str) -> Result<ValueTemplate> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            plain.push('%');
            rest = after;
            continue;
        }
        let Some((name, after)) = after.split_once('%') else { return Err(fail("a % has no second one")) };
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.as_str().into()));
            plain.clear();
        }
        pieces.push(Piece::Variable(variable(name)?));
        rest = after;
    }
    plain.push_str(rest);
    if pieces.is_empty() {
        let value = HeaderValue::try_from(plain).map_err(|_| fail("not a header value"))?;
        return Ok(ValueTemplate::Literal(value));
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain.into()));
    }
    Ok(ValueTemplate::Format(pieces))
}

fn variable(text: &str) -> Result<Variable> {
    if let Some(arguments) = text.strip_prefix("REQ(") {
        let Some((names, limit)) = arguments.rsplit_once(')') else { return Err(fail(format!("%{text}% lacks a )"))) };
        let limit = match limit.strip_prefix(':') {
            Some(digits) => Some(digits.parse().map_err(|_| fail(format!("{digits:?} is not a length")))?),
            None if limit.is_empty() => None,
            None => return Err(fail(format!("{limit:?} is not a length"))),
        };
        let (name, alternative) = match names.split_once('?') {
            Some((name, alternative)) => (name, Some(key(&alternative.to_ascii_lowercase())?)),
            None => (names, None),
        };
        return Ok(Variable::Request(key(&name.to_ascii_lowercase())?, alternative, limit));
    }
    Ok(match text {
        "DOWNSTREAM_REMOTE_ADDRESS" => Variable::DownstreamRemoteAddress,
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => Variable::DownstreamRemoteIp,
        "DOWNSTREAM_REMOTE_PORT" => Variable::DownstreamRemotePort,
        "DOWNSTREAM_LOCAL_ADDRESS" => Variable::DownstreamLocalAddress,
        "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT" => Variable::DownstreamLocalIp,
        "DOWNSTREAM_LOCAL_PORT" => Variable::DownstreamLocalPort,
        "DOWNSTREAM_PEER_URI_SAN" => Variable::DownstreamPeerUriSan,
        "REQUESTED_SERVER_NAME" => Variable::RequestedServerName,
        "PROTOCOL" => Variable::Protocol,
        "UPSTREAM_HOST" => Variable::UpstreamHost,
        "UPSTREAM_CLUSTER" => Variable::UpstreamCluster,
        "ROUTE_NAME" => Variable::RouteName,
        "RESPONSE_CODE" => Variable::ResponseCode,
        "RESPONSE_FLAGS" => Variable::ResponseFlags,
        "START_TIME" => Variable::StartTime,
        other => return Err(fail(format!("%{other}% is not supported"))),
    })
}
