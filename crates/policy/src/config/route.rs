//! Virtual hosts, routes and what they do.

use std::{sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, StatusCode};
use regex::Regex;

use super::{Fraction, HeaderMatch, HeaderOps, RetryPolicy, RouteMatch, StringMatch};

/// Routes for some hosts.
#[derive(Debug, Default)]
pub struct VirtualHost {
    /// Name; within VHDS it is the resource's name.
    pub name: Arc<str>,
    /// Lower-case domains: exact, `*.suffix`, `prefix.*` or `*`.
    pub domains: Vec<Arc<str>>,
    /// In order; the first match wins. Use [`VirtualHost::route`].
    pub routes: Vec<Arc<Route>>,
    /// Header changes for every route.
    pub request_headers: HeaderOps,
    /// The same for responses.
    pub response_headers: HeaderOps,
    /// Which plaintext requests are redirected to https.
    pub require_tls: RequireTls,
    /// Whether requests tell the upstream which attempt they are (`x-envoy-attempt-count`).
    pub include_attempt_count: bool,
}

/// Which plaintext requests are redirected to https.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequireTls {
    /// None.
    #[default]
    No,
    /// Those from outside the mesh.
    External,
    /// All.
    All,
}

/// A route.
#[derive(Debug)]
pub struct Route {
    /// Envoy's route name.
    pub name: Arc<str>,
    /// When.
    pub matcher: RouteMatch,
    /// What.
    pub action: Action,
    /// Header changes.
    pub request_headers: HeaderOps,
    /// Header changes of responses.
    pub response_headers: HeaderOps,
    /// Injected faults.
    pub fault: Option<Box<Fault>>,
    /// CORS.
    pub cors: Option<Box<Cors>>,
    /// `namespace/name` of the VirtualService that it comes from.
    pub virtual_service: Option<Arc<str>>,
    /// Its name in metrics (`weft_model::xds::route_id`).
    pub route_id: Option<Arc<str>>,
}

/// What a route does.
#[derive(Debug)]
pub enum Action {
    /// Sends the request on.
    Forward(Box<Forward>),
    /// Answers with a redirect.
    Redirect(Box<Redirect>),
    /// Answers by itself.
    Respond(DirectResponse),
}

/// How a request is sent on.
#[derive(Debug)]
pub struct Forward {
    /// Where to. Use [`Weighted::pick`].
    pub clusters: Weighted,
    /// Path change.
    pub path: Option<PathRewrite>,
    /// Authority change.
    pub authority: Option<AuthorityRewrite>,
    /// Whether `x-forwarded-host` gets the old authority (`append_x_forwarded_host`).
    pub append_forwarded_host: bool,
    /// Limit from the end of the request to the end of the response; `None` is switched off.
    pub timeout: Option<Duration>,
    /// A stream on which nothing moves is given up after; `None` uses the chain's, `Some(0)` switches it off.
    pub idle_timeout: Option<Duration>,
    /// A stream is given up at this age.
    pub max_stream_duration: Option<Duration>,
    /// Cap for a caller's `grpc-timeout`; `Some(0)` takes it as it is, `None` ignores it.
    pub max_grpc_timeout: Option<Duration>,
    /// Retries.
    pub retry: Option<RetryPolicy>,
    /// Copies.
    pub mirrors: Vec<Mirror>,
    /// What consistent hashing goes by, in order.
    pub hash: Vec<HashPolicy>,
    /// Upgrades (lower case) that are allowed or forbidden here whatever the chain says.
    pub upgrades: Vec<(Arc<str>, bool)>,
    /// Status when the cluster does not exist (503 by default).
    pub cluster_not_found: StatusCode,
}

/// Clusters by weight; a single one has weight 1 and `total` 1.
#[derive(Debug, Default)]
pub struct Weighted {
    /// Never empty as read.
    pub clusters: Vec<WeightedCluster>,
    /// Sum of the weights; at least 1 as read.
    pub total: u64,
}

/// A destination among others.
#[derive(Debug)]
pub struct WeightedCluster {
    /// Cluster name.
    pub cluster: Arc<str>,
    /// Share of [`Weighted::total`].
    pub weight: u32,
    /// Header changes.
    pub request_headers: HeaderOps,
    /// Header changes of responses.
    pub response_headers: HeaderOps,
    /// Authority for this destination, before the route's own.
    pub authority: Option<Arc<str>>,
}

/// A change of the path; the query stays.
#[derive(Debug)]
pub enum PathRewrite {
    /// The part that the route's prefix (or exact path) matched becomes this.
    Prefix(Arc<str>),
    /// Every match of the pattern is replaced; the substitution is in the regex crate's syntax.
    Regex(Regex, Arc<str>),
}

/// A change of the authority.
#[derive(Debug)]
pub enum AuthorityRewrite {
    /// To this.
    Literal(Arc<str>),
    /// To the endpoint's host name, if it has one.
    Auto,
    /// To a header's value, if it is there.
    Header(HeaderName),
    /// From the path, by pattern and substitution.
    PathRegex(Regex, Arc<str>),
}

/// A redirect. Use [`Redirect::location`].
#[derive(Debug)]
pub struct Redirect {
    /// Scheme to go to.
    pub scheme: Option<Arc<str>>,
    /// Host to go to.
    pub host: Option<Arc<str>>,
    /// Port to go to.
    pub port: Option<u16>,
    /// Path to go to.
    pub path: Option<RedirectPath>,
    /// Whether the query is dropped.
    pub strip_query: bool,
    /// 301, 302, 303, 307 or 308.
    pub status: StatusCode,
}

/// Path of a redirect.
#[derive(Debug)]
pub enum RedirectPath {
    /// This one; with a `?` it brings its own query.
    Full(Arc<str>),
    /// A rewrite.
    Rewrite(PathRewrite),
}

/// An answer of the proxy's own.
#[derive(Clone, Debug)]
pub struct DirectResponse {
    /// Status.
    pub status: StatusCode,
    /// Body; at most 1 MiB as read.
    pub body: Arc<[u8]>,
}

/// A copy of requests whose response is thrown away.
#[derive(Debug)]
pub struct Mirror {
    /// Where to.
    pub cluster: Arc<str>,
    /// How many.
    pub share: Fraction,
    /// Whether its authority gets `-shadow`.
    pub host_suffix: bool,
}

/// What a request is hashed by.
#[derive(Debug)]
pub struct HashPolicy {
    /// The source.
    pub by: HashBy,
    /// Whether later policies are left out once this one gave a hash.
    pub terminal: bool,
}

/// Source of a hash.
#[derive(Debug)]
pub enum HashBy {
    /// A header.
    Header(HeaderName),
    /// A cookie; with a lifetime it is made up when missing.
    Cookie {
        /// Name.
        name: Arc<str>,
        /// Path attribute.
        path: Arc<str>,
        /// Lifetime; `Some(0)` is a session cookie, `None` never makes one.
        ttl: Option<Duration>,
        /// Further attributes as they stand in `set-cookie`, each with its leading `; `.
        attributes: Arc<str>,
    },
    /// The downstream's address.
    SourceIp,
    /// A query parameter.
    Query(Arc<str>),
}

/// Faults of a route.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Wait first.
    pub delay: Option<Delay>,
    /// Then fail.
    pub abort: Option<Abort>,
    /// Only requests with all these.
    pub headers: Vec<HeaderMatch>,
    /// Faults in force at once in this process; `None` is unlimited.
    pub max_active: Option<u32>,
    /// Faults in force.
    pub active: Arc<std::sync::atomic::AtomicU32>,
}

/// An injected delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// How long.
    pub duration: Duration,
    /// How often.
    pub share: Fraction,
}

/// An injected failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abort {
    /// With what.
    pub status: AbortStatus,
    /// How often.
    pub share: Fraction,
}

/// How an injected failure looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbortStatus {
    /// An HTTP status.
    Http(StatusCode),
    /// A gRPC status code, trailers-only.
    Grpc(u8),
}

/// Cross-origin policy of a route.
#[derive(Clone, Debug)]
pub struct Cors {
    /// Origins that are let in.
    pub origins: Vec<StringMatch>,
    /// `access-control-allow-methods`.
    pub methods: Option<HeaderValue>,
    /// `access-control-allow-headers`.
    pub headers: Option<HeaderValue>,
    /// `access-control-expose-headers`.
    pub expose: Option<HeaderValue>,
    /// `access-control-max-age`.
    pub max_age: Option<HeaderValue>,
    /// `access-control-allow-credentials: true`.
    pub credentials: bool,
    /// Whether a preflight from an origin that is not let in goes on to the upstream.
    pub forward_unmatched_preflights: bool,
}
