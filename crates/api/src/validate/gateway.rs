//! Gateway.

use std::collections::HashSet;

use super::checks::{Checks, is_dns_label, is_host, shorten};
use crate::{
    error::did_you_mean,
    networking::{Gateway, Port, Protocol, Server, ServerTls, ServerTlsMode},
};

/// The protocols that may be declared on a port.
pub(super) const PROTOCOLS: [&str; 12] =
    ["HTTP", "HTTPS", "GRPC", "GRPC-WEB", "HTTP2", "MONGO", "TCP", "TLS", "MYSQL", "REDIS", "UDP", "HBONE"];

pub(super) fn check(spec: &Gateway, checks: &mut Checks<'_>) {
    if spec.servers.is_empty() {
        checks.error("spec", "the gateway has no servers");
    }
    let mut names = HashSet::new();
    for (index, server) in spec.servers.iter().enumerate() {
        let at = format!("spec.servers[{index}]");
        check_server(server, &at, checks);
        if !server.name.is_empty() && !names.insert(server.name.as_str()) {
            checks.error(format!("{at}.name"), format!("the server {:?} is defined twice", shorten(&server.name)));
        }
    }
}

fn check_server(server: &Server, at: &str, checks: &mut Checks<'_>) {
    port(&server.port, &format!("{at}.port"), checks);
    if server.port.name.is_empty() {
        checks.error(format!("{at}.port"), "the port has no name");
    }
    if server.port.protocol.is_empty() {
        checks.error(format!("{at}.port"), "the port has no protocol");
    }
    if server.hosts.is_empty() {
        checks.advise(at, "the server has no hosts", "write hosts: [\"*\"] for all");
    }
    for (index, host) in server.hosts.iter().enumerate() {
        let (namespace, name) = host.split_once('/').map_or((None, host.as_str()), |(ns, name)| (Some(ns), name));
        let namespace_valid = namespace.is_none_or(|ns| matches!(ns, "*" | ".") || is_dns_label(ns));
        if !namespace_valid || (!is_host(name) && name.parse::<std::net::IpAddr>().is_err()) {
            checks.error(
                format!("{at}.hosts[{index}]"),
                format!("{:?} is not a host or <namespace>/<host>", shorten(host)),
            );
        }
    }
    let tls_expected = server.port.protocol().is_some_and(Protocol::is_tls);
    match &server.tls {
        None if tls_expected => {
            checks.error(at, format!("a port with protocol {} needs tls", server.port.protocol));
        }
        Some(tls) if !tls_expected && server.port.protocol().is_some() && !redirects_only(tls) => checks.error(
            format!("{at}.tls"),
            format!("a port with protocol {} has no TLS; only httpsRedirect may be given", server.port.protocol),
        ),
        Some(tls) => server_tls(tls, &format!("{at}.tls"), checks),
        None => {}
    }
}

fn redirects_only(tls: &ServerTls) -> bool {
    let bare = ServerTls { https_redirect: tls.https_redirect, ..ServerTls::default() };
    *tls == bare
}

pub(super) fn server_tls(tls: &ServerTls, at: &str, checks: &mut Checks<'_>) {
    let secret = !tls.credential_name.is_empty() || !tls.credential_names.is_empty();
    if !tls.credential_name.is_empty() && !tls.credential_names.is_empty() {
        checks.error(at, "only one of credentialName and credentialNames may be given");
    }
    let files = !tls.server_certificate.is_empty() || !tls.private_key.is_empty();
    match tls.mode {
        ServerTlsMode::Simple | ServerTlsMode::Mutual | ServerTlsMode::OptionalMutual
            if !secret && tls.tls_certificates.is_empty() =>
        {
            if tls.server_certificate.is_empty() || tls.private_key.is_empty() {
                checks.advise(
                    at,
                    format!("mode {} needs a certificate", tls.mode),
                    "name a Secret in credentialName, or give serverCertificate and privateKey",
                );
            } else if tls.mode != ServerTlsMode::Simple && tls.ca_certificates.is_empty() {
                checks.error(at, format!("mode {} needs caCertificates", tls.mode));
            }
        }
        ServerTlsMode::IstioMutual if secret || files || !tls.ca_certificates.is_empty() => {
            checks.error(at, "mode ISTIO_MUTUAL uses the mesh's certificates; leave all others out");
        }
        ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough if secret || files => {
            checks.error(at, format!("mode {} ends no TLS, so certificates have no use", tls.mode));
        }
        _ => {}
    }
}

/// The number and protocol of a port.
pub(super) fn port(port: &Port, at: &str, checks: &mut Checks<'_>) {
    if port.number == 0 {
        checks.error(at, "the port has no number");
    } else {
        checks.port(format!("{at}.number"), port.number);
    }
    if let Some(target) = port.target_port.filter(|target| *target != 0) {
        checks.port(format!("{at}.targetPort"), target);
    }
    if !port.protocol.is_empty() && Protocol::parse(&port.protocol).is_none() {
        let message = format!("{:?} is not one of {}", shorten(&port.protocol), PROTOCOLS.join(", "));
        checks.push(format!("{at}.protocol"), message, did_you_mean(&port.protocol, PROTOCOLS));
    }
}
