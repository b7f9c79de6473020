use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap as Headers, StatusCode},
    response::Redirect,
    routing::{get, post},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tonic_prost::ProstCodec;

use super::{
    grpc::{HealthCheckRequest, HealthCheckResponse},
    *,
};
use crate::{
    pod::Probes,
    state::testing::node,
    tls::{provider, testing::TestCa},
};

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn app(router: Router) -> u16 {
    let (listener, port) = listener().await;
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

async fn verdict(action: String) -> Verdict {
    let text = format!(r#"{{"/app-health/a/livez":{action}}}"#);
    let probes = Probes::parse(&text).unwrap();
    let agent = HeaderValue::from_static("kube-probe/1.35");
    run(&node(), probes.get("/app-health/a/livez").unwrap(), Some(&agent)).await
}

fn http_get(port: u16, path: &str) -> String {
    format!(
        r#"{{"httpGet":{{"port":{port},"path":"{path}","httpHeaders":[{{"name":"Host","value":"shop"}},
        {{"name":"X-Probe","value":"1"}}]}}}}"#
    )
}

#[tokio::test]
async fn http_probes_carry_their_headers_and_give_the_applications_status() {
    let healthy = |headers: Headers| async move {
        let ok = headers["host"] == "shop" && headers["x-probe"] == "1" && headers["user-agent"] == "kube-probe/1.35";
        if ok { StatusCode::NO_CONTENT } else { StatusCode::BAD_REQUEST }
    };
    let router = Router::new()
        .route("/healthy", get(healthy))
        .route("/sick", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .route("/moved", get(|| async { Redirect::temporary("/sick") }))
        .route("/away", get(|| async { Redirect::temporary("http://elsewhere/") }))
        .route("/round", get(|| async { Redirect::temporary("/round") }));
    let port = app(router).await;
    for (path, status) in [("/healthy", 204), ("/sick", 503), ("/moved", 503), ("/away", 307), ("/round", 500)] {
        assert_eq!(verdict(http_get(port, path)).await.status.as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn https_probes_take_any_certificate() {
    let (listener, port) = listener().await;
    let identity = TestCa::new().issue("spiffe://other/ns/a/sa/b");
    let config = rustls::ServerConfig::builder_with_provider(provider().clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(identity.certified())));
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await.unwrap();
        let service = TowerToHyperService::new(Router::new().route("/", get(|| async { "fine" })));
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
    });
    let verdict = verdict(format!(r#"{{"httpGet":{{"port":{port},"scheme":"HTTPS"}}}}"#)).await;
    assert_eq!(verdict, Verdict::passed());
}

#[tokio::test]
async fn tcp_probes_connect() {
    let (listener, port) = listener().await;
    let tcp = format!(r#"{{"tcpSocket":{{"port":{port}}}}}"#);
    assert_eq!(verdict(tcp.clone()).await, Verdict::passed());
    drop(listener);
    assert_eq!(verdict(tcp).await.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_silent_application_fails_in_time() {
    let (_listener, port) = listener().await;
    let started = std::time::Instant::now();
    let verdict = verdict(format!(r#"{{"httpGet":{{"port":{port}}},"timeoutSeconds":1}}"#)).await;
    assert_eq!(verdict.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(verdict.message.contains("within 1 s") && started.elapsed() < Duration::from_secs(30));
}

#[derive(Clone)]
struct Health;

impl tonic::server::UnaryService<HealthCheckRequest> for Health {
    type Response = HealthCheckResponse;
    type Future = std::future::Ready<Result<tonic::Response<HealthCheckResponse>, tonic::Status>>;

    fn call(&mut self, request: tonic::Request<HealthCheckRequest>) -> Self::Future {
        std::future::ready(match request.into_inner().service.as_str() {
            "up" => Ok(tonic::Response::new(HealthCheckResponse { status: 1 })),
            "down" => Ok(tonic::Response::new(HealthCheckResponse { status: 2 })),
            _ => Err(tonic::Status::not_found("no such service")),
        })
    }
}

#[tokio::test]
async fn grpc_probes_ask_the_health_service() {
    let check = |request: Request| async move {
        let codec = ProstCodec::<HealthCheckResponse, HealthCheckRequest>::default();
        tonic::server::Grpc::new(codec).unary(Health, request).await.map(axum::body::Body::new)
    };
    let router: Router = Router::new().route("/grpc.health.v1.Health/Check", post(check));
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(router.clone());
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(async move { server.serve_connection(TokioIo::new(stream), service).await });
        }
    });
    let grpc = |service: &str| verdict(format!(r#"{{"grpc":{{"port":{port},"service":"{service}"}}}}"#));
    assert_eq!(grpc("up").await, Verdict::passed());
    let down = grpc("down").await;
    assert_eq!(down.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(down.message.contains("NOT_SERVING"), "{down:?}");
    assert!(grpc("none").await.message.contains("no such service"));
}

#[test]
fn captured_pods_are_probed_from_the_address_that_is_not_redirected() {
    let pod = NodeInfo { capture: Capture::Redirect, address: "10.1.2.3".parse().unwrap(), ..node() };
    assert_eq!(place(&pod, None, 80), ("10.1.2.3:80".parse().unwrap(), Some("127.0.0.6".parse().unwrap())));
    let pod = NodeInfo { address: "fd00::9".parse().unwrap(), ..pod };
    assert_eq!(place(&pod, None, 80), ("[fd00::9]:80".parse().unwrap(), Some("::6".parse().unwrap())));
    assert_eq!(place(&node(), Some("localhost"), 80), ("127.0.0.1:80".parse().unwrap(), None));
}
