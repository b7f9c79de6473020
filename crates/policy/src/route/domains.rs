//! Which virtual host serves an authority.

use std::{collections::HashMap, sync::Arc};

/// Domains of a route table, each with the position of its virtual host. Envoy's precedence: exact, then the longest
/// `*suffix`, then the longest `prefix*`, then `*`. Comparison ignores ASCII case.
#[derive(Clone, Debug, Default)]
pub(super) struct DomainIndex {
    exact: HashMap<Arc<str>, u32>,
    suffixes: Vec<(usize, HashMap<Arc<str>, u32>)>,
    prefixes: Vec<(usize, HashMap<Arc<str>, u32>)>,
    any: Option<u32>,
}

impl DomainIndex {
    /// Adds a domain; the first virtual host to claim one keeps it, and `false` tells that it was taken.
    pub(super) fn add(&mut self, domain: &Arc<str>, host: u32) -> bool {
        if &**domain == "*" {
            let free = self.any.is_none();
            self.any.get_or_insert(host);
            return free;
        }
        if let Some(suffix) = domain.strip_prefix('*') {
            return claim(bucket(&mut self.suffixes, suffix.len()), suffix.into(), host);
        }
        if let Some(prefix) = domain.strip_suffix('*') {
            return claim(bucket(&mut self.prefixes, prefix.len()), prefix.into(), host);
        }
        claim(&mut self.exact, domain.clone(), host)
    }

    /// Position of the virtual host for an authority.
    pub(super) fn find(&self, authority: &str) -> Option<u32> {
        if !authority.bytes().any(|b| b.is_ascii_uppercase()) {
            return self.find_lower(authority);
        }
        // DNS names are at most 253 bytes and a port 6 more: longer ones cannot be anybody's domain but a wildcard's.
        let mut buffer = [0u8; 272];
        match buffer.get_mut(..authority.len()) {
            Some(lower) => {
                lower.copy_from_slice(authority.as_bytes());
                lower.make_ascii_lowercase();
                self.find_lower(std::str::from_utf8(lower).unwrap_or_default())
            }
            None => self.find_lower(&authority.to_ascii_lowercase()),
        }
    }

    fn find_lower(&self, authority: &str) -> Option<u32> {
        if let Some(host) = self.exact.get(authority) {
            return Some(*host);
        }
        // A wildcard stands for at least one character.
        for (len, hosts) in &self.suffixes {
            if authority.len() > *len
                && let Some(tail) = authority.get(authority.len() - len..)
                && let Some(host) = hosts.get(tail)
            {
                return Some(*host);
            }
        }
        for (len, hosts) in &self.prefixes {
            if authority.len() > *len
                && let Some(head) = authority.get(..*len)
                && let Some(host) = hosts.get(head)
            {
                return Some(*host);
            }
        }
        self.any
    }
}

/// The map for patterns of one length; lengths are kept descending, so that the longest is tried first.
fn bucket(buckets: &mut Vec<(usize, HashMap<Arc<str>, u32>)>, len: usize) -> &mut HashMap<Arc<str>, u32> {
    let at = match buckets.binary_search_by(|(have, _)| len.cmp(have)) {
        Ok(at) => at,
        Err(at) => {
            buckets.insert(at, (len, HashMap::new()));
            at
        }
    };
    &mut buckets[at].1
}

fn claim(map: &mut HashMap<Arc<str>, u32>, key: Arc<str>, host: u32) -> bool {
    let mut free = false;
    map.entry(key).or_insert_with(|| {
        free = true;
        host
    });
    free
}

/// An authority without its port.
pub(crate) fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && !open_v6(host) => host,
        _ => authority,
    }
}

/// Whether a colon before the last one belongs to an IPv6 address that is not bracketed.
fn open_v6(host: &str) -> bool {
    host.contains(':') && !host.ends_with(']')
}
