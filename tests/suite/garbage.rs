//! What is not what a port expects is answered or closed, and counted; the proxy lives.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use weft_tests::{
    estate::{Estate, Workload},
    http::get,
    wait::{ensure, until},
};

const STRICT: &str = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default, namespace: shop}\n\
    spec: {mtls: {mode: STRICT}}\n";

/// The start of a real ClientHello record; enough for a proxy to take it for TLS.
const CLIENT_HELLO: &[u8] = &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03, 0x42, 0x42, 0x42];

/// Fields that two readers may understand in two ways (RFC 9112 §6.3).
const AMBIGUOUS: [(&str, &str); 5] = [
    ("two lengths", "content-length: 1\r\ncontent-length: 2"),
    ("length and chunks", "content-length: 5\r\ntransfer-encoding: chunked"),
    ("chunks and length", "transfer-encoding: chunked\r\ncontent-length: 5"),
    ("an unknown coding", "transfer-encoding: gzip, chunked"),
    ("an unknown coding last", "transfer-encoding: chunked, gzip"),
];

/// Sends `bytes` and nothing more, then reads until the proxy closes; gives what it answered.
async fn throw(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    sent(address, bytes, true).await
}

async fn sent(address: SocketAddr, bytes: &[u8], end: bool) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The proxy may close before it has read everything: that is an answer too.
    drop(stream.write_all(bytes).await);
    if end {
        drop(stream.shutdown().await);
    }
    let mut answer = Vec::new();
    drop(timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.expect("the proxy closes in time"));
    answer
}

#[tokio::test]
async fn garbage_on_every_port_is_survived_and_counted() {
    let mut estate = Estate::start(
        vec![
            Workload::new("shop", "order-service"),
            Workload::new("shop", "web").client(),
            Workload::ingress("istio-ingress"),
        ],
        &[("strict.yaml", STRICT), ("gateway.yaml", GATEWAY)],
    )
    .await;
    let inbound = estate.at("shop/order-service", 8080);
    let outbound = estate.egress("shop/web");
    let gateway = estate.at("istio-ingress/istio-ingressgateway", 8080);
    let endless =
        [b"GET / HTTP/1.1\r\nhost: a\r\n".as_slice(), &b"x-padding: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(5000)]
            .concat();
    let noise: Vec<u8> = (0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let corpus: [(&str, &[u8]); 5] = [
        ("noise", &noise),
        ("a ClientHello that breaks off", CLIENT_HELLO),
        ("endless headers", &endless),
        ("a request without a host", b"GET / HTTP/1.1\r\n\r\n"),
        ("nothing at all", b""),
    ];
    for (port, address) in [("inbound", inbound), ("outbound", outbound), ("gateway", gateway)] {
        for (what, bytes) in corpus {
            let answer = throw(address, bytes).await;
            let text = String::from_utf8_lossy(&answer);
            assert!(answer.is_empty() || !text.starts_with("HTTP/1.1 2"), "{what} on {port} was served: {text}");
        }
    }
    // A host that is served: what is refused is the request. The inbound port takes no plaintext.
    for (port, address, host) in [("outbound", outbound, "order-service"), ("gateway", gateway, "shop.example.com")] {
        let served = get(address, host, "/", &[]).await.unwrap();
        assert_eq!(served.status, 200, "{host} on {port}");
        for (what, fields) in AMBIGUOUS {
            let request = format!("POST / HTTP/1.1\r\nhost: {host}\r\n{fields}\r\n\r\n0\r\n\r\n");
            // A client that waits for its answer: it is the proxy that ends the connection.
            let answer = sent(address, request.as_bytes(), false).await;
            let text = String::from_utf8_lossy(&answer);
            assert!(text.starts_with("HTTP/1.1 400") && text.contains("connection: close"), "{what} on {port}: {text}");
            assert_eq!(text.matches("HTTP/1.1").count(), 1, "{what} on {port}: {text}");
        }
    }
    assert_eq!(get(outbound, "order-service", "/", &[]).await.unwrap().status, 200, "the mesh serves on");
    for name in ["shop/order-service", "shop/web", "istio-ingress/istio-ingressgateway"] {
        estate.proxy(name).assert_running();
        let metrics = estate.metrics(name).await;
        let counted: f64 = metrics
            .lines()
            .filter(|line| line.starts_with("weft_proxy_malformed_total"))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum();
        assert!(counted >= 3.0, "{name} counted {counted} malformed connections");
        let panics = metrics.lines().filter(|line| line.starts_with("weft_proxy_panics_total"));
        assert!(panics.filter(|line| !line.ends_with(" 0")).count() == 0, "{name} panicked");
    }
}

#[tokio::test]
async fn slow_headers_do_not_hold_a_connection_for_ever() {
    let estate =
        Estate::start(vec![Workload::new("shop", "order-service"), Workload::new("shop", "web").client()], &[]).await;
    let mut stream = TcpStream::connect(estate.egress("shop/web")).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: order-service\r\nx-slow: ").await.unwrap();
    let mut answer = Vec::new();
    // Half a request, then silence: the header timeout ends it.
    timeout(Duration::from_secs(90), stream.read_to_end(&mut answer)).await.expect("closed in time").unwrap();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    until("the proxy serves on", Duration::from_secs(5), || async {
        let answer = get(estate.egress("shop/web"), "order-service", "/", &[]).await?;
        ensure(answer.status == 200, || answer.text())
    })
    .await;
}

const GATEWAY: &str = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: public, namespace: istio-ingress}\n\
    spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}\n---\n\
    apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: public, namespace: istio-ingress}\n\
    spec: {hosts: ['shop.example.com'], gateways: [public], http: [{route: [{destination: {host: order-service.shop.svc.cluster.local}}]}]}\n";
