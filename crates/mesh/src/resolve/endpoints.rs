//! Where a port of a service leads.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use weft_api::{
    Labels,
    core::{EndpointSlice, Protocol},
};
use weft_model::{WorkloadRef, xds};

use super::mutual_tls;
use crate::{
    View,
    snapshot::{InlineEndpoint, OfService, Service, ServicePort, TargetPort, Workload},
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
    pub labels: Labels,
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

/// The endpoints of a port, in a fixed order: those of endpoint slices, workloads that are selected by name, those written
/// in a ServiceEntry as written. With a subset, only those that carry its labels.
pub fn of_port(
    view: &View<'_>,
    service: &Service,
    port: &ServicePort,
    subset: Option<&BTreeMap<String, String>>,
) -> Vec<Endpoint> {
    let slices = if service.is_kubernetes() { view.slices_of(&service.namespace, &service.name) } else { None };
    let mut endpoints: Vec<Endpoint> =
        slices.map(|slices| from_slices(view, service, port, slices)).unwrap_or_default();
    endpoints.extend(workloads(view, service).filter_map(|w| from_workload(view, w, port)));
    endpoints.extend(service.endpoints.iter().map(|e| from_inline(e, service, port)));
    endpoints.retain(|e| subset.is_none_or(|labels| e.labels.carry(labels)));
    endpoints
}

/// The workloads that a service selects by itself, by name. Selection does not cross namespaces. A Kubernetes Service
/// selects machines only: its pods are in its endpoint slices. A ServiceEntry selects both, but no pod that is not ready.
pub(crate) fn workloads<'a>(view: &View<'a>, service: &'a Service) -> impl Iterator<Item = &'a Arc<Workload>> {
    let entries = service.is_kubernetes().then(|| view.entries_selected(&service.namespace, &service.selector));
    let both = (!service.is_kubernetes()).then(|| view.workloads_selected(&service.namespace, &service.selector));
    entries.into_iter().flatten().chain(both.into_iter().flatten()).filter(|w| w.ready && !w.terminating)
}

/// The services that select a workload, with the ports that lead to `port` of it.
pub(crate) fn services_behind<'a>(
    view: &View<'a>,
    workload: &'a Workload,
    port: u16,
) -> impl Iterator<Item = (&'a Arc<Service>, &'a ServicePort)> {
    view.services_in(&workload.reference.namespace).iter().filter(|s| s.selects(&workload.labels)).filter_map(
        move |service| service.ports.iter().find(|p| target(workload, p) == Some(port)).map(|p| (service, p)),
    )
}

/// Where a service's port leads at a workload. As in Istio, a port that the WorkloadEntry gives the service port's name
/// wins over the target; a named target that the workload does not have leads nowhere. The names of a pod's ports are its
/// containers' and mean named targets only.
pub fn target(workload: &Workload, port: &ServicePort) -> Option<u16> {
    match &port.target {
        TargetPort::Name(name) if workload.is_pod() => workload.ports.get(name).copied(),
        TargetPort::Number(number) if workload.is_pod() => Some(*number),
        TargetPort::Name(name) => workload.ports.get(name).or_else(|| workload.ports.get(&port.name)).copied(),
        TargetPort::Number(number) => Some(workload.ports.get(&port.name).copied().unwrap_or(*number)),
    }
}

/// The ready endpoints of slices, each address once, in the order of addresses: pods move between slices.
fn from_slices(view: &View<'_>, service: &Service, port: &ServicePort, slices: &OfService) -> Vec<Endpoint> {
    let mut found: BTreeMap<(IpAddr, u16), Endpoint> = BTreeMap::new();
    for slice in slices.values() {
        let Some(number) = port_of(slice, port) else { continue };
        for one in slice.endpoints.iter().filter(|e| e.ready) {
            let pod = one.target.as_ref().filter(|t| &*t.kind == "Pod");
            let pod = pod.and_then(|t| view.workload(&WorkloadRef::new(&service.namespace, &*t.name)));
            for address in one.addresses.iter().filter_map(|a| a.parse::<IpAddr>().ok()) {
                let endpoint = match pod {
                    Some(pod) => Endpoint { address: address.to_string(), ..at_workload(view, pod, number) },
                    None => Endpoint {
                        address: address.to_string(),
                        port: number,
                        workload: None,
                        labels: Labels::default(),
                        namespace: service.namespace.clone(),
                        service_account: String::new(),
                        weight: 1,
                        locality: String::new(),
                        mutual_tls: false,
                    },
                };
                found.entry((address, number)).or_insert(endpoint);
            }
        }
    }
    found.into_values().collect()
}

/// Where a slice serves a port of its Service: they have the name in common.
fn port_of(slice: &EndpointSlice, port: &ServicePort) -> Option<u16> {
    let same = |p: &&weft_api::core::EndpointPort| *p.name == *port.name && p.protocol != Protocol::Udp;
    let number = slice.ports.iter().find(same)?.port;
    number.or(Some(port.number))
}

fn from_workload(view: &View<'_>, workload: &Arc<Workload>, port: &ServicePort) -> Option<Endpoint> {
    Some(at_workload(view, workload, target(workload, port)?)).filter(|e| !e.address.is_empty())
}

fn at_workload(view: &View<'_>, workload: &Arc<Workload>, port: u16) -> Endpoint {
    let namespace = &workload.reference.namespace;
    Endpoint {
        address: workload.address.clone(),
        port,
        labels: workload.labels.clone(),
        namespace: namespace.clone(),
        service_account: workload.service_account.clone(),
        weight: workload.weight,
        locality: workload.locality.clone(),
        // A server that takes plaintext only is called in plaintext, proxy or not.
        mutual_tls: workload.has_mutual_tls()
            && mutual_tls::mode(view, namespace, &workload.labels, port) != mutual_tls::Mode::Disable,
        workload: Some(Arc::clone(workload)),
    }
}

fn from_inline(endpoint: &InlineEndpoint, service: &Service, port: &ServicePort) -> Endpoint {
    let default = match port.target {
        TargetPort::Number(number) => number,
        TargetPort::Name(_) => port.number,
    };
    let mutual_tls = endpoint.labels.get(xds::TLS_MODE_LABEL).is_some_and(|mode| mode == xds::TLS_MODE_ISTIO);
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
