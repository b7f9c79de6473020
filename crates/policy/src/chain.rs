//! Which filter chain takes a connection.

use std::net::SocketAddr;

use crate::config::{ChainMatch, Cidr, FilterChain, Listener, Transport};

/// What is known before a chain is chosen.
#[derive(Clone, Copy, Debug)]
pub struct ChainFacts<'a, S> {
    /// The address that was dialled.
    pub local: SocketAddr,
    /// What the first bytes were.
    pub transport: Transport,
    /// SNI, lower case.
    pub sni: Option<&'a str>,
    /// ALPN of the ClientHello in the client's order, or what a look at plaintext found: `http/1.0`, `http/1.1` or
    /// `h2c` (Envoy's names).
    pub protocols: &'a [S],
}

/// Decided so far. The outer `None` is a step that is still open, the inner one means chains without that criterion.
#[derive(Clone, Copy, Default)]
struct Key<'a> {
    port: Option<Option<u16>>,
    range: Option<Option<Cidr>>,
    name: Option<Option<&'a str>>,
    transport: Option<Option<Transport>>,
    protocol: Option<Option<&'a str>>,
}

impl Listener {
    /// The chain for a connection by Envoy's order: destination port, destination address, server name, transport,
    /// application protocol. At each step the most specific value that some chain has wins and there is no way back
    /// (<https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener_components.proto>).
    pub fn choose<S: AsRef<str>>(&self, facts: &ChainFacts<'_, S>) -> Option<&FilterChain> {
        self.matching(facts).or(self.default_chain.as_ref())
    }

    fn matching<S: AsRef<str>>(&self, facts: &ChainFacts<'_, S>) -> Option<&FilterChain> {
        let mut key = Key::default();
        let port = facts.local.port();
        key.port = Some(self.left(key).any(|m| m.destination_port == Some(port)).then_some(port));
        let ranges = self.left(key).flat_map(|m| &m.destination).filter(|r| r.contains(facts.local.ip()));
        key.range = Some(ranges.max_by_key(|r| r.bits).copied());
        key.name = Some(facts.sni.and_then(|sni| self.longest_name(key, sni)));
        let transport = facts.transport;
        key.transport = Some(self.left(key).any(|m| m.transport == Some(transport)).then_some(transport));
        let mut protocols = facts.protocols.iter().map(AsRef::as_ref);
        let before = key;
        key.protocol = Some(protocols.find(|p| self.left(before).any(|m| has(&m.application_protocols, p))));
        self.chains.iter().find(|c| key.fits(&c.criteria))
    }

    /// Chains that are still in.
    fn left(&self, key: Key<'_>) -> impl Iterator<Item = &ChainMatch> {
        self.chains.iter().map(|c| &c.criteria).filter(move |m| key.fits(m))
    }

    /// The exact name, else the longest `.suffix` that some chain has.
    fn longest_name<'n>(&self, key: Key<'_>, sni: &'n str) -> Option<&'n str> {
        let dots = sni.match_indices('.').map(|(at, _)| &sni[at..]);
        std::iter::once(sni).chain(dots).find(|name| self.left(key).any(|m| has(&m.server_names, name)))
    }
}

fn has(list: &[std::sync::Arc<str>], wanted: &str) -> bool {
    list.iter().any(|s| **s == *wanted)
}

impl Key<'_> {
    fn fits(&self, m: &ChainMatch) -> bool {
        self.port.is_none_or(|port| m.destination_port == port)
            && self.range.is_none_or(|range| range.map_or(m.destination.is_empty(), |r| m.destination.contains(&r)))
            && self.name.is_none_or(|name| name.map_or(m.server_names.is_empty(), |n| has(&m.server_names, n)))
            && self.transport.is_none_or(|transport| m.transport == transport)
            && self.protocol.is_none_or(|protocol| {
                protocol.map_or(m.application_protocols.is_empty(), |p| has(&m.application_protocols, p))
            })
    }
}

#[cfg(test)]
mod tests;
