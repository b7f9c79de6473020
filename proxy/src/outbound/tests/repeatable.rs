//! An application that is gone while its proxy is still there, as at the end of every pod.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use envoy_types::pb::envoy::config::route::v3::{RouteAction, retry_policy::RetryBackOff};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Full;
use tokio::{io::AsyncReadExt, net::TcpListener};

use super::{config::*, fixture::*};
use crate::tls::testing::TestCa;

/// A proxy before an application at each of these addresses, and one that calls them in mutual TLS.
async fn called(applications: &[SocketAddr]) -> (Proxy, Proxy, SocketAddr) {
    called_by(applications, |action| action.retry_policy = Some(retries("connect-failure", 2, None))).await
}

async fn called_by(applications: &[SocketAddr], change: impl FnOnce(&mut RouteAction)) -> (Proxy, Proxy, SocketAddr) {
    let ca = TestCa::new();
    let (client, server, address) = (Proxy::start("web"), Proxy::start("order"), free());
    client.shared.identity.store(Some(Arc::new(ca.issue("spiffe://cluster.local/ns/shop/sa/web"))));
    server.shared.identity.store(Some(Arc::new(ca.issue("spiffe://cluster.local/ns/shop/sa/order"))));
    let (mut there, mut endpoints) = (Resources::default(), Vec::new());
    for application in applications {
        let (name, own) = (format!("inbound|{}||", application.port()), free());
        let chain = mutual_tls(http_chain(&manager(table(vec![to(&name, |_| {})]))));
        there = there.cluster(cluster(&name, &[*application])).listener(inbound(listener(&name, own, vec![chain])));
        endpoints.push(own);
    }
    server.apply(there).await;
    let route = to("order", change);
    let out = listener("web", address, vec![http_chain(&manager(table(vec![route])))]);
    client.apply(Resources::default().cluster(over_tls(cluster("order", &endpoints))).listener(out)).await;
    (client, server, address)
}

fn order() -> Request<Full<Bytes>> {
    post("/", "one of each")
}

#[tokio::test]
async fn what_no_application_saw_goes_to_another() {
    let origin = Origin::echo().await;
    let (client, _server, address) = called(&[free(), free(), free(), free(), origin.address]).await;
    let mut caller = Client::connect(address).await;
    for _ in 0..20 {
        assert_eq!(caller.send(order()).await.unwrap().status, StatusCode::OK);
    }
    // Each was handled once.
    assert_eq!(origin.requests(), 20);
    client.requests(200, "-", 20.0).await;
}

/// Attempts that do not count are made within the request's time all the same.
#[tokio::test]
async fn what_is_handed_back_without_end_stops_at_the_deadline() {
    let applications: Vec<SocketAddr> = (0..10).map(|_| free()).collect();
    let (client, _server, address) = called_by(&applications, |action| {
        let mut policy = retries("connect-failure", 2, None);
        let pause = Some(proto(Duration::from_secs(3600)));
        policy.retry_back_off = Some(RetryBackOff { base_interval: pause, max_interval: pause });
        action.retry_policy = Some(policy);
        action.timeout = Some(proto(Duration::from_millis(300)));
    })
    .await;
    let started = Instant::now();
    let answer = Client::connect(address).await.send(order()).await.unwrap();
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    client.requests(504, "UT", 1.0).await;
}

/// Takes connections and closes them when a request has come, as an application does that is about to end.
async fn ending() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
        }
    });
    address
}

#[tokio::test]
async fn what_an_ending_application_leaves_unanswered_goes_to_another_where_that_does_no_harm() {
    let origin = Origin::echo().await;
    let (client, _server, address) = called(&[ending().await, origin.address]).await;
    let mut caller = Client::connect(address).await;
    for _ in 0..20 {
        assert_eq!(caller.get("/").await.status, StatusCode::OK);
    }
    client.requests(200, "-", 20.0).await;
    // An order may have been taken before the connection closed.
    let mut refused = 0;
    for _ in 0..20 {
        refused += u32::from(caller.send(order()).await.unwrap().status == StatusCode::SERVICE_UNAVAILABLE);
    }
    assert!(refused > 0);
    client.requests(503, "-", f64::from(refused)).await;
}

#[tokio::test]
async fn the_word_between_the_proxies_stays_between_them() {
    let (client, _server, address) = called(&[free()]).await;
    let answer = Client::connect(address).await.send(order()).await.unwrap();
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.get("x-weft-repeatable").is_none(), "{:?}", answer.headers);
    client.requests(503, "URX", 1.0).await;
}

#[tokio::test]
async fn an_application_cannot_say_it() {
    let origin = Origin::start(|_, _| {
        Box::pin(async {
            let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, "again, please");
            answer.headers_mut().insert("x-weft-repeatable", HeaderValue::from_static("1"));
            answer
        })
    })
    .await;
    let (client, _server, address) = called(&[origin.address]).await;
    let answer = Client::connect(address).await.send(order()).await.unwrap();
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.get("x-weft-repeatable").is_none(), "{:?}", answer.headers);
    assert_eq!(origin.requests(), 1);
    client.requests(503, "-", 1.0).await;
}
