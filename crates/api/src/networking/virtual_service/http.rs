//! Routes of HTTP traffic.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Destination, HttpRouteDestination};
use crate::{Duration, StringMatch, one_of::words};

/// One HTTP route.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct HttpRoute {
    /// Name, for logs and metrics.
    pub name: String,
    /// Any of these must hold; none matches everything.
    #[serde(rename = "match")]
    pub matches: Vec<HttpMatch>,
    /// Where requests go. Exactly one of `route`, `redirect`, `directResponse` and `delegate` says what happens.
    pub route: Vec<HttpRouteDestination>,
    /// Answers with a redirect.
    pub redirect: Option<Redirect>,
    /// Answers by itself.
    pub direct_response: Option<DirectResponse>,
    /// Takes the routes of another VirtualService in.
    pub delegate: Option<Delegate>,
    /// Changes path or authority before the request is sent on.
    pub rewrite: Option<Rewrite>,
    /// How long a request may take, retries included; none or zero is without end.
    pub timeout: Option<Duration>,
    /// When and how often a request is tried again; none is the mesh's default.
    pub retries: Option<Retry>,
    /// Delays and errors on purpose.
    pub fault: Option<Fault>,
    /// Copies every request here; answers are dropped.
    pub mirror: Option<Destination>,
    /// The same, to several places with a share each.
    pub mirrors: Vec<Mirror>,
    /// Share of requests that `mirror` gets, deprecated form.
    pub mirror_percent: Option<u32>,
    /// Share of requests that `mirror` gets; none is all.
    pub mirror_percentage: Option<Percent>,
    /// Cross-origin rules.
    pub cors_policy: Option<CorsPolicy>,
    /// Changes of headers.
    pub headers: Option<Headers>,
}

/// What a request must look like; everything that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct HttpMatch {
    /// Name, for logs.
    pub name: String,
    /// Path, without the query.
    pub uri: Option<StringMatch>,
    /// Scheme.
    pub scheme: Option<StringMatch>,
    /// Method.
    pub method: Option<StringMatch>,
    /// Host header or `:authority`.
    pub authority: Option<StringMatch>,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, StringMatch>,
    /// Port that the client called.
    pub port: Option<u32>,
    /// Labels of the calling workload.
    pub source_labels: BTreeMap<String, String>,
    /// Gateways this match is for, a subset of the VirtualService's.
    pub gateways: Vec<String>,
    /// Query parameters by name.
    pub query_params: BTreeMap<String, StringMatch>,
    /// Whether letters' case is ignored in `uri` (exact and prefix only).
    pub ignore_uri_case: bool,
    /// Headers that must not look so.
    pub without_headers: BTreeMap<String, StringMatch>,
    /// Namespace of the calling workload.
    pub source_namespace: String,
    /// Prefix of statistics for this match.
    pub stat_prefix: String,
}

/// A redirect.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Redirect {
    /// New path; the query is kept.
    pub uri: String,
    /// New authority.
    pub authority: String,
    /// New port.
    pub port: Option<u32>,
    /// How the new port is derived when it is not given.
    pub derive_port: Option<DerivePort>,
    /// New scheme.
    pub scheme: String,
    /// 301 (the default), 302, 303, 307 or 308.
    pub redirect_code: Option<u32>,
}

words! {
    /// How a redirect's port is derived.
    DerivePort {
        /// 80 for http, 443 for https.
        #[default]
        FromProtocolDefault = "FROM_PROTOCOL_DEFAULT",
        /// The port that was called.
        FromRequestPort = "FROM_REQUEST_PORT",
    }
}

/// A fixed answer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct DirectResponse {
    /// Status, 200 to 599.
    pub status: u32,
    /// Body; none is empty.
    pub body: Option<Body>,
}

/// A fixed body, in one of two forms.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Body {
    /// Text.
    pub string: Option<String>,
    /// Base64.
    pub bytes: Option<String>,
}

/// Another VirtualService, one without hosts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Delegate {
    /// Name.
    pub name: String,
    /// Namespace; empty for the same.
    pub namespace: String,
}

/// Changes of path or authority.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Rewrite {
    /// New path, or new prefix when the match was by prefix.
    pub uri: String,
    /// New authority.
    pub authority: String,
    /// New path by pattern.
    pub uri_regex_rewrite: Option<RegexRewrite>,
}

/// A pattern (RE2) and what replaces it, with `\1` for groups.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct RegexRewrite {
    /// Pattern.
    #[serde(rename = "match")]
    pub pattern: String,
    /// Replacement.
    pub rewrite: String,
}

/// Retries.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Retry {
    /// How often a request is tried again at most; 0 turns retries off.
    pub attempts: i32,
    /// How long each try may take; none is what the route's timeout leaves.
    pub per_try_timeout: Option<Duration>,
    /// Comma-separated conditions and status codes; empty is the mesh's default.
    pub retry_on: String,
    /// Whether tries may go to other localities.
    pub retry_remote_localities: Option<bool>,
    /// Whether a host that failed is avoided by the next try.
    pub retry_ignore_previous_hosts: Option<bool>,
    /// Least time between tries.
    pub backoff: Option<Duration>,
}

/// Faults on purpose.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Fault {
    /// Waits before the request is sent on.
    pub delay: Option<FaultDelay>,
    /// Answers with an error in the destination's place.
    pub abort: Option<FaultAbort>,
}

/// A delay.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct FaultDelay {
    /// Share of requests, deprecated form.
    pub percent: Option<i32>,
    /// How long.
    pub fixed_delay: Option<Duration>,
    /// Reserved by Istio and not applied there either.
    pub exponential_delay: Option<Duration>,
    /// Share of requests; none is none of them.
    pub percentage: Option<Percent>,
}

/// An error.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct FaultAbort {
    /// HTTP status.
    pub http_status: Option<i32>,
    /// gRPC status, by number or name.
    pub grpc_status: Option<String>,
    /// Reserved by Istio and not applied there either.
    pub http2_error: Option<String>,
    /// Share of requests; none is none of them.
    pub percentage: Option<Percent>,
}

/// A share in percent, 0 to 100.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Percent {
    /// The number.
    pub value: f64,
}

/// One mirror.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Mirror {
    /// Where copies go.
    pub destination: Destination,
    /// Share of requests; none is all.
    pub percentage: Option<Percent>,
}

/// Cross-origin rules.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct CorsPolicy {
    /// Origins, deprecated form.
    pub allow_origin: Vec<String>,
    /// Origins.
    pub allow_origins: Vec<StringMatch>,
    /// Methods.
    pub allow_methods: Vec<String>,
    /// Request headers.
    pub allow_headers: Vec<String>,
    /// Response headers that scripts may read.
    pub expose_headers: Vec<String>,
    /// How long a preflight's answer may be kept.
    pub max_age: Option<Duration>,
    /// Whether credentials may be sent.
    pub allow_credentials: Option<bool>,
    /// What happens to preflights from other origins.
    pub unmatched_preflights: Option<UnmatchedPreflights>,
}

words! {
    /// What happens to preflights from origins that are not allowed.
    UnmatchedPreflights {
        /// As FORWARD.
        #[default]
        Unspecified = "UNSPECIFIED",
        /// Sent on to the destination.
        Forward = "FORWARD",
        /// Answered without CORS headers.
        Ignore = "IGNORE",
    }
}

/// Changes of headers, on both ways.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Headers {
    /// On the request, before it is sent on.
    pub request: Option<HeaderOperations>,
    /// On the response, before it is given back.
    pub response: Option<HeaderOperations>,
}

/// Changes of headers, in the order set, add, remove.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct HeaderOperations {
    /// Overwritten.
    pub set: BTreeMap<String, String>,
    /// Appended.
    pub add: BTreeMap<String, String>,
    /// Removed.
    pub remove: Vec<String>,
}
