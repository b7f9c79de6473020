//! Which connections are redirected.

use std::{collections::BTreeSet, fmt, net::IpAddr};

/// Which connections are redirected, and where to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Port of the proxy for connections of the pod.
    pub outbound_port: u16,
    /// Port of the proxy for connections to the pod.
    pub inbound_port: u16,
    /// The proxy's users.
    pub uids: Vec<u32>,
    /// The proxy's groups.
    pub gids: Vec<u32>,
    /// Redirected ports of the pod.
    pub inbound: Targets<BTreeSet<u16>>,
    /// Ports of the pod that are left alone.
    pub inbound_exclude: BTreeSet<u16>,
    /// Redirected destinations.
    pub outbound: Targets<Vec<Range>>,
    /// Destinations that are left alone.
    pub outbound_exclude: Vec<Range>,
    /// Destination ports that are left alone.
    pub outbound_exclude_ports: BTreeSet<u16>,
    /// Destination ports that are redirected whatever the address.
    pub outbound_ports: BTreeSet<u16>,
    /// Interfaces that are left alone.
    pub exclude_interfaces: Vec<String>,
    /// Interfaces whose incoming connections are outbound ones.
    pub virtual_interfaces: Vec<String>,
    /// Whether the pod has IPv6.
    pub ipv6: bool,
}

/// All, or some; perhaps none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets<T> {
    /// `*`.
    All,
    /// A list.
    Some(T),
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Any address of it.
    pub address: IpAddr,
    /// Length of the prefix.
    pub bits: u8,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// Why a flag's value cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// Not a port.
    #[error("{0:?} is no port")]
    Port(String),
    /// Not a range.
    #[error("{0:?} is no range of addresses such as 10.0.0.0/8")]
    Range(String),
    /// Not an interface.
    #[error("{0:?} is no name of an interface")]
    Interface(String),
}

fn each(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// A list of ports, separated by commas.
pub fn ports(list: &str) -> Result<BTreeSet<u16>, InvalidSettings> {
    let port =
        |text: &str| text.parse().ok().filter(|port| *port > 0).ok_or_else(|| InvalidSettings::Port(text.into()));
    each(list).map(port).collect()
}

/// A list of address ranges, separated by commas. An address alone is a range of one.
pub fn cidrs(list: &str) -> Result<Vec<Range>, InvalidSettings> {
    let range = |text: &str| {
        let bad = || InvalidSettings::Range(text.into());
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(width), |bits| bits.parse().map_err(|_| bad()))?;
        if bits > width { Err(bad()) } else { Ok(Range { address, bits }) }
    };
    each(list).map(range).collect()
}

/// A list of interfaces, separated by commas; `+` at the end stands for any rest, as in iptables.
pub fn interfaces(list: &str) -> Result<Vec<String>, InvalidSettings> {
    let name = |text: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'@');
        let stem = text.strip_suffix('+').unwrap_or(text);
        // The kernel's IFNAMSIZ, less the terminator.
        match !stem.is_empty() && text.len() <= 15 && stem.bytes().all(known) {
            true => Ok(text.to_owned()),
            false => Err(InvalidSettings::Interface(text.into())),
        }
    };
    each(list).map(name).collect()
}

impl Settings {
    /// Ranges of one family.
    pub fn of_family(ranges: &[Range], v4: bool) -> Vec<Range> {
        ranges.iter().filter(|range| range.address.is_ipv4() == v4).copied().collect()
    }
}
