//! Policy texts (`exact`, `prefix*`, `*suffix`, `*`, path templates) as matchers.

use std::net::IpAddr;

use envoy_types::pb::envoy::{
    config::{
        core::v3::CidrRange,
        route::v3::{HeaderMatcher, header_matcher::HeaderMatchSpecifier},
    },
    r#type::matcher::v3::{PathMatcher, StringMatcher, path_matcher},
};

use crate::translate::proto::{cidr, exact, prefix, quote_regex, regex, suffix};

/// Whether any non-empty text, a prefix, a suffix or the text itself is meant.
pub(super) fn pattern(text: &str) -> StringMatcher {
    prefixed(text, "")
}

/// The same behind `scheme`, which stands before every value that is compared (`spiffe://`).
pub(super) fn prefixed(text: &str, scheme: &str) -> StringMatcher {
    match (text.strip_prefix('*'), text.strip_suffix('*')) {
        (Some(""), _) => regex(".+"),
        (Some(rest), _) => suffix(rest),
        (_, Some(rest)) => prefix(format!("{scheme}{rest}")),
        (None, None) => exact(format!("{scheme}{text}")),
    }
}

/// A path: as [`pattern`], or a template in which `{*}` is one segment and `{**}` any rest.
pub(super) fn path(text: &str) -> PathMatcher {
    let matcher = if text.contains("{*}") || text.contains("{**}") { template(text) } else { pattern(text) };
    PathMatcher { rule: Some(path_matcher::Rule::Path(matcher)) }
}

fn template(text: &str) -> StringMatcher {
    let parts: Vec<String> =
        text.split("{**}").map(|part| part.split("{*}").map(quote_regex).collect::<Vec<_>>().join("[^/]+")).collect();
    regex(parts.join(".*"))
}

/// A header, by [`pattern`]; a value of `*` asks that it is there.
pub(super) fn header(name: &str, text: &str) -> HeaderMatcher {
    let specifier = match text {
        "*" => HeaderMatchSpecifier::PresentMatch(true),
        _ => HeaderMatchSpecifier::StringMatch(pattern(text)),
    };
    HeaderMatcher { name: name.to_owned(), header_match_specifier: Some(specifier), ..HeaderMatcher::default() }
}

/// `:authority`, whatever the letters' case.
pub(super) fn host(text: &str) -> HeaderMatcher {
    let mut matcher = header(":authority", text);
    if let Some(HeaderMatchSpecifier::StringMatch(value)) = &mut matcher.header_match_specifier {
        value.ignore_case = true;
    }
    matcher
}

/// An address or a CIDR range; `None` for anything else. Host bits are cleared.
pub(super) fn address_range(text: &str) -> Option<CidrRange> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address.parse::<IpAddr>().ok()?, Some(length.parse::<u8>().ok()?)),
        None => (text.parse::<IpAddr>().ok()?, None),
    };
    match address {
        IpAddr::V4(v4) => {
            let length = length.unwrap_or(32);
            let mask = u32::MAX.checked_shl(32u32.checked_sub(length.into())?).unwrap_or(0);
            Some(cidr(IpAddr::V4((v4.to_bits() & mask).into()), length))
        }
        IpAddr::V6(v6) => {
            let length = length.unwrap_or(128);
            let mask = u128::MAX.checked_shl(128u32.checked_sub(length.into())?).unwrap_or(0);
            Some(cidr(IpAddr::V6((v6.to_bits() & mask).into()), length))
        }
    }
}
