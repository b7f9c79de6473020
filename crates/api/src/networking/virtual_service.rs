//! VirtualService (<https://istio.io/latest/docs/reference/config/networking/virtual-service/>).

mod http;
mod route;

pub use http::{
    Body, CorsPolicy, Delegate, DerivePort, DirectResponse, Fault, FaultAbort, FaultDelay, HeaderOperations, Headers,
    HttpMatch, HttpRoute, Mirror, Percent, Redirect, RegexRewrite, Retry, Rewrite, UnmatchedPreflights,
};
pub use route::{
    Destination, HttpRouteDestination, L4Match, PortSelector, RouteDestination, TcpRoute, TlsMatch, TlsRoute,
};

use schemars::JsonSchema;
use serde::Deserialize;

/// Routes by host. Lists of routes are tried in order; the first match wins.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct VirtualService {
    /// Hosts this is for: short names of Services, full names, or `*.` patterns. Empty in a delegate.
    pub hosts: Vec<String>,
    /// Gateways this is bound to, `name` or `namespace/name`; `mesh` is every sidecar, and the default.
    pub gateways: Vec<String>,
    /// Routes of HTTP traffic.
    pub http: Vec<HttpRoute>,
    /// Routes of TLS traffic that is passed through, by SNI.
    pub tls: Vec<TlsRoute>,
    /// Routes of opaque TCP traffic.
    pub tcp: Vec<TcpRoute>,
    /// Namespaces that see this: `.`, `*`, or names. Empty: as the mesh's settings say.
    pub export_to: Vec<String>,
}

/// The gateway name that stands for every sidecar.
pub const MESH_GATEWAY: &str = "mesh";

impl VirtualService {
    /// The gateways, with the default filled in.
    pub fn gateways(&self) -> impl Iterator<Item = &str> {
        let mesh = self.gateways.is_empty().then_some(MESH_GATEWAY);
        self.gateways.iter().map(String::as_str).chain(mesh)
    }

    /// Whether sidecars apply this.
    pub fn in_mesh(&self) -> bool {
        self.gateways().any(|gateway| gateway == MESH_GATEWAY)
    }
}
