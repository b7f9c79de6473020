//! Records for tests.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{Method, Version};

use super::{Edge, Facts, LogFields, Reporter, RequestRecord, ResponseFlags, Security, Service, TcpRecord};

pub fn edge() -> Edge {
    let facts = |workload: &str, version: &str| {
        Arc::new(Facts {
            workload: workload.into(),
            namespace: "shop".into(),
            service_account: workload.into(),
            canonical_service: workload.into(),
            canonical_revision: version.into(),
            app: workload.into(),
            version: version.into(),
            cluster: "Kubernetes".into(),
        })
    };
    Edge {
        reporter: Reporter::Destination,
        source: facts("web", "v1"),
        source_principal: "spiffe://cluster.local/ns/shop/sa/web".into(),
        destination: facts("api", "v2"),
        destination_principal: "spiffe://cluster.local/ns/shop/sa/api".into(),
        service: Arc::new(Service {
            host: "api.shop.svc.cluster.local".into(),
            name: "api".into(),
            namespace: "shop".into(),
        }),
        security: Security::MutualTls,
    }
}

pub fn request(edge: &Rc<Edge>, status: u16, millis: u64) -> RequestRecord {
    RequestRecord {
        edge: edge.clone(),
        start: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
        duration: Duration::from_millis(millis),
        method: Method::GET,
        version: Version::HTTP_11,
        grpc: false,
        status,
        grpc_status: None,
        flags: ResponseFlags::NONE,
        bytes_received: 3,
        bytes_sent: 1024,
        request_messages: 0,
        response_messages: 0,
        attempts: 1,
        trace: None,
        log: LogFields::default(),
    }
}

pub fn tcp(edge: &Rc<Edge>) -> TcpRecord {
    TcpRecord {
        edge: edge.clone(),
        start: SystemTime::UNIX_EPOCH,
        duration: Duration::from_millis(5),
        flags: ResponseFlags::NONE,
        bytes_received: 10,
        bytes_sent: 20,
        log: LogFields::default(),
    }
}
