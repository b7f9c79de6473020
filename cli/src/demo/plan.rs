//! Who runs in the demo, and at which addresses.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use weft_model::ports;

/// Bytes that the manifests in `demo/` have where a plan puts its own.
const WRITTEN_PREFIX: &str = "127.78.32.";

/// Addresses of one demo.
pub struct Plan {
    base: u16,
    /// Workload instances, callees first.
    pub instances: Vec<Instance>,
}

/// What kind of proxy an instance has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyRole {
    /// Beside an application.
    Sidecar,
    /// At the edge.
    Gateway,
}

/// One workload instance.
pub struct Instance {
    /// WorkloadEntry name.
    pub name: &'static str,
    /// Namespace.
    pub namespace: &'static str,
    /// Service account.
    pub service_account: &'static str,
    /// Last byte of its address.
    pub host: u8,
    /// Its proxy, if it has one.
    pub proxy: Option<ProxyRole>,
    /// Flags of its application beside addresses, if it has one.
    pub app: Option<&'static [&'static str]>,
}

const fn service(
    name: &'static str,
    service_account: &'static str,
    host: u8,
    app: &'static [&'static str],
) -> Instance {
    Instance { name, namespace: "shop", service_account, host, proxy: Some(ProxyRole::Sidecar), app: Some(app) }
}

const INSTANCES: [Instance; 8] = [
    service(
        "inventory-service",
        "inventory-service",
        16,
        &["--name=inventory-service", "--latency-ms=1", "--jitter-ms=4"],
    ),
    service("payment-service", "payment-service", 15, &["--name=payment-service", "--latency-ms=3", "--jitter-ms=8"]),
    service(
        "order-service-v1",
        "order-service",
        13,
        &[
            "--name=order-service",
            "--calls=payment-service:8080/charge",
            "--calls=inventory-service:8080/reserve",
            "--latency-ms=2",
            "--jitter-ms=5",
        ],
    ),
    // The canary is a little slower and fails now and then: something to see before it is promoted.
    service(
        "order-service-v2",
        "order-service",
        14,
        &[
            "--name=order-service",
            "--version=v2",
            "--calls=payment-service:8080/charge",
            "--calls=inventory-service:8080/reserve",
            "--latency-ms=8",
            "--jitter-ms=20",
            "--fail-every=40",
        ],
    ),
    service(
        "checkout-bff",
        "checkout-bff",
        12,
        &["--name=checkout-bff", "--calls=order-service:8080/api/v1/orders", "--latency-ms=1", "--jitter-ms=3"],
    ),
    service(
        "storefront",
        "storefront",
        11,
        &["--name=storefront", "--calls=checkout-bff:8080/checkout", "--latency-ms=1", "--jitter-ms=2"],
    ),
    Instance {
        name: "istio-ingressgateway",
        namespace: "istio-ingress",
        service_account: "istio-ingressgateway",
        host: 10,
        proxy: Some(ProxyRole::Gateway),
        app: None,
    },
    Instance {
        name: "legacy-billing",
        namespace: "shop",
        service_account: "legacy-billing",
        host: 17,
        proxy: None,
        app: None,
    },
];

impl Plan {
    /// Plans for a port base of at least 1024.
    pub fn new(base: u16) -> Self {
        Self { base, instances: INSTANCES.into() }
    }

    /// The port base, which also names the demo's directory.
    pub fn base(&self) -> u16 {
        self.base
    }

    /// An address of this demo's own /24.
    pub fn ip(&self, host: u8) -> Ipv4Addr {
        let [high, low] = self.base.to_be_bytes();
        Ipv4Addr::new(127, high, low, host)
    }

    /// Moves the addresses of a manifest as it stands in `demo/` into this demo's /24.
    pub fn localize(&self, manifest: &str) -> String {
        let [high, low] = self.base.to_be_bytes();
        manifest.replace(WRITTEN_PREFIX, &format!("127.{high}.{low}."))
    }

    fn at(&self, host: u8, port: u16) -> SocketAddr {
        SocketAddrV4::new(self.ip(host), port).into()
    }

    fn local(&self, offset: u16) -> SocketAddr {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.base + offset).into()
    }

    /// The console.
    pub fn console(&self) -> SocketAddr {
        self.local(1)
    }

    /// Prometheus.
    pub fn prometheus(&self) -> SocketAddr {
        self.local(2)
    }

    /// ADS and CA.
    pub fn control_plane(&self) -> SocketAddr {
        self.at(2, ports::CONTROL_PLANE)
    }

    /// The operator's metrics and debug pages.
    pub fn operator_admin(&self) -> SocketAddr {
        self.at(2, ports::CONTROL_PLANE_ADMIN)
    }

    /// A proxy's readiness.
    pub fn readiness(&self, instance: &Instance) -> SocketAddr {
        self.at(instance.host, ports::PROXY_READINESS)
    }

    /// A proxy's metrics.
    pub fn metrics(&self, instance: &Instance) -> SocketAddr {
        self.at(instance.host, ports::PROXY_METRICS)
    }

    /// Where an application listens behind its proxy.
    pub fn app(&self, instance: &Instance) -> SocketAddr {
        self.at(instance.host, 9080)
    }

    /// Where an application's calls go out.
    pub fn egress(&self, instance: &Instance) -> SocketAddr {
        self.at(instance.host + 100, 8080)
    }

    /// The gateway's plaintext port.
    pub fn gateway_http(&self) -> SocketAddr {
        self.at(10, 8080)
    }

    /// The gateway's TLS port.
    pub fn gateway_https(&self) -> SocketAddr {
        self.at(10, 8443)
    }

    /// Every address at which something of this demo will listen.
    pub fn listeners(&self) -> Vec<SocketAddr> {
        let mut all = vec![self.console(), self.prometheus(), self.control_plane(), self.operator_admin()];
        for instance in &self.instances {
            let Some(role) = instance.proxy else { continue };
            let own = [ports::PROXY_ADMIN, ports::PROXY_MERGED_METRICS, ports::PROXY_READINESS, ports::PROXY_METRICS];
            all.extend(own.map(|port| self.at(instance.host, port)));
            match role {
                ProxyRole::Gateway => all.extend([self.gateway_http(), self.gateway_https()]),
                ProxyRole::Sidecar => all.extend([self.at(instance.host, 8080), self.egress(instance)]),
            }
            if instance.app.is_some() {
                all.push(self.app(instance));
            }
        }
        all
    }

    /// payment-service as a caller without a proxy reaches it.
    pub fn payment(&self) -> SocketAddr {
        self.at(15, 8080)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_never_share_an_address() {
        let (one, other) = (Plan::new(20000), Plan::new(20001));
        assert_eq!(one.ip(10).to_string(), "127.78.32.10");
        assert_eq!(one.localize("address: 127.78.32.11"), "address: 127.78.32.11");
        assert_eq!(other.localize("address: 127.78.32.11"), "address: 127.78.33.11");
    }

    #[test]
    fn nothing_listens_twice_at_one_address() {
        let mut all = Plan::new(20000).listeners();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(all.contains(&"127.78.32.10:8443".parse().unwrap()));
    }
}
