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
    proxied_by(Proxy::start("web"), origin, peek).await
}

async fn proxied_by(proxy: Proxy, origin: &Origin, peek: bool) -> (Proxy, SocketAddr) {
    let address = free();
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
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("access.log");
    let (proxy, address) = proxied_by(Proxy::logging("web", &log), &origin, false).await;
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
    until("the log says why", || async {
        let lines = std::fs::read_to_string(&log).unwrap_or_default();
        let told = |line: &&str| line.contains("\"DPE\"") && line.contains("request_headers_too_large");
        lines.lines().filter(told).count() == 2
    })
    .await;
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

/// Every request that could be read in two ways, sent behind an honest one.
#[tokio::test]
async fn smuggling_gets_nowhere() {
    let origin = Origin::echo().await;
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("access.log");
    let (proxy, address) = proxied_by(Proxy::logging("web", &log), &origin, false).await;
    let both = "http1.content_length_and_chunked_not_allowed";
    let coding = "http1.invalid_transfer_encoding";
    let refused = [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", both),
        ("Transfer-Encoding: chunked\r\nX-Other: 1\r\ncontent-length: 0\r\n", both),
        ("TRANSFER-ENCODING: chunked\r\nCONTENT-LENGTH: x\r\n", both),
        ("Transfer-Encoding: gzip, chunked\r\n", coding),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", coding),
        ("Transfer-Encoding: chunked, chunked\r\n", coding),
        ("Transfer-Encoding: gzip\r\n", "http1.codec_error"),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", "http1.codec_error"),
        ("Content-Length: 5, 5\r\n", "http1.codec_error"),
    ];
    for (number, (fields, details)) in refused.into_iter().enumerate() {
        let honest =
            "POST /honest HTTP/1.1\r\nHost: order.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        let bad = format!("POST / HTTP/1.1\r\nHost: order.test\r\n{fields}\r\n0\r\n\r\n");
        let hidden = "GET /smuggled HTTP/1.1\r\nHost: order.test\r\nConnection: close\r\n\r\n";
        // Together and alone: the number of a request must not matter.
        for bytes in [format!("{honest}{bad}{hidden}"), format!("{bad}{hidden}")] {
            let answers = raw(address, bytes.as_bytes()).await;
            let last = answers.rfind("HTTP/1.1 ").map(|at| &answers[at..]).unwrap_or_default();
            assert!(last.starts_with("HTTP/1.1 400"), "{fields}: {answers}");
            assert!(last.contains("connection: close") && !answers.contains("/smuggled"), "{fields}: {answers}");
        }
        assert_eq!(origin.requests(), number + 1, "{fields}");
        until("the log says why", || async {
            let lines = std::fs::read_to_string(&log).unwrap_or_default();
            let told = lines.lines().filter(|line| line.contains("\"DPE\"") && line.contains("\"response_code\":400"));
            told.count() == 2 * (number + 1) && lines.lines().last().is_some_and(|line| line.contains(details))
        })
        .await;
    }
    proxy.counted("istio_requests_total", &["response_code=\"400\"", "response_flags=\"DPE\""], 18.0).await;
    lives(&proxy, address, "bad_request").await;
}

#[tokio::test]
async fn a_request_of_http2_has_no_more_fields_than_one_of_http1() {
    let origin = Origin::echo().await;
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("access.log");
    let (proxy, address) = proxied_by(Proxy::logging("web", &log), &origin, false).await;
    for (most, status) in [(100, StatusCode::OK), (101, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)] {
        let mut request = http::Request::get("http://order.test/");
        for number in 2..most {
            request = request.header(format!("x-{number}"), "1");
        }
        // Cookies in pieces are one field.
        request = request.header("cookie", "a=1").header("cookie", "b=2").header("x-last", "1");
        let stream = TcpStream::connect(address).await.unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        let body = http_body_util::Empty::<bytes::Bytes>::new();
        assert_eq!(sender.send_request(request.body(body).unwrap()).await.unwrap().status(), status, "{most}");
    }
    until("the log says why", || async {
        let lines = std::fs::read_to_string(&log).unwrap_or_default();
        lines.lines().any(|line| line.contains("\"DPE\"") && line.contains("http2.too_many_headers"))
    })
    .await;
    lives(&proxy, address, "head_too_large").await;
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
