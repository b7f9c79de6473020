//! Route tables: assembled from RDS and VHDS, looked up by authority.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{DomainIndex, domains::without_port};
use crate::{
    config::{HeaderOps, Route, VirtualHost, Weighted, WeightedCluster},
    facts::RequestFacts,
};

/// Virtual hosts of one RouteConfiguration. Changing a virtual host without changing its domains copies one vector of
/// pointers; the index is shared.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    /// Name of the RouteConfiguration.
    pub name: Arc<str>,
    /// Whether `host:port` is looked up as `host` (`ignore_port_in_host_matching`).
    pub ignore_port: bool,
    /// Whether virtual hosts arrive one by one (VHDS).
    pub on_demand: bool,
    /// Whether header changes are applied from the table to the cluster, so that the most specific has the last word,
    /// instead of the other way round (`most_specific_header_mutations_wins`).
    pub most_specific_wins: bool,
    /// Header changes of the whole table; see [`RouteTable::request_ops`].
    pub request_headers: HeaderOps,
    /// The same for responses.
    pub response_headers: HeaderOps,
    hosts: Vec<Slot>,
    index: Arc<Index>,
}

#[derive(Clone, Debug)]
struct Slot {
    key: Arc<str>,
    delivered: bool,
    host: Arc<VirtualHost>,
}

#[derive(Debug, Default)]
struct Index {
    /// Delivered ones by resource name.
    keys: HashMap<Arc<str>, u32>,
    domains: DomainIndex,
}

/// A change of the virtual hosts that VHDS delivered.
pub(crate) enum HostChange {
    /// New or changed: resource name and content.
    Put(Arc<str>, Arc<VirtualHost>),
    /// Gone.
    Remove(Arc<str>),
}

impl RouteTable {
    /// A table whose virtual hosts came before itself.
    pub(crate) fn awaited(name: Arc<str>) -> Self {
        Self { name, on_demand: true, ..Self::default() }
    }

    /// Takes the virtual hosts that a RouteConfiguration brings itself. Fails with the first domain that two of them
    /// claim.
    pub(crate) fn with_hosts(mut self, hosts: Vec<Arc<VirtualHost>>) -> Result<Self, Arc<str>> {
        self.hosts = hosts.into_iter().map(|host| Slot { key: host.name.clone(), delivered: false, host }).collect();
        match self.reindex() {
            Some(twice) => Err(twice),
            None => Ok(self),
        }
    }

    /// Takes over what VHDS delivered to the table's previous version.
    pub(crate) fn carry(&mut self, previous: &RouteTable) {
        if self.on_demand {
            self.hosts.extend(previous.hosts.iter().filter(|s| s.delivered).cloned());
            self.reindex();
        }
    }

    /// Applies delivered virtual hosts, removals first. A domain claimed twice stays with the first.
    pub(crate) fn apply(&mut self, changes: Vec<HostChange>) {
        let mut removed = HashSet::new();
        let mut put = Vec::new();
        for change in changes {
            match change {
                HostChange::Remove(key) => drop(removed.insert(key)),
                HostChange::Put(key, host) => put.push((key, host)),
            }
        }
        if removed.iter().any(|key| self.index.keys.contains_key(key)) {
            self.hosts.retain(|s| !(s.delivered && removed.contains(&s.key)));
            self.reindex();
        }
        let mut added: HashMap<Arc<str>, usize> = HashMap::new();
        let mut moved = false;
        for (key, host) in put {
            let at = self.index.keys.get(&key).map(|at| *at as usize).or_else(|| added.get(&key).copied());
            match at.and_then(|at| self.hosts.get_mut(at)) {
                Some(slot) => {
                    moved |= slot.host.domains != host.domains;
                    slot.host = host;
                }
                None => {
                    added.insert(key.clone(), self.hosts.len());
                    self.hosts.push(Slot { key, delivered: true, host });
                }
            }
        }
        if moved || !added.is_empty() {
            self.reindex();
        }
    }

    fn reindex(&mut self) -> Option<Arc<str>> {
        let mut index = Index::default();
        let mut twice = None;
        for (at, slot) in self.hosts.iter().enumerate() {
            let at = at as u32;
            if slot.delivered {
                index.keys.insert(slot.key.clone(), at);
            }
            for domain in &slot.host.domains {
                if !index.domains.add(domain, at) {
                    twice.get_or_insert_with(|| domain.clone());
                }
            }
        }
        self.index = Arc::new(index);
        twice
    }

    /// The virtual host for an authority (`host` or `host:port`).
    pub fn virtual_host(&self, authority: &str) -> Option<&Arc<VirtualHost>> {
        let authority = if self.ignore_port { without_port(authority) } else { authority };
        let at = self.index.domains.find(authority)?;
        self.hosts.get(at as usize).map(|s| &s.host)
    }

    /// All virtual hosts.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = &Arc<VirtualHost>> {
        self.hosts.iter().map(|s| &s.host)
    }

    /// The virtual host that VHDS delivered under this resource name.
    pub fn delivered(&self, resource: &str) -> Option<&Arc<VirtualHost>> {
        let at = *self.index.keys.get(resource)? as usize;
        self.hosts.get(at).filter(|s| s.delivered).map(|s| &s.host)
    }
}

impl VirtualHost {
    /// The first route that fits; `random` decides about routes that take a share.
    pub fn route(&self, request: &RequestFacts<'_>, random: u64) -> Option<&Arc<Route>> {
        self.routes.iter().find(|r| r.matcher.matches(request, random))
    }
}

impl Weighted {
    /// One cluster by weight; `random` is uniform. `None` only when there is no cluster.
    pub fn pick(&self, random: u64) -> Option<&WeightedCluster> {
        if self.clusters.len() < 2 {
            return self.clusters.first();
        }
        let mut at = random % self.total.max(1);
        for cluster in &self.clusters {
            match at.checked_sub(u64::from(cluster.weight)) {
                Some(rest) => at = rest,
                None => return Some(cluster),
            }
        }
        self.clusters.last()
    }
}
