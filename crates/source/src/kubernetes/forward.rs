//! HTTP to a port of a pod through the API server, as `kubectl port-forward` does, so that nothing needs to be exposed.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::Portforwarder, client::UpgradeConnectionError};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::AbortHandle,
};

/// How long pages may take, connection included.
const PATIENCE: Duration = Duration::from_secs(15);
/// The largest page that is read: the configuration of a proxy in a large mesh.
const MAX_PAGE: usize = 256 * 1024 * 1024;

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The API server did not connect us.
    #[error("the API server opens no connection to {0}: {1}")]
    Connect(String, String),
    /// The API server does not accept who asks.
    #[error("the API server does not accept the token: it may have run out, or be another provider's")]
    Unauthorized,
    /// Whoever asks may not do this.
    #[error(
        "it takes the rights to get and create pods/portforward in namespace {0}, which the token or account does not have"
    )]
    Forbidden(String),
    /// What answers is not what we look for.
    #[error("{0} answers {1}")]
    Status(String, StatusCode),
    /// The connection broke.
    #[error("{0} does not answer: {1}")]
    Broken(String, String),
    /// Too slow.
    #[error("{0} does not answer within {n} s", n = PATIENCE.as_secs())]
    Slow(String),
    /// Not an address.
    #[error("{0} is no address such as http://127.0.0.1:15014")]
    Address(String),
}

/// Reads a page of a pod.
pub async fn get(client: &Client, namespace: &str, pod: &str, port: u16, path: &str) -> Result<Bytes, ForwardError> {
    let [page] = get_all(client, namespace, pod, port, [path], MAX_PAGE).await?;
    page
}

/// Reads pages of a pod, each of at most `most` bytes, one after the other over one connection.
///
/// # Errors
/// When there is no connection. A page that cannot be read is an error of its own, and so are those after a connection that
/// broke.
pub async fn get_all<const N: usize>(
    client: &Client,
    namespace: &str,
    pod: &str,
    port: u16,
    paths: [&str; N],
    most: usize,
) -> Result<[Result<Bytes, ForwardError>; N], ForwardError> {
    let name = format!("{namespace}/{pod}:{port}");
    let work = async {
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let mut forwarder = pods.portforward(pod, &[port]).await.map_err(|error| refused(&name, namespace, &error))?;
        let mut problem = forwarder.take_error(port);
        let no_stream = || ForwardError::Connect(name.clone(), "no stream".to_owned());
        let stream = forwarder.take_stream(port).ok_or_else(no_stream)?;
        let mut connection = Connection::open(stream, name.clone(), "localhost".to_owned()).await?;
        let mut pages = Vec::with_capacity(N);
        for path in paths {
            let page = connection.page(path, most).await;
            if matches!(page, Err(ForwardError::Broken(..)))
                && let Some(problem) = problem.take()
                && let Ok(Some(why)) = tokio::time::timeout(Duration::from_millis(500), problem).await
            {
                // The kubelet's words say more than a connection that closed.
                return Err(ForwardError::Connect(name.clone(), why.trim().to_owned()));
            }
            pages.push(page);
        }
        forwarder.abort();
        pages.try_into().map_err(|_| no_stream())
    };
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| ForwardError::Slow(name.clone()))?
}

/// A connection to a port of a pod, for requests that say who asks and answers that say why not. It ends with this value.
pub struct Line {
    connection: Connection,
    forwarder: Portforwarder,
}

/// Opens one.
pub async fn open(client: &Client, namespace: &str, pod: &str, port: u16) -> Result<Line, ForwardError> {
    let name = format!("{namespace}/{pod}:{port}");
    let work = async {
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let mut forwarder = pods.portforward(pod, &[port]).await.map_err(|error| refused(&name, namespace, &error))?;
        let stream = forwarder.take_stream(port);
        let stream = stream.ok_or_else(|| ForwardError::Connect(name.clone(), "no stream".to_owned()))?;
        let connection = Connection::open(stream, name.clone(), "localhost".to_owned()).await?;
        Ok(Line { connection, forwarder })
    };
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| ForwardError::Slow(name.clone()))?
}

impl Line {
    /// Asks for `path` with these headers; gives the status and at most `most` bytes of what is answered.
    ///
    /// # Errors
    /// When nothing is answered in time. A status is none.
    pub async fn get(
        &mut self,
        path: &str,
        headers: &HeaderMap,
        most: usize,
    ) -> Result<(StatusCode, Bytes), ForwardError> {
        let name = self.connection.name.clone();
        let answer = tokio::time::timeout(PATIENCE, self.connection.ask(path, headers, most)).await;
        answer.map_err(|_| ForwardError::Slow(name))?
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.forwarder.abort();
    }
}

/// Why the API server opens no connection: of an upgrade it tells no more than the status.
fn refused(name: &str, namespace: &str, error: &kube::Error) -> ForwardError {
    let status = match error {
        kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status)) => status.as_u16(),
        kube::Error::Api(status) => status.code,
        _ => 0,
    };
    match status {
        401 => ForwardError::Unauthorized,
        403 => ForwardError::Forbidden(namespace.to_owned()),
        404 => ForwardError::Connect(name.to_owned(), "there is no such pod".to_owned()),
        _ => {
            // What the client prints of an answer is its fields.
            let why = match error {
                kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
                _ => error.to_string(),
            };
            ForwardError::Connect(name.to_owned(), why)
        }
    }
}

/// Reads a page at an address of this machine or network, such as an operator in standalone mode.
pub async fn get_at(address: &str, path: &str) -> Result<Bytes, ForwardError> {
    let host = address.strip_prefix("http://").unwrap_or(address).trim_end_matches('/');
    if host.is_empty() || host.contains('/') {
        return Err(ForwardError::Address(address.to_owned()));
    }
    let work = async {
        let broken = |error: std::io::Error| ForwardError::Broken(address.to_owned(), error.to_string());
        let stream = tokio::net::TcpStream::connect(host).await.map_err(broken)?;
        Connection::open(stream, address.to_owned(), host.to_owned()).await?.page(path, MAX_PAGE).await
    };
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| ForwardError::Slow(address.to_owned()))?
}

/// HTTP/1.1 over a stream; ends with this value.
struct Connection {
    name: String,
    host: String,
    sender: SendRequest<Empty<Bytes>>,
    driver: AbortHandle,
}

impl Connection {
    async fn open(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        name: String,
        host: String,
    ) -> Result<Self, ForwardError> {
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|error| ForwardError::Broken(name.clone(), error.to_string()))?;
        Ok(Self { name, host, sender, driver: tokio::spawn(connection).abort_handle() })
    }

    async fn page(&mut self, path: &str, most: usize) -> Result<Bytes, ForwardError> {
        let (status, body) = self.ask(path, &HeaderMap::new(), most).await?;
        if !status.is_success() {
            return Err(ForwardError::Status(format!("{}{path}", self.name), status));
        }
        Ok(body)
    }

    async fn ask(&mut self, path: &str, headers: &HeaderMap, most: usize) -> Result<(StatusCode, Bytes), ForwardError> {
        let name = &self.name;
        let broken = |error: &dyn std::fmt::Display| ForwardError::Broken(name.clone(), error.to_string());
        let request = Request::get(path).header("host", &self.host).body(Empty::<Bytes>::new());
        let mut request = request.map_err(|error| broken(&error))?;
        request.headers_mut().extend(headers.clone());
        self.sender.ready().await.map_err(|error| broken(&error))?;
        let response = self.sender.send_request(request).await.map_err(|error| broken(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), most).collect().await.map_err(|error| broken(&error))?;
        Ok((status, body.to_bytes()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    async fn answer_once(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        format!("http://{address}")
    }

    #[test]
    fn who_may_not_is_told_which_right_it_takes() {
        let upgrade = |status| kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status));
        let why = |status| refused("shop/web:15000", "shop", &upgrade(status));
        let forbidden = why(StatusCode::FORBIDDEN);
        assert!(forbidden.to_string().contains("create pods/portforward in namespace shop"), "{forbidden}");
        assert!(matches!(why(StatusCode::UNAUTHORIZED), ForwardError::Unauthorized));
        assert!(matches!(why(StatusCode::BAD_GATEWAY), ForwardError::Connect(..)));
    }

    #[tokio::test]
    async fn a_page_is_read_and_a_refusal_is_told() {
        let good = answer_once("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        assert_eq!(get_at(&good, "/x").await.unwrap(), "ok");
        let bad = answer_once("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
        assert!(get_at(&bad, "/x").await.unwrap_err().to_string().contains("404"));
        assert!(matches!(get_at("http://", "/x").await, Err(ForwardError::Address(_))));
    }
}
