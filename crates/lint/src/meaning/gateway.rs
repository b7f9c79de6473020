//! Gateway, ServiceEntry, Sidecar.

use weft_api::networking::{
    Gateway, Port, ServiceEntry, Sidecar,
    gateway::{ServerTls, ServerTlsMode},
    service_entry::{Location, Resolution},
    sidecar::OutboundMode,
};

use super::{labels, list};

fn port(port: &Port) -> String {
    let protocol = if port.protocol.is_empty() { String::new() } else { format!(" ({})", port.protocol) };
    format!("{}{protocol}", port.number)
}

pub(super) fn gateway(spec: &Gateway) -> Vec<String> {
    let whom = if spec.selector.is_empty() {
        "Every gateway".to_owned()
    } else {
        format!("Gateways with {}", labels(&spec.selector))
    };
    let server = |server: &weft_api::networking::gateway::Server| {
        let hosts = list(&server.hosts, "and");
        let hosts = if hosts == "*" { "any host".to_owned() } else { hosts };
        format!(
            "{whom} listen on port {} for {hosts}{}.",
            port(&server.port),
            server.tls.as_ref().map(tls).unwrap_or_default()
        )
    };
    let mut out: Vec<String> = spec.servers.iter().map(server).collect();
    out.push("Where requests go from there is said by the VirtualServices that name this gateway.".to_owned());
    out
}

fn tls(tls: &ServerTls) -> String {
    if tls.https_redirect {
        return ", and redirect to HTTPS".to_owned();
    }
    let names: Vec<String> = std::iter::once(&tls.credential_name)
        .chain(&tls.credential_names)
        .filter(|name| !name.is_empty())
        .cloned()
        .collect();
    let by = if names.is_empty() { String::new() } else { format!(" (Secret {})", list(&names, "and")) };
    match tls.mode {
        ServerTlsMode::Passthrough => "; TLS is passed on unopened, by its server name".to_owned(),
        ServerTlsMode::AutoPassthrough => {
            "; TLS is passed on unopened to the service that its server name means".to_owned()
        }
        ServerTlsMode::Simple => format!("; TLS ends there{by}"),
        ServerTlsMode::Mutual => format!("; TLS ends there{by}, and clients must show a certificate"),
        ServerTlsMode::OptionalMutual => format!("; TLS ends there{by}, and clients may show a certificate"),
        ServerTlsMode::IstioMutual => "; the mesh's mutual TLS ends there".to_owned(),
    }
}

pub(super) fn service_entry(spec: &ServiceEntry) -> Vec<String> {
    let side = match spec.location {
        Location::MeshExternal => "outside of the mesh",
        Location::MeshInternal => "as a part of the mesh",
    };
    let ports: Vec<String> = spec.ports.iter().map(port).collect();
    let ports = if ports.is_empty() { String::new() } else { format!(" on port {}", list(&ports, "and")) };
    let hosts = list(&spec.hosts, "and");
    let mut out = vec![format!("It makes {hosts} known{ports}, {side}.")];
    let endpoints = match (&spec.workload_selector, spec.endpoints.len()) {
        (Some(selector), _) => format!("the workloads with {}", labels(&selector.labels)),
        (None, 0) => String::new(),
        (None, 1) => format!("the endpoint {}", spec.endpoints[0].address),
        (None, count) => format!("{count} endpoints"),
    };
    out.push(match spec.resolution {
        Resolution::None => "Calls go to the address that the caller dialled.".to_owned(),
        Resolution::Static if endpoints.is_empty() => "It names no endpoints, so calls fail.".to_owned(),
        Resolution::Static => format!("Calls go to {endpoints}."),
        Resolution::Dns | Resolution::DnsRoundRobin if endpoints.is_empty() => {
            "Calls go to the addresses that DNS gives for it.".to_owned()
        }
        Resolution::Dns | Resolution::DnsRoundRobin => format!("Calls go to {endpoints}, whose addresses DNS gives."),
        Resolution::DynamicDns => "Calls go to the addresses that DNS gives for the name that is called.".to_owned(),
    });
    if !spec.export_to.is_empty() && !spec.export_to.iter().any(|to| to == "*") {
        let names: Vec<String> = spec
            .export_to
            .iter()
            .map(|to| if to == "." { "its own namespace".to_owned() } else { to.clone() })
            .collect();
        out.push(format!("Only {} can see it.", list(&names, "and")));
    }
    out
}

pub(super) fn sidecar(spec: &Sidecar, namespace: &str) -> Vec<String> {
    let whom = match &spec.workload_selector {
        Some(selector) if !selector.labels.is_empty() => {
            format!("Workloads with {} in {namespace}", labels(&selector.labels))
        }
        _ => format!("All workloads in {namespace}"),
    };
    let mut out = Vec::new();
    for listener in &spec.ingress {
        out.push(format!("{whom} take port {} and hand it to {}.", port(&listener.port), listener.default_endpoint));
    }
    for listener in &spec.egress {
        let hosts: Vec<String> = listener
            .hosts
            .iter()
            .map(|host| match host.split_once('/') {
                Some((".", "*")) => "their own namespace".to_owned(),
                Some(("*", "*")) => "everything".to_owned(),
                Some((namespace, "*")) => format!("all of {namespace}"),
                Some((".", name)) => name.to_owned(),
                Some(("*", name)) => name.to_owned(),
                Some((namespace, name)) => format!("{name} of {namespace}"),
                None => host.clone(),
            })
            .collect();
        let place = listener.port.as_ref().map(|bound| format!(" on port {}", port(bound))).unwrap_or_default();
        out.push(format!("{whom} see {}{place}, and nothing else is sent to their proxies.", list(&hosts, "and")));
    }
    if let Some(policy) = &spec.outbound_traffic_policy {
        out.push(match policy.mode {
            OutboundMode::RegistryOnly => format!("{whom} cannot call hosts that the mesh does not know."),
            OutboundMode::AllowAny => format!("{whom} can call hosts that the mesh does not know."),
        });
    }
    if out.is_empty() {
        out.push(format!("{whom} are left as they are: it says nothing yet."));
    }
    out
}
