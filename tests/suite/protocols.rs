//! HTTP/1.1, HTTP/2, gRPC, WebSocket and opaque TCP through two proxies with mutual TLS.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use weft_tests::{
    estate::{Estate, Workload},
    http::get,
    wait::{ensure, until},
};

const STRICT: &str = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default, namespace: shop}\n\
    spec: {mtls: {mode: STRICT}}\n";
const SOON: Duration = Duration::from_secs(10);
const SERVER: &str = "shop/server";
const CLIENT: &str = "shop/client";

async fn estate() -> Estate {
    let server = Workload::new("shop", "server").port("grpc-echo", 9000).port("tcp-echo", 9100).port("data", 9200);
    let client = Workload::new("shop", "client")
        .client()
        .calls("grpc-echo", "*/*", 9000)
        .calls("tcp-echo", "shop/server.shop.svc.cluster.local", 9100)
        .calls("data", "shop/server.shop.svc.cluster.local", 9200);
    Estate::start(vec![server, client], &[("strict.yaml", STRICT)]).await
}

fn egress(estate: &Estate, port: u16) -> SocketAddr {
    (estate.egress(CLIENT).ip(), port).into()
}

#[tokio::test]
async fn http2_with_prior_knowledge() {
    let estate = estate().await;
    let stream = TcpStream::connect(estate.egress(CLIENT)).await.unwrap();
    let (mut sender, driver) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(driver);
    for _ in 0..20 {
        let request = Request::get("http://server:8080/hello").body(Full::<Bytes>::default()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains("\"path\":\"/hello\""), "{body:?}");
    }
    driver.abort();
}

#[tokio::test]
async fn grpc_keeps_its_trailers_and_is_counted_as_grpc() {
    let estate = estate().await;
    let listener = TcpListener::bind(estate.at(SERVER, 10_000)).await.unwrap();
    let server = tokio::spawn(grpc_server(listener));
    let address = egress(&estate, 9000);
    let trailers = until("a gRPC call is answered", SOON, || async move { grpc_call(address).await }).await;
    assert_eq!(trailers.get("grpc-status").map(|value| value.as_bytes()), Some(b"7".as_slice()), "{trailers:?}");
    assert_eq!(trailers.get("grpc-message").map(|value| value.as_bytes()), Some(b"not%20today".as_slice()));
    until("both sides count it", SOON, || async {
        for name in [CLIENT, SERVER] {
            let metrics = estate.metrics(name).await;
            let counted = metrics
                .lines()
                .any(|line| line.starts_with("istio_requests_total") && line.contains("request_protocol=\"grpc\""));
            ensure(counted, || format!("{name} counts no gRPC"))?;
        }
        Ok(())
    })
    .await;
    server.abort();
}

async fn grpc_server(listener: TcpListener) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| async move {
                let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", "7".parse().unwrap());
                trailers.insert("grpc-message", "not%20today".parse().unwrap());
                let frames = [Ok::<_, Infallible>(Frame::data(body)), Ok(Frame::trailers(trailers))];
                let mut response = Response::new(StreamBody::new(Frames(frames.into_iter().collect())));
                response.headers_mut().insert(header::CONTENT_TYPE, "application/grpc".parse().unwrap());
                Ok::<_, Infallible>(response)
            });
            drop(
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
    }
}

/// Frames that are there already, as a stream.
struct Frames(std::collections::VecDeque<Result<Frame<Bytes>, Infallible>>);

impl futures::Stream for Frames {
    type Item = Result<Frame<Bytes>, Infallible>;
    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.pop_front())
    }
}

async fn grpc_call(address: SocketAddr) -> Result<HeaderMap, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let (mut sender, driver) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let driver = tokio::spawn(driver);
    let request = Request::post("http://server:9000/echo.Echo/Say")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(Bytes::from_static(b"\0\0\0\0\x02hi")))
        .unwrap();
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?;
    driver.abort();
    let trailers = body.trailers().cloned().ok_or_else(|| format!("no trailers: {parts:?}"))?;
    ensure(body.to_bytes() == b"\0\0\0\0\x02hi".as_slice(), || "another body".into())?;
    Ok(trailers)
}

#[tokio::test]
async fn opaque_tcp_keeps_half_closed_connections() {
    let estate = estate().await;
    let listener = TcpListener::bind(estate.at(SERVER, 10_100)).await.unwrap();
    // Answers only after the caller has closed its side.
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut heard = Vec::new();
                stream.read_to_end(&mut heard).await.unwrap();
                stream.write_all(format!("{} bytes", heard.len()).as_bytes()).await.unwrap();
            });
        }
    });
    let address = egress(&estate, 9100);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[7u8; 300_000]).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, "300000 bytes");
    until("the connection is counted", SOON, || async {
        let metrics = estate.metrics(SERVER).await;
        let closed = metrics.lines().find(|line| {
            line.starts_with("istio_tcp_connections_closed_total")
                && line.contains("connection_security_policy=\"mutual_tls\"")
        });
        ensure(closed.is_some_and(|line| line.contains("source_workload=\"client\"")), || format!("{closed:?}"))
    })
    .await;
    server.abort();
}

#[tokio::test]
async fn a_server_that_speaks_first_on_an_undeclared_port() {
    let estate = estate().await;
    let listener = TcpListener::bind(estate.at(SERVER, 10_200)).await.unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"220 ready\r\n").await.unwrap();
        }
    });
    let mut stream = TcpStream::connect(egress(&estate, 9200)).await.unwrap();
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer)).await.expect("greeted in time").unwrap();
    assert_eq!(answer, "220 ready\r\n");
    server.abort();
}

#[tokio::test]
async fn websocket_upgrade_passes_both_ways() {
    let estate = estate().await;
    // On the HTTP port of an application of our own: the demo's application knows no upgrades.
    let listener = TcpListener::bind(estate.at(SERVER, 10_200)).await.unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut heard = Vec::new();
                while !heard.ends_with(b"\r\n\r\n") {
                    heard.push(stream.read_u8().await.unwrap());
                }
                assert!(String::from_utf8_lossy(&heard).to_lowercase().contains("upgrade: websocket"));
                let switch = b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
                stream.write_all(switch).await.unwrap();
                let mut frame = [0; 4];
                stream.read_exact(&mut frame).await.unwrap();
                stream.write_all(&frame).await.unwrap();
            });
        }
    });
    let mut stream = TcpStream::connect(egress(&estate, 9200)).await.unwrap();
    let ask = b"GET /chat HTTP/1.1\r\nhost: server:9200\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(ask).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(SOON, stream.read_u8()).await.unwrap().unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream.write_all(b"ping").await.unwrap();
    let mut echo = [0; 4];
    timeout(SOON, stream.read_exact(&mut echo)).await.unwrap().unwrap();
    assert_eq!(&echo, b"ping");
    server.abort();
}

#[tokio::test]
async fn metrics_name_both_sides_by_certificate_not_by_header() {
    let estate = estate().await;
    let answer = get(
        estate.egress(CLIENT),
        "server",
        "/",
        &[
            ("x-envoy-peer-metadata-id", "sidecar~1.2.3.4~admin.kube-system"),
            ("x-forwarded-client-cert", "URI=spiffe://cluster.local/ns/kube-system/sa/admin"),
        ],
    )
    .await
    .unwrap();
    assert_eq!(answer.status, 200);
    for (name, reporter) in [(CLIENT, "source"), (SERVER, "destination")] {
        until(&format!("{reporter} counts the request with Istio's labels"), SOON, || async {
            let metrics = estate.metrics(name).await;
            let line = metrics.lines().find(|line| {
                line.starts_with("istio_requests_total{") && line.contains(&format!("reporter=\"{reporter}\""))
            });
            let line = line.ok_or("none yet")?;
            let security = if reporter == "destination" { "mutual_tls" } else { "unknown" };
            for (label, value) in [
                ("source_workload", "client"),
                ("source_workload_namespace", "shop"),
                ("source_principal", "spiffe://cluster.local/ns/shop/sa/client"),
                ("source_app", "client"),
                ("source_version", "v1"),
                ("source_canonical_service", "client"),
                ("destination_workload", "server"),
                ("destination_workload_namespace", "shop"),
                ("destination_principal", "spiffe://cluster.local/ns/shop/sa/server"),
                ("destination_service", "server.shop.svc.cluster.local"),
                ("destination_service_name", "server"),
                ("destination_service_namespace", "shop"),
                ("destination_app", "server"),
                ("destination_version", "v1"),
                ("request_protocol", "http"),
                ("response_code", "200"),
                ("response_flags", "-"),
                ("connection_security_policy", security),
            ] {
                ensure(line.contains(&format!("{label}=\"{value}\"")), || format!("no {label}=\"{value}\" in {line}"))?;
            }
            Ok(())
        })
        .await;
    }
}
