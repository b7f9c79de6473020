//! The named, hashed resources that a translation gives.

mod named;
mod pieces;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use prost::Message;
use sha2::{Digest, Sha256};
use weft_model::ObjectRef;

use crate::canonical::Canonical;

pub use named::{Difference, Named};
pub(crate) use pieces::{Piece, Pieces};

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

/// Everything one proxy should have, by type URL and then by name. Clones, and translations of one proxy after another,
/// share the types in which nothing differs: [`Resources::of`] then gives the [same](Named::same) set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources(BTreeMap<&'static str, Named>);

impl Resources {
    /// The resources of one type; none for a type that this proxy has none of.
    pub fn of(&self, type_url: &str) -> &Named {
        self.0.get(type_url).unwrap_or_else(|| named::none())
    }

    /// One resource.
    pub fn get(&self, type_url: &str, name: &str) -> Option<&Arc<Resource>> {
        self.of(type_url).get(name)
    }

    /// Every resource, by type URL and name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.0.values().flat_map(Named::iter)
    }

    /// How many resources there are.
    pub fn len(&self) -> usize {
        self.0.values().map(Named::len).sum()
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a resource that translation knows nothing of, such as the roots, in the place of the one of its name.
    pub fn insert(&mut self, resource: Resource) {
        let type_url = resource.type_url;
        self.set(type_url, self.of(type_url).with([Arc::new(resource)], []));
    }

    /// Collects resources; the first of a name stays, so that two objects that collide keep Istio's "oldest wins". Whether
    /// no two had one name.
    pub(crate) fn collect<'r>(
        resources: impl IntoIterator<Item = &'r Arc<Resource>>,
        pieces: Option<&Pieces<Resource>>,
    ) -> (Self, bool) {
        let mut rows: BTreeMap<&'static str, Vec<Arc<Resource>>> = BTreeMap::new();
        for resource in resources {
            rows.entry(resource.type_url).or_default().push(Arc::clone(resource));
        }
        let mut collected = Self::default();
        let mut apart = true;
        for (type_url, rows) in rows {
            let (named, unlike) = Named::collect(rows, pieces);
            apart &= unlike;
            collected.set(type_url, named);
        }
        (collected, apart)
    }

    /// Puts some in the place of those of their names, and takes others away.
    pub(crate) fn edit(&mut self, put: &[Arc<Resource>], gone: &[Arc<Resource>], pieces: &Pieces<Resource>) {
        for type_url in type_url::PUSH_ORDER {
            let put = put.iter().filter(|r| r.type_url == type_url).map(Arc::clone);
            let gone = gone.iter().filter(|r| r.type_url == type_url).map(|r| r.name.as_str());
            let (mut put, mut gone) = (put.peekable(), gone.peekable());
            if put.peek().is_some() || gone.peek().is_some() {
                self.set(type_url, self.of(type_url).edited(put, gone, Some(pieces)));
            }
        }
    }

    /// Sets all resources of a type.
    pub(crate) fn set(&mut self, type_url: &'static str, named: Named) {
        match named.is_empty() {
            true => self.0.remove(type_url),
            false => self.0.insert(type_url, named),
        };
    }

    /// Takes what `old` has where it is equal.
    pub(crate) fn keep(&mut self, old: &Self) {
        for (type_url, named) in &mut self.0 {
            named.adopt(old.of(type_url));
        }
    }

    /// Becomes `new` and `own` together, of which `own` comes first. It is `old` and `own` now, or nothing at all.
    pub(crate) fn join(&mut self, old: &Self, new: &Self, own: &[Arc<Resource>]) {
        for type_url in type_url::PUSH_ORDER {
            let mut own = own.iter().filter(|r| r.type_url == type_url).peekable();
            let same = old.of(type_url).same(new.of(type_url));
            if same && (self.0.contains_key(type_url) || own.peek().is_none()) {
                continue;
            }
            let mut first: BTreeMap<&str, &Arc<Resource>> = BTreeMap::new();
            for resource in own {
                first.entry(&resource.name).or_insert(resource);
            }
            self.set(type_url, new.of(type_url).with(first.into_values().map(Arc::clone), []));
        }
    }
}

impl FromIterator<Resource> for Resources {
    /// Collects resources; the first of a name stays.
    fn from_iter<I: IntoIterator<Item = Resource>>(resources: I) -> Self {
        let resources: Vec<Arc<Resource>> = resources.into_iter().map(Arc::new).collect();
        Self::collect(&resources, None).0
    }
}
