//! The standard gRPC health check (<https://github.com/grpc/grpc/blob/master/doc/health-checking.md>).

use std::net::SocketAddr;

use http::{Uri, uri::PathAndQuery};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tonic::{Request, Status, client::Grpc};
use tonic_prost::ProstCodec;

const CHECK: &str = "/grpc.health.v1.Health/Check";
const SERVING: i32 = 1;

/// `grpc.health.v1.HealthCheckRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    pub service: String,
}

/// `grpc.health.v1.HealthCheckResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    pub status: i32,
}

/// Asks for the state of `service`; the error says why it is not serving.
pub(super) async fn check(address: SocketAddr, stream: TcpStream, service: &str) -> Result<(), String> {
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .map_err(|error| format!("HTTP/2 with {address} failed: {error}"))?;
    let driver = tokio::spawn(async move {
        // Who waits for the answer sees the error.
        let _ = connection.await;
    });
    let outcome = ask(address, sender, service).await;
    driver.abort();
    outcome
}

async fn ask(
    address: SocketAddr,
    sender: hyper::client::conn::http2::SendRequest<tonic::body::Body>,
    service: &str,
) -> Result<(), String> {
    let link = tower::service_fn(move |request| {
        let mut sender = sender.clone();
        async move { sender.send_request(request).await }
    });
    let origin = Uri::builder().scheme("http").authority(address.to_string()).path_and_query("/").build();
    let mut grpc = Grpc::with_origin(link, origin.map_err(|error| error.to_string())?);
    let told = |status: Status| format!("{}: {}", status.code(), status.message());
    grpc.ready().await.map_err(|error| error.to_string())?;
    let codec = ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default();
    let request = Request::new(HealthCheckRequest { service: service.to_owned() });
    let answer = grpc.unary(request, PathAndQuery::from_static(CHECK), codec).await.map_err(told)?;
    match answer.into_inner().status {
        SERVING => Ok(()),
        other => Err(format!("the application says {}", name(other))),
    }
}

fn name(status: i32) -> &'static str {
    match status {
        2 => "NOT_SERVING",
        3 => "SERVICE_UNKNOWN",
        _ => "UNKNOWN",
    }
}
