//! ServiceEntry and WorkloadEntry.

use std::{collections::HashSet, net::IpAddr};

use super::{
    checks::{Checks, is_host, shorten},
    gateway,
};
use crate::networking::{ServiceEntry, WorkloadEntry, service_entry::Resolution};

pub(super) fn check(spec: &ServiceEntry, checks: &mut Checks<'_>) {
    if spec.hosts.is_empty() {
        checks.error("spec", "the list of hosts is empty");
    }
    for (index, host) in spec.hosts.iter().enumerate() {
        let field = format!("spec.hosts[{index}]");
        if host == "*" {
            checks.error(field, "\"*\" is too wide for a ServiceEntry");
        } else {
            checks.host(field, host);
        }
    }
    let mut range = false;
    for (index, address) in spec.addresses.iter().enumerate() {
        checks.subnet(format!("spec.addresses[{index}]"), address);
        range |= address.contains('/');
    }
    if range && !matches!(spec.resolution, Resolution::None | Resolution::Static) {
        checks.error("spec.addresses", "CIDR ranges are only for resolution NONE and STATIC");
    }
    check_ports(spec, checks);
    if spec.workload_selector.is_some() && !spec.endpoints.is_empty() {
        checks.error("spec", "only one of endpoints and workloadSelector may be given");
    }
    check_endpoints(spec, checks);
    checks.export_to(&spec.export_to);
}

fn check_ports(spec: &ServiceEntry, checks: &mut Checks<'_>) {
    let (mut names, mut numbers) = (HashSet::new(), HashSet::new());
    for (index, port) in spec.ports.iter().enumerate() {
        let at = format!("spec.ports[{index}]");
        gateway::port(port, &at, checks);
        if port.name.is_empty() {
            checks.error(&at, "the port has no name");
        } else if !names.insert(port.name.as_str()) {
            checks.error(format!("{at}.name"), format!("the port name {:?} is used twice", shorten(&port.name)));
        }
        if !numbers.insert(port.number) {
            checks.error(format!("{at}.number"), format!("port {} is defined twice", port.number));
        }
    }
}

fn check_endpoints(spec: &ServiceEntry, checks: &mut Checks<'_>) {
    let wildcard = spec.hosts.iter().any(|host| host.starts_with('*'));
    match spec.resolution {
        Resolution::None if !spec.endpoints.is_empty() => {
            checks.error("spec.endpoints", "resolution NONE goes where the client dials, so endpoints have no use");
        }
        Resolution::Static if spec.endpoints.is_empty() && spec.workload_selector.is_none() => {
            checks.error("spec", "resolution STATIC needs endpoints or a workloadSelector");
        }
        Resolution::Dns | Resolution::DnsRoundRobin if spec.endpoints.is_empty() && wildcard => {
            checks.error("spec.hosts", "a wildcard cannot be looked up by DNS; give endpoints or resolution NONE");
        }
        _ => {}
    }
    for (index, endpoint) in spec.endpoints.iter().enumerate() {
        let at = format!("spec.endpoints[{index}]");
        check_workload(endpoint, &at, checks);
        let by_name = !endpoint.address.starts_with("unix://") && endpoint.address.parse::<IpAddr>().is_err();
        if spec.resolution == Resolution::Static && by_name && !endpoint.address.is_empty() {
            checks.error(format!("{at}.address"), "resolution STATIC needs IP addresses; use DNS for names");
        }
        for name in endpoint.ports.keys() {
            if !spec.ports.iter().any(|port| port.name == *name) {
                let mut field = format!("{at}.ports");
                crate::field::push_key(&mut field, name);
                checks.error(field, format!("the ServiceEntry has no port named {:?}", shorten(name)));
            }
        }
    }
}

pub(super) fn check_workload(spec: &WorkloadEntry, at: &str, checks: &mut Checks<'_>) {
    if spec.address.is_empty() {
        if spec.network.is_empty() {
            checks.error(at, "the address is missing");
        }
    } else if let Some(path) = spec.address.strip_prefix("unix://") {
        if !path.starts_with('/') && !path.starts_with('@') {
            checks.error(format!("{at}.address"), "a Unix socket's path must be absolute");
        }
        if !spec.ports.is_empty() {
            checks.error(format!("{at}.ports"), "a Unix socket has no ports");
        }
    } else if spec.address.parse::<IpAddr>().is_err() && (!is_host(&spec.address) || spec.address.contains('*')) {
        checks.error(format!("{at}.address"), format!("{:?} is not an address or host name", shorten(&spec.address)));
    }
    for (name, port) in &spec.ports {
        let mut field = format!("{at}.ports");
        crate::field::push_key(&mut field, name);
        checks.port(field, *port);
    }
}
