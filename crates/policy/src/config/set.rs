//! The configuration in force: all resources, with references resolved.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use super::{Cluster, Direction, Discovery, Endpoints, Listener, Secret, VirtualHost, WorkloadRow};
use crate::{
    route::{HostChange, RouteTable},
    upstream::Upstream,
};

/// A map that versions of the configuration share until one changes it.
pub type Shared<K, V> = Arc<HashMap<K, Arc<V>>>;

/// Everything that the control plane sent, at one moment. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// By name.
    pub listeners: Shared<Arc<str>, Listener>,
    /// By cluster name, joined with endpoints.
    pub upstreams: Shared<Arc<str>, Upstream>,
    /// By SDS name.
    pub secrets: Shared<Arc<str>, Secret>,
    /// By uid.
    pub workloads: Shared<Arc<str>, WorkloadRow>,
    tables: Shared<Arc<str>, RouteTable>,
    /// Tables that exist only because a virtual host came before its RouteConfiguration.
    undeclared: Arc<HashSet<Arc<str>>>,
    endpoints: Shared<Arc<str>, Endpoints>,
    by_address: Shared<IpAddr, WorkloadRow>,
    /// Listeners that are not bound, by what connections to them were made to.
    unbound: Shared<(Direction, SocketAddr), Listener>,
}

/// The types of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// CDS.
    Cluster,
    /// EDS.
    Endpoints,
    /// LDS.
    Listener,
    /// RDS.
    RouteConfig,
    /// VHDS.
    VirtualHost,
    /// SDS.
    Secret,
    /// The workload table.
    Workload,
}

impl Kind {
    /// Every kind, in the order in which additions are sent.
    pub const EVERY: [Self; 7] = [
        Self::Cluster,
        Self::Endpoints,
        Self::Listener,
        Self::RouteConfig,
        Self::VirtualHost,
        Self::Secret,
        Self::Workload,
    ];

    /// Its type URL.
    pub const fn type_url(self) -> &'static str {
        match self {
            Self::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Self::Endpoints => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
            Self::RouteConfig => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            Self::VirtualHost => "type.googleapis.com/envoy.config.route.v3.VirtualHost",
            Self::Secret => "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            Self::Workload => weft_model::xds::WORKLOAD_TYPE_URL,
        }
    }

    /// The kind of a type URL.
    pub fn from_type_url(url: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|kind| kind.type_url() == url)
    }
}

/// A resource that was read.
#[derive(Clone, Debug)]
pub enum Resource {
    /// CDS.
    Cluster(Arc<Cluster>),
    /// EDS.
    Endpoints(Arc<Endpoints>),
    /// LDS.
    Listener(Arc<Listener>),
    /// RDS.
    RouteConfig(Arc<RouteTable>),
    /// VHDS; the resource is named `<route configuration>/<virtual host>`.
    VirtualHost(Arc<VirtualHost>),
    /// SDS.
    Secret(Arc<Secret>),
    /// The workload table.
    Workload(Arc<WorkloadRow>),
}

/// What one xDS response changes.
#[derive(Clone, Debug, Default)]
pub struct Delta {
    /// New or changed, with their resource names.
    pub put: Vec<(Arc<str>, Resource)>,
    /// Gone.
    pub remove: Vec<(Kind, Arc<str>)>,
}

impl Config {
    /// The route table of an RDS name.
    pub fn route_table(&self, name: &str) -> Option<&Arc<RouteTable>> {
        self.tables.get(name).filter(|_| !self.undeclared.contains(name))
    }

    /// All route tables.
    pub fn route_tables(&self) -> impl Iterator<Item = &Arc<RouteTable>> {
        self.tables.iter().filter(|(name, _)| !self.undeclared.contains(*name)).map(|(_, table)| table)
    }

    /// A cluster with its endpoints and live state.
    pub fn upstream(&self, cluster: &str) -> Option<&Arc<Upstream>> {
        self.upstreams.get(cluster)
    }

    /// Who an address belongs to.
    pub fn workload(&self, address: IpAddr) -> Option<&Arc<WorkloadRow>> {
        self.by_address.get(&address.to_canonical())
    }

    /// The listener that is not bound but meant for connections that were made to `destination`: for that very address,
    /// else for its port on all addresses.
    pub fn captured(&self, direction: Direction, destination: SocketAddr) -> Option<&Arc<Listener>> {
        let (v4, v6) = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        let (own, other) = if destination.is_ipv4() { (v4, v6) } else { (v6, v4) };
        [destination.ip(), own, other]
            .into_iter()
            .find_map(|ip| self.unbound.get(&(direction, SocketAddr::new(ip, destination.port()))))
    }

    /// Lets ejected hosts back in whose time is over; `now` is the time since the process started. Call it every
    /// second or so.
    pub fn sweep(&self, now: Duration) -> usize {
        self.upstreams.values().map(|u| u.sweep(now)).sum()
    }

    /// This configuration with a change; what did not change is shared.
    #[must_use]
    pub fn update(&self, delta: Delta) -> Self {
        let mut next = self.clone();
        let mut hosts: HashMap<Arc<str>, Vec<HostChange>> = HashMap::new();
        let mut clusters: HashMap<Arc<str>, Arc<Cluster>> = HashMap::new();
        let mut assignments: HashSet<Arc<str>> = HashSet::new();
        let listeners = delta.remove.iter().any(|(kind, _)| *kind == Kind::Listener)
            || delta.put.iter().any(|(_, resource)| matches!(resource, Resource::Listener(_)));
        for (kind, name) in delta.remove {
            match kind {
                Kind::Cluster => drop(Arc::make_mut(&mut next.upstreams).remove(&name)),
                Kind::Endpoints => {
                    Arc::make_mut(&mut next.endpoints).remove(&name);
                    assignments.insert(name);
                }
                Kind::Listener => drop(Arc::make_mut(&mut next.listeners).remove(&name)),
                Kind::RouteConfig => next.drop_table(&name),
                Kind::VirtualHost => hosts.entry(table_of(&name)).or_default().push(HostChange::Remove(name)),
                Kind::Secret => drop(Arc::make_mut(&mut next.secrets).remove(&name)),
                Kind::Workload => next.drop_workload(&name),
            }
        }
        for (name, resource) in delta.put {
            match resource {
                Resource::Cluster(cluster) => drop(clusters.insert(name, cluster)),
                Resource::Endpoints(endpoints) => {
                    Arc::make_mut(&mut next.endpoints).insert(name.clone(), endpoints);
                    assignments.insert(name);
                }
                Resource::Listener(listener) => drop(Arc::make_mut(&mut next.listeners).insert(name, listener)),
                Resource::RouteConfig(table) => next.put_table(name, table),
                Resource::VirtualHost(host) => {
                    hosts.entry(table_of(&name)).or_default().push(HostChange::Put(name, host));
                }
                Resource::Secret(secret) => drop(Arc::make_mut(&mut next.secrets).insert(name, secret)),
                Resource::Workload(row) => next.put_workload(name, row),
            }
        }
        if listeners {
            let unbound = next.listeners.values().filter(|listener| !listener.bind);
            let unbound = unbound.map(|listener| ((listener.direction, listener.address), listener.clone()));
            next.unbound = Arc::new(unbound.collect());
        }
        next.join(clusters, &assignments);
        for (table, changes) in hosts {
            next.change_hosts(table, changes);
        }
        next
    }

    /// Joins clusters and endpoints anew where either changed.
    fn join(&mut self, mut changed: HashMap<Arc<str>, Arc<Cluster>>, assignments: &HashSet<Arc<str>>) {
        if !assignments.is_empty() {
            for (name, upstream) in self.upstreams.iter() {
                if matches!(&upstream.cluster.discovery, Discovery::Eds(eds) if assignments.contains(eds)) {
                    changed.entry(name.clone()).or_insert_with(|| upstream.cluster.clone());
                }
            }
        }
        if changed.is_empty() {
            return;
        }
        let upstreams = Arc::make_mut(&mut self.upstreams);
        for (name, cluster) in changed {
            let endpoints = match &cluster.discovery {
                Discovery::Eds(eds) => self.endpoints.get(eds),
                _ => None,
            };
            let previous = upstreams.get(&name).cloned();
            upstreams.insert(name, Arc::new(Upstream::new(cluster, endpoints, previous.as_deref())));
        }
    }

    fn put_table(&mut self, name: Arc<str>, table: Arc<RouteTable>) {
        let tables = Arc::make_mut(&mut self.tables);
        let table = match tables.get(&name) {
            Some(previous) if table.on_demand => {
                let mut table = RouteTable::clone(&table);
                table.carry(previous);
                Arc::new(table)
            }
            _ => table,
        };
        tables.insert(name.clone(), table);
        if self.undeclared.contains(&name) {
            Arc::make_mut(&mut self.undeclared).remove(&name);
        }
    }

    /// Delivered virtual hosts outlive their table: VHDS and RDS are subscribed to apart from each other.
    fn drop_table(&mut self, name: &Arc<str>) {
        let Some(table) = self.tables.get(name).filter(|_| !self.undeclared.contains(name)) else { return };
        let mut left = RouteTable::awaited(name.clone());
        left.carry(table);
        let tables = Arc::make_mut(&mut self.tables);
        if left.hosts().len() == 0 {
            tables.remove(name);
        } else {
            tables.insert(name.clone(), Arc::new(left));
            Arc::make_mut(&mut self.undeclared).insert(name.clone());
        }
    }

    fn change_hosts(&mut self, name: Arc<str>, changes: Vec<HostChange>) {
        let declared = self.route_table(&name).is_some();
        let tables = Arc::make_mut(&mut self.tables);
        let mut table = match tables.get(&name) {
            Some(table) => RouteTable::clone(table),
            None => RouteTable::awaited(name.clone()),
        };
        table.apply(changes);
        if !declared {
            let undeclared = Arc::make_mut(&mut self.undeclared);
            if table.hosts().len() == 0 {
                undeclared.remove(&name);
                tables.remove(&name);
                return;
            }
            undeclared.insert(name.clone());
        }
        tables.insert(name, Arc::new(table));
    }

    fn put_workload(&mut self, uid: Arc<str>, row: Arc<WorkloadRow>) {
        self.drop_workload(&uid);
        let by_address = Arc::make_mut(&mut self.by_address);
        for address in &row.addresses {
            by_address.insert(address.to_canonical(), row.clone());
        }
        Arc::make_mut(&mut self.workloads).insert(uid, row);
    }

    fn drop_workload(&mut self, uid: &Arc<str>) {
        if !self.workloads.contains_key(uid) {
            return;
        }
        let Some(old) = Arc::make_mut(&mut self.workloads).remove(uid) else { return };
        let by_address = Arc::make_mut(&mut self.by_address);
        for address in &old.addresses {
            // Another row may have taken the address over meanwhile.
            if by_address.get(&address.to_canonical()).is_some_and(|row| Arc::ptr_eq(row, &old)) {
                by_address.remove(&address.to_canonical());
            }
        }
    }
}

/// The route configuration that a VHDS resource belongs to.
fn table_of(resource: &str) -> Arc<str> {
    resource.split_once('/').map_or(resource, |(table, _)| table).into()
}

#[cfg(test)]
mod tests;
