//! Match conditions of a route that are left to the proxy.

use envoy_types::pb::envoy::{
    config::route::v3::{
        HeaderMatcher, QueryParameterMatcher, RouteMatch, header_matcher::HeaderMatchSpecifier,
        query_parameter_matcher::QueryParameterMatchSpecifier, route_match::PathSpecifier,
    },
    r#type::matcher::v3::StringMatcher,
};
use weft_api::{StringMatch, networking::virtual_service::HttpMatch};

use crate::translate::proto::{boolean, exact, prefix, re2, regex};

/// Every request.
pub(super) fn everything() -> RouteMatch {
    RouteMatch { path_specifier: Some(PathSpecifier::Prefix("/".into())), ..RouteMatch::default() }
}

/// One match. Port, gateways, source labels and source namespace were decided before.
pub(super) fn translate(wanted: &HttpMatch) -> RouteMatch {
    let path = match &wanted.uri {
        None | Some(StringMatch::Present) => PathSpecifier::Prefix("/".into()),
        Some(StringMatch::Exact(path)) => PathSpecifier::Path(path.clone()),
        Some(StringMatch::Prefix(path)) => PathSpecifier::Prefix(path.clone()),
        Some(StringMatch::Regex(pattern)) => PathSpecifier::SafeRegex(re2(pattern)),
    };
    let mut headers: Vec<HeaderMatcher> = wanted.headers.iter().map(|(name, m)| header(name, m)).collect();
    for (name, matcher) in &wanted.without_headers {
        let mut matcher = header(name, matcher);
        matcher.invert_match = true;
        // Without this, Envoy lets no matcher but presence hold for a header that is not there, inverted or not.
        matcher.treat_missing_header_as_empty =
            !matches!(matcher.header_match_specifier, Some(HeaderMatchSpecifier::PresentMatch(_)));
        headers.push(matcher);
    }
    for (name, matcher) in [(":method", &wanted.method), (":authority", &wanted.authority), (":scheme", &wanted.scheme)]
    {
        headers.extend(matcher.as_ref().map(|m| header(name, m)));
    }
    RouteMatch {
        path_specifier: Some(path),
        case_sensitive: wanted.ignore_uri_case.then(|| boolean(false)).flatten(),
        headers,
        query_parameters: wanted.query_params.iter().map(|(name, m)| query(name, m)).collect(),
        ..RouteMatch::default()
    }
}

fn header(name: &str, wanted: &StringMatch) -> HeaderMatcher {
    let specifier = match string(wanted) {
        None => HeaderMatchSpecifier::PresentMatch(true),
        Some(matcher) => HeaderMatchSpecifier::StringMatch(matcher),
    };
    HeaderMatcher { name: name.to_owned(), header_match_specifier: Some(specifier), ..HeaderMatcher::default() }
}

fn query(name: &str, wanted: &StringMatch) -> QueryParameterMatcher {
    let specifier = match string(wanted) {
        None => QueryParameterMatchSpecifier::PresentMatch(true),
        Some(matcher) => QueryParameterMatchSpecifier::StringMatch(matcher),
    };
    QueryParameterMatcher { name: name.to_owned(), query_parameter_match_specifier: Some(specifier) }
}

/// `None` asks for presence only.
pub(super) fn string(wanted: &StringMatch) -> Option<StringMatcher> {
    match wanted {
        StringMatch::Present => None,
        StringMatch::Exact(text) => Some(exact(text)),
        StringMatch::Prefix(text) => Some(prefix(text)),
        // Istio reads this one pattern as presence.
        StringMatch::Regex(pattern) if pattern == "*" => None,
        StringMatch::Regex(pattern) => Some(regex(pattern)),
    }
}
