//! Who a proxy says it is, in the first message of its stream.

use envoy_types::pb::{
    envoy::config::core::v3::{Node, node::UserAgentVersionType},
    google::protobuf::value::Kind as Value,
};
use weft_mesh::{Capture, Engine, ProxyKind};
use weft_model::WorkloadRef;

/// `user_agent_name` of our own proxy.
pub const WEFT_PROXY: &str = "weft-proxy";
/// Ids longer than this are not read.
const MAX_ID: usize = 1024;

/// A proxy's account of itself. Only what its certificate confirms is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// The id as sent.
    pub id: String,
    /// Beside a workload or at the edge.
    pub kind: ProxyKind,
    /// The workload that it says it serves.
    pub workload: WorkloadRef,
    /// Ours or Envoy.
    pub engine: Engine,
    /// Its version, as it calls it.
    pub version: String,
    /// How connections get to it: `CAPTURE` of the node's metadata.
    pub capture: Capture,
    /// Whether it runs in a pod: its metadata has `NODE_NAME`.
    pub in_pod: bool,
}

/// Why a node is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The first message must carry it.
    #[error("the first request of a stream must carry its node")]
    Missing,
    /// Not Istio's form.
    #[error("the node id must be <sidecar|router>~<address>~<workload>.<namespace>~<namespace>.svc.<domain>")]
    Id,
}

impl NodeInfo {
    /// Reads a node.
    pub fn read(node: Option<&Node>) -> Result<Self, NodeError> {
        let node = node.ok_or(NodeError::Missing)?;
        if node.id.len() > MAX_ID || node.id.chars().any(char::is_control) {
            return Err(NodeError::Id);
        }
        let mut parts = node.id.split('~');
        let (Some(kind), Some(_address), Some(workload), Some(_domain), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NodeError::Id);
        };
        let kind = match kind {
            "sidecar" => ProxyKind::Sidecar,
            "router" => ProxyKind::Gateway,
            _ => return Err(NodeError::Id),
        };
        // A namespace has no dots; a workload's name may.
        let (name, namespace) = workload.rsplit_once('.').ok_or(NodeError::Id)?;
        if name.is_empty() || namespace.is_empty() {
            return Err(NodeError::Id);
        }
        let version = match &node.user_agent_version_type {
            Some(UserAgentVersionType::UserAgentVersion(version)) => version.chars().take(128).collect(),
            Some(UserAgentVersionType::UserAgentBuildVersion(build)) => build
                .version
                .as_ref()
                .map(|v| format!("{}.{}.{}", v.major_number, v.minor_number, v.patch))
                .unwrap_or_default(),
            None => String::new(),
        };
        let said = |key: &str| match node.metadata.as_ref()?.fields.get(key)?.kind.as_ref()? {
            Value::StringValue(text) => Some(text.as_str()),
            _ => None,
        };
        Ok(Self {
            id: node.id.clone(),
            kind,
            workload: WorkloadRef::new(namespace, name),
            engine: if node.user_agent_name == WEFT_PROXY { Engine::Weft } else { Engine::Envoy },
            version,
            capture: said("CAPTURE").map_or(Capture::None, Capture::read),
            in_pod: said("NODE_NAME").is_some_and(|name| !name.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, agent: &str) -> Node {
        Node { id: id.into(), user_agent_name: agent.into(), ..Node::default() }
    }

    #[test]
    fn reads_istios_form() {
        let read =
            NodeInfo::read(Some(&node("router~127.0.0.9~edge.v1.shop~shop.svc.cluster.local", WEFT_PROXY))).unwrap();
        assert_eq!(read.workload, WorkloadRef::new("shop", "edge.v1"));
        assert_eq!((read.kind, read.engine), (ProxyKind::Gateway, Engine::Weft));
        let envoy = NodeInfo::read(Some(&node("sidecar~127.0.0.9~a.b~b.svc.cluster.local", "envoy"))).unwrap();
        assert_eq!((envoy.kind, envoy.engine), (ProxyKind::Sidecar, Engine::Envoy));
    }

    #[test]
    fn capture_is_told_in_the_metadata() {
        let mut captured = node("sidecar~10.0.0.9~a.b~b.svc.cluster.local", WEFT_PROXY);
        assert_eq!(NodeInfo::read(Some(&captured)).unwrap().capture, Capture::None);
        let value = envoy_types::pb::google::protobuf::Value { kind: Some(Value::StringValue("redirect".into())) };
        captured.metadata.get_or_insert_default().fields.insert("CAPTURE".into(), value);
        assert_eq!(NodeInfo::read(Some(&captured)).unwrap().capture, Capture::Redirect);
    }

    #[test]
    fn who_names_its_node_runs_in_a_pod() {
        let mut proxy = node("sidecar~10.0.0.9~a.b~b.svc.cluster.local", WEFT_PROXY);
        assert!(!NodeInfo::read(Some(&proxy)).unwrap().in_pod);
        let value = envoy_types::pb::google::protobuf::Value { kind: Some(Value::StringValue("node-1".into())) };
        proxy.metadata.get_or_insert_default().fields.insert("NODE_NAME".into(), value);
        assert!(NodeInfo::read(Some(&proxy)).unwrap().in_pod);
    }

    #[test]
    fn refuses_anything_else() {
        assert_eq!(NodeInfo::read(None), Err(NodeError::Missing));
        for id in
            ["", "sidecar", "ztunnel~1~a.b~c", "sidecar~1~a~c", "sidecar~1~.b~c", "sidecar~1~a.~c", "sidecar~1~a.b~c~d"]
        {
            assert_eq!(NodeInfo::read(Some(&node(id, ""))), Err(NodeError::Id), "{id}");
        }
    }
}
