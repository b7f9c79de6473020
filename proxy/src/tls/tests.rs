use std::io::{Read, Write};

use rustls::{ClientConnection, NamedGroup, ProtocolVersion, ServerConnection, pki_types::ServerName};
use weft_model::xds::{ALPN_ISTIO, ALPN_ISTIO_H2, ALPN_ISTIO_HTTP11, SDS_ROOTS, SDS_WORKLOAD};
use weft_policy::config::{Config, Delta, Resource, Secret, SecretContent, StringMatch, TlsVersion};

use super::{testing::TestCa, *};
use crate::state::testing::shared;

const WEB: &str = "spiffe://cluster.local/ns/shop/sa/web";
const API: &str = "spiffe://cluster.local/ns/shop/sa/api";

fn upstream(sans: &[&str]) -> Arc<UpstreamTls> {
    Arc::new(UpstreamTls {
        certificate: Some(SDS_WORKLOAD.into()),
        roots: Some(SDS_ROOTS.into()),
        server_san: sans.iter().map(|san| StringMatch::Exact((*san).into())).collect(),
        sni: "outbound_.80_._.api.shop.svc.cluster.local".into(),
        alpn: vec![ALPN_ISTIO.into()],
        min_version: TlsVersion::V1_2,
        max_version: TlsVersion::V1_3,
    })
}

fn downstream() -> Arc<DownstreamTls> {
    Arc::new(DownstreamTls {
        certificate: SDS_WORKLOAD.into(),
        roots: Some(SDS_ROOTS.into()),
        require_client_certificate: true,
        alpn: [ALPN_ISTIO_H2, ALPN_ISTIO_HTTP11, ALPN_ISTIO].map(Into::into).into(),
        client_san: Vec::new(),
        min_version: TlsVersion::V1_2,
        max_version: TlsVersion::V1_3,
    })
}

/// Runs a handshake in memory; the first error of either side ends it.
fn shake(
    client: Arc<rustls::ClientConfig>,
    server: Arc<rustls::ServerConfig>,
) -> Result<(ClientConnection, ServerConnection), rustls::Error> {
    let name = ServerName::try_from("api.shop.svc.cluster.local").unwrap();
    let (mut client, mut server) = (ClientConnection::new(client, name)?, ServerConnection::new(server)?);
    while client.is_handshaking() || server.is_handshaking() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets()?;
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok((client, server))
}

fn with_identity(identity: Identity) -> Arc<Shared> {
    let shared = shared();
    shared.identity.store(Some(Arc::new(identity)));
    shared
}

#[test]
fn proxies_prove_their_identities_to_each_other() {
    let ca = TestCa::new();
    let (web, api) = (with_identity(ca.issue(WEB)), with_identity(ca.issue(API)));
    let client = client_config(&web, &upstream(&[API]), Offer::Http2).unwrap();
    let server = server_config(&api, &downstream()).unwrap();
    let (client, server) = shake(client, server).unwrap();
    assert_eq!(peer_spiffe(&server).unwrap().to_string(), WEB);
    assert_eq!(peer_spiffe(&client).unwrap().to_string(), API);
    assert_eq!(server.alpn_protocol(), Some(ALPN_ISTIO_H2.as_bytes()));
    assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(client.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
    assert_eq!(server.server_name(), Some("api.shop.svc.cluster.local"));
}

#[test]
fn a_server_of_another_account_is_refused() {
    let ca = TestCa::new();
    let (web, other) = (with_identity(ca.issue(WEB)), with_identity(ca.issue("spiffe://cluster.local/ns/shop/sa/db")));
    let client = client_config(&web, &upstream(&[API]), Offer::Http1).unwrap();
    let error = shake(client, server_config(&other, &downstream()).unwrap()).unwrap_err();
    assert!(
        error.to_string().contains("NotValidForName") || error.to_string().contains("not valid for name"),
        "{error}"
    );
}

#[test]
fn a_client_of_another_mesh_or_root_or_without_certificate_is_refused() {
    let (ca, other) = (TestCa::new(), TestCa::new());
    let api = with_identity(ca.issue(API));
    let server = || server_config(&api, &downstream()).unwrap();
    let foreign = with_identity(ca.issue("spiffe://evil.local/ns/shop/sa/web"));
    let client = client_config(&foreign, &upstream(&[API]), Offer::Http1).unwrap();
    assert!(shake(client, server()).is_err());

    let stranger = with_identity(other.issue(WEB));
    let blind = Arc::new(UpstreamTls { roots: None, ..UpstreamTls { server_san: Vec::new(), ..copy(&upstream(&[])) } });
    let client = client_config(&stranger, &blind, Offer::Http1).unwrap();
    assert!(shake(client, server()).is_err());

    let nobody = Arc::new(UpstreamTls { certificate: None, roots: None, ..copy(&upstream(&[])) });
    let client = client_config(&stranger, &nobody, Offer::Configured).unwrap();
    assert!(shake(client, server()).is_err());
}

fn copy(tls: &UpstreamTls) -> UpstreamTls {
    UpstreamTls {
        certificate: tls.certificate.clone(),
        roots: tls.roots.clone(),
        server_san: tls.server_san.clone(),
        sni: tls.sni.clone(),
        alpn: tls.alpn.clone(),
        min_version: tls.min_version,
        max_version: tls.max_version,
    }
}

#[test]
fn configurations_are_kept_until_the_identity_changes() {
    let ca = TestCa::new();
    let web = with_identity(ca.issue(WEB));
    let (up, down) = (upstream(&[API]), downstream());
    let client = client_config(&web, &up, Offer::Http1).unwrap();
    let server = server_config(&web, &down).unwrap();
    assert!(Arc::ptr_eq(&client, &client_config(&web, &up, Offer::Http1).unwrap()));
    assert!(!Arc::ptr_eq(&client, &client_config(&web, &up, Offer::Http2).unwrap()));
    assert!(Arc::ptr_eq(&server, &server_config(&web, &down).unwrap()));
    web.identity.store(Some(Arc::new(ca.issue(WEB))));
    assert!(!Arc::ptr_eq(&client, &client_config(&web, &up, Offer::Http1).unwrap()));
    assert!(!Arc::ptr_eq(&server, &server_config(&web, &down).unwrap()));
}

#[test]
fn a_connection_outlives_the_identity_that_it_was_opened_with() {
    let ca = TestCa::new();
    let (web, api) = (with_identity(ca.issue(WEB)), with_identity(ca.issue(API)));
    let client = client_config(&web, &upstream(&[API]), Offer::Http1).unwrap();
    let (mut client, mut server) = shake(client, server_config(&api, &downstream()).unwrap()).unwrap();
    web.identity.store(Some(Arc::new(ca.issue(WEB))));
    api.identity.store(Some(Arc::new(ca.issue(API))));
    client.writer().write_all(b"still here").unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    server.read_tls(&mut &bytes[..]).unwrap();
    server.process_new_packets().unwrap();
    let mut read = [0; 10];
    server.reader().read_exact(&mut read).unwrap();
    assert_eq!(&read, b"still here");
}

#[test]
fn gateways_take_their_certificate_from_a_secret() {
    let key = rcgen::generate_simple_self_signed(vec!["api.shop.svc.cluster.local".into()]).unwrap();
    let name: Arc<str> = "kubernetes://api-tls".into();
    let tls = Arc::new(DownstreamTls {
        certificate: name.clone(),
        roots: None,
        require_client_certificate: false,
        alpn: vec!["h2".into(), "http/1.1".into()],
        client_san: Vec::new(),
        min_version: TlsVersion::V1_2,
        max_version: TlsVersion::V1_3,
    });
    let gateway = shared();
    assert!(matches!(server_config(&gateway, &tls), Err(Error::NoSecret(_))));
    let content = SecretContent::Certificate {
        chain: key.cert.pem().into_bytes().into(),
        key: key.signing_key.serialize_pem().into_bytes().into(),
    };
    let secret = Resource::Secret(Arc::new(Secret { name: name.clone(), content }));
    gateway.publish(Config::default().update(Delta { put: vec![(name, secret)], ..Delta::default() }));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(key.cert.der().clone()).unwrap();
    let mut client = rustls::ClientConfig::builder_with_provider(provider().clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (client, _) = shake(Arc::new(client), server_config(&gateway, &tls).unwrap()).unwrap();
    assert_eq!(client.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(peer_spiffe(&client).is_none());
}

#[test]
fn nothing_works_without_an_identity() {
    assert!(matches!(client_config(&shared(), &upstream(&[API]), Offer::Http1), Err(Error::NoIdentity)));
    assert!(matches!(server_config(&shared(), &downstream()), Err(Error::NoIdentity)));
}
