//! Without capture: a listener for each egress listener that can be dialled, one with a port, and an address or no
//! capture.

use weft_api::networking::sidecar::CaptureMode;

use super::{Plan, Unit, domains};
use crate::{
    resolve::{protocol, scope::Scope},
    snapshot::Service,
    translate::listeners::{listener_name, outbound::Dialled},
};

pub(super) fn plan(scope: &Scope<'_>, plan: &mut Plan) {
    let dialled: Vec<Dialled> = (0..plan.egress.len()).filter_map(|index| read(plan, index)).collect();
    for listener in &dialled {
        add(scope, plan, listener, &dialled);
    }
}

/// Adds a dialled listener and its routes. Istio names a route configuration by its port alone; two listeners of one port
/// need names of their own.
fn add(scope: &Scope<'_>, plan: &mut Plan, listener: &Dialled, all: &[Dialled]) {
    let mut listener = listener.clone();
    if all.iter().filter(|other| other.port == listener.port).count() > 1 {
        listener.route_config.clone_from(&listener.name);
    }
    let (config, port, index) = (listener.route_config.clone(), listener.port, listener.egress);
    let http = protocol::may_be_http(listener.protocol);
    plan.units.push(Unit::Dialled(listener));
    if http && let Some(egress) = plan.egress.get(index) {
        let hosts = domains::of_port(scope, (index, egress), &config, port, true);
        plan.add_routes(scope, &config, hosts);
    }
}

/// An egress listener that is bound.
pub(super) fn read(plan: &Plan, index: usize) -> Option<Dialled> {
    let egress = plan.egress.get(index)?;
    let listener = egress.listener.as_ref()?;
    let declared = listener.port.as_ref()?;
    let unix = listener.bind.starts_with("unix://");
    let port = u16::try_from(declared.number).ok().filter(|p| *p > 0 || unix)?;
    let address = match (listener.bind.as_str(), listener.capture_mode) {
        ("", CaptureMode::None) => "127.0.0.1".to_owned(),
        ("", _) => return None,
        (bind, _) => bind.to_owned(),
    };
    let services = egress.services.values().filter(|s| Service::port(s, port).is_some());
    Some(Dialled {
        name: listener_name(&address, port),
        route_config: port.to_string(),
        egress: index,
        address,
        port,
        protocol: declared.protocol(),
        services: services.map(|s| s.host.clone()).collect(),
    })
}

/// Adds the listeners of a captured client that are dialled all the same.
pub(super) fn beside_capture(scope: &Scope<'_>, plan: &mut Plan) {
    let dialled: Vec<Dialled> = (0..plan.egress.len()).filter_map(|index| read(plan, index)).collect();
    for listener in &dialled {
        let mut listener = listener.clone();
        // The port's own name is for what is captured.
        listener.route_config.clone_from(&listener.name);
        let copy = [listener.clone()];
        add(scope, plan, &listener, &copy);
    }
}
