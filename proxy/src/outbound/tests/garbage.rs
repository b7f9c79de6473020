//! What nobody should send. The proxy answers or closes, counts it, and lives.

use std::{net::SocketAddr, time::Duration};

use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{config::*, fixture::*};
use crate::telemetry::exposition;

async fn proxied(origin: &Origin, peek: bool) -> (Proxy, SocketAddr) {
    let (proxy, address) = (Proxy::start("web"), free());
    let mut settings = manager(table(vec![to("order", |_| {})]));
    settings.request_headers_timeout = Some(proto(Duration::from_millis(200)));
    let listener = listener("web", address, vec![http_chain(&settings)]);
    let listener = if peek { peeking(listener, Duration::from_millis(200)) } else { listener };
    proxy.apply(Resources::default().cluster(cluster("order", &[origin.address])).listener(listener)).await;
    (proxy, address)
}

async fn lives(proxy: &Proxy, address: SocketAddr, malformed: &str) {
    until("the garbage is counted", || async {
        exposition(&proxy.shared, &[])
            .lines()
            .any(|line| line.contains(&format!("\"{malformed}\"")) && !line.ends_with(" 0"))
    })
    .await;
    assert_eq!(Client::connect(address).await.get("/").await.status, StatusCode::OK);
}

const CLIENT_HELLO: &[u8] =
    b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x00\x00\x02\x13\x01\x01\x00\x00\x00";

#[tokio::test]
async fn tls_to_a_plaintext_port() {
    let origin = Origin::echo().await;
    let (proxy, address) = proxied(&origin, true).await;
    assert_eq!(raw(address, CLIENT_HELLO).await, "");
    lives(&proxy, address, "tls_refused").await;
    let (proxy, address) = proxied(&origin, false).await;
    assert!(raw(address, CLIENT_HELLO).await.starts_with("HTTP/1.1 400"));
    lives(&proxy, address, "bad_request").await;
}

#[tokio::test]
async fn random_bytes() {
    let origin = Origin::echo().await;
    let (proxy, address) = proxied(&origin, false).await;
    let mut noise: u32 = 0x2545_f491;
    for length in [1, 10, 100, 1000, 10_000, 100_000] {
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                noise ^= noise << 13;
                noise ^= noise >> 17;
                noise ^= noise << 5;
                noise as u8 | 0x80
            })
            .collect();
        let answer = raw(address, &bytes).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    lives(&proxy, address, "bad_request").await;
}

#[tokio::test]
async fn a_head_that_never_ends() {
    let origin = Origin::echo().await;
    let (proxy, address) = proxied(&origin, false).await;
    let mut large = b"GET / HTTP/1.1\r\nHost: order.test\r\nX-Large: ".to_vec();
    large.extend(std::iter::repeat_n(b'x', 200_000));
    assert!(raw(address, &large).await.starts_with("HTTP/1.1 431"));
    let mut many = b"GET / HTTP/1.1\r\nHost: order.test\r\n".to_vec();
    for number in 0..200 {
        many.extend(format!("x-{number}: 1\r\n").bytes());
    }
    many.extend(b"\r\n");
    assert!(raw(address, &many).await.starts_with("HTTP/1.1 431"));
    lives(&proxy, address, "head_too_large").await;
    proxy.counted("istio_requests_total", &["response_code=\"431\"", "response_flags=\"DPE\""], 2.0).await;
    assert_eq!(origin.requests(), 1);
}

#[tokio::test]
async fn a_head_that_drips() {
    let origin = Origin::echo().await;
    let (proxy, address) = proxied(&origin, false).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    lives(&proxy, address, "head_timeout").await;
}

#[tokio::test]
async fn requests_that_are_none() {
    let origin = Origin::echo().await;
    let (proxy, address) = proxied(&origin, false).await;
    for bad in [
        &b"GET / HTTP/9.9\r\n\r\n"[..],
        b"GET /\x01 HTTP/1.1\r\nHost: order.test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: order.test\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : order.test\r\n\r\n",
        b"\r\n\r\n\r\nnonsense\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage garbage garbage",
    ] {
        let answer = raw(address, bad).await;
        assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    }
    assert_eq!(origin.requests(), 0);
    lives(&proxy, address, "bad_request").await;
    assert_eq!(proxy.count("weft_proxy_panics_total", &[]), 0.0);
}

#[tokio::test]
async fn smuggling_gets_nowhere() {
    let origin = Origin::echo().await;
    let (_proxy, address) = proxied(&origin, false).await;
    let both = b"POST / HTTP/1.1\r\nHost: order.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: order.test\r\nConnection: close\r\n\r\n";
    let answer = raw(address, both).await;
    // The chunked length counts, and the connection ends before what follows is taken for a request.
    assert!(!answer.contains("/smuggled") && origin.requests() <= 1, "{answer}");
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_still_sends() {
    let origin = Origin::start(|_, _| Box::pin(async { text(StatusCode::PAYLOAD_TOO_LARGE, "too much") })).await;
    let (proxy, address) = proxied(&origin, false).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: order.test\r\nContent-Length: 50000000\r\n\r\n").await.unwrap();
    // The answer is complete, and only then does the client go on: a closed socket would reset it now.
    proxy.requests(413, "-", 1.0).await;
    let chunk = vec![0; 64 * 1024];
    for _ in 0..8 {
        stream.write_all(&chunk).await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413") && answer.ends_with("too much"), "{answer}");
}
