//! Where traffic goes, and the routes of TLS and TCP.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Headers;

/// A place to send traffic to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Destination {
    /// Host in the service registry; a short name is in the VirtualService's namespace.
    pub host: String,
    /// A subset that a DestinationRule for the host defines; empty for all of it.
    pub subset: String,
    /// Port; may be left out when the host has only one.
    pub port: Option<PortSelector>,
}

/// A port, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PortSelector {
    /// 1 to 65535.
    pub number: u32,
}

/// One destination of an HTTP route.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct HttpRouteDestination {
    /// Where.
    pub destination: Destination,
    /// Share of the route's traffic, relative to the sum of the weights. A single destination gets everything.
    pub weight: Option<i32>,
    /// Changes of headers on this way.
    pub headers: Option<Headers>,
}

/// One destination of a TLS or TCP route.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct RouteDestination {
    /// Where.
    pub destination: Destination,
    /// Share of the route's connections, relative to the sum of the weights.
    pub weight: Option<i32>,
}

/// A route of TLS traffic that is not ended here.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TlsRoute {
    /// Any of these must hold.
    #[serde(rename = "match")]
    pub matches: Vec<TlsMatch>,
    /// Where it goes.
    pub route: Vec<RouteDestination>,
}

/// What a TLS connection must look like; everything that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TlsMatch {
    /// Server names, exact or `*.` patterns. Must be covered by the VirtualService's hosts.
    pub sni_hosts: Vec<String>,
    /// CIDR ranges of the destination address.
    pub destination_subnets: Vec<String>,
    /// Destination port.
    pub port: Option<u32>,
    /// Labels of the calling workload.
    pub source_labels: BTreeMap<String, String>,
    /// Gateways this match is for, a subset of the VirtualService's.
    pub gateways: Vec<String>,
    /// Namespace of the calling workload.
    pub source_namespace: String,
}

/// A route of opaque TCP traffic.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TcpRoute {
    /// Any of these must hold; none matches everything.
    #[serde(rename = "match")]
    pub matches: Vec<L4Match>,
    /// Where it goes.
    pub route: Vec<RouteDestination>,
}

/// What a TCP connection must look like; everything that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct L4Match {
    /// CIDR ranges of the destination address.
    pub destination_subnets: Vec<String>,
    /// Destination port.
    pub port: Option<u32>,
    /// CIDR range of the source address. Deprecated by Istio and not applied there either.
    pub source_subnet: String,
    /// Labels of the calling workload.
    pub source_labels: BTreeMap<String, String>,
    /// Gateways this match is for, a subset of the VirtualService's.
    pub gateways: Vec<String>,
    /// Namespace of the calling workload.
    pub source_namespace: String,
}
