//! Which mutual TLS mode holds for a workload's port.

use std::collections::BTreeMap;

use weft_api::security::{PeerAuthentication, peer_authentication::MutualTlsMode};

use super::labels_match;
use crate::{Snapshot, snapshot::Typed};

/// What a server accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Plaintext only.
    Disable,
    /// Both.
    Permissive,
    /// Mutual TLS only.
    Strict,
}

/// The mode of `port` (the workload's own, not its Service's): the workload's policy for the port, its policy, the
/// namespace's, the mesh's, else PERMISSIVE. UNSET asks the next wider one; the oldest of several counts.
pub fn mode(snapshot: &Snapshot, namespace: &str, labels: &BTreeMap<String, String>, port: u16) -> Mode {
    let root = snapshot.settings().root_namespace.as_str();
    let wide = |namespace: &str| {
        let policy = snapshot.peer_authentications().in_namespace(namespace).find(|p| selector(p).is_empty());
        policy.and_then(|p| p.mtls).and_then(|m| set(m.mode))
    };
    let workload = snapshot.peer_authentications().in_namespace(namespace).find(|p| {
        let selector = selector(p);
        !selector.is_empty() && labels_match(&selector, labels)
    });
    workload
        .and_then(|p| p.port_level_mtls.get(&u32::from(port)))
        .and_then(|m| set(m.mode))
        .or_else(|| workload.and_then(|p| p.mtls).and_then(|m| set(m.mode)))
        .or_else(|| wide(namespace))
        .or_else(|| wide(root))
        .unwrap_or(Mode::Permissive)
}

fn selector(policy: &Typed<PeerAuthentication>) -> BTreeMap<String, String> {
    policy.selector.as_ref().map(|s| s.match_labels.clone()).unwrap_or_default()
}

fn set(mode: MutualTlsMode) -> Option<Mode> {
    match mode {
        MutualTlsMode::Unset => None,
        MutualTlsMode::Disable => Some(Mode::Disable),
        MutualTlsMode::Permissive => Some(Mode::Permissive),
        MutualTlsMode::Strict => Some(Mode::Strict),
    }
}
