//! Certificates as proxies in pods get them: the pod's service account token shown to the certificate authority.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result};
use http::{Request, uri::PathAndQuery};
use hyper_util::rt::TokioIo;
use kube::Client;
use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, RootCertStore, version::TLS13};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, pem::PemObject};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;
use weft_install::names;
use weft_wire::ca::{CREATE_CERTIFICATE, IstioCertificateRequest, IstioCertificateResponse};

/// What a proxy's flow-control windows are.
const WINDOW: u32 = 256 * 1024;

/// A key and its certificate.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

/// What trusts the mesh's root and shows `identity`; `alpn` names the application's protocol.
///
/// # Errors
/// When the root is no certificate.
pub fn connector(root: &str, identity: Option<&Identity>, alpn: &str) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13])?.with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let key = PrivatePkcs8KeyDer::from(identity.key.serialize_der()).into();
            builder.with_client_auth_cert(identity.chain.clone(), key)?
        }
    };
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The name that the control plane proves on all its ports.
///
/// # Errors
/// Never in practice: the name is valid.
pub fn server() -> Result<ServerName<'static>> {
    Ok(ServerName::try_from(format!("{}.{}.svc", names::CONTROL_PLANE, names::NAMESPACE))?)
}

/// A gRPC channel to the control plane.
///
/// # Errors
/// When it cannot be reached.
pub async fn channel(address: SocketAddr, root: &str, identity: Option<&Identity>) -> Result<Channel> {
    let connector = connector(root, identity, "h2")?;
    let name = server()?;
    let dial = tower::service_fn(move |_: http::Uri| {
        let (connector, name) = (connector.clone(), name.clone());
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok::<_, std::io::Error>(TokioIo::new(connector.connect(name, stream).await?))
        }
    });
    let endpoint = Endpoint::from_static("http://weft-control-plane")
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    endpoint.connect_with_connector(dial).await.context("cannot connect to the control plane")
}

/// Joins as a pod: its token, then its certificate.
///
/// # Errors
/// When the API server or the control plane refuses.
pub async fn join(
    client: &Client,
    address: SocketAddr,
    root: &str,
    pod: (&str, &str),
    account: &str,
) -> Result<Identity> {
    let token = token(client, pod, account).await?;
    let key = KeyPair::generate()?;
    let csr = CertificateParams::default().serialize_request(&key)?.pem()?;
    let mut request = tonic::Request::new(IstioCertificateRequest { csr, ..IstioCertificateRequest::default() });
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
    let mut grpc = tonic::client::Grpc::new(channel(address, root, None).await?);
    grpc.ready().await?;
    let codec = ProstCodec::<IstioCertificateRequest, IstioCertificateResponse>::default();
    let answer = grpc.unary(request, PathAndQuery::from_static(CREATE_CERTIFICATE), codec).await;
    let answer = answer.with_context(|| format!("no certificate for {}/{}", pod.0, pod.1))?.into_inner();
    let chain = answer.cert_chain.iter().map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()));
    Ok(Identity { chain: chain.collect::<Result<_, _>>()?, key })
}

async fn token(client: &Client, (namespace, pod): (&str, &str), account: &str) -> Result<String> {
    let base = format!("/api/v1/namespaces/{namespace}");
    let object: Value = client.request(Request::get(format!("{base}/pods/{pod}")).body(Vec::new())?).await?;
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {
            "audiences": [names::TOKEN_AUDIENCE], "expirationSeconds": 3600,
            "boundObjectRef": { "apiVersion": "v1", "kind": "Pod", "name": pod, "uid": object["metadata"]["uid"] },
        },
    });
    let request = Request::post(format!("{base}/serviceaccounts/{account}/token"));
    let request = request.header("content-type", "application/json").body(review.to_string().into_bytes())?;
    let answer: Value = client.request(request).await.context("TokenRequest")?;
    Ok(answer["status"]["token"].as_str().context("the API server gave no token")?.to_owned())
}
