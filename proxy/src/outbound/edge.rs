//! Whom a request goes to, as labels.

use std::{rc::Rc, sync::Arc};

use http::HeaderValue;
use weft_model::{SpiffeId, metrics::UNKNOWN, xds};
use weft_policy::{
    config::{EndpointAddress, ServiceRef},
    upstream::Host,
};

use crate::{
    inbound::facts,
    state::Shared,
    telemetry::{Edge, Facts, Reporter, Security, Service},
    workers::Worker,
};

/// Longest host name that becomes a label, as DNS bounds it, with a port.
const MAX_HOST: usize = 260;

/// Labels of what this workload (or gateway) asks of others; as much of the destination as is known.
pub fn edge(worker: &Worker, host: Option<&Host>, proven: Option<&SpiffeId>, to: Option<&ServiceRef>) -> Rc<Edge> {
    let shared = &worker.shared;
    let unknown: Arc<str> = UNKNOWN.into();
    let own = shared.identity.load();
    // Istio's source tells principals only where the connection proved them.
    let source_principal = match (proven, own.as_ref()) {
        (Some(_), Some(own)) => own.spiffe.to_string().into(),
        _ => unknown.clone(),
    };
    worker.recorder.edge(Edge {
        reporter: Reporter::Source,
        source: shared.facts.load_full(),
        source_principal,
        destination: host.map_or_else(Facts::unknown, |host| destination(shared, host)),
        destination_principal: proven.map_or(unknown, |id| id.to_string().into()),
        service: service(to),
        security: Security::Unknown,
    })
}

/// The workload behind an endpoint: by the workload table, else by what the endpoint's metadata says.
fn destination(shared: &Shared, host: &Host) -> Arc<Facts> {
    if let EndpointAddress::Socket(address) = host.address()
        && let Some(row) = shared.config.load().workload(address.ip())
    {
        return Arc::new(facts(row));
    }
    let Some(workload) = &host.endpoint.workload else { return Facts::unknown() };
    Arc::new(Facts {
        canonical_service: workload.canonical_service.clone(),
        canonical_revision: workload.canonical_revision.clone(),
        cluster: workload.cluster.clone(),
        ..Facts::named(&workload.name, &workload.namespace)
    })
}

/// The same labels for a request to what is no service of the mesh: Istio names the host that was asked for, and the
/// cluster that stands for strangers.
pub fn to_stranger(worker: &Worker, edge: &Edge, cluster: &str, authority: Option<&HeaderValue>) -> Rc<Edge> {
    let host = authority.and_then(|host| host.to_str().ok()).filter(|host| host.len() <= MAX_HOST);
    let host = host.map_or_else(|| UNKNOWN.into(), |host| host.to_ascii_lowercase().into());
    let service = Service { host, name: cluster.into(), namespace: UNKNOWN.into() };
    worker.recorder.edge(Edge { service: Arc::new(service), ..edge.clone() })
}

/// The same labels for a request to a cluster that does not exist. Its name tells the service that was meant, so that the
/// failure counts where somebody looks for it; `None` of a name that tells none.
pub fn to_missing(worker: &Worker, edge: &Edge, cluster: &str) -> Option<Rc<Edge>> {
    let (_, host) = xds::outbound_destination(cluster)?;
    Some(to_host(worker, edge, host))
}

/// The same labels for a request to a service that is known by its host alone.
pub fn to_host(worker: &Worker, edge: &Edge, host: &str) -> Rc<Edge> {
    let in_cluster = host.split_once(".svc.").and_then(|(service, _)| service.split_once('.'));
    let (name, namespace) = in_cluster.unwrap_or((host, UNKNOWN));
    let service = Service { host: host.into(), name: name.into(), namespace: namespace.into() };
    worker.recorder.edge(Edge { service: Arc::new(service), ..edge.clone() })
}

/// Whether a cluster stands for what is no service of the mesh.
pub fn is_stranger(cluster: &str) -> bool {
    [xds::PASSTHROUGH_CLUSTER, xds::BLACK_HOLE_CLUSTER, xds::INBOUND_PASSTHROUGH_CLUSTER].contains(&cluster)
}

/// A service as labels.
pub fn service(of: Option<&ServiceRef>) -> Arc<Service> {
    match of {
        None => Service::unknown(),
        Some(of) => Arc::new(Service { host: of.host.clone(), name: of.name.clone(), namespace: of.namespace.clone() }),
    }
}
