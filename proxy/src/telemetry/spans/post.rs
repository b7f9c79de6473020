//! One POST to the collector.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Encoding;

/// Longest time for one batch, connecting included.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where spans are posted, and how they are written for it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    encoding: Encoding,
    authority: String,
    host: String,
    path: String,
}

/// Why a collector's URL cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// Not a URL.
    #[error("{0:?} is not a URL")]
    NotUrl(String),
    /// Not plain HTTP.
    #[error("{0:?} is not an http:// URL")]
    Scheme(String),
}

#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error("cannot connect: {0}")]
    Connect(#[source] std::io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("{0}")]
    Request(#[from] http::Error),
    #[error("the collector answered {0}")]
    Status(StatusCode),
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.host, self.path)
    }
}

impl Endpoint {
    /// Reads a collector's `http://` URL; [`Encoding`] says which port and path it has when it names none.
    ///
    /// # Errors
    /// No such URL.
    pub fn new(encoding: Encoding, url: &str) -> Result<Self, InvalidEndpoint> {
        let uri: Uri = url.parse().map_err(|_| InvalidEndpoint::NotUrl(url.into()))?;
        if uri.scheme_str() != Some("http") {
            return Err(InvalidEndpoint::Scheme(url.into()));
        }
        let authority = uri.authority().ok_or_else(|| InvalidEndpoint::NotUrl(url.into()))?;
        Ok(Self {
            encoding,
            authority: format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(encoding.port())),
            host: authority.as_str().to_owned(),
            path: encoding.path(uri.path()),
        })
    }

    /// How spans are written.
    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Posts one message; any 2xx is success.
    pub(super) async fn post(&self, body: Vec<u8>) -> Result<(), PostError> {
        tokio::time::timeout(TIMEOUT, self.send(body)).await.map_err(|_| PostError::Timeout)?
    }

    async fn send(&self, body: Vec<u8>) -> Result<(), PostError> {
        let stream = TcpStream::connect(&self.authority).await.map_err(PostError::Connect)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::post(&self.path)
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, self.encoding.content_type())
            .header(header::USER_AGENT, concat!("weft-proxy/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(Bytes::from(body)))?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            // Read to the end, so that the collector is not reset in the middle of its answer.
            let mut rest = response.into_body();
            while let Some(frame) = rest.frame().await {
                frame?;
            }
            drop(sender);
            if status.is_success() { Ok(()) } else { Err(PostError::Status(status)) }
        };
        let (sent, closed) = tokio::join!(exchange, connection);
        sent?;
        Ok(closed?)
    }
}
