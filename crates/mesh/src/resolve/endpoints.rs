//! Where a port of a service leads.

use std::{collections::BTreeMap, sync::Arc};

use super::{labels_match, mutual_tls};
use crate::{
    Snapshot,
    snapshot::{InlineEndpoint, Service, ServicePort, TargetPort, Workload},
};

/// One endpoint of a service's port.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// IP address, DNS name or `unix:///path`.
    pub address: String,
    /// Port; meaningless for Unix sockets.
    pub port: u16,
    /// The workload, unless it is written in a ServiceEntry.
    pub workload: Option<Arc<Workload>>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Namespace that its service account is in.
    pub namespace: String,
    /// Service account; may be empty for ServiceEntry endpoints.
    pub service_account: String,
    /// Share; at least 1.
    pub weight: u32,
    /// `region/zone/sub-zone`; may be empty.
    pub locality: String,
    /// Whether it takes mutual TLS.
    pub mutual_tls: bool,
}

/// The endpoints of a port, in a fixed order: workloads by name, then those written in a ServiceEntry as written. With a
/// subset, only those that carry its labels.
pub fn of_port(
    snapshot: &Snapshot,
    service: &Service,
    port: &ServicePort,
    subset: Option<&BTreeMap<String, String>>,
) -> Vec<Endpoint> {
    let selected = workloads(snapshot, service).filter_map(|w| from_workload(snapshot, w, port));
    let written = service.endpoints.iter().map(|e| from_inline(e, service, port));
    selected.chain(written).filter(|e| subset.is_none_or(|labels| labels_match(labels, &e.labels))).collect()
}

/// The workloads that a service selects, by name. Selection does not cross namespaces.
pub fn workloads<'a>(snapshot: &'a Snapshot, service: &'a Service) -> impl Iterator<Item = &'a Arc<Workload>> {
    snapshot.workloads_selected(&service.namespace, &service.selector)
}

/// The services that select a workload, with the ports that lead to `port` of it.
pub fn services_behind<'a>(
    snapshot: &'a Snapshot,
    workload: &'a Workload,
    port: u16,
) -> impl Iterator<Item = (&'a Arc<Service>, &'a ServicePort)> {
    snapshot.services_in(&workload.reference.namespace).iter().filter(|s| s.selects(&workload.labels)).filter_map(
        move |service| service.ports.iter().find(|p| target(workload, p) == Some(port)).map(|p| (service, p)),
    )
}

/// Where a service's port leads at a workload. As in Istio, a port that the WorkloadEntry gives the service port's name
/// wins over the target; a named target that the workload does not have leads nowhere.
pub fn target(workload: &Workload, port: &ServicePort) -> Option<u16> {
    match &port.target {
        TargetPort::Name(name) => workload.ports.get(name).or_else(|| workload.ports.get(&port.name)).copied(),
        TargetPort::Number(number) => Some(workload.ports.get(&port.name).copied().unwrap_or(*number)),
    }
}

fn from_workload(snapshot: &Snapshot, workload: &Arc<Workload>, port: &ServicePort) -> Option<Endpoint> {
    let number = target(workload, port)?;
    let namespace = &workload.reference.namespace;
    Some(Endpoint {
        address: workload.address.clone(),
        port: number,
        labels: workload.labels.clone(),
        namespace: namespace.clone(),
        service_account: workload.service_account.clone(),
        weight: workload.weight,
        locality: workload.locality.clone(),
        // A server that takes plaintext only is called in plaintext, proxy or not.
        mutual_tls: workload.has_mutual_tls()
            && mutual_tls::mode(snapshot, namespace, &workload.labels, number) != mutual_tls::Mode::Disable,
        workload: Some(Arc::clone(workload)),
    })
}

fn from_inline(endpoint: &InlineEndpoint, service: &Service, port: &ServicePort) -> Endpoint {
    let default = match port.target {
        TargetPort::Number(number) => number,
        TargetPort::Name(_) => port.number,
    };
    let mutual_tls =
        endpoint.labels.get(weft_model::xds::TLS_MODE_LABEL).is_some_and(|m| m == weft_model::xds::TLS_MODE_ISTIO);
    Endpoint {
        address: endpoint.address.clone(),
        port: endpoint.ports.get(&port.name).copied().unwrap_or(default),
        workload: None,
        labels: endpoint.labels.clone(),
        namespace: service.namespace.clone(),
        service_account: endpoint.service_account.clone(),
        weight: endpoint.weight,
        locality: endpoint.locality.clone(),
        mutual_tls,
    }
}
