//! The virtual hosts of a port.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use weft_model::Hostname;

use super::HostPlan;
use crate::{
    resolve::{
        protocol,
        scope::{Egress, Scope},
    },
    snapshot::Service,
};

/// A virtual host for each service of this port that may speak HTTP, one for each host that only a VirtualService knows
/// (where `foreign` says so), and one for all the rest.
pub(super) fn of_port(
    scope: &Scope<'_>,
    (index, egress): (usize, &Egress),
    config: &str,
    port: u16,
    foreign: bool,
) -> Vec<HostPlan> {
    let plan = |host: &Hostname, service: Option<Hostname>, domains: Vec<String>| HostPlan {
        config: config.to_owned(),
        egress: index,
        host: host.clone(),
        port,
        service,
        domains,
    };
    let mut hosts = Vec::new();
    let mut named: BTreeSet<&Hostname> = BTreeSet::new();
    for service in egress.services.values() {
        let Some(target) = target(scope, service, port) else { continue };
        named.insert(&service.host);
        hosts.push(plan(&service.host, Some(target), domains(scope, service, port)));
    }
    if foreign {
        let mut foreign: BTreeSet<&Hostname> = BTreeSet::new();
        for head in scope.view.route_heads() {
            if head.in_mesh && head.http && scope.may_see(&head.export_to, &head.namespace) {
                foreign.extend(head.hosts.iter().filter(|host| egress.knows(&head.namespace, host)));
            }
        }
        // A service that is known but has no such port is not called here.
        foreign.retain(|host| host.as_str() != "*" && !named.contains(host) && !egress.services.contains_key(*host));
        hosts.extend(foreign.into_iter().map(|host| plan(host, None, with_port(vec![host.to_string()], port))));
    }
    hosts.push(plan(&Hostname::new("*"), None, vec!["*".to_owned()]));
    hosts
}

/// The service that requests for this one's port go to: itself, or what it is another name for.
fn target(scope: &Scope<'_>, service: &Arc<Service>, port: u16) -> Option<Hostname> {
    if let Some(real) = &service.external_name
        && !scope.client.envoy
    {
        let known = scope.service(real)?.port(port)?;
        return protocol::may_be_http(known.protocol).then(|| real.clone());
    }
    protocol::may_be_http(service.port(port)?.protocol).then(|| service.host.clone())
}

/// The names that a service is called by: its own, a Kubernetes Service's shorter ones as far as they mean it in the
/// caller's namespace, those of a headless one's pods, its virtual addresses; each with and without the port.
pub(super) fn domains(scope: &Scope<'_>, service: &Service, port: u16) -> Vec<String> {
    if service.host.as_str() == "*" {
        return vec!["*".to_owned()];
    }
    let mut called = vec![service.host.to_string()];
    if service.is_kubernetes() {
        let (name, namespace) = (&service.name, &service.namespace);
        called.push(format!("{name}.{namespace}.svc"));
        called.push(format!("{name}.{namespace}"));
        let near = scope.client.is_in(namespace);
        if near {
            called.push(name.clone());
        }
        if service.headless {
            called.push(format!("*.{}", service.host));
            called.push(format!("*.{name}.{namespace}.svc"));
            called.push(format!("*.{name}.{namespace}"));
            if near {
                called.push(format!("*.{name}"));
            }
        }
    }
    called.extend(service.addresses.iter().map(|address| match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }));
    with_port(called, port)
}

fn with_port(names: Vec<String>, port: u16) -> Vec<String> {
    names.into_iter().flat_map(|name| [format!("{name}:{port}"), name]).map(|d| d.to_ascii_lowercase()).collect()
}
