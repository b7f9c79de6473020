//! Listeners and their filter chains.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::HeaderName;

use super::{DownstreamTls, Weighted};
use crate::{authz::Rbac, route::RouteTable};

/// Whose traffic a listener carries (`traffic_direction`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From peers to the application behind this proxy.
    Inbound,
    /// From the application to the mesh, or from a gateway's clients.
    Outbound,
}

/// One bound address.
#[derive(Debug)]
pub struct Listener {
    /// xDS resource name.
    pub name: Arc<str>,
    /// Where to bind.
    pub address: SocketAddr,
    /// Whose traffic.
    pub direction: Direction,
    /// Whether to bind it; one that is not only serves connections that another listener hands over.
    pub bind: bool,
    /// Whether a captured connection's original destination decides (`original_dst`).
    pub original_destination: bool,
    /// Whether to look for a ClientHello before choosing a chain (`tls_inspector`).
    pub peek_tls: bool,
    /// Whether to look for an HTTP preface before choosing a chain (`http_inspector`).
    pub peek_http: bool,
    /// How long to wait for the first bytes when peeking; zero waits for ever.
    pub peek_timeout: Duration,
    /// Whether to go on with raw bytes when peeking timed out, instead of closing.
    pub continue_on_peek_timeout: bool,
    /// Chains in the order given. Use [`Listener::choose`].
    pub chains: Vec<FilterChain>,
    /// Used when no chain matches.
    pub default_chain: Option<FilterChain>,
}

impl Listener {
    /// Whether the first bytes must be looked at before a chain can be chosen.
    pub fn peek(&self) -> bool {
        self.peek_tls || self.peek_http
    }

    /// The chains that a connection to `port` may end in: those for that port where there are any, else those for every
    /// port. The default one counts unless one of them takes everything.
    pub fn candidates(&self, port: u16) -> impl Iterator<Item = &FilterChain> {
        let wanted = Some(port).filter(|port| self.chains.iter().any(|c| c.criteria.destination_port == Some(*port)));
        let of_port = move |chain: &&FilterChain| chain.criteria.destination_port == wanted;
        let settled = self.chains.iter().filter(of_port).any(|chain| chain.criteria.takes_all_of_its_port());
        self.chains.iter().filter(of_port).chain(self.default_chain.as_ref().filter(|_| !settled))
    }
}

/// When a chain is meant, and what it does.
#[derive(Debug)]
pub struct FilterChain {
    /// Chain name, for logs and the admin page.
    pub name: Arc<str>,
    /// Which connections.
    pub criteria: ChainMatch,
    /// TLS to terminate, if any.
    pub tls: Option<Arc<DownstreamTls>>,
    /// Time for the TLS handshake.
    pub handshake_timeout: Option<Duration>,
    /// What follows.
    pub kind: ChainKind,
}

/// Criteria of a chain; an empty one matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainMatch {
    /// Original destination port.
    pub destination_port: Option<u16>,
    /// Original destination addresses.
    pub destination: Vec<Cidr>,
    /// SNI: exact lower-case names, or `.suffix` for a `*.suffix` wildcard.
    pub server_names: Vec<Arc<str>>,
    /// `tls`, `raw_buffer` or any.
    pub transport: Option<Transport>,
    /// ALPN protocols, or what the HTTP inspector found.
    pub application_protocols: Vec<Arc<str>>,
}

impl ChainMatch {
    /// Whether nothing but the port is asked for.
    fn takes_all_of_its_port(&self) -> bool {
        *self == Self { destination_port: self.destination_port, ..Self::default() }
    }
}

/// What a peek saw below the application's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A TLS ClientHello.
    Tls,
    /// Anything else.
    Raw,
}

/// An address range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// Network address; host bits are zero.
    pub network: IpAddr,
    /// Prefix length in bits.
    pub bits: u8,
}

impl Cidr {
    /// Whether an address lies in the range. An IPv4-mapped IPv6 address counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(n), IpAddr::V4(a)) => same_head(n.to_bits().into(), a.to_bits().into(), 32, self.bits),
            (IpAddr::V6(n), IpAddr::V6(a)) => same_head(n.to_bits(), a.to_bits(), 128, self.bits),
            _ => false,
        }
    }
}

fn same_head(a: u128, b: u128, width: u8, bits: u8) -> bool {
    let rest = u32::from(width.saturating_sub(bits));
    (a ^ b).checked_shr(rest).unwrap_or(0) == 0
}

/// What a chain does with a connection.
#[derive(Debug)]
pub enum ChainKind {
    /// HTTP connection manager.
    Http(Arc<HttpChain>),
    /// Opaque bytes.
    Tcp(Arc<TcpChain>),
}

/// Where an HTTP chain finds its routes.
#[derive(Clone, Debug)]
pub enum RouteSource {
    /// By RDS: ask `Config::route_table`.
    Rds(Arc<str>),
    /// Given in the listener.
    Inline(Arc<RouteTable>),
}

/// Which codec a downstream connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Decide by ALPN, else by the HTTP/2 preface.
    Auto,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
}

/// What to do with the `server` response header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerHeader {
    /// Replace it by the chain's server name.
    Overwrite,
    /// Add it only when the upstream gave none.
    AppendIfAbsent,
    /// Leave it alone.
    PassThrough,
}

/// What to do with `x-forwarded-client-cert` from the downstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardClientCert {
    /// Remove it.
    Sanitize,
    /// Pass it on if the connection is mutually authenticated.
    ForwardOnly,
    /// Append this hop's certificate to it if the connection is mutually authenticated.
    AppendForward,
    /// Replace it by this hop's certificate if the connection is mutually authenticated.
    SanitizeSet,
    /// Pass it on always.
    AlwaysForwardOnly,
}

/// Details of a client certificate in `x-forwarded-client-cert` (`set_current_client_cert_details`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientCertDetails {
    /// `Subject`.
    pub subject: bool,
    /// `URI`.
    pub uri: bool,
    /// `DNS`.
    pub dns: bool,
}

/// How many requests start a trace. Parts per ten thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Of requests that carry no decision.
    pub random: u16,
    /// Of requests whose client forces tracing.
    pub client: u16,
    /// Cap over everything.
    pub overall: u16,
}

/// An attribute that spans have beside the proxy's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanTag {
    /// Its name.
    pub name: Arc<str>,
    /// What it says.
    pub value: TagValue,
}

/// What an attribute of spans says. An empty default leaves the attribute out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagValue {
    /// This.
    Literal(Arc<str>),
    /// A variable of the proxy's environment.
    Environment {
        /// Its name.
        name: Arc<str>,
        /// Where there is none.
        default: Arc<str>,
    },
    /// A header of the request.
    Header {
        /// Its name; `None` for one that no request can have here.
        name: Option<HeaderName>,
        /// Where there is none.
        default: Arc<str>,
    },
}

/// Settings of an HTTP connection manager. A `None` timeout is switched off.
#[derive(Debug)]
pub struct HttpChain {
    /// `stat_prefix`.
    pub stat_prefix: Arc<str>,
    /// Routes.
    pub routes: RouteSource,
    /// Network authorization filters, for the connection before its first request.
    pub connection_authz: Vec<Arc<Rbac>>,
    /// Authorization filters in order; every one must let the request pass.
    pub authz: Vec<Arc<Rbac>>,
    /// Whether route faults are in force (the fault filter is present).
    pub fault: bool,
    /// Whether route CORS policies are in force (the CORS filter is present).
    pub cors: bool,
    /// Tracing; `None` when spans are not wanted.
    pub tracing: Option<Sampling>,
    /// What spans say beside the proxy's own words.
    pub span_tags: Vec<SpanTag>,
    /// Codec.
    pub codec: Codec,
    /// Name for the `server` header and `via`.
    pub server_name: Arc<str>,
    /// What to do with the `server` header.
    pub server_header: ServerHeader,
    /// `x-forwarded-client-cert` handling.
    pub forward_client_cert: ForwardClientCert,
    /// Whether the peer's address, not `x-forwarded-for`, is the client's (edge proxies).
    pub use_remote_address: bool,
    /// Whether the peer's address is appended to `x-forwarded-for`.
    pub append_forwarded_for: bool,
    /// Whether a request without `x-request-id` gets one.
    pub generate_request_id: bool,
    /// Whether a caller's `x-request-id` is kept.
    pub preserve_request_id: bool,
    /// Which details of the client's certificate `x-forwarded-client-cert` tells, beside its hash.
    pub client_cert_details: ClientCertDetails,
    /// Proxies in front of this one whose `x-forwarded-for` entries are believed.
    pub xff_trusted_hops: u32,
    /// How to normalize paths before anything looks at them.
    pub normalize: PathNormalization,
    /// Whole request must arrive within.
    pub request_timeout: Option<Duration>,
    /// Header section must arrive within.
    pub request_headers_timeout: Option<Duration>,
    /// A connection without requests is closed after.
    pub idle_timeout: Option<Duration>,
    /// A stream on which nothing moves is closed after.
    pub stream_idle_timeout: Option<Duration>,
    /// Time for HTTP/2 clients to notice a GOAWAY.
    pub drain_timeout: Duration,
    /// A connection is drained after this age.
    pub max_connection_duration: Option<Duration>,
    /// A connection is drained after so many requests; `None` is unlimited.
    pub max_requests_per_connection: Option<u32>,
    /// Header section limit in KiB.
    pub max_request_headers_kb: u32,
    /// Streams that one HTTP/2 connection may have open.
    pub max_concurrent_streams: u32,
    /// Protocols that `upgrade:` may switch to, lower case (`websocket`).
    pub upgrades: Vec<Arc<str>>,
}

/// How a request path is normalized (<https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/>,
/// `pathNormalization`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PathNormalization {
    /// Resolve `.` and `..`, read `\` as `/` (BASE).
    pub dot_segments: bool,
    /// Collapse runs of `/` (MERGE_SLASHES).
    pub merge_slashes: bool,
    /// What to do with `%2F` and `%5C`.
    pub escaped_slashes: EscapedSlashes,
}

/// What to do with an escaped slash in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EscapedSlashes {
    /// Leave it.
    #[default]
    Keep,
    /// Answer 400.
    Reject,
    /// Read it as a slash (DECODE_AND_MERGE_SLASHES).
    Unescape,
    /// Read it as a slash, and redirect the client to the readable form.
    UnescapeAndRedirect,
}

/// Settings of a TCP proxy.
#[derive(Debug)]
pub struct TcpChain {
    /// `stat_prefix`.
    pub stat_prefix: Arc<str>,
    /// Where to.
    pub clusters: Weighted,
    /// Network authorization filters in order.
    pub authz: Vec<Arc<Rbac>>,
    /// A connection on which no byte moves is closed after.
    pub idle_timeout: Option<Duration>,
    /// Connection attempts before giving up; at least 1.
    pub max_connect_attempts: u32,
    /// A connection is closed after this age.
    pub max_duration: Option<Duration>,
    /// Whether consistent hashing goes by the client's address.
    pub hash_source_ip: bool,
}
