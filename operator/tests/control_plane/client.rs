//! What a proxy does towards the operator: asks for a certificate, then for configuration.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use envoy_types::pb::{
    envoy::{
        config::core::v3::Node,
        service::discovery::v3::{
            DeltaDiscoveryRequest, DeltaDiscoveryResponse,
            aggregated_discovery_service_client::AggregatedDiscoveryServiceClient,
        },
    },
    google::rpc,
};
use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, RootCertStore, version::TLS13};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, pem::PemObject};
use tokio::{net::TcpStream, sync::mpsc, time::timeout};
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Status, Streaming,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;
use weft_operator::ads::Kind;
use weft_wire::ca::{CREATE_CERTIFICATE, IstioCertificateRequest, IstioCertificateResponse};

use crate::bench::{Bench, PATIENCE};

/// A key and its certificate.
pub struct Identity {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

/// A gRPC channel that trusts the operator's root and shows `identity`.
pub async fn channel(bench: &Bench, identity: Option<&Identity>) -> Result<Channel, tonic::transport::Error> {
    let mut roots = RootCertStore::empty();
    for root in bench.authority().roots() {
        roots.add(root.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let key = PrivatePkcs8KeyDer::from(identity.key.serialize_der()).into();
            builder.with_client_auth_cert(identity.chain.clone(), key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let connector = TlsConnector::from(Arc::new(config));
    let address: SocketAddr = bench.listen;
    let dial = tower::service_fn(move |_: http::Uri| {
        let connector = connector.clone();
        async move {
            let stream = TcpStream::connect(address).await?;
            let name = ServerName::try_from("weft-operator.istio-system.svc").unwrap();
            Ok::<_, std::io::Error>(TokioIo::new(connector.connect(name, stream).await?))
        }
    });
    Endpoint::from_static("http://operator").connect_with_connector(dial).await
}

/// Asks for a certificate and gives the raw answer.
pub async fn create_certificate(
    channel: Channel,
    csr: String,
    token: Option<&str>,
    seconds: i64,
) -> Result<IstioCertificateResponse, Status> {
    let mut request =
        Request::new(IstioCertificateRequest { csr, validity_duration: seconds, ..IstioCertificateRequest::default() });
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let codec = ProstCodec::<IstioCertificateRequest, IstioCertificateResponse>::default();
    Ok(grpc.unary(request, PathAndQuery::from_static(CREATE_CERTIFICATE), codec).await?.into_inner())
}

/// A request for a fresh key.
pub fn csr() -> (String, KeyPair) {
    let key = KeyPair::generate().unwrap();
    (CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap(), key)
}

/// Reads an answer.
pub fn identity(answer: &IstioCertificateResponse, key: KeyPair) -> Identity {
    let chain = answer.cert_chain.iter().map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).collect();
    Identity { chain, key }
}

/// Joins as `default/<account>`.
pub async fn join(bench: &Bench, account: &str) -> Identity {
    let token = bench.token(account, 1);
    let (csr, key) = csr();
    let answer = create_certificate(channel(bench, None).await.unwrap(), csr, Some(&token), 0).await.unwrap();
    identity(&answer, key)
}

/// A delta ADS stream.
pub struct Ads {
    /// The node id that it claims.
    pub node: String,
    requests: mpsc::Sender<DeltaDiscoveryRequest>,
    responses: Streaming<DeltaDiscoveryResponse>,
    introduced: bool,
    /// What it holds, by type: version by name.
    pub held: BTreeMap<Kind, BTreeMap<String, String>>,
}

impl Ads {
    /// Opens a stream as the proxy of `default/<workload>`.
    pub async fn open(bench: &Bench, identity: &Identity, workload: &str) -> Result<Self, Status> {
        let channel = channel(bench, Some(identity)).await.map_err(|error| Status::unavailable(error.to_string()))?;
        let (requests, receiver) = mpsc::channel(64);
        let mut client = AggregatedDiscoveryServiceClient::new(channel);
        let responses = client.delta_aggregated_resources(ReceiverStream::new(receiver)).await?.into_inner();
        let node = format!("sidecar~127.0.0.1~{workload}.default~default.svc.cluster.local");
        Ok(Self { node, requests, responses, introduced: false, held: BTreeMap::new() })
    }

    async fn send(&mut self, mut request: DeltaDiscoveryRequest) {
        if !std::mem::replace(&mut self.introduced, true) {
            request.node =
                Some(Node { id: self.node.clone(), user_agent_name: "weft-proxy".into(), ..Node::default() });
        }
        // A stream that the operator has ended is noticed when reading.
        let _ = self.requests.send(request).await;
    }

    /// Asks for everything of a type, telling what is held already.
    pub async fn ask(&mut self, kind: Kind) {
        let held = self.held.entry(kind).or_default().clone();
        self.send(DeltaDiscoveryRequest {
            type_url: kind.type_url().into(),
            initial_resource_versions: held.into_iter().collect(),
            ..DeltaDiscoveryRequest::default()
        })
        .await;
    }

    /// Asks for every type that a proxy takes by wildcard.
    pub async fn ask_all(&mut self) {
        for kind in [Kind::Cds, Kind::Eds, Kind::Lds, Kind::Rds, Kind::Vhds, Kind::Wds] {
            self.ask(kind).await;
        }
    }

    /// The next response, or how the stream ended.
    pub async fn next(&mut self) -> Result<(Kind, DeltaDiscoveryResponse), Status> {
        let message = timeout(PATIENCE, self.responses.message()).await.expect("a response in time")?;
        let response = message.ok_or_else(|| Status::cancelled("the stream ended"))?;
        let kind = Kind::of(&response.type_url).expect("a type that was asked for");
        Ok((kind, response))
    }

    /// Whether nothing comes for a while.
    pub async fn silent(&mut self) -> bool {
        timeout(std::time::Duration::from_millis(300), self.responses.message()).await.is_err()
    }

    /// Takes a response into force, but for the resource `refuse`, and answers it.
    pub async fn answer(&mut self, kind: Kind, response: DeltaDiscoveryResponse, refuse: Option<&str>) {
        let held = self.held.entry(kind).or_default();
        for resource in response.resources {
            if Some(resource.name.as_str()) != refuse {
                held.insert(resource.name, resource.version);
            }
        }
        for name in &response.removed_resources {
            held.remove(name);
        }
        let error = |name: &str| rpc::Status {
            code: 3,
            message: format!("{} {name}: refused by the test", kind.name()),
            ..rpc::Status::default()
        };
        self.send(DeltaDiscoveryRequest {
            type_url: kind.type_url().into(),
            response_nonce: response.nonce,
            error_detail: refuse.map(error),
            ..DeltaDiscoveryRequest::default()
        })
        .await;
    }

    /// Acknowledges whatever comes until `kinds` have each come once; gives the order.
    pub async fn take(&mut self, kinds: &[Kind]) -> Vec<Kind> {
        let mut order = Vec::new();
        while !kinds.iter().all(|kind| order.contains(kind)) {
            let (kind, response) = self.next().await.unwrap();
            order.push(kind);
            self.answer(kind, response, None).await;
        }
        order
    }

    /// Asks for everything and acknowledges it all.
    pub async fn settle(&mut self) -> Vec<Kind> {
        self.ask_all().await;
        self.take(&[Kind::Cds, Kind::Eds, Kind::Lds, Kind::Rds, Kind::Vhds, Kind::Wds]).await
    }
}
