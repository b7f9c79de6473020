//! HTTP to a port of a pod through the API server, as `kubectl port-forward` does, so that nothing needs to be exposed.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use tokio::io::{AsyncRead, AsyncWrite};

/// How long a page may take in all.
const PATIENCE: Duration = Duration::from_secs(15);
/// The largest page that is read: the configuration of a proxy in a large mesh.
const MAX_PAGE: usize = 256 * 1024 * 1024;

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The API server did not connect us.
    #[error("the API server opens no connection to {0}: {1}")]
    Connect(String, String),
    /// What answers is not what we look for.
    #[error("{0} answers {1}")]
    Status(String, hyper::StatusCode),
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
    let name = format!("{namespace}/{pod}:{port}");
    let work = async {
        let connect = |error: &dyn std::fmt::Display| ForwardError::Connect(name.clone(), error.to_string());
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let mut forwarder = pods.portforward(pod, &[port]).await.map_err(|error| connect(&error))?;
        let problem = forwarder.take_error(port);
        let stream = forwarder.take_stream(port).ok_or_else(|| connect(&"no stream"))?;
        let page = page(stream, &name, "localhost", path).await;
        if page.is_err()
            && let Some(problem) = problem
            && let Ok(Some(why)) = tokio::time::timeout(Duration::from_millis(500), problem).await
        {
            // The kubelet's words say more than a connection that closed.
            return Err(connect(&why.trim()));
        }
        forwarder.abort();
        page
    };
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| ForwardError::Slow(name.clone()))?
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
        page(stream, address, host, path).await
    };
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| ForwardError::Slow(address.to_owned()))?
}

async fn page(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    name: &str,
    host: &str,
    path: &str,
) -> Result<Bytes, ForwardError> {
    let broken = |error: &dyn std::fmt::Display| ForwardError::Broken(name.to_owned(), error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    let driver = tokio::spawn(connection);
    let request = Request::get(path).header("host", host).header("connection", "close").body(Empty::<Bytes>::new());
    let request = request.map_err(|error| broken(&error))?;
    let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_PAGE).collect().await.map_err(|error| broken(&error))?;
    driver.abort();
    if !status.is_success() {
        return Err(ForwardError::Status(format!("{name}{path}"), status));
    }
    Ok(body.to_bytes())
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

    #[tokio::test]
    async fn a_page_is_read_and_a_refusal_is_told() {
        let good = answer_once("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        assert_eq!(get_at(&good, "/x").await.unwrap(), "ok");
        let bad = answer_once("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
        assert!(get_at(&bad, "/x").await.unwrap_err().to_string().contains("404"));
        assert!(matches!(get_at("http://", "/x").await, Err(ForwardError::Address(_))));
    }
}
