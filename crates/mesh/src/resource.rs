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
    pub(crate) fn plain(name: impl Into<String>, type_url: &'static str, message: &impl Message) -> Self {
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

/// Everything one proxy should have, by type URL and then by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources(BTreeMap<&'static str, BTreeMap<String, Arc<Resource>>>);

static NONE: BTreeMap<String, Arc<Resource>> = BTreeMap::new();

impl Resources {
    /// The resources of one type, ordered by name; empty for a type that this proxy has none of.
    pub fn of(&self, type_url: &str) -> &BTreeMap<String, Arc<Resource>> {
        self.0.get(type_url).unwrap_or(&NONE)
    }

    /// One resource.
    pub fn get(&self, type_url: &str, name: &str) -> Option<&Arc<Resource>> {
        self.of(type_url).get(name)
    }

    /// Every resource, by type URL and name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.0.values().flat_map(BTreeMap::values)
    }

    /// How many resources there are.
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(BTreeMap::is_empty)
    }

    /// Adds a resource; the first of a name stays, so that two objects that collide keep Istio's "oldest wins".
    pub(crate) fn insert(&mut self, resource: Resource) {
        self.0.entry(resource.type_url).or_default().entry(resource.name.clone()).or_insert_with(|| Arc::new(resource));
    }

    /// The same with a resource that other proxies have too.
    pub(crate) fn insert_shared(&mut self, resource: &Arc<Resource>) {
        let named = self.0.entry(resource.type_url).or_default();
        named.entry(resource.name.clone()).or_insert_with(|| Arc::clone(resource));
    }
}

impl FromIterator<Resource> for Resources {
    /// Collects resources; the first of a name stays.
    fn from_iter<I: IntoIterator<Item = Resource>>(resources: I) -> Self {
        let mut collected = Self::default();
        resources.into_iter().for_each(|resource| collected.insert(resource));
        collected
    }
}
