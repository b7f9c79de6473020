//! What one proxy sees: its Sidecar, and the services and VirtualServices that this and `exportTo` let through.

use std::{collections::BTreeMap, sync::Arc};

use weft_api::networking::{
    Sidecar, VirtualService,
    sidecar::{EgressListener, OutboundMode},
    virtual_service::Destination,
};
use weft_model::Hostname;

use super::delegate;
use crate::{
    Asked, View,
    snapshot::{Service, Typed, Visibility},
};

/// A client, the view it is seen in, and the Sidecar that holds for it.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    /// Everything that is desired.
    pub view: &'a View<'a>,
    /// Whose sight this is.
    pub client: &'a Asked<'a>,
    /// The Sidecar that selects the client's workload, the namespace's, or the mesh's.
    pub sidecar: Option<&'a Typed<Sidecar>>,
}

/// The services and VirtualServices that one egress listener knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Egress {
    /// The listener; `None` stands for what holds without a Sidecar: everything.
    pub listener: Option<EgressListener>,
    /// By host. Of several services with one host, the proxy's own namespace wins, then Kubernetes', then the first.
    pub services: BTreeMap<Hostname, Arc<Service>>,
    patterns: Vec<HostPattern>,
}

impl<'a> Scope<'a> {
    /// Finds the Sidecar that holds: one that selects the workload, then one of the namespace without a selector, then
    /// one of the root namespace without a selector. Gateways have none.
    pub fn new(view: &'a View<'a>, client: &'a Asked<'a>) -> Self {
        let sidecar = if client.gateway { None } else { effective_sidecar(view, client) };
        Self { view, client, sidecar }
    }

    /// What happens to hosts that are not known.
    pub fn outbound_mode(&self) -> OutboundMode {
        // Whoever was given the Sidecar has not read it yet.
        if let Some(sidecar) = self.sidecar {
            let _ = self.view.sidecars_in(sidecar.namespace());
        }
        self.sidecar
            .and_then(|s| s.outbound_traffic_policy.as_ref())
            .map_or(self.view.mesh().outbound, |policy| policy.mode)
    }

    /// The egress listeners in order. Without a Sidecar, or with one that lists none, a single one that knows everything.
    pub fn egress(&self) -> Vec<Egress> {
        match self.sidecar {
            Some(sidecar) if !sidecar.egress.is_empty() => {
                let namespace = sidecar.namespace();
                sidecar.spec.egress.iter().map(|listener| self.known(Some(listener), namespace)).collect()
            }
            _ => vec![self.known(None, self.client.namespace())],
        }
    }

    fn known(&self, listener: Option<&EgressListener>, namespace: &str) -> Egress {
        let patterns: Vec<HostPattern> = match listener {
            // `.` means the namespace of the workload, also in a Sidecar of the root namespace.
            Some(listener) => {
                let own =
                    if namespace == self.view.settings().root_namespace { self.client.namespace() } else { namespace };
                listener.hosts.iter().filter_map(|host| HostPattern::read(host, own)).collect()
            }
            None => vec![HostPattern { namespace: None, host: Hostname::new("*") }],
        };
        let mut services: BTreeMap<Hostname, Arc<Service>> = BTreeMap::new();
        for service in self.view.services() {
            if self.client.sees(&service.visibility)
                && patterns.iter().any(|p| p.matches(&service.namespace, &service.host))
            {
                let own = self.client.is_in(&service.namespace);
                match services.get(&service.host) {
                    Some(chosen) if !own || self.client.is_in(&chosen.namespace) => {}
                    _ => {
                        services.insert(service.host.clone(), Arc::clone(service));
                    }
                }
            }
        }
        Egress { listener: listener.cloned(), services, patterns }
    }

    /// The service that a destination of this host means to the proxy, whether or not its Sidecar lists it: a destination
    /// that a visible VirtualService names is meant to be reached.
    pub fn service(&self, host: &Hostname) -> Option<&'a Arc<Service>> {
        let mut seen = self.view.services_of(host).iter().filter(|s| self.client.sees(&s.visibility));
        let first = seen.next()?;
        // Where there is no choice it does not matter who asks.
        let others: Vec<_> = seen.collect();
        if others.is_empty() {
            return Some(first);
        }
        Some(std::iter::once(first).chain(others).find(|s| self.client.is_in(&s.namespace)).unwrap_or(first))
    }

    /// Every service that the proxy may send to: those that its egress listeners know, and the destinations of the
    /// VirtualServices that they know.
    pub fn reachable(&self, egress: &[Egress]) -> BTreeMap<Hostname, Arc<Service>> {
        let mut services = BTreeMap::new();
        for listener in egress {
            for (host, service) in &listener.services {
                services.entry(host.clone()).or_insert_with(|| Arc::clone(service));
            }
        }
        // Without a Sidecar every service that is visible is known already.
        if egress.iter().all(|e| e.listener.is_none()) {
            return services;
        }
        for head in
            self.view.route_heads().filter(|head| head.in_mesh && self.may_see(&head.export_to, &head.namespace))
        {
            if !head.hosts.iter().any(|host| egress.iter().any(|e| e.knows(&head.namespace, host))) {
                continue;
            }
            for host in &head.destinations {
                self.add_service(host.clone(), &mut services);
            }
            let leaves =
                head.delegates.iter().filter_map(|(namespace, name)| self.view.virtual_service(namespace, name));
            for leaf in leaves {
                self.add_destinations(leaf, &mut services);
            }
        }
        services
    }

    fn add_service(&self, host: Hostname, services: &mut BTreeMap<Hostname, Arc<Service>>) {
        if let Some(service) = self.service(&host) {
            services.entry(host).or_insert_with(|| Arc::clone(service));
        }
    }

    /// Adds the services that a VirtualService and its delegates send to, copies included.
    pub fn add_destinations(
        &self,
        virtual_service: &Typed<VirtualService>,
        services: &mut BTreeMap<Hostname, Arc<Service>>,
    ) {
        let mut add = |destination: &Destination, namespace: &str| {
            self.add_service(self.view.resolve_host(&destination.host, namespace), services);
        };
        for owned in delegate::routes(self.view, virtual_service) {
            let route = &owned.route;
            let copies = route.mirror.iter().chain(route.mirrors.iter().map(|m| &m.destination));
            for destination in route.route.iter().map(|r| &r.destination).chain(copies) {
                add(destination, owned.owner.namespace());
            }
        }
        let tcp = virtual_service.tcp.iter().flat_map(|r| &r.route);
        let tls = virtual_service.tls.iter().flat_map(|r| &r.route);
        for route in tcp.chain(tls) {
            add(&route.destination, virtual_service.namespace());
        }
    }

    /// Whether the client's namespace sees a VirtualService.
    pub fn sees(&self, virtual_service: &Typed<VirtualService>) -> bool {
        self.may_see(&virtual_service.export_to, virtual_service.namespace())
    }

    /// Whether the client's namespace sees a VirtualService of `namespace` with this `exportTo`.
    pub(crate) fn may_see(&self, export_to: &[String], namespace: &str) -> bool {
        let defaults = &self.view.mesh().config.default_virtual_service_export_to;
        self.client.sees(&Visibility::read(export_to, namespace, defaults))
    }
}

impl Egress {
    /// Leaves out the services. Which those are is a matter of the plan; what is planned only asks which VirtualServices
    /// are known.
    pub fn without_services(self) -> Self {
        Self { services: BTreeMap::new(), ..self }
    }

    /// Whether a VirtualService of `namespace` for `host` is known here.
    pub fn knows(&self, namespace: &str, host: &Hostname) -> bool {
        self.patterns.iter().any(|p| p.matches(namespace, host))
    }
}

fn effective_sidecar<'a>(view: &View<'a>, client: &Asked<'_>) -> Option<&'a Typed<Sidecar>> {
    let selector = |s: &Typed<Sidecar>| s.workload_selector.as_ref().map(|w| w.labels.clone()).unwrap_or_default();
    let own = || view.sidecars_in(client.namespace());
    own()
        .find(|s| {
            let labels = selector(s);
            !labels.is_empty() && client.carries(&labels)
        })
        .or_else(|| own().find(|s| selector(s).is_empty()))
        .or_else(|| view.sidecars_in(&view.settings().root_namespace).find(|s| selector(s).is_empty()))
}

/// An entry of `egress[].hosts`.
#[derive(Clone, Debug, PartialEq)]
struct HostPattern {
    /// `None` is any.
    namespace: Option<String>,
    host: Hostname,
}

impl HostPattern {
    /// `namespace/host`, where namespace may be `*`, `.` or `~`; without a slash, the host in any namespace. `~` gives
    /// nothing.
    fn read(text: &str, own: &str) -> Option<Self> {
        let (namespace, host) = text.split_once('/').unwrap_or(("*", text));
        let namespace = match namespace {
            "~" => return None,
            "*" => None,
            "." => Some(own.to_owned()),
            other => Some(other.to_owned()),
        };
        Some(Self { namespace, host: Hostname::new(host) })
    }

    fn matches(&self, namespace: &str, host: &Hostname) -> bool {
        self.namespace.as_deref().is_none_or(|n| n == namespace) && (self.host.covers(host) || host.covers(&self.host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn egress_hosts_name_namespace_and_host() {
        let read = |t: &str| HostPattern::read(t, "shop");
        assert_eq!(read("~/*"), None);
        let own = read("./*").unwrap();
        assert!(own.matches("shop", &"a.shop.svc.cluster.local".into()));
        assert!(!own.matches("pay", &"a.pay.svc.cluster.local".into()));
        let star = read("*/*.example.com").unwrap();
        assert!(star.matches("any", &"api.example.com".into()));
        assert!(!star.matches("any", &"example.com".into()));
        assert!(read("*/api.example.com").unwrap().matches("x", &"*.example.com".into()));
        assert!(read("example.com").unwrap().matches("x", &"example.com".into()));
    }
}
