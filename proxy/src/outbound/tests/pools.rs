//! Connection pools and their limits.

use std::{net::SocketAddr, time::Duration};

use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{config::*, fixture::*};

async fn proxied(cluster: Cluster) -> (Proxy, SocketAddr) {
    let (proxy, address) = (Proxy::start("web"), free());
    let chain = http_chain(&manager(table(vec![to("order", |_| {})])));
    proxy.apply(Resources::default().cluster(cluster).listener(listener("web", address, vec![chain]))).await;
    (proxy, address)
}

async fn waiting(gate: &std::sync::Arc<tokio::sync::Semaphore>) -> Origin {
    let gate = gate.clone();
    Origin::start(move |_, _| {
        let gate = gate.clone();
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            text(StatusCode::OK, "")
        })
    })
    .await
}

#[tokio::test]
async fn requests_wait_for_a_connection_and_no_more_than_may() {
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let origin = waiting(&gate).await;
    let (proxy, address) = proxied(limited(cluster("order", &[origin.address]), 2, 3)).await;
    let mut clients = tokio::task::JoinSet::new();
    let ask = move || async move { Client::connect(address).await.get("/").await.status };
    for _ in 0..2 {
        clients.spawn(ask());
    }
    until("two requests are being served", || async { origin.requests() == 2 }).await;
    for _ in 0..5 {
        clients.spawn(ask());
    }
    // Three may wait, two may not.
    proxy.requests(503, "UO", 2.0).await;
    gate.add_permits(100);
    let mut statuses = clients.join_all().await;
    statuses.sort();
    assert_eq!(statuses[..5], [StatusCode::OK; 5]);
    assert_eq!(statuses[5..], [StatusCode::SERVICE_UNAVAILABLE; 2]);
    assert_eq!((origin.connections(), origin.requests()), (2, 5));
}

#[tokio::test]
async fn a_connection_serves_only_so_many_requests() {
    let origin = Origin::echo().await;
    let mut limited = cluster("order", &[origin.address]);
    #[allow(deprecated, reason = "the field that the control plane sets")]
    {
        limited.max_requests_per_connection = number(2);
    }
    let (_proxy, address) = proxied(limited).await;
    let mut client = Client::connect(address).await;
    for _ in 0..6 {
        assert_eq!(client.get("/").await.status, StatusCode::OK);
    }
    assert_eq!(origin.connections(), 3);
}

/// A server that closes each connection after one answer without having said so.
async fn forgetful() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = vec![0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                // The next request arrives, and the connection breaks instead of an answer.
                let _ = stream.read(&mut buffer).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn a_stale_connection_costs_no_request() {
    let address = forgetful().await;
    let (proxy, listener) = proxied(cluster("order", &[address])).await;
    let mut client = Client::connect(listener).await;
    for _ in 0..10 {
        assert_eq!(client.get("/").await.status, StatusCode::OK);
    }
    proxy.requests(200, "-", 10.0).await;
}

#[tokio::test]
async fn a_request_that_may_have_had_effects_is_not_repeated() {
    let address = forgetful().await;
    let (proxy, listener) = proxied(cluster("order", &[address])).await;
    let mut client = Client::connect(listener).await;
    assert_eq!(client.get("/").await.status, StatusCode::OK);
    let answer = client.send(post("/", "once")).await.unwrap();
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    proxy.requests(503, "UC", 1.0).await;
}

#[tokio::test]
async fn a_client_that_leaves_is_recorded_once() {
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let origin = waiting(&gate).await;
    let (proxy, address) = proxied(cluster("order", &[origin.address])).await;
    let client = tokio::spawn(async move { Client::connect(address).await.get("/").await.status });
    until("the request has arrived", || async { origin.requests() == 1 }).await;
    client.abort();
    let _ = client.await;
    proxy.requests(0, "DC", 1.0).await;
    gate.add_permits(10);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(Client::connect(address).await.get("/").await.status, StatusCode::OK);
    proxy.counted("istio_requests_total", &[], 2.0).await;
}
