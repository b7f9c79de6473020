//! A proxy as a caller of others: all of it that decides what it is told about them. Proxies that are equal in this share
//! what is made for it.

use std::{collections::BTreeMap, net::IpAddr};

use crate::{Capture, Engine, Proxy, ProxyKind, Snapshot};

/// What outbound configuration depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Client {
    /// Whether it stands at the edge.
    pub gateway: bool,
    /// The namespace whose rules apply to it.
    pub namespace: String,
    /// Its labels, as far as any selector in the mesh asks for them.
    pub labels: BTreeMap<String, String>,
    /// The address that it dials from, where that matters: one of the loopback network, which nobody else has.
    pub source: Option<IpAddr>,
    /// Where it stands, as far as that matters; else empty.
    pub locality: String,
    /// Whether it is an Envoy.
    pub envoy: bool,
    /// Whether its connections are redirected to it.
    pub captured: bool,
    /// Whether it has an IPv4 and an IPv6 address.
    pub families: (bool, bool),
}

impl Client {
    /// What is seen of a proxy.
    pub fn new(snapshot: &Snapshot, proxy: &Proxy) -> Self {
        Self {
            gateway: proxy.kind == ProxyKind::Gateway,
            namespace: proxy.workload.namespace.clone(),
            labels: snapshot.selecting_labels(&proxy.labels),
            source: Some(proxy.address).filter(IpAddr::is_loopback),
            locality: if snapshot.ejects() { proxy.locality.clone() } else { String::new() },
            envoy: proxy.engine == Engine::Envoy,
            captured: proxy.capture == Capture::Redirect && proxy.kind == ProxyKind::Sidecar,
            families: (
                proxy.addresses.iter().any(IpAddr::is_ipv4) || proxy.address.is_ipv4(),
                proxy.addresses.iter().any(IpAddr::is_ipv6),
            ),
        }
    }
}
