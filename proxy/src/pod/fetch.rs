//! A small HTTP client for the application in the same pod. One connection for one request, everything bounded by the
//! caller's timeout.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, header::HOST};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpSocket, TcpStream},
    task::AbortHandle,
};
use tokio_rustls::TlsConnector;

use crate::tls;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nothing answers there.
    #[error("cannot connect to {0}: {1}")]
    Connect(SocketAddr, #[source] std::io::Error),
    /// TLS.
    #[error("TLS with {0} failed: {1}")]
    Tls(SocketAddr, #[source] std::io::Error),
    /// TLS cannot be set up.
    #[error("{0}")]
    Setup(#[from] tls::Error),
    /// HTTP.
    #[error("HTTP with {0} failed: {1}")]
    Http(SocketAddr, #[source] hyper::Error),
    /// The request cannot be written.
    #[error("{0}")]
    Request(#[from] http::Error),
    /// Not an answer of success.
    #[error("{0} answered {1}")]
    Status(SocketAddr, http::StatusCode),
    /// The answer is too large.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

impl FetchError {
    /// Whether there was nobody at that address.
    pub fn refused(&self) -> bool {
        matches!(self, Self::Connect(..))
    }
}

/// Where to ask.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Address of the application.
    pub address: SocketAddr,
    /// Address to dial from.
    pub source: Option<IpAddr>,
    /// Whether TLS is spoken; no certificate is verified.
    pub tls: bool,
}

/// A connection to the application.
pub async fn dial(address: SocketAddr, source: Option<IpAddr>) -> Result<TcpStream, FetchError> {
    let failed = |error| FetchError::Connect(address, error);
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(failed)?;
    if let Some(source) = source.filter(|source| source.is_ipv4() == address.is_ipv4()) {
        socket.bind((source, 0).into()).map_err(failed)?;
    }
    socket.connect(address).await.map_err(failed)
}

/// The head of the answer to a GET, its body still to be read, and the connection.
pub async fn get(place: Place, path: &str, headers: &HeaderMap) -> Result<(Response<Incoming>, Link), FetchError> {
    let mut request = Request::get(path).body(Empty::<Bytes>::new())?;
    request.headers_mut().extend(headers.clone());
    if !request.headers().contains_key(HOST) {
        let host = http::HeaderValue::try_from(place.address.to_string()).map_err(http::Error::from)?;
        request.headers_mut().insert(HOST, host);
    }
    let stream = dial(place.address, place.source).await?;
    if !place.tls {
        return exchange(place.address, stream, request).await;
    }
    let name = ServerName::IpAddress(place.address.ip().into());
    let connector = TlsConnector::from(Arc::new(tls::unverified_config()?));
    let stream = connector.connect(name, stream).await.map_err(|error| FetchError::Tls(place.address, error))?;
    exchange(place.address, stream, request).await
}

/// Ends the connection when dropped.
pub struct Link(AbortHandle);

impl Drop for Link {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn exchange(
    address: SocketAddr,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Empty<Bytes>>,
) -> Result<(Response<Incoming>, Link), FetchError> {
    let failed = |error| FetchError::Http(address, error);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let driver = tokio::spawn(async move {
        // Who waits for the answer sees the error.
        let _ = connection.await;
    });
    let link = Link(driver.abort_handle());
    let response = sender.send_request(request).await.map_err(failed)?;
    Ok((response, link))
}

/// Reads a body of at most `limit` bytes.
pub async fn read(address: SocketAddr, mut body: Incoming, limit: usize) -> Result<Bytes, FetchError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| FetchError::Http(address, error))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(FetchError::TooLong(limit));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}
