//! Objects into an indexed [`Snapshot`].

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use k8s_openapi::{api::core::v1, apimachinery::pkg::util::intstr::IntOrString};
use weft_api::{
    Object, ObjectKey, Spec,
    mesh::MeshConfig,
    networking::{
        Port, ServiceEntry, WorkloadEntry,
        service_entry::{Location, Resolution},
    },
};
use weft_model::{Hostname, WorkloadRef};

use super::{
    InlineEndpoint, LabelIndex, MeshSettings, Service, ServicePort, Snapshot, Table, TargetPort, Typed, Visibility,
    Workload,
};
use crate::{Settings, resolve::protocol};

impl Snapshot {
    /// Indexes `objects`. Objects whose content makes no sense for their kind are left out of the indexes; they stay in
    /// [`Snapshot::objects`].
    pub(crate) fn build(
        settings: Arc<Settings>,
        objects: Arc<BTreeMap<ObjectKey, Arc<Object>>>,
        generation: u64,
    ) -> Self {
        let mesh = MeshSettings::new(&settings, mesh_config(&settings, &objects));
        let mut kinds = Kinds::default();
        for object in objects.values() {
            kinds.sort(object, &settings, &mesh);
        }
        let virtual_services = Table::new(kinds.virtual_services);
        let virtual_services_by_host =
            by_host(&virtual_services, |vs: &Typed<weft_api::networking::VirtualService>| {
                vs.hosts.iter().map(|h| Hostname::resolve(h, vs.namespace(), &settings.domain)).collect()
            });
        let destination_rules = Table::new(kinds.destination_rules);
        let destination_rules_by_host =
            by_host(&destination_rules, |rule: &Typed<weft_api::networking::DestinationRule>| {
                vec![Hostname::resolve(&rule.host, rule.namespace(), &settings.domain)]
            });
        let service_entries = Table::new(kinds.service_entries);
        let mut services = kinds.services;
        services.extend(service_entries.iter().flat_map(|entry| from_service_entry(entry, &mesh)));
        let services: Vec<Arc<Service>> = services.into_iter().map(Arc::new).collect();
        let mut services_by_host: BTreeMap<Hostname, Vec<Arc<Service>>> = BTreeMap::new();
        let mut services_by_namespace: BTreeMap<String, Vec<Arc<Service>>> = BTreeMap::new();
        for service in &services {
            services_by_host.entry(service.host.clone()).or_default().push(Arc::clone(service));
            services_by_namespace.entry(service.namespace.clone()).or_default().push(Arc::clone(service));
        }
        let mut workloads_by_address: HashMap<IpAddr, WorkloadRef> = HashMap::new();
        for (reference, workload) in &kinds.workloads {
            if let Some(ip) = workload.ip {
                workloads_by_address.entry(ip).or_insert_with(|| reference.clone());
            }
        }
        let mut workloads_by_label = LabelIndex::new();
        for (reference, workload) in &kinds.workloads {
            let labels = workloads_by_label.entry(reference.namespace.clone()).or_default();
            for (key, value) in &workload.labels {
                let values = labels.entry(key.clone()).or_default();
                values.entry(value.clone()).or_default().push(Arc::clone(workload));
            }
        }
        Self {
            settings,
            generation,
            objects,
            mesh,
            namespaces: kinds.namespaces,
            services,
            services_by_host,
            services_by_namespace,
            workloads: kinds.workloads,
            workloads_by_address,
            workloads_by_label,
            virtual_services,
            virtual_services_by_host,
            destination_rules,
            destination_rules_by_host,
            gateways: Table::new(kinds.gateways),
            service_entries,
            sidecars: Table::new(kinds.sidecars),
            peer_authentications: Table::new(kinds.peer_authentications),
            authorization_policies: Table::new(kinds.authorization_policies),
            request_authentications: Table::new(kinds.request_authentications),
            workload_table: OnceLock::new(),
        }
    }
}

#[derive(Default)]
struct Kinds {
    namespaces: BTreeMap<String, Arc<Object>>,
    services: Vec<Service>,
    workloads: BTreeMap<WorkloadRef, Arc<Workload>>,
    virtual_services: Vec<Typed<weft_api::networking::VirtualService>>,
    destination_rules: Vec<Typed<weft_api::networking::DestinationRule>>,
    gateways: Vec<Typed<weft_api::networking::Gateway>>,
    service_entries: Vec<Typed<ServiceEntry>>,
    sidecars: Vec<Typed<weft_api::networking::Sidecar>>,
    peer_authentications: Vec<Typed<weft_api::security::PeerAuthentication>>,
    authorization_policies: Vec<Typed<weft_api::security::AuthorizationPolicy>>,
    request_authentications: Vec<Typed<weft_api::security::RequestAuthentication>>,
}

impl Kinds {
    fn sort(&mut self, object: &Arc<Object>, settings: &Settings, mesh: &MeshSettings) {
        fn typed<T>(object: &Arc<Object>, spec: &Arc<T>) -> Typed<T> {
            Typed { object: Arc::clone(object), spec: Arc::clone(spec) }
        }
        match &object.spec {
            Spec::VirtualService(s) => self.virtual_services.push(typed(object, s)),
            Spec::DestinationRule(s) => self.destination_rules.push(typed(object, s)),
            Spec::Gateway(s) => self.gateways.push(typed(object, s)),
            Spec::ServiceEntry(s) => self.service_entries.push(typed(object, s)),
            Spec::Sidecar(s) => self.sidecars.push(typed(object, s)),
            Spec::PeerAuthentication(s) => self.peer_authentications.push(typed(object, s)),
            Spec::AuthorizationPolicy(s) => self.authorization_policies.push(typed(object, s)),
            Spec::RequestAuthentication(s) => self.request_authentications.push(typed(object, s)),
            Spec::WorkloadEntry(s) => {
                let reference = WorkloadRef::new(&object.meta.namespace, &object.meta.name);
                self.workloads.insert(reference, Arc::new(from_workload_entry(object, s)));
            }
            Spec::Service(s) => self.services.push(from_service(object, s, settings, mesh)),
            Spec::Namespace => {
                self.namespaces.insert(object.meta.name.clone(), Arc::clone(object));
            }
            Spec::Pod(_) | Spec::Node(_) | Spec::EndpointSlice(_) => {}
            Spec::Mesh(_) | Spec::MeshConfig(_) | Spec::ConfigMap(_) | Spec::Secret(_) | Spec::Other(_) => {}
        }
    }
}

/// A `Mesh` object wins over Istio's ConfigMap `istio` in the root namespace; of several, the first by name.
fn mesh_config(settings: &Settings, objects: &BTreeMap<ObjectKey, Arc<Object>>) -> Arc<MeshConfig> {
    let mut config_map = None;
    for object in objects.values() {
        match &object.spec {
            Spec::Mesh(mesh) => return Arc::new(mesh.mesh_config.clone()),
            Spec::MeshConfig(config) if object.meta.namespace == settings.root_namespace => {
                config_map.get_or_insert_with(|| Arc::clone(config));
            }
            _ => {}
        }
    }
    config_map.unwrap_or_default()
}

fn by_host<T>(table: &Table<T>, hosts: impl Fn(&Typed<T>) -> Vec<Hostname>) -> BTreeMap<Hostname, Vec<usize>> {
    let mut index: BTreeMap<Hostname, Vec<usize>> = BTreeMap::new();
    for (row, object) in table.iter().enumerate() {
        for host in hosts(object) {
            let rows = index.entry(host).or_default();
            if rows.last() != Some(&row) {
                rows.push(row);
            }
        }
    }
    index
}

fn from_service(object: &Object, spec: &v1::ServiceSpec, settings: &Settings, mesh: &MeshSettings) -> Service {
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
        visibility: Visibility::read(&export_to, &object.meta.namespace, &mesh.config.default_service_export_to),
        subject_alt_names: Vec::new(),
    }
}

fn inline(address: String) -> InlineEndpoint {
    InlineEndpoint {
        address,
        ports: BTreeMap::new(),
        labels: BTreeMap::new(),
        weight: 1,
        locality: String::new(),
        service_account: String::new(),
    }
}

fn from_service_entry(entry: &Typed<ServiceEntry>, mesh: &MeshSettings) -> Vec<Service> {
    let ports: Vec<ServicePort> = entry.ports.iter().filter_map(from_port).collect();
    let endpoints: Vec<InlineEndpoint> = entry
        .endpoints
        .iter()
        .map(|e| InlineEndpoint {
            address: e.address.clone(),
            ports: named_ports(&e.ports),
            labels: e.labels.clone(),
            weight: e.weight.unwrap_or(1).max(1),
            locality: e.locality.clone(),
            service_account: e.service_account.clone(),
        })
        .collect();
    let hosts = entry.hosts.iter().map(|host| Service {
        host: Hostname::new(host),
        name: host.clone(),
        namespace: entry.namespace().to_owned(),
        object: entry.reference().clone(),
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
        visibility: Visibility::read(&entry.export_to, entry.namespace(), &mesh.config.default_service_export_to),
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

fn named_ports(ports: &BTreeMap<String, u32>) -> BTreeMap<String, u16> {
    ports.iter().filter_map(|(name, port)| Some((name.clone(), u16::try_from(*port).ok()?))).collect()
}

fn from_workload_entry(object: &Object, spec: &WorkloadEntry) -> Workload {
    let mut labels = object.meta.labels.clone();
    labels.extend(spec.labels.iter().map(|(k, v)| (k.clone(), v.clone())));
    Workload {
        reference: WorkloadRef::new(&object.meta.namespace, &object.meta.name),
        object: object.reference.clone(),
        address: spec.address.clone(),
        ip: spec.address.parse().ok(),
        labels,
        service_account: if spec.service_account.is_empty() { "default".into() } else { spec.service_account.clone() },
        ports: named_ports(&spec.ports),
        weight: spec.weight.unwrap_or(1).max(1),
        locality: spec.locality.clone(),
    }
}
