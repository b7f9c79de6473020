//! A plain HTTP client: one connection a request, so that nothing is hidden by a pool.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The version that the demo application says served it.
    pub fn version(&self) -> String {
        self.json()["version"].as_str().unwrap_or_default().to_owned()
    }
}

/// Text as a part of a query.
pub fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

const TIMEOUT: Duration = Duration::from_secs(20);

/// `GET path` at `address` with a Host header and further headers.
pub async fn get(address: SocketAddr, host: &str, path: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
    send(address, "GET", host, path, headers, Bytes::new()).await
}

/// Any request.
pub async fn send(
    address: SocketAddr,
    method: &str,
    host: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<Answer, String> {
    let request = request(method, host, path, headers, body);
    let exchange = async {
        let stream = TcpStream::connect(address).await.map_err(|error| format!("connect {address}: {error}"))?;
        exchange(stream, request).await
    };
    tokio::time::timeout(TIMEOUT, exchange).await.map_err(|_| "timed out".to_owned())?
}

/// `GET path` over TLS, trusting only the certificate in `ca`, with `host` as SNI and Host header.
pub async fn get_tls(address: SocketAddr, host: &str, path: &str, ca: &Path) -> Result<Answer, String> {
    let mut roots = rustls::RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(ca).map_err(|error| error.to_string())?;
    roots.add(certificate).map_err(|error| error.to_string())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let request = request("GET", host, path, &[], Bytes::new());
    let exchange = async {
        let stream = TcpStream::connect(address).await.map_err(|error| format!("connect {address}: {error}"))?;
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, stream).await.map_err(|error| format!("TLS: {error}"))?;
        exchange(stream, request).await
    };
    tokio::time::timeout(TIMEOUT, exchange).await.map_err(|_| "timed out".to_owned())?
}

fn request(method: &str, host: &str, path: &str, headers: &[(&str, &str)], body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path).header("host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body)).expect("a test's request is well formed")
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|error| format!("request: {error}"))?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| format!("body: {error}"))?.to_bytes();
    connection.abort();
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}
