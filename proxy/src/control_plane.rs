//! One HTTP/2 connection to the operator over mutual TLS, for gRPC calls.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::Uri;
use hyper::{
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    net::{TcpSocket, TcpStream},
    task::AbortHandle,
};
use tokio_rustls::TlsConnector;
use weft_model::SpiffeId;
use weft_policy::config::StringMatch;

/// Longest time for TCP, TLS and HTTP/2 handshakes together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a silent operator is asked whether it lives, and how long it may take to say so.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));
/// HTTP/2 flow-control windows; a whole configuration of some megabytes flows well through it.
const WINDOW: u32 = 256 * 1024;

/// Why the operator cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name does not resolve.
    #[error("cannot resolve {0}: {1}")]
    Resolve(String, #[source] std::io::Error),
    /// Nothing answers there.
    #[error("cannot connect to {0}: {1}")]
    Tcp(SocketAddr, #[source] std::io::Error),
    /// The TLS handshake failed: the other side is not the operator that this proxy trusts, or refuses its certificate.
    #[error("TLS with {0} failed: {1}")]
    Tls(SocketAddr, #[source] std::io::Error),
    /// HTTP/2 failed.
    #[error("HTTP/2 with {0} failed: {1}")]
    Http(SocketAddr, #[source] hyper::Error),
    /// It took too long.
    #[error("no connection to {0} within {limit} s", limit = CONNECT_TIMEOUT.as_secs())]
    Timeout(String),
}

impl ConnectError {
    /// Whether the certificate that was shown is not of this time: one of the two clocks is wrong.
    pub fn is_of_another_time(&self) -> bool {
        let Self::Tls(_, error) = self else { return false };
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let Some(rustls::Error::InvalidCertificate(why)) = inner else { return false };
        use rustls::CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
        matches!(why, Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. })
    }
}

/// Where the operator is.
#[derive(Clone, Debug)]
pub struct ControlPlane {
    /// `host:port`.
    address: String,
    /// The address to dial from; ignored where it cannot be bound.
    from: Option<IpAddr>,
}

/// A connection; closed when dropped.
pub struct Link {
    sender: SendRequest<tonic::body::Body>,
    driver: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl ControlPlane {
    /// The operator at `address` (`host:port`), dialled from `from`.
    pub fn new(address: impl Into<String>, from: Option<IpAddr>) -> Self {
        Self { address: address.into(), from }
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The host, without the port.
    fn host(&self) -> &str {
        self.address.rsplit_once(':').map_or(&*self.address, |(host, _)| host)
    }

    /// The host where it is a DNS name, not an address.
    fn dns_name(&self) -> Option<&str> {
        Some(self.host()).filter(|host| !host.starts_with('[') && host.parse::<IpAddr>().is_err())
    }

    /// Names of which the operator must prove one: its identity, or the DNS name that it is reached by.
    pub fn server_names(&self, operator: &SpiffeId) -> Vec<StringMatch> {
        let dns = self.dns_name().map(|name| StringMatch::Exact(name.into()));
        std::iter::once(StringMatch::Exact(operator.to_string().into())).chain(dns).collect()
    }

    /// What gRPC requests name as their authority.
    pub fn origin(&self) -> Uri {
        Uri::builder()
            .scheme("https")
            .authority(self.address.as_str())
            .path_and_query("/")
            .build()
            .unwrap_or_else(|_| Uri::from_static("https://weft-operator/"))
    }

    /// Connects. The name is resolved anew and each of its addresses is tried in turn.
    pub async fn connect(&self, tls: Arc<ClientConfig>) -> Result<Link, ConnectError> {
        let timeout = || ConnectError::Timeout(self.address.clone());
        tokio::time::timeout(CONNECT_TIMEOUT, self.try_all(tls)).await.map_err(|_| timeout())?
    }

    async fn try_all(&self, tls: Arc<ClientConfig>) -> Result<Link, ConnectError> {
        let unresolved = |error| ConnectError::Resolve(self.address.clone(), error);
        let mut last = unresolved(std::io::Error::other("the name has no address"));
        for address in tokio::net::lookup_host(&self.address).await.map_err(unresolved)? {
            match self.try_one(address, tls.clone()).await {
                Ok(link) => return Ok(link),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn try_one(&self, address: SocketAddr, tls: Arc<ClientConfig>) -> Result<Link, ConnectError> {
        let stream = dial(address, self.from).await.map_err(|error| ConnectError::Tcp(address, error))?;
        let name = self.dns_name().and_then(|name| ServerName::try_from(name.to_owned()).ok());
        let name = name.unwrap_or_else(|| ServerName::IpAddress(address.ip().into()));
        let stream =
            TlsConnector::from(tls).connect(name, stream).await.map_err(|error| ConnectError::Tls(address, error))?;
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEPALIVE.0)
            .keep_alive_timeout(KEEPALIVE.1)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| ConnectError::Http(address, error))?;
        let driver = tokio::spawn(async move {
            // Who uses the link sees the error on its stream.
            if let Err(error) = connection.await {
                tracing::debug!(%address, %error, "connection to the operator ended");
            }
        });
        Ok(Link { sender, driver: driver.abort_handle() })
    }
}

async fn dial(address: SocketAddr, from: Option<IpAddr>) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(from) = from.filter(|from| from.is_ipv4() == address.is_ipv4())
        && let Err(error) = socket.bind((from, 0).into())
    {
        tracing::debug!(%from, %error, "cannot dial from this address, using the default one");
    }
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

impl tower::Service<http::Request<tonic::body::Body>> for Link {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.sender.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        Box::pin(self.sender.send_request(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_beside_the_identity() {
        let operator = SpiffeId::new("cluster.local", "istio-system", "weft-operator");
        let names = |address: &str| ControlPlane::new(address, None).server_names(&operator).len();
        assert_eq!(names("weft-control-plane.weft-system.svc:15012"), 2);
        assert_eq!((names("127.0.0.1:15012"), names("[::1]:15012")), (1, 1));
    }
}

#[cfg(test)]
pub(crate) mod testing;
