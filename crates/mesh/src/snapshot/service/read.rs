//! Kubernetes Services and ServiceEntries into [`Service`]s.

use std::{collections::BTreeMap, net::IpAddr};

use k8s_openapi::{api::core::v1, apimachinery::pkg::util::intstr::IntOrString};
use weft_api::{
    Labels, Object,
    networking::{
        Port, ServiceEntry,
        service_entry::{Location, Resolution},
    },
};
use weft_model::Hostname;

use super::{InlineEndpoint, Service, ServicePort, TargetPort, Visibility};
use crate::{Settings, resolve::protocol, snapshot::MeshSettings};

/// A Kubernetes Service.
pub(crate) fn from_service(
    object: &Object,
    spec: &v1::ServiceSpec,
    settings: &Settings,
    mesh: &MeshSettings,
) -> Service {
    let ports = spec.ports.iter().flatten().filter_map(|port| {
        let number = u16::try_from(port.port).ok().filter(|n| *n > 0)?;
        let target = match &port.target_port {
            None => TargetPort::Number(number),
            Some(IntOrString::Int(0)) => TargetPort::Number(number),
            Some(IntOrString::Int(target)) => TargetPort::Number(u16::try_from(*target).ok()?),
            // A number in quotes is a number all the same.
            Some(IntOrString::String(name)) => match name.parse() {
                Ok(target) => TargetPort::Number(target),
                Err(_) => TargetPort::Name(name.clone()),
            },
        };
        Some(ServicePort {
            number,
            name: port.name.clone().unwrap_or_default(),
            protocol: protocol::of_service_port(
                port.app_protocol.as_deref(),
                port.name.as_deref(),
                port.protocol.as_deref(),
            ),
            target,
        })
    });
    let external_name = spec.external_name.as_deref().filter(|_| spec.type_.as_deref() == Some("ExternalName"));
    let cluster_ips = spec.cluster_ips.iter().flatten().chain(&spec.cluster_ip);
    let mut addresses: Vec<IpAddr> = cluster_ips.filter_map(|ip| ip.parse().ok()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let export_to: Vec<&str> = object
        .meta
        .annotations
        .get("networking.istio.io/exportTo")
        .map(|list| list.split(',').map(str::trim).filter(|e| !e.is_empty()).collect())
        .unwrap_or_default();
    Service {
        host: Hostname::new(format!("{}.{}.svc.{}", object.meta.name, object.meta.namespace, settings.domain)),
        name: object.meta.name.clone(),
        namespace: object.meta.namespace.clone(),
        object: object.reference.clone(),
        ports: ports.collect(),
        selector: spec.selector.clone().unwrap_or_default(),
        endpoints: external_name.map(|name| inline(name.to_owned())).into_iter().collect(),
        resolution: if external_name.is_some() { Resolution::Dns } else { Resolution::Static },
        location: Location::MeshInternal,
        addresses,
        headless: spec.cluster_ip.as_deref() == Some("None"),
        external_name: external_name.map(Hostname::new),
        client_affinity: spec.session_affinity.as_deref() == Some("ClientIP"),
        visibility: Visibility::read(&export_to, &object.meta.namespace, &mesh.config.default_service_export_to),
        subject_alt_names: Vec::new(),
    }
}

fn inline(address: String) -> InlineEndpoint {
    InlineEndpoint {
        address,
        ports: BTreeMap::new(),
        labels: Labels::default(),
        weight: 1,
        locality: String::new(),
        service_account: String::new(),
    }
}

/// The hosts of a ServiceEntry, as they are written.
pub(crate) fn from_service_entry(object: &Object, entry: &ServiceEntry, mesh: &MeshSettings) -> Vec<Service> {
    let ports: Vec<ServicePort> = entry.ports.iter().filter_map(from_port).collect();
    let endpoints: Vec<InlineEndpoint> = entry
        .endpoints
        .iter()
        .map(|e| InlineEndpoint {
            address: e.address.clone(),
            ports: named_ports(&e.ports),
            labels: e.labels.iter().collect(),
            weight: e.weight.unwrap_or(1).max(1),
            locality: e.locality.clone(),
            service_account: e.service_account.clone(),
        })
        .collect();
    let hosts = entry.hosts.iter().map(|host| Service {
        host: Hostname::new(host),
        name: host.clone(),
        namespace: object.meta.namespace.clone(),
        object: object.reference.clone(),
        ports: ports.clone(),
        selector: entry.workload_selector.as_ref().map(|s| s.labels.clone()).unwrap_or_default(),
        // With DNS resolution and no endpoints, the host itself is looked up.
        endpoints: match entry.resolution {
            Resolution::Dns | Resolution::DnsRoundRobin if endpoints.is_empty() && !host.starts_with('*') => {
                vec![inline(host.clone())]
            }
            _ => endpoints.clone(),
        },
        resolution: entry.resolution,
        location: entry.location,
        addresses: entry.addresses.iter().filter_map(|a| a.parse().ok()).collect(),
        headless: false,
        external_name: None,
        client_affinity: false,
        visibility: Visibility::read(&entry.export_to, &object.meta.namespace, &mesh.config.default_service_export_to),
        subject_alt_names: entry.subject_alt_names.clone(),
    });
    hosts.collect()
}

fn from_port(port: &Port) -> Option<ServicePort> {
    let number = u16::try_from(port.number).ok().filter(|n| *n > 0)?;
    let target = port.target_port.and_then(|t| u16::try_from(t).ok()).filter(|t| *t > 0);
    Some(ServicePort {
        number,
        name: port.name.clone(),
        protocol: port.protocol(),
        target: TargetPort::Number(target.unwrap_or(number)),
    })
}

/// Ports by name; impossible numbers are left out.
pub(crate) fn named_ports(ports: &BTreeMap<String, u32>) -> BTreeMap<String, u16> {
    ports.iter().filter_map(|(name, port)| Some((name.clone(), u16::try_from(*port).ok()?))).collect()
}
