//! Authorization.

use std::sync::Arc;

use weft_policy::{
    authz::{self, Rbac},
    facts::{ConnectionFacts, RequestFacts},
};

/// Why a request or connection is refused, in Envoy's words; `None` lets it pass.
pub fn refused_request(filters: &[Arc<Rbac>], request: &RequestFacts<'_>) -> Option<Arc<str>> {
    authz::refused_request(filters, request).map(|verdict| words(verdict.policy))
}

/// The same for opaque connections.
pub fn refused_connection(filters: &[Arc<Rbac>], connection: &ConnectionFacts<'_>) -> Option<Arc<str>> {
    authz::refused_connection(filters, connection).map(|verdict| words(verdict.policy))
}

fn words(policy: Option<&Arc<str>>) -> Arc<str> {
    format!("rbac_access_denied_matched_policy[{}]", policy.map_or("none", |name| name)).into()
}
