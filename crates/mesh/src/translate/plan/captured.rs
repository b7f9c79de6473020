//! With capture: listeners that are not bound, found by the address that the application dialled. HTTP shares one
//! listener for each port, told apart by host; anything else is told apart by the service's own address.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use weft_api::networking::Protocol;
use weft_model::Hostname;

use super::{HostPlan, Plan, Unit, dialled, domains, own_config};
use crate::{
    resolve::{protocol, scope::Scope},
    snapshot::Service,
    translate::listeners::{
        listener_name,
        outbound::{AnyAddress, Own, Reach},
    },
};

/// What comes together at one port on any address.
#[derive(Default)]
struct Port {
    egress: usize,
    http: bool,
    opaque: Vec<Hostname>,
    tls: Vec<Hostname>,
}

/// Virtual hosts that no service has are called here (Istio's rule: where would a browser go?).
const FOREIGN: u16 = 80;

pub(super) fn plan(scope: &Scope<'_>, plan: &mut Plan) {
    dialled::beside_capture(scope, plan);
    let mut ports: BTreeMap<u16, Port> = BTreeMap::new();
    let mut own: BTreeMap<String, (Own, Option<HostPlan>)> = BTreeMap::new();
    for (index, service, number) in calls(plan) {
        let Some(port) = service.port(number) else { continue };
        if port.protocol == Some(Protocol::Udp) {
            continue;
        }
        if service.external_name.is_some() {
            ports.entry(number).or_insert_with(|| Port { egress: index, ..Port::default() }).http = true;
            continue;
        }
        let entry = ports.entry(number).or_insert_with(|| Port { egress: index, ..Port::default() });
        entry.http |= protocol::may_be_http(port.protocol);
        if port.protocol.is_some_and(Protocol::is_http) {
            continue;
        }
        let reach = match (service.headless, service.addresses.is_empty()) {
            (true, _) => vec![Reach::Pods],
            (false, false) => service.addresses.iter().copied().filter(|ip| usable(scope, ip)).map(Reach::At).collect(),
            // Nothing tells its connections from others' but the port.
            (false, true) if port.protocol.is_some_and(Protocol::is_tls) => {
                entry.tls.push(service.host.clone());
                continue;
            }
            (false, true) => {
                entry.opaque.push(service.host.clone());
                continue;
            }
        };
        for reach in reach {
            let name = match reach {
                Reach::At(address) => listener_name(&address.to_string(), number),
                Reach::Pods => format!("{}:{number}", service.host),
            };
            let config = port.protocol.is_none().then(|| own_config(&service, number));
            let host = config.clone().map(|config| HostPlan {
                config,
                egress: index,
                host: service.host.clone(),
                port: number,
                service: Some(service.host.clone()),
                domains: vec!["*".to_owned()],
            });
            let listener = Own {
                name: name.clone(),
                egress: index,
                service: Arc::clone(&service),
                port: number,
                reach,
                route_config: config,
            };
            own.entry(name).or_insert((listener, host));
        }
    }
    let foreign = scope.view.route_heads().any(|head| head.in_mesh && head.http);
    if foreign && !plan.egress.is_empty() {
        ports.entry(FOREIGN).or_insert_with(|| Port { egress: catch_all(plan), ..Port::default() }).http = true;
    }
    for (number, port) in ports {
        add_port(scope, plan, number, port);
    }
    let mut configs: BTreeSet<String> = BTreeSet::new();
    for (listener, host) in own.into_values() {
        plan.units.push(Unit::Own(listener));
        if let Some(host) = host.filter(|host| configs.insert(host.config.clone())) {
            let config = host.config.clone();
            plan.add_routes(scope, &config, vec![host]);
        }
    }
}

fn add_port(scope: &Scope<'_>, plan: &mut Plan, number: u16, port: Port) {
    if !port.http && port.opaque.is_empty() && port.tls.is_empty() {
        return;
    }
    plan.units.push(Unit::AnyAddress(AnyAddress {
        name: listener_name("0.0.0.0", number),
        egress: port.egress,
        port: number,
        http: port.http,
        opaque: port.opaque,
        tls: port.tls,
    }));
    if port.http
        && let Some(egress) = plan.egress.get(port.egress)
    {
        let config = number.to_string();
        let hosts = domains::of_port(scope, (port.egress, egress), &config, number, number == FOREIGN);
        plan.add_routes(scope, &config, hosts);
    }
}

/// Every port of every service that can be called, with the egress listener that knows it. A listener for a port takes
/// this port away from the one without.
fn calls(plan: &Plan) -> Vec<(usize, Arc<Service>, u16)> {
    let mut calls = Vec::new();
    let of_port = |index: usize| {
        let listener = plan.egress.get(index)?.listener.as_ref()?;
        u16::try_from(listener.port.as_ref()?.number).ok()
    };
    let claimed: BTreeSet<u16> =
        (0..plan.egress.len()).filter(|index| dialled::read(plan, *index).is_none()).filter_map(of_port).collect();
    for (index, egress) in plan.egress.iter().enumerate() {
        if dialled::read(plan, index).is_some() {
            continue;
        }
        let only = of_port(index);
        for service in egress.services.values() {
            for port in &service.ports {
                if only.map_or_else(|| !claimed.contains(&port.number), |only| only == port.number) {
                    calls.push((index, Arc::clone(service), port.number));
                }
            }
        }
    }
    calls
}

/// The egress listener that is for every port; the first when there is none.
fn catch_all(plan: &Plan) -> usize {
    let any_port = |e: &crate::resolve::scope::Egress| e.listener.as_ref().is_none_or(|l| l.port.is_none());
    plan.egress.iter().position(any_port).unwrap_or(0)
}

/// Whether the client can dial addresses of this family.
fn usable(scope: &Scope<'_>, address: &IpAddr) -> bool {
    let (four, six) = scope.client.families;
    if address.is_ipv4() { four } else { six }
}
