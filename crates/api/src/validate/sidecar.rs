//! Sidecar.

use std::net::SocketAddr;

use super::{
    checks::{Checks, is_dns_label, is_host, shorten},
    gateway,
};
use crate::networking::{Sidecar, sidecar::IngressListener};

pub(super) fn check(spec: &Sidecar, checks: &mut Checks<'_>) {
    let says_something = !spec.egress.is_empty()
        || !spec.ingress.is_empty()
        || spec.outbound_traffic_policy.is_some()
        || spec.inbound_connection_pool.is_some();
    if !says_something {
        checks.error("spec", "the Sidecar says nothing: give egress, ingress or outboundTrafficPolicy");
    }
    let mut bound = std::collections::HashSet::new();
    for (index, listener) in spec.ingress.iter().enumerate() {
        let at = format!("spec.ingress[{index}]");
        check_ingress(listener, &at, checks);
        if !bound.insert((listener.bind.as_str(), listener.port.number)) {
            checks.error(format!("{at}.port"), format!("port {} has a listener already", listener.port.number));
        }
    }
    for (index, listener) in spec.egress.iter().enumerate() {
        let at = format!("spec.egress[{index}]");
        if listener.hosts.is_empty() {
            checks.advise(&at, "hosts is empty", "write hosts: [\"./*\"] for the services of the own namespace");
        }
        for (index, host) in listener.hosts.iter().enumerate() {
            check_egress_host(host, format!("{at}.hosts[{index}]"), checks);
        }
        match &listener.port {
            Some(port) => gateway::port(port, &format!("{at}.port"), checks),
            None if !listener.bind.is_empty() => {
                checks.error(format!("{at}.bind"), "bind needs a port");
            }
            None => {}
        }
        bind(&listener.bind, &at, checks);
    }
}

fn check_ingress(listener: &IngressListener, at: &str, checks: &mut Checks<'_>) {
    gateway::port(&listener.port, &format!("{at}.port"), checks);
    bind(&listener.bind, at, checks);
    if let Some(tls) = &listener.tls {
        gateway::server_tls(tls, &format!("{at}.tls"), checks);
    }
    let endpoint = &listener.default_endpoint;
    if endpoint.is_empty() {
        return;
    }
    let valid = match endpoint.strip_prefix("unix://") {
        Some(path) => path.starts_with('/') || path.starts_with('@'),
        None => endpoint
            .parse::<SocketAddr>()
            .is_ok_and(|address| address.port() != 0 && (address.ip().is_loopback() || address.ip().is_unspecified())),
    };
    if !valid {
        checks.advise(
            format!("{at}.defaultEndpoint"),
            format!("{:?} is not a place that a sidecar may forward to", shorten(endpoint)),
            "write 127.0.0.1:PORT, 0.0.0.0:PORT (the instance's own address) or unix:///path",
        );
    }
}

fn bind(bind: &str, at: &str, checks: &mut Checks<'_>) {
    if !bind.is_empty() && !bind.starts_with("unix://") && bind.parse::<std::net::IpAddr>().is_err() {
        checks.error(format!("{at}.bind"), format!("{:?} is not an IP address", shorten(bind)));
    }
}

/// `namespace/host`.
fn check_egress_host(host: &str, field: String, checks: &mut Checks<'_>) {
    let valid = host.split_once('/').is_some_and(|(namespace, name)| {
        (matches!(namespace, "*" | "." | "~") || is_dns_label(namespace)) && is_host(name)
    });
    if !valid {
        checks.advise(
            field,
            format!("{:?} is not <namespace>/<host>", shorten(host)),
            "write \"*/HOST\" for any namespace or \"./HOST\" for the own",
        );
    }
}
