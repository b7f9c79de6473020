//! TLS towards a cluster.

use std::collections::BTreeSet;

use envoy_types::pb::envoy::config::cluster::v3::{Cluster, cluster::TransportSocketMatch};
use weft_api::networking::{
    Protocol,
    service_entry::Location,
    traffic_policy::{ClientTls, ClientTlsMode},
};
use weft_model::{SpiffeId, xds};

use super::{Target, discovery, discovery::Discovery, policy};
use crate::{
    resolve::endpoints::Endpoint,
    translate::{
        proto,
        tls::{Originate, mutual_client, originate, plaintext},
    },
};

/// What the DestinationRule says; where it says nothing, mutual TLS to the endpoints that take it and plaintext to the rest.
pub(super) fn apply(target: &Target<'_>, everyone: &[Endpoint], cluster: &mut Cluster) {
    match target.policy.tls {
        None => automatic(target, everyone, cluster),
        Some(tls) => match tls.mode {
            ClientTlsMode::Disable => {}
            ClientTlsMode::IstioMutual => {
                let names = identities(target, everyone, &tls.subject_alt_names);
                let sni = if tls.sni.is_empty() { default_sni(target) } else { tls.sni.clone() };
                cluster.transport_socket = Some(mutual_client(sni, &names, alpn(target)));
            }
            ClientTlsMode::Simple | ClientTlsMode::Mutual => outside(target, tls, cluster),
        },
    }
}

fn automatic(target: &Target<'_>, everyone: &[Endpoint], cluster: &mut Cluster) {
    let opaque_tls =
        target.port.protocol.is_some_and(Protocol::is_tls) && target.service.location == Location::MeshExternal;
    if !target.scope.view.mesh().auto_mtls || opaque_tls {
        return;
    }
    let socket = mutual_client(default_sni(target), &identities(target, everyone, &[]), alpn(target));
    if discovery::of(target.scope.client, target.service) == Discovery::Dialled {
        // What is dialled is not known beforehand, so all of them must take mutual TLS.
        if !everyone.is_empty() && everyone.iter().all(|e| e.mutual_tls) {
            cluster.transport_socket = Some(socket);
        }
        return;
    }
    cluster.transport_socket_matches = vec![
        TransportSocketMatch {
            name: "tlsMode-istio".into(),
            r#match: Some(proto::structure([(xds::TLS_MODE_KEY, proto::text(xds::TLS_MODE_ISTIO))])),
            transport_socket: Some(socket),
        },
        TransportSocketMatch {
            name: "tlsMode-disabled".into(),
            r#match: Some(proto::structure([])),
            transport_socket: Some(plaintext()),
        },
    ];
}

fn outside(target: &Target<'_>, tls: &ClientTls, cluster: &mut Cluster) {
    let http2 = target.port.protocol.is_some_and(Protocol::is_http2);
    let host = target.service.host.as_str();
    let sni = match (tls.sni.as_str(), target.service.host.is_wildcard()) {
        ("", false) => host,
        (sni, _) => sni,
    };
    let own_name = [host.to_owned()];
    let names = match (tls.subject_alt_names.as_slice(), target.service.subject_alt_names.as_slice()) {
        ([], []) if !target.service.host.is_wildcard() => &own_name[..],
        ([], declared) => declared,
        (said, _) => said,
    };
    cluster.transport_socket = Some(originate(&Originate {
        credential: &tls.credential_name,
        certificate: &tls.client_certificate,
        key: &tls.private_key,
        roots: &tls.ca_certificates,
        names,
        sni,
        mutual: tls.mode == ClientTlsMode::Mutual,
        skip_verify: tls.insecure_skip_verify == Some(true),
        alpn: if http2 { &["h2"] } else { &["http/1.1"] },
    }));
}

/// Istio's name for a port of a subset.
fn default_sni(target: &Target<'_>) -> String {
    format!("outbound_.{}_.{}_.{}", target.port.number, target.subset, target.service.host)
}

/// Who may answer: what the rule says, else the accounts of everybody behind the service, in every trust domain of the mesh.
fn identities(target: &Target<'_>, everyone: &[Endpoint], said: &[String]) -> Vec<String> {
    if !said.is_empty() {
        return said.to_vec();
    }
    let accounts: BTreeSet<(&str, &str)> = everyone
        .iter()
        .filter(|e| !e.service_account.is_empty())
        .map(|e| (e.namespace.as_str(), e.service_account.as_str()))
        .collect();
    let domains = &target.scope.view.mesh().trust_domains;
    let mut names: Vec<String> = accounts
        .into_iter()
        .flat_map(|(namespace, account)| {
            domains.iter().map(move |td| SpiffeId::new(td, namespace, account).to_string())
        })
        .collect();
    names.extend(target.service.subject_alt_names.iter().cloned());
    names
}

/// What the server's proxy is told by ALPN. Where the protocol is found out only by looking, opaque bytes are announced
/// here, and a proxy of ours that saw HTTP announces that instead.
fn alpn(target: &Target<'_>) -> &'static [&'static str] {
    let http = target.policy.connection_pool.and_then(|p| p.http.as_ref());
    match target.port.protocol {
        Some(p) if p.is_http2() => &[xds::ALPN_ISTIO_H2],
        Some(p) if p.is_http() && policy::upgraded(http, target.scope.view.mesh()) => &[xds::ALPN_ISTIO_H2],
        Some(p) if p.is_http() => &[xds::ALPN_ISTIO_HTTP11],
        _ => &[xds::ALPN_ISTIO],
    }
}
