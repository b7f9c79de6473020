//! What a proxy in a pod does for its application beside carrying traffic: it answers the kubelet's probes, whose
//! connections could not pass mutual TLS, and adds the application's metrics to its own.

mod fetch;
mod merge;
mod metrics;
mod probe;
mod probes;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use fetch::{FetchError, Place, get, read};
pub use metrics::{AppMetrics, scrape};
pub use probe::{Verdict, run};
pub use probes::{Action, Probe, Probes};

/// The address that the proxy dials its application from: connections from it are never redirected, and the
/// application does not take them for a peer's (Istio's choice).
pub const BYPASS_V4: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);
/// The same for IPv6; `weft-proxy capture` adds it to the loopback interface.
pub const BYPASS_V6: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6);

/// The bypass address of the family of `destination`.
pub fn bypass(destination: IpAddr) -> IpAddr {
    match destination {
        IpAddr::V4(_) => BYPASS_V4.into(),
        IpAddr::V6(_) => BYPASS_V6.into(),
    }
}
