//! An operator for tests: certificates from a test authority, and an ADS stream that the test plays by hand.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::Request as HttpRequest, routing::post};
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
    aggregated_discovery_service_server::{AggregatedDiscoveryService, AggregatedDiscoveryServiceServer},
};
use futures::{Stream, StreamExt, future::BoxFuture};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use rustls::server::WebPkiClientVerifier;
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, server::UnaryService, service::Routes};
use tonic_prost::ProstCodec;
use weft_wire::ca::{CREATE_CERTIFICATE, IstioCertificateRequest, IstioCertificateResponse};

use crate::tls::{Identity, provider, testing::TestCa};

pub const OPERATOR: &str = "spiffe://cluster.local/ns/istio-system/sa/weft-operator";

/// One ADS stream as the operator sees it.
pub struct AdsStream {
    pub requests: mpsc::Receiver<DeltaDiscoveryRequest>,
    pub responses: mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>,
}

/// What the certificate service was asked: the `authorization` header.
pub type Asked = Option<String>;

pub struct FakeOperator {
    pub address: SocketAddr,
    pub ca: Arc<TestCa>,
    pub streams: mpsc::Receiver<AdsStream>,
    pub asked: mpsc::Receiver<Asked>,
    /// Whether the certificate service refuses everybody.
    pub refuse: Arc<AtomicBool>,
    /// Lifetime of certificates.
    pub lifetime: Arc<Mutex<Duration>>,
    /// Whom certificates are for.
    pub signs_for: Arc<Mutex<String>>,
    _tasks: JoinSet<()>,
}

impl FakeOperator {
    pub async fn start() -> Self {
        Self::start_as(OPERATOR).await
    }

    pub async fn start_as(spiffe: &str) -> Self {
        let ca = Arc::new(TestCa::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::start_on(listener, ca, spiffe).await
    }

    pub async fn start_on(listener: TcpListener, ca: Arc<TestCa>, spiffe: &str) -> Self {
        let address = listener.local_addr().unwrap();
        let (streams, streams_seen) = mpsc::channel(4);
        let (asked, asked_seen) = mpsc::channel(64);
        let (refuse, lifetime) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Duration::from_secs(3600))));
        let signs_for = Arc::new(Mutex::new("spiffe://cluster.local/ns/shop/sa/web".to_owned()));
        let service = Certificates {
            ca: ca.clone(),
            asked,
            refuse: refuse.clone(),
            lifetime: lifetime.clone(),
            signs_for: signs_for.clone(),
        };
        let create = move |request: HttpRequest| {
            let service = service.clone();
            async move {
                let codec = ProstCodec::<IstioCertificateResponse, IstioCertificateRequest>::default();
                tonic::server::Grpc::new(codec).unary(service, request).await.map(axum::body::Body::new)
            }
        };
        let router: Router = Routes::new(AggregatedDiscoveryServiceServer::new(Ads { streams }))
            .into_axum_router()
            .route(CREATE_CERTIFICATE, post(create));
        let acceptor = TlsAcceptor::from(Arc::new(tls(&ca, &ca.issue(spiffe))));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, router) = (acceptor.clone(), router.clone());
                connections.spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = TowerToHyperService::new(router);
                    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, ca, streams: streams_seen, asked: asked_seen, refuse, lifetime, signs_for, _tasks: tasks }
    }

    pub fn token(&self) -> String {
        format!("weft1.id.secret.{}", self.ca.root_hash())
    }
}

fn tls(ca: &TestCa, identity: &Identity) -> rustls::ServerConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.root.clone()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider().clone())
        .allow_unauthenticated()
        .build()
        .unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(provider().clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(identity.certified())));
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

#[derive(Clone)]
struct Certificates {
    ca: Arc<TestCa>,
    asked: mpsc::Sender<Asked>,
    refuse: Arc<AtomicBool>,
    lifetime: Arc<Mutex<Duration>>,
    signs_for: Arc<Mutex<String>>,
}

impl UnaryService<IstioCertificateRequest> for Certificates {
    type Response = IstioCertificateResponse;
    type Future = BoxFuture<'static, Result<Response<Self::Response>, Status>>;

    fn call(&mut self, request: Request<IstioCertificateRequest>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let bearer = request.metadata().get("authorization").map(|value| value.to_str().unwrap().to_owned());
            this.asked.send(bearer).await.unwrap();
            if this.refuse.load(Ordering::Relaxed) {
                return Err(Status::unauthenticated("the token is used up"));
            }
            let lifetime = *this.lifetime.lock().unwrap();
            let signs_for = this.signs_for.lock().unwrap().clone();
            let cert_chain = this.ca.sign(&request.into_inner().csr, &signs_for, lifetime);
            Ok(Response::new(IstioCertificateResponse { cert_chain }))
        })
    }
}

struct Ads {
    streams: mpsc::Sender<AdsStream>,
}

type Boxed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl AggregatedDiscoveryService for Ads {
    type StreamAggregatedResourcesStream = Boxed<DiscoveryResponse>;
    type DeltaAggregatedResourcesStream = Boxed<DeltaDiscoveryResponse>;

    async fn stream_aggregated_resources(
        &self,
        _: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        Err(Status::unimplemented("delta only"))
    }

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        let (to_test, requests) = mpsc::channel(64);
        let (responses, from_test) = mpsc::channel(64);
        self.streams.send(AdsStream { requests, responses }).await.map_err(|_| Status::unavailable("test over"))?;
        let mut incoming = request.into_inner();
        tokio::spawn(async move {
            while let Some(Ok(request)) = incoming.next().await {
                if to_test.send(request).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(from_test))))
    }
}
