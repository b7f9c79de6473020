//! Cross-origin policies.

use envoy_types::pb::envoy::extensions::filters::http::cors::v3::CorsPolicy as Proto;
use weft_api::networking::virtual_service::{CorsPolicy, UnmatchedPreflights};

use super::matcher;
use crate::translate::proto::{boolean, exact, regex, runtime_fraction};

pub(super) fn translate(policy: &CorsPolicy) -> Proto {
    let origins = policy.allow_origins.iter().map(|o| matcher::string(o).unwrap_or_else(|| regex(".*")));
    // The deprecated list is exact, but for `*`.
    let deprecated = policy.allow_origin.iter().map(|o| if o == "*" { regex(".*") } else { exact(o) });
    Proto {
        allow_origin_string_match: origins.chain(deprecated).collect(),
        allow_methods: policy.allow_methods.join(","),
        allow_headers: policy.allow_headers.join(","),
        expose_headers: policy.expose_headers.join(","),
        max_age: policy.max_age.map(|d| d.get().as_secs().to_string()).unwrap_or_default(),
        allow_credentials: policy.allow_credentials.and_then(boolean),
        filter_enabled: Some(runtime_fraction(100.0)),
        forward_not_matching_preflights: match policy.unmatched_preflights {
            None | Some(UnmatchedPreflights::Unspecified) => None,
            Some(UnmatchedPreflights::Forward) => boolean(true),
            Some(UnmatchedPreflights::Ignore) => boolean(false),
        },
        ..Proto::default()
    }
}
