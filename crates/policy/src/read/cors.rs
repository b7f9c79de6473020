//! CORS policies.

use envoy_types::pb::envoy::extensions::filters::http::cors::v3::CorsPolicy;
use http::HeaderValue;

use super::{
    At, Result, each, fail,
    proto::{boolean, is_true, runtime_fraction},
    strings, unsupported,
};
use crate::config::{Cors, Fraction};

/// `None` when it is switched off.
pub(super) fn read(m: &CorsPolicy) -> Result<Option<Cors>> {
    unsupported(is_true(&m.allow_private_network_access), "allow_private_network_access")?;
    let share = m.filter_enabled.as_ref().map_or(Ok(Fraction::ALL), runtime_fraction).at("filter_enabled")?;
    if share.numerator == 0 {
        return Ok(None);
    }
    unsupported(share.numerator < share.denominator, "filter_enabled")?;
    Ok(Some(Cors {
        origins: each("allow_origin_string_match", &m.allow_origin_string_match, strings::string)?,
        methods: value(&m.allow_methods).at("allow_methods")?,
        headers: value(&m.allow_headers).at("allow_headers")?,
        expose: value(&m.expose_headers).at("expose_headers")?,
        max_age: value(&m.max_age).at("max_age")?,
        credentials: is_true(&m.allow_credentials),
        forward_unmatched_preflights: boolean(&m.forward_not_matching_preflights).unwrap_or(true),
    }))
}

fn value(text: &str) -> Result<Option<HeaderValue>> {
    if text.is_empty() {
        return Ok(None);
    }
    HeaderValue::from_str(text).map(Some).map_err(|_| fail("is not a header value"))
}
