//! State for tests.

use std::sync::Arc;

use super::{Capture, NodeInfo, Role, Shared};
use crate::telemetry::{AccessLog, SpanSink};

pub fn node() -> NodeInfo {
    NodeInfo {
        workload: "web-1".into(),
        namespace: "shop".into(),
        service_account: "web".into(),
        address: "127.0.0.1".parse().unwrap(),
        role: Role::Sidecar,
        trust_domain: "cluster.local".into(),
        domain: "cluster.local".into(),
        root_namespace: "istio-system".into(),
        cluster: "Kubernetes".into(),
        capture: Capture::None,
        in_pod: false,
        revision: String::new(),
        node_name: None,
    }
}

pub fn shared() -> Arc<Shared> {
    Shared::new(node(), AccessLog::default(), SpanSink::off())
}
