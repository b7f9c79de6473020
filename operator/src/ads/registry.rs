//! Which proxies are connected, and how far each is.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use weft_mesh::Resources;
use weft_model::{SpiffeId, sync::ProxySync, sync::TypeSync};

use super::{node::NodeInfo, published::unix_ms, session::Standing};

/// Names one stream of one proxy for as long as the operator runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProxyId(u64);

/// How far a proxy is, as its stream last wrote it down.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// By type.
    pub types: Vec<TypeSync>,
    /// What it should have.
    pub target: Arc<Resources>,
    /// What it wants and has, by kind.
    pub standings: [Standing; 7],
    /// Version of the mesh's roots that it confirmed; `None` while it has not, or when it does not follow them.
    pub roots: Option<String>,
}

/// One connected proxy.
#[derive(Debug)]
pub struct Connected {
    /// Its stream.
    pub id: ProxyId,
    /// What it said of itself, confirmed by its certificate.
    pub node: NodeInfo,
    /// The identity that its certificate proves.
    pub identity: SpiffeId,
    /// When, in milliseconds since the Unix epoch.
    pub connected_at_ms: u64,
    /// How far it is.
    pub progress: Mutex<Progress>,
    /// Ends its stream because a newer one of the same proxy has come.
    pub superseded: CancellationToken,
}

/// The connected proxies of one replica, summed up (`GET /debug/fleet`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fleet {
    /// How many there are.
    pub proxies: usize,
    /// How many of them run in pods; absent where a replica of an older version does not tell.
    pub in_pods: Option<usize>,
    /// How many of each version.
    pub versions: BTreeMap<String, usize>,
    /// Version of the mesh's roots that this replica tells.
    pub roots: String,
    /// Proxies that have not confirmed these roots.
    pub without_roots: usize,
    /// Seconds that this replica's clock is ahead of the API server's, below 0 when behind; absent where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_ahead_s: Option<i64>,
}

/// All connected proxies.
#[derive(Debug, Default)]
pub struct Registry {
    next: AtomicU64,
    proxies: RwLock<BTreeMap<ProxyId, Arc<Connected>>>,
}

impl Registry {
    /// What the reconciler needs to know of everybody at once.
    pub fn fleet(&self, roots: String) -> Fleet {
        let proxies: Vec<_> = self.proxies.read().values().cloned().collect();
        let in_pods = proxies.iter().filter(|proxy| proxy.node.in_pod).count();
        let mut fleet = Fleet { roots, in_pods: Some(in_pods), ..Fleet::default() };
        for proxy in proxies {
            fleet.proxies += 1;
            *fleet.versions.entry(proxy.node.version.clone()).or_default() += 1;
            if proxy.progress.lock().roots.as_ref() != Some(&fleet.roots) {
                fleet.without_roots += 1;
            }
        }
        fleet
    }

    /// Enters a proxy. An older stream of the same node is told to end: after a broken connection it may not know yet.
    pub fn enter(&self, node: NodeInfo, identity: SpiffeId) -> Arc<Connected> {
        let id = ProxyId(self.next.fetch_add(1, Ordering::Relaxed));
        let connected = Arc::new(Connected {
            id,
            node,
            identity,
            connected_at_ms: unix_ms(),
            progress: Mutex::default(),
            superseded: CancellationToken::new(),
        });
        let mut proxies = self.proxies.write();
        for older in proxies.values().filter(|older| older.node.id == connected.node.id) {
            older.superseded.cancel();
        }
        proxies.insert(id, Arc::clone(&connected));
        connected
    }

    /// Takes a proxy out.
    pub fn leave(&self, id: ProxyId) {
        self.proxies.write().remove(&id);
    }

    /// Connected proxies at present.
    pub fn len(&self) -> usize {
        self.proxies.read().len()
    }

    /// Whether no proxy is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Connected proxies by node id.
    pub fn list(&self) -> Vec<ProxySync> {
        let mut rows: Vec<_> = self.proxies.read().values().map(|proxy| proxy.sync()).collect();
        rows.sort_by(|a, b| a.node.cmp(&b.node));
        rows
    }

    /// The proxy with this node id, or that serves this `namespace/workload`.
    pub fn find(&self, name: &str) -> Option<Arc<Connected>> {
        let proxies = self.proxies.read();
        let mut newest_first = proxies.values().rev();
        newest_first.find(|proxy| proxy.node.id == name || proxy.node.workload.to_string() == name).cloned()
    }
}

impl Connected {
    /// Its row in `/debug/syncz`.
    pub fn sync(&self) -> ProxySync {
        ProxySync {
            node: self.node.id.clone(),
            workload: self.node.workload.clone(),
            identity: self.identity.to_string(),
            version: self.node.version.clone(),
            connected_at_ms: self.connected_at_ms,
            types: self.progress.lock().types.clone(),
        }
    }
}
