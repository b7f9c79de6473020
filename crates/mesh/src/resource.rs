//! The named, hashed resources that a translation gives.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use prost::Message;
use sha2::{Digest, Sha256};
use weft_model::ObjectRef;

use crate::canonical::Canonical;

/// Type URLs of what [`crate::translate`] gives.
pub mod type_url {
    /// Clusters (CDS).
    pub const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
    /// Endpoints (EDS).
    pub const ENDPOINT: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
    /// Listeners (LDS).
    pub const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
    /// Route configurations (RDS).
    pub const ROUTE: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
    /// Virtual hosts (VHDS).
    pub const VIRTUAL_HOST: &str = "type.googleapis.com/envoy.config.route.v3.VirtualHost";
    /// Secrets (SDS).
    pub const SECRET: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
    /// The workload table.
    pub const WORKLOAD: &str = weft_model::xds::WORKLOAD_TYPE_URL;
    /// Every type, in the order in which additions must be sent.
    pub const PUSH_ORDER: [&str; 7] = [CLUSTER, ENDPOINT, LISTENER, ROUTE, VIRTUAL_HOST, SECRET, WORKLOAD];
}

/// One encoded xDS resource.
#[derive(Clone, PartialEq, Eq)]
pub struct Resource {
    /// Name within its type.
    pub name: String,
    /// One of [`type_url`].
    pub type_url: &'static str,
    /// The encoded message. Equal configuration gives equal bytes.
    pub value: Vec<u8>,
    /// 32 hexadecimal digits of the SHA-256 of `value`.
    pub version: String,
    /// The objects whose content shaped it and whose acknowledgement is tracked (VirtualServices), sorted.
    pub origins: Vec<ObjectRef>,
}

impl std::fmt::Debug for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may hold private keys, so neither the bytes nor the decoded message is shown.
        f.debug_struct("Resource")
            .field("name", &self.name)
            .field("type_url", &self.type_url)
            .field("bytes", &self.value.len())
            .field("version", &self.version)
            .field("origins", &self.origins)
            .finish()
    }
}

impl Resource {
    /// Encodes `message` under `name`.
    pub(crate) fn new<M: Canonical>(
        name: impl Into<String>,
        type_url: &'static str,
        message: &M,
        origins: BTreeSet<ObjectRef>,
    ) -> Self {
        Self::from_bytes(name.into(), type_url, message.canonical_bytes(), origins)
    }

    /// Encodes a message without map fields.
    pub fn plain(name: impl Into<String>, type_url: &'static str, message: &impl Message) -> Self {
        Self::from_bytes(name.into(), type_url, message.encode_to_vec(), BTreeSet::new())
    }

    fn from_bytes(name: String, type_url: &'static str, value: Vec<u8>, origins: BTreeSet<ObjectRef>) -> Self {
        let version = hex(&Sha256::digest(&value)[..16]);
        Self { name, type_url, value, version, origins: origins.into_iter().collect() }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).map(char::from).collect()
}

/// Resources of one type by name.
type Named = BTreeMap<String, Arc<Resource>>;

/// Everything one proxy should have, by type URL and then by name. Clones, and translations of one proxy after another,
/// share the types in which nothing differs: [`Resources::of`] then gives the very same map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources(BTreeMap<&'static str, Arc<Named>>);

static NONE: Named = BTreeMap::new();

impl Resources {
    /// The resources of one type, ordered by name; empty for a type that this proxy has none of.
    pub fn of(&self, type_url: &str) -> &BTreeMap<String, Arc<Resource>> {
        self.0.get(type_url).map_or(&NONE, AsRef::as_ref)
    }

    /// One resource.
    pub fn get(&self, type_url: &str, name: &str) -> Option<&Arc<Resource>> {
        self.of(type_url).get(name)
    }

    /// Every resource, by type URL and name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.0.values().flat_map(|named| named.values())
    }

    /// How many resources there are.
    pub fn len(&self) -> usize {
        self.0.values().map(|named| named.len()).sum()
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(|named| named.is_empty())
    }

    /// Adds a resource that translation knows nothing of, such as the roots, in the place of the one of its name.
    pub fn insert(&mut self, resource: Resource) {
        self.replace(&Arc::new(resource));
    }

    /// Adds a resource; the first of a name stays, so that two objects that collide keep Istio's "oldest wins". Whether
    /// it was the first.
    pub(crate) fn insert_shared(&mut self, resource: &Arc<Resource>) -> bool {
        let named = Arc::make_mut(self.0.entry(resource.type_url).or_default());
        let first = !named.contains_key(&resource.name);
        if first {
            named.insert(resource.name.clone(), Arc::clone(resource));
        }
        first
    }

    /// Puts a resource in the place of the one of its name.
    pub(crate) fn replace(&mut self, resource: &Arc<Resource>) {
        let named = Arc::make_mut(self.0.entry(resource.type_url).or_default());
        named.insert(resource.name.clone(), Arc::clone(resource));
    }

    /// Takes the resource of this name away.
    pub(crate) fn remove(&mut self, resource: &Resource) {
        if let Some(named) = self.0.get_mut(resource.type_url) {
            Arc::make_mut(named).remove(&resource.name);
            if named.is_empty() {
                self.0.remove(resource.type_url);
            }
        }
    }

    /// Sets all resources of a type.
    pub(crate) fn set(&mut self, type_url: &'static str, named: Arc<Named>) {
        match named.is_empty() {
            true => self.0.remove(type_url),
            false => self.0.insert(type_url, named),
        };
    }

    /// Takes the maps of `old` where they hold the very same.
    pub(crate) fn keep(&mut self, old: &Self) {
        for (type_url, named) in &mut self.0 {
            let same = |a: &Named, b: &Named| {
                a.len() == b.len() && a.iter().zip(b).all(|((n, r), (m, s))| n == m && (Arc::ptr_eq(r, s) || r == s))
            };
            if let Some(before) = old.0.get(type_url).filter(|before| same(before, named)) {
                *named = Arc::clone(before);
            }
        }
    }

    /// Becomes `new` and `own` together, of which `own` comes first. It is `old` and `own` now, or nothing at all.
    pub(crate) fn join(&mut self, old: &Self, new: &Self, own: &[Arc<Resource>]) {
        for type_url in type_url::PUSH_ORDER {
            let mut own = own.iter().filter(|r| r.type_url == type_url).peekable();
            let same = match (old.0.get(type_url), new.0.get(type_url)) {
                (Some(old), Some(new)) => Arc::ptr_eq(old, new),
                (None, None) => true,
                _ => false,
            };
            if same && (self.0.contains_key(type_url) || own.peek().is_none()) {
                continue;
            }
            let shared = new.0.get(type_url).cloned().unwrap_or_default();
            let mut named = shared;
            if own.peek().is_some() {
                let whole = Arc::make_mut(&mut named);
                let mut taken = std::collections::HashSet::new();
                for resource in own {
                    if taken.insert(&resource.name) {
                        whole.insert(resource.name.clone(), Arc::clone(resource));
                    }
                }
            }
            self.set(type_url, named);
        }
    }
}

impl FromIterator<Resource> for Resources {
    /// Collects resources; the first of a name stays.
    fn from_iter<I: IntoIterator<Item = Resource>>(resources: I) -> Self {
        let mut collected = Self::default();
        for resource in resources {
            collected.insert_shared(&Arc::new(resource));
        }
        collected
    }
}
