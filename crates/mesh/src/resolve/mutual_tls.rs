//! Which mutual TLS mode holds for a workload's port.

use std::collections::BTreeMap;

use weft_api::{
    Labels,
    security::{PeerAuthentication, peer_authentication::MutualTlsMode},
};

use crate::{View, snapshot::Typed};

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
pub fn mode(view: &View<'_>, namespace: &str, labels: &Labels, port: u16) -> Mode {
    let root = view.settings().root_namespace.as_str();
    let wide = |namespace: &str| {
        let policy = view.peer_authentications_in(namespace).find(|p| selector(p).is_empty());
        policy.and_then(|p| p.mtls).and_then(|m| set(m.mode))
    };
    let workload = of_workload(view, namespace, labels);
    workload
        .and_then(|p| p.port_level_mtls.get(&u32::from(port)))
        .and_then(|m| set(m.mode))
        .or_else(|| workload.and_then(|p| p.mtls).and_then(|m| set(m.mode)))
        .or_else(|| wide(namespace))
        .or_else(|| wide(root))
        .unwrap_or(Mode::Permissive)
}

/// The ports for which the workload's own policy says something.
pub fn ports(view: &View<'_>, namespace: &str, labels: &Labels) -> Vec<u16> {
    let own = of_workload(view, namespace, labels);
    let ports = own.into_iter().flat_map(|policy| policy.port_level_mtls.keys());
    ports.filter_map(|port| u16::try_from(*port).ok().filter(|p| *p > 0)).collect()
}

/// The oldest policy that selects the workload by labels.
fn of_workload<'a>(view: &View<'a>, namespace: &str, labels: &Labels) -> Option<&'a Typed<PeerAuthentication>> {
    view.peer_authentications_in(namespace).find(|p| {
        let selector = selector(p);
        !selector.is_empty() && labels.carry(&selector)
    })
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
