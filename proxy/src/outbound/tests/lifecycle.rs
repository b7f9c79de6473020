//! Configuration changes and draining under load.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::{net::TcpStream, task::JoinSet};
use weft_policy::config::Kind;

use super::{config::*, fixture::*};

#[tokio::test]
async fn draining_loses_nothing() {
    let origin = Origin::start(|_, _| {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            text(StatusCode::OK, "done")
        })
    })
    .await;
    let (proxy, address) = (Proxy::start("web"), free());
    let chain = http_chain(&manager(table(vec![to("order", |_| {})])));
    let resources = Resources::default().cluster(cluster("order", &[origin.address]));
    proxy.apply(resources.listener(listener("web", address, vec![chain]))).await;
    let mut clients = JoinSet::new();
    for _ in 0..20 {
        clients.spawn(async move {
            let mut client = Client::connect(address).await;
            loop {
                let answer = client.get("/").await;
                assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"done"[..]));
                if answer.headers.get("connection").is_some_and(|value| value == "close") {
                    return;
                }
            }
        });
    }
    until("requests flow", || async { origin.requests() > 100 }).await;
    assert_eq!(proxy.stop(Duration::from_secs(5)).await, 0);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_a_stop() {
    let origin = Origin::echo().await;
    let (proxy, address) = (Proxy::start("web"), free());
    let chain = http_chain(&manager(table(vec![to("order", |_| {})])));
    let resources = Resources::default().cluster(cluster("order", &[origin.address]));
    proxy.apply(resources.listener(listener("web", address, vec![chain]))).await;
    let mut client = Client::connect(address).await;
    client.get("/").await;
    let silent = TcpStream::connect(address).await.unwrap();
    assert_eq!(proxy.stop(Duration::from_secs(5)).await, 0);
    drop(silent);
}

#[tokio::test]
async fn a_listener_comes_changes_and_goes() {
    let (one, two) =
        (Origin::echo().await, Origin::start(|_, _| Box::pin(async { text(StatusCode::OK, "two") })).await);
    let (proxy, address, other) = (Proxy::start("web"), free(), free());
    let chain = |to_cluster: &str| vec![http_chain(&manager(table(vec![to(to_cluster, |_| {})])))];
    let resources =
        Resources::default().cluster(cluster("one", &[one.address])).cluster(cluster("two", &[two.address]));
    proxy.apply(resources.listener(listener("web", address, chain("one")))).await;
    let mut client = Client::connect(address).await;
    assert_eq!(client.get("/one").await.body, "/one");

    // New routes are in force on a connection that is open already.
    proxy.apply(Resources::default().listener(listener("web", address, chain("two")))).await;
    assert_eq!(client.get("/").await.body, "two");

    // A new address is another socket.
    proxy.apply(Resources::default().listener(listener("web", other, chain("two")))).await;
    assert_eq!(Client::connect(other).await.get("/").await.body, "two");
    until("the old address is closed", || async { TcpStream::connect(address).await.is_err() }).await;

    proxy.shared.publish(Resources::default().gone(Kind::Listener, "web").onto(&proxy.shared.config.load()));
    until("the listener is closed", || async { TcpStream::connect(other).await.is_err() }).await;
}

#[tokio::test]
async fn a_taken_address_is_tried_again() {
    let origin = Origin::echo().await;
    let (proxy, address) = (Proxy::start("web"), free());
    let blocker = std::net::TcpListener::bind(address).unwrap();
    let chain = http_chain(&manager(table(vec![to("order", |_| {})])));
    let resources = Resources::default().cluster(cluster("order", &[origin.address]));
    let config = resources.listener(listener("blocked", address, vec![chain])).onto(&proxy.shared.config.load());
    proxy.shared.publish(config);
    let unbound = "weft_proxy_listeners_unbound";
    until("the failure is told", || async { proxy.shared.sockets.failures().contains_key("blocked") }).await;
    proxy.counted(unbound, &[], 1.0).await;
    drop(blocker);
    until("the listener is bound", || async {
        match TcpStream::connect(address).await {
            Ok(_) => Client::connect(address).await.get("/").await.status == StatusCode::OK,
            Err(_) => false,
        }
    })
    .await;
    until("the failure is over", || async { proxy.count(unbound, &[]) == 0.0 }).await;
}

#[tokio::test]
async fn endpoints_and_clusters_change_under_load() {
    let origins = [Origin::echo().await, Origin::echo().await];
    let (proxy, address) = (Proxy::start("web"), free());
    let chain = http_chain(&manager(table(vec![to("order", |_| {})])));
    let resources = Resources::default().cluster(cluster("order", &[origins[0].address]));
    proxy.apply(resources.listener(listener("web", address, vec![chain]))).await;
    let proxy = Arc::new(proxy);
    let mut clients = JoinSet::new();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    for _ in 0..4 {
        let stop = stop.clone();
        clients.spawn(async move {
            let mut client = Client::connect(address).await;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                assert_eq!(client.get("/").await.status, StatusCode::OK);
            }
        });
    }
    for round in 0..40 {
        let order = cluster("order", &[origins[round % 2].address]);
        let order = if round % 3 == 0 { limited(order, 100, 100) } else { order };
        proxy.shared.publish(Resources::default().cluster(order).onto(&proxy.shared.config.load()));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    assert!(origins[1].requests() > 0);
}
