//! Consistent hashing: a ring (ketama) or Maglev's table.

use std::sync::Arc;

use super::hash::xxh64;
use crate::{config::Balance, upstream::Host};

/// Prepared hash space; positions are those of a set's members.
#[derive(Debug)]
pub(super) enum Consistent {
    /// Sorted by hash.
    Ring(Box<[(u64, u32)]>),
    /// One member per slot.
    Table(Box<[u32]>),
}

impl Consistent {
    pub(super) fn new<'h>(
        policy: Balance,
        members: impl ExactSizeIterator<Item = &'h Arc<Host>>,
        weights: &[u64],
    ) -> Option<Self> {
        if weights.is_empty() {
            return None;
        }
        match policy {
            Balance::RingHash { minimum, maximum } => Some(Self::Ring(ring(members, weights, minimum, maximum))),
            Balance::Maglev { table } => Some(Self::Table(maglev(members, weights, table))),
            _ => None,
        }
    }

    /// The first wanted member from the hash's place on.
    pub(super) fn find(&self, hash: u64, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        match self {
            Self::Ring(ring) => {
                let start = ring.partition_point(|(at, _)| *at < hash);
                let round = ring[start..].iter().chain(&ring[..start]);
                round.map(|(_, member)| *member as usize).find(|m| wanted(*m))
            }
            Self::Table(table) => {
                let start = (hash % table.len() as u64) as usize;
                let round = table[start..].iter().chain(&table[..start]);
                round.map(|member| *member as usize).find(|m| wanted(*m))
            }
        }
    }
}

/// Envoy's ring: the least weight gets a whole number of entries, the others in proportion; keys are `<address>_<n>`.
fn ring<'h>(
    members: impl Iterator<Item = &'h Arc<Host>>,
    weights: &[u64],
    minimum: u32,
    maximum: u32,
) -> Box<[(u64, u32)]> {
    let total = weights.iter().map(|w| *w as f64).sum::<f64>().max(1.0);
    let least = weights.iter().map(|w| *w as f64 / total).fold(1.0, f64::min);
    let scale = ((least * f64::from(minimum)).ceil() / least).min(f64::from(maximum.max(1)));
    let mut entries = Vec::new();
    let (mut wanted, mut have) = (0.0, 0.0);
    let mut key = String::new();
    for (member, (host, weight)) in members.zip(weights).enumerate() {
        let address = host.address().to_string();
        wanted += scale * (*weight as f64 / total);
        let mut n = 0u32;
        while have < wanted {
            key.clear();
            key.push_str(&address);
            key.push('_');
            key.push_str(&n.to_string());
            entries.push((xxh64(key.as_bytes(), 0), member as u32));
            n += 1;
            have += 1.0;
        }
    }
    entries.sort_unstable();
    entries.into()
}

/// Maglev (Eisenbud et al., NSDI 2016, section 3.4), weighted as Envoy does it: in each round a member takes a turn
/// when its weight has added up to that of the heaviest.
fn maglev<'h>(members: impl Iterator<Item = &'h Arc<Host>>, weights: &[u64], size: u32) -> Box<[u32]> {
    const FREE: u32 = u32::MAX;
    let size = u64::from(size.max(2));
    let heaviest = weights.iter().copied().max().unwrap_or(1).max(1) as f64;
    struct Walk {
        offset: u64,
        skip: u64,
        next: u64,
        credit: f64,
    }
    let mut walks: Vec<Walk> = members
        .map(|host| {
            let key = host.address().to_string();
            let offset = xxh64(key.as_bytes(), 0) % size;
            let skip = xxh64(key.as_bytes(), 1) % (size - 1) + 1;
            Walk { offset, skip, next: 0, credit: 0.0 }
        })
        .collect();
    let mut table = vec![FREE; size as usize];
    let mut filled = 0;
    let mut round = 1.0;
    while filled < size {
        for (member, walk) in walks.iter_mut().enumerate() {
            if filled == size {
                break;
            }
            if round * (weights[member] as f64) < walk.credit {
                continue;
            }
            walk.credit += heaviest;
            // The table is a prime long and the skip smaller, so the walk visits every slot.
            let slot = loop {
                let slot = ((walk.offset + walk.skip * walk.next) % size) as usize;
                walk.next = (walk.next + 1) % size;
                if table[slot] == FREE {
                    break slot;
                }
            };
            table[slot] = member as u32;
            filled += 1;
        }
        round += 1.0;
    }
    table.into()
}
