//! Addresses of a cluster. Everything lies in 198.18.0.0/15, which is set aside for tests of networks, so nothing that
//! the machine really talks to is hidden; 64 clusters fit beside each other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How many clusters have room.
pub const SLOTS: u8 = 64;
/// Where Services get their addresses when there are thousands of them. No route leads there, so it may be any network.
pub const MANY_SERVICES: &str = "10.96.0.0/16";

/// One cluster's networks, told by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses(u8);

impl Addresses {
    /// The networks of slot `number`, below [`SLOTS`].
    pub fn new(number: u8) -> Self {
        assert!(number < SLOTS, "there are {SLOTS} slots");
        Self(number)
    }

    /// Name of the machine's end of the link to the node.
    pub fn link(self) -> String {
        format!("weft-test{}", self.0)
    }

    /// The machine's end of the link.
    pub fn host(self) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.0, 1)
    }

    /// The node: API server, kubelet and cluster DNS answer here.
    pub fn node(self) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.0, 2)
    }

    /// The machine's end of the link, IPv6.
    pub fn host_v6(self) -> Ipv6Addr {
        self.v6(0, 1)
    }

    /// The node, IPv6.
    pub fn node_v6(self) -> Ipv6Addr {
        self.v6(0, 2)
    }

    /// A machine beside the node, below number 60.
    pub fn machine(self, number: u8) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.0, (number + 1) * 4 + 2)
    }

    /// The node's end of the link to a machine.
    pub fn machine_gateway(self, number: u8) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.0, (number + 1) * 4 + 1)
    }

    /// Where pods get their addresses, IPv4 first.
    pub fn pods(self) -> [String; 2] {
        [format!("198.19.{}.0/23", u16::from(self.0) * 4), format!("{}/64", self.v6(1, 0))]
    }

    /// Where Services get their addresses, IPv4 first.
    pub fn services(self) -> [String; 2] {
        [format!("198.19.{}.0/23", u16::from(self.0) * 4 + 2), format!("{}/112", self.v6(2, 0))]
    }

    /// The Service `kubernetes`, as the API server numbers it.
    pub fn api_service(self) -> Ipv4Addr {
        Ipv4Addr::new(198, 19, self.0 * 4 + 2, 1)
    }

    /// The Service `kube-dns`.
    pub fn dns_service(self) -> Ipv4Addr {
        Ipv4Addr::new(198, 19, self.0 * 4 + 2, 10)
    }

    /// Addresses that the API server's certificate names.
    pub fn api_names(self) -> [IpAddr; 4] {
        [Ipv4Addr::LOCALHOST.into(), self.node().into(), self.node_v6().into(), self.api_service().into()]
    }

    fn v6(self, net: u16, host: u16) -> Ipv6Addr {
        Ipv6Addr::new(0xfd57, 0x6566, 0x7400, u16::from(self.0) << 8 | net, 0, 0, 0, host)
    }
}
