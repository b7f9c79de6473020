//! Opaque TCP, and mutual TLS between two proxies.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{config::*, fixture::*};
use crate::tls::testing::TestCa;

/// Reads to the end of the client's half, then answers with what came, reversed.
async fn reversing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = Vec::new();
                stream.read_to_end(&mut bytes).await.unwrap();
                bytes.reverse();
                stream.write_all(&bytes).await.unwrap();
            });
        }
    });
    address
}

async fn reversed(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    let sent = async {
        write.write_all(bytes).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let mut answer = Vec::new();
    let (_, read) = tokio::join!(sent, read.read_to_end(&mut answer));
    read.unwrap();
    answer
}

#[tokio::test]
async fn half_closed_connections_go_on() {
    let origin = reversing().await;
    let (proxy, address) = (Proxy::start("web"), free());
    let resources = Resources::default().cluster(cluster("order", &[origin]));
    proxy.apply(resources.listener(listener("web", address, vec![tcp_chain("order")]))).await;
    let before = proxy.count("istio_tcp_connections_closed_total", &[]);
    let bytes: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
    let mut expected = bytes.clone();
    expected.reverse();
    assert!(reversed(address, &bytes).await == expected);
    until("the connection is counted", || async {
        proxy.count("istio_tcp_sent_bytes_total", &[]) == 1_000_000.0
            && proxy.count("istio_tcp_received_bytes_total", &[]) == 1_000_000.0
            && proxy.count("istio_tcp_connections_closed_total", &[]) > before
    })
    .await;
}

#[tokio::test]
async fn nobody_listens() {
    let (proxy, address) = (Proxy::start("web"), free());
    let resources = Resources::default().cluster(cluster("order", &[free()]));
    proxy.apply(resources.listener(listener("web", address, vec![tcp_chain("order")]))).await;
    assert_eq!(raw(address, b"hello").await, "");
    until("the failure is counted", || async {
        proxy.count("istio_tcp_connections_closed_total", &["response_flags=\"UF\""]) >= 1.0
    })
    .await;
}

#[tokio::test]
async fn a_server_that_speaks_first_is_heard() {
    let greeting = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = greeting.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = greeting.accept().await {
            let _ = stream.write_all(b"220 ready\r\n").await;
        }
    });
    let (proxy, address) = (Proxy::start("web"), free());
    let chains = vec![
        matching(http_chain(&manager(table(vec![]))), "", &["http/1.1", "h2c"]),
        matching(tcp_chain("order"), "", &[]),
    ];
    let resources = Resources::default().cluster(cluster("order", &[origin]));
    proxy.apply(resources.listener(peeking(listener("web", address, chains), Duration::from_millis(50)))).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "220 ready\r\n");
    // The same port also takes HTTP.
    let http = raw(address, b"GET / HTTP/1.1\r\nHost: nobody\r\nConnection: close\r\n\r\n").await;
    assert!(http.starts_with("HTTP/1.1 404"), "{http}");
}

/// Two proxies: `web` calls `order` in mutual TLS. Gives the address to dial, HTTP first, then opaque.
pub async fn mesh(ca: &TestCa, http: SocketAddr, opaque: SocketAddr) -> (Proxy, Proxy, SocketAddr, SocketAddr) {
    let (client, server) = (Proxy::start("web"), Proxy::start("order"));
    client.shared.identity.store(Some(Arc::new(ca.issue("spiffe://cluster.local/ns/shop/sa/web"))));
    server.shared.identity.store(Some(Arc::new(ca.issue("spiffe://cluster.local/ns/shop/sa/order"))));
    let (http_in, tcp_in, http_out, tcp_out) = (free(), free(), free(), free());
    let routed = |to_cluster: &str| manager(table(vec![to(to_cluster, |_| {})]));
    let inbound_chains = |cluster: &str| {
        let http = ["istio-http/1.1", "istio-h2"];
        let mut manager = routed(cluster);
        manager.forward_client_cert_details = 3;
        manager.set_current_client_cert_details = Some(
            envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::SetCurrentClientCertDetails {
                uri: true,
                ..Default::default()
            },
        );
        vec![
            mutual_tls(matching(http_chain(&manager), "tls", &http)),
            mutual_tls(matching(tcp_chain(cluster), "tls", &["istio"])),
        ]
    };
    let peek = Duration::from_secs(5);
    server
        .apply(
            Resources::default()
                .cluster(cluster("inbound|8080||", &[http]))
                .cluster(cluster("inbound|9090||", &[opaque]))
                .listener(peeking(inbound(listener("8080", http_in, inbound_chains("inbound|8080||"))), peek))
                .listener(peeking(inbound(listener("9090", tcp_in, inbound_chains("inbound|9090||"))), peek)),
        )
        .await;
    client
        .apply(
            Resources::default()
                .cluster(over_tls(cluster("outbound|8080||order", &[http_in])))
                .cluster(over_tls(cluster("outbound|9090||order", &[tcp_in])))
                .listener(listener("http", http_out, vec![http_chain(&routed("outbound|8080||order"))]))
                .listener(listener("tcp", tcp_out, vec![tcp_chain("outbound|9090||order")])),
        )
        .await;
    (client, server, http_out, tcp_out)
}

#[tokio::test]
async fn proxies_prove_who_they_are() {
    let origin = Origin::start(|_, request| {
        Box::pin(async move {
            let proof =
                request.headers().get("x-forwarded-client-cert").map(|value| value.to_str().unwrap().to_owned());
            text(StatusCode::OK, &proof.unwrap_or_default())
        })
    })
    .await;
    let ca = TestCa::new();
    let (client, server, http, tcp) = mesh(&ca, origin.address, reversing().await).await;
    let mut caller = Client::connect(http).await;
    for _ in 0..3 {
        let proof = String::from_utf8(caller.get("/").await.body.to_vec()).unwrap();
        assert!(proof.starts_with("By=spiffe://cluster.local/ns/shop/sa/order;Hash="), "{proof}");
        assert!(proof.ends_with(";URI=spiffe://cluster.local/ns/shop/sa/web"), "{proof}");
    }
    let labels = [
        "reporter=\"destination\"",
        "connection_security_policy=\"mutual_tls\"",
        "source_principal=\"spiffe://cluster.local/ns/shop/sa/web\"",
        "source_workload_namespace=\"shop\"",
    ];
    server.counted("istio_requests_total", &labels, 3.0).await;
    let labels = ["reporter=\"source\"", "destination_principal=\"spiffe://cluster.local/ns/shop/sa/order\""];
    client.counted("istio_requests_total", &labels, 3.0).await;
    assert_eq!(reversed(tcp, b"opaque").await, b"euqapo");
    server.counted("istio_tcp_received_bytes_total", &["mutual_tls"], 6.0).await;
}

#[tokio::test]
async fn a_new_certificate_drops_no_request() {
    let origin = Origin::echo().await;
    let ca = TestCa::new();
    let (client, _server, http, _) = mesh(&ca, origin.address, free()).await;
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let load = tokio::spawn({
        let stop = stop.clone();
        async move {
            let (mut caller, mut count) = (Client::connect(http).await, 0);
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                assert_eq!(caller.get("/").await.status, StatusCode::OK);
                count += 1;
            }
            count
        }
    });
    let before = origin.requests();
    until("requests flow", || async { origin.requests() > before + 10 }).await;
    client.shared.identity.store(Some(Arc::new(ca.issue("spiffe://cluster.local/ns/shop/sa/web"))));
    // The old connection is let go within a sweep; the new one is made meanwhile.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let count = load.await.unwrap();
    client.requests(200, "-", f64::from(count)).await;
}

#[tokio::test]
async fn plaintext_is_refused_where_mutual_tls_is_required() {
    let origin = Origin::echo().await;
    let ca = TestCa::new();
    let (_client, server, _, _) = mesh(&ca, origin.address, free()).await;
    let address = server.shared.config.load().listeners["8080"].address;
    assert_eq!(raw(address, b"GET / HTTP/1.1\r\nHost: order.test\r\n\r\n").await, "");
    assert_eq!(origin.requests(), 0);
    until("it is counted", || async {
        crate::telemetry::exposition(&server.shared, &[])
            .lines()
            .any(|line| line.contains("plaintext_refused") && line.ends_with(" 1"))
    })
    .await;
}
