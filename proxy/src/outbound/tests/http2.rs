//! HTTP/2 and gRPC.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{config::*, fixture::*};

type Sender = http2::SendRequest<Full<Bytes>>;

async fn connect(address: SocketAddr) -> Sender {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(path: &str, body: &'static [u8]) -> Request<Full<Bytes>> {
    Request::post(format!("http://order.test{path}")).body(Full::new(Bytes::from_static(body))).unwrap()
}

async fn proxied(origin: &Origin, h2_upstream: bool) -> (Proxy, SocketAddr) {
    let (proxy, address) = (Proxy::start("web"), free());
    let chain = http_chain(&manager(table(vec![to("order", |_| {})])));
    let order = cluster("order", &[origin.address]);
    let order = if h2_upstream { h2(order) } else { order };
    proxy.apply(Resources::default().cluster(order).listener(listener("web", address, vec![chain]))).await;
    (proxy, address)
}

#[tokio::test]
async fn many_streams_share_one_connection() {
    let origin = Origin::echo().await;
    let (proxy, address) = proxied(&origin, true).await;
    let sender = connect(address).await;
    let streams = (0..50).map(|number| {
        let mut sender = sender.clone();
        tokio::spawn(async move {
            let answer = sender.send_request(request(&format!("/{number}"), b"")).await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, format!("/{number}"));
        })
    });
    for stream in streams.collect::<Vec<_>>() {
        stream.await.unwrap();
    }
    assert_eq!(origin.connections(), 1);
    proxy.requests(200, "-", 50.0).await;
}

#[tokio::test]
async fn versions_differ_between_the_sides() {
    let origin = Origin::start(|_, request| {
        Box::pin(async move {
            let host = request.headers().get(header::HOST).map(|host| host.to_str().unwrap().to_owned());
            let authority = request.uri().authority().map(ToString::to_string);
            text(StatusCode::OK, &format!("{:?} {}", request.version(), host.or(authority).unwrap_or_default()))
        })
    })
    .await;
    let (_one, address) = proxied(&origin, false).await;
    let answer = connect(address).await.send_request(request("/", b"x")).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "HTTP/1.1 order.test");
    let (_two, address) = proxied(&origin, true).await;
    assert_eq!(Client::connect(address).await.get("/").await.body, "HTTP/2.0 order.test");
}

/// Answers a gRPC call with two messages and trailers.
async fn grpc() -> Origin {
    Origin::start(|_, request| {
        Box::pin(async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let trailers =
                HeaderMap::from_iter([(header::HeaderName::from_static("grpc-status"), HeaderValue::from_static("5"))]);
            let frames = [Frame::data(body.clone()), Frame::data(body), Frame::trailers(trailers)];
            let frames = stream::iter(frames.map(Ok::<_, Infallible>));
            let mut response = Response::new(BodyExt::boxed(StreamBody::new(frames)));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            response
        })
    })
    .await
}

fn call() -> Request<Full<Bytes>> {
    let mut request = request("/shop.Order/Get", b"\0\0\0\0\x03abc");
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    request
}

#[tokio::test]
async fn grpc_trailers_pass_and_are_counted() {
    let origin = grpc().await;
    let (proxy, address) = proxied(&origin, true).await;
    let answer = connect(address).await.send_request(call()).await.unwrap();
    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "5");
    assert_eq!(body.to_bytes().len(), 16);
    let labels = ["request_protocol=\"grpc\"", "grpc_response_status=\"5\""];
    proxy.counted("istio_requests_total", &labels, 1.0).await;
    proxy.counted("istio_request_messages_total", &[], 1.0).await;
    proxy.counted("istio_response_messages_total", &[], 2.0).await;
}

#[tokio::test]
async fn grpc_callers_get_grpc_errors() {
    let (proxy, address) = (Proxy::start("web"), free());
    let chain = http_chain(&manager(table(vec![to("order", |_| {})])));
    let order = h2(cluster("order", &[free()]));
    proxy.apply(Resources::default().cluster(order).listener(listener("web", address, vec![chain]))).await;
    let answer = connect(address).await.send_request(call()).await.unwrap();
    assert_eq!((answer.status(), &answer.headers()["grpc-status"]), (StatusCode::OK, &HeaderValue::from_static("14")));
    proxy.counted("istio_requests_total", &["response_flags=\"UF\""], 1.0).await;
}

#[tokio::test]
async fn a_reset_stream_is_told_apart() {
    let listener_of_h2 = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener_of_h2.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener_of_h2.accept().await {
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    respond.send_reset(h2::Reason::INTERNAL_ERROR);
                }
            });
        }
    });
    let (proxy, downstream) = (Proxy::start("web"), free());
    let chain = http_chain(&manager(table(vec![to("order", |_| {})])));
    let order = super::config::h2(cluster("order", &[address]));
    proxy.apply(Resources::default().cluster(order).listener(listener("web", downstream, vec![chain]))).await;
    assert_eq!(Client::connect(downstream).await.get("/").await.status, StatusCode::SERVICE_UNAVAILABLE);
    proxy.requests(503, "UR", 1.0).await;
}

/// Answers each connection's first request at once, and then neither reads what still comes nor closes.
async fn hasty() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.read_u8().await.unwrap();
            stream.write_all(b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 8\r\n\r\ntoo much").await.unwrap();
            held.push(stream);
        }
    });
    address
}

#[tokio::test]
async fn an_early_answer_ends_an_upload() {
    let (proxy, address) = (Proxy::start("web"), free());
    let chain = http_chain(&manager(table(vec![to("order", |_| {})])));
    let order = cluster("order", &[hasty().await]);
    proxy.apply(Resources::default().cluster(order).listener(listener("web", address, vec![chain]))).await;
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let (more, upload) = futures::channel::mpsc::unbounded::<Result<Frame<Bytes>, Infallible>>();
    more.unbounded_send(Ok(Frame::data(Bytes::from_static(b"the beginning")))).unwrap();
    let upload = Request::post("http://order.test/").body(StreamBody::new(upload)).unwrap();
    let answer = sender.send_request(upload).await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "too much");
    // The stream is reset: the client's codec lets the rest of the body go.
    until("the client is told to stop", || async { more.is_closed() }).await;
    proxy.requests(413, "-", 1.0).await;
}
