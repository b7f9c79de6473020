//! Route tables: assembled from RDS and VHDS, looked up by authority.

use std::{collections::HashMap, sync::Arc};

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

    /// Applies delivered virtual hosts. A domain claimed twice stays with the first.
    pub(crate) fn apply(&mut self, changes: Vec<HostChange>) {
        let mut reindex = false;
        for change in changes {
            match change {
                HostChange::Put(key, host) => match self.position(&key) {
                    Some(at) => {
                        reindex |= self.hosts[at].host.domains != host.domains;
                        self.hosts[at].host = host;
                    }
                    None => {
                        self.hosts.push(Slot { key, delivered: true, host });
                        reindex = true;
                    }
                },
                HostChange::Remove(key) => {
                    let before = self.hosts.len();
                    self.hosts.retain(|s| !(s.delivered && s.key == key));
                    reindex |= self.hosts.len() != before;
                }
            }
        }
        if reindex {
            self.reindex();
        }
    }

    /// Positions in the index are stale once a slot was added or removed in the same batch, hence the check.
    fn position(&self, key: &str) -> Option<usize> {
        let fits = |s: &Slot| s.delivered && &*s.key == key;
        match self.index.keys.get(key).map(|at| *at as usize) {
            Some(at) if self.hosts.get(at).is_some_and(fits) => Some(at),
            None if self.hosts.len() == self.index.keys.len() => None,
            _ => self.hosts.iter().position(fits),
        }
    }

    fn reindex(&mut self) -> Option<Arc<str>> {
        let mut index = Index::default();
        let mut twice = None;
        for (at, slot) in self.hosts.iter().enumerate() {
            let at = at as u32;
            index.keys.insert(slot.key.clone(), at);
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
