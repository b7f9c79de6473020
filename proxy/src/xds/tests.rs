use std::{collections::HashMap, time::Duration};

use envoy_types::pb::{
    envoy::{
        config::{cluster::v3::Cluster, core::v3 as core, endpoint::v3 as endpoint, listener::v3},
        extensions::{filters::network::tcp_proxy, transport_sockets::tls as sockets},
        service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource},
    },
    google::protobuf::Any,
};
use prost::Message;
use weft_policy::config::Kind;
use weft_wire::workload::Workload;

use super::*;
use crate::{
    control_plane::testing::{AdsStream, FakeOperator},
    state::testing::shared,
    xds::kinds::{WILDCARD, kind, type_url},
};

const WEB: &str = "spiffe://cluster.local/ns/shop/sa/web";

struct Play {
    shared: Arc<Shared>,
    shutdown: Shutdown,
    operator: FakeOperator,
    client: tokio::task::JoinHandle<()>,
}

impl Play {
    async fn begin() -> Self {
        let operator = FakeOperator::start().await;
        let shared = shared();
        shared.identity.store(Some(Arc::new(operator.ca.issue(WEB))));
        let control_plane = ControlPlane::new(operator.address.to_string(), None);
        let shutdown = Shutdown::new();
        let client = tokio::spawn(Client::new(shared.clone(), control_plane).run(shutdown.clone()));
        Self { shared, shutdown, operator, client }
    }

    async fn stream(&mut self) -> AdsStream {
        self.operator.streams.recv().await.unwrap()
    }

    async fn end(self) {
        self.shutdown.begin();
        self.client.await.unwrap();
    }
}

/// The first requests of a stream, by type.
async fn subscriptions(stream: &mut AdsStream) -> HashMap<Kind, DeltaDiscoveryRequest> {
    let mut first = HashMap::new();
    for index in 0..WILDCARD.len() {
        let request = stream.requests.recv().await.unwrap();
        assert_eq!(request.node.is_some(), index == 0);
        assert!(request.response_nonce.is_empty());
        first.insert(kind(&request.type_url).unwrap(), request);
    }
    first
}

fn resource(kind: Kind, name: &str, version: &str, message: &impl Message) -> Resource {
    Resource {
        name: name.into(),
        version: version.into(),
        resource: Some(Any { type_url: type_url(kind).into(), value: message.encode_to_vec() }),
        ..Resource::default()
    }
}

/// Sends a response and gives what the proxy answers.
async fn respond(
    stream: &mut AdsStream,
    kind: Kind,
    nonce: &str,
    resources: Vec<Resource>,
    removed: &[&str],
) -> DeltaDiscoveryRequest {
    let response = DeltaDiscoveryResponse {
        type_url: type_url(kind).into(),
        nonce: nonce.into(),
        resources,
        removed_resources: removed.iter().map(|name| (*name).to_owned()).collect(),
        ..DeltaDiscoveryResponse::default()
    };
    stream.responses.send(Ok(response)).await.unwrap();
    let answer = stream.requests.recv().await.unwrap();
    assert_eq!((answer.response_nonce.as_str(), answer.type_url.as_str()), (nonce, type_url(kind)));
    answer
}

fn cluster(name: &str) -> Resource {
    let message = Cluster {
        name: name.into(),
        connect_timeout: Some(envoy_types::pb::google::protobuf::Duration { seconds: 1, nanos: 0 }),
        cluster_discovery_type: Some(envoy_types::pb::envoy::config::cluster::v3::cluster::ClusterDiscoveryType::Type(
            envoy_types::pb::envoy::config::cluster::v3::cluster::DiscoveryType::Eds.into(),
        )),
        eds_cluster_config: Some(envoy_types::pb::envoy::config::cluster::v3::cluster::EdsClusterConfig {
            eds_config: Some(core::ConfigSource {
                config_source_specifier: Some(core::config_source::ConfigSourceSpecifier::Ads(
                    core::AggregatedConfigSource {},
                )),
                ..core::ConfigSource::default()
            }),
            service_name: name.into(),
        }),
        ..Cluster::default()
    };
    resource(Kind::Cluster, name, "1", &message)
}

fn workload() -> Resource {
    let row = Workload {
        uid: "k/w/shop/web-1".into(),
        name: "web-1".into(),
        namespace: "shop".into(),
        addresses: vec![vec![127, 0, 0, 1]],
        service_account: "web".into(),
        canonical_name: "web".into(),
        canonical_revision: "v3".into(),
        workload_name: "web".into(),
        app: "web".into(),
        version: "v3".into(),
        ..Workload::default()
    };
    resource(Kind::Workload, "k/w/shop/web-1", "1", &row)
}

#[tokio::test]
async fn good_resources_are_taken_and_bad_ones_named() {
    let mut play = Play::begin().await;
    let mut stream = play.stream().await;
    let first = subscriptions(&mut stream).await;
    let node = first[&Kind::Cluster].node.as_ref().unwrap();
    assert_eq!(node.id, "sidecar~127.0.0.1~web-1.shop~shop.svc.cluster.local");
    assert_eq!(node.user_agent_name, "weft-proxy");

    let broken = Resource {
        resource: Some(Any { type_url: type_url(Kind::Cluster).into(), value: vec![0xff; 9] }),
        ..cluster("broken")
    };
    let answer = respond(&mut stream, Kind::Cluster, "n1", vec![cluster("good"), broken], &[]).await;
    let detail = answer.error_detail.unwrap();
    assert!(detail.message.starts_with("Cluster broken: "), "{}", detail.message);
    assert!(play.shared.config.load().upstream("good").is_some());

    let answer = respond(&mut stream, Kind::Cluster, "n2", vec![cluster("other")], &["good"]).await;
    assert!(answer.error_detail.is_none());
    let config = play.shared.config.load_full();
    assert!(config.upstream("good").is_none() && config.upstream("other").is_some());
    play.end().await;
}

#[tokio::test]
async fn ready_when_every_type_was_answered() {
    let mut play = Play::begin().await;
    let mut stream = play.stream().await;
    subscriptions(&mut stream).await;
    for (index, kind) in WILDCARD.into_iter().enumerate() {
        assert!(!play.shared.readiness.configured());
        let resources = if kind == Kind::Workload { vec![workload()] } else { Vec::new() };
        respond(&mut stream, kind, &format!("n{index}"), resources, &[]).await;
    }
    assert!(play.shared.readiness.configured());
    let own = play.shared.facts.load_full();
    assert_eq!((&*own.workload, &*own.canonical_revision, &*own.version), ("web", "v3", "v3"));
    play.end().await;
}

#[tokio::test]
async fn a_lost_operator_leaves_the_configuration_and_is_told_what_is_held() {
    let mut play = Play::begin().await;
    let mut stream = play.stream().await;
    subscriptions(&mut stream).await;
    respond(&mut stream, Kind::Cluster, "n1", vec![cluster("a"), cluster("b")], &[]).await;
    assert!(play.shared.stats.xds_connected());
    drop(stream);
    let mut stream = play.stream().await;
    assert!(play.shared.config.load().upstream("a").is_some());
    let first = subscriptions(&mut stream).await;
    let held = &first[&Kind::Cluster].initial_resource_versions;
    assert_eq!(held.len(), 2);
    assert_eq!(held["a"], "1");
    play.end().await;
}

#[tokio::test]
async fn endpoints_join_their_cluster() {
    let mut play = Play::begin().await;
    let mut stream = play.stream().await;
    subscriptions(&mut stream).await;
    respond(&mut stream, Kind::Cluster, "n1", vec![cluster("a")], &[]).await;
    let address = core::Address {
        address: Some(core::address::Address::SocketAddress(core::SocketAddress {
            address: "127.0.0.7".into(),
            port_specifier: Some(core::socket_address::PortSpecifier::PortValue(80)),
            ..core::SocketAddress::default()
        })),
    };
    let assignment = endpoint::ClusterLoadAssignment {
        cluster_name: "a".into(),
        endpoints: vec![endpoint::LocalityLbEndpoints {
            lb_endpoints: vec![endpoint::LbEndpoint {
                host_identifier: Some(endpoint::lb_endpoint::HostIdentifier::Endpoint(endpoint::Endpoint {
                    address: Some(address),
                    ..endpoint::Endpoint::default()
                })),
                ..endpoint::LbEndpoint::default()
            }],
            ..endpoint::LocalityLbEndpoints::default()
        }],
        ..endpoint::ClusterLoadAssignment::default()
    };
    let answer =
        respond(&mut stream, Kind::Endpoints, "n2", vec![resource(Kind::Endpoints, "a", "1", &assignment)], &[]).await;
    assert!(answer.error_detail.is_none(), "{answer:?}");
    assert_eq!(play.shared.config.load().upstream("a").unwrap().hosts.len(), 1);
    play.end().await;
}

#[tokio::test]
async fn types_never_asked_for_are_refused() {
    let mut play = Play::begin().await;
    let mut stream = play.stream().await;
    subscriptions(&mut stream).await;
    let response =
        DeltaDiscoveryResponse { type_url: "type.googleapis.com/a.B".into(), nonce: "n".into(), ..Default::default() };
    stream.responses.send(Ok(response)).await.unwrap();
    let answer = stream.requests.recv().await.unwrap();
    assert!(answer.error_detail.unwrap().message.contains("a.B"));
    play.end().await;
}

fn listener(name: &str, address: std::net::SocketAddr) -> Resource {
    let address = core::Address {
        address: Some(core::address::Address::SocketAddress(core::SocketAddress {
            address: address.ip().to_string(),
            port_specifier: Some(core::socket_address::PortSpecifier::PortValue(address.port().into())),
            ..core::SocketAddress::default()
        })),
    };
    let tcp = tcp_proxy::v3::TcpProxy {
        stat_prefix: "t".into(),
        cluster_specifier: Some(tcp_proxy::v3::tcp_proxy::ClusterSpecifier::Cluster("a".into())),
        ..Default::default()
    };
    let config = Any {
        type_url: "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy".into(),
        value: tcp.encode_to_vec(),
    };
    let filter = v3::Filter { name: "tcp".into(), config_type: Some(v3::filter::ConfigType::TypedConfig(config)) };
    let chain = v3::FilterChain { filters: vec![filter], ..v3::FilterChain::default() };
    let message = v3::Listener {
        name: name.into(),
        address: Some(address),
        filter_chains: vec![chain],
        ..v3::Listener::default()
    };
    resource(Kind::Listener, name, "1", &message)
}

#[tokio::test]
async fn a_listener_that_cannot_be_bound_is_refused_by_name() {
    let mut play = Play::begin().await;
    let mut stream = play.stream().await;
    subscriptions(&mut stream).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (taken_at, free) = (taken.local_addr().unwrap(), "127.0.0.1:0".parse().unwrap());
    let both = vec![listener("free", free), listener("taken", taken_at)];
    let answer = respond(&mut stream, Kind::Listener, "n1", both, &[]).await;
    let detail = answer.error_detail.unwrap().message;
    assert!(detail.starts_with("Listener taken: cannot listen on 127.0.0.1:") && !detail.contains("Listener free"));
    // A new one is in force all the same and tried on; one that had an address keeps it.
    let config = play.shared.config.load_full();
    assert!(config.listeners.contains_key("free") && config.listeners.contains_key("taken"));
    let answer = respond(&mut stream, Kind::Listener, "n2", vec![listener("free", taken_at)], &[]).await;
    assert!(answer.error_detail.unwrap().message.starts_with("Listener free: "));
    assert_eq!(play.shared.config.load().listeners["free"].address, free);
    // What was refused is not told as held.
    drop(stream);
    let mut stream = play.stream().await;
    let held = subscriptions(&mut stream).await.remove(&Kind::Listener).unwrap().initial_resource_versions;
    assert!(held.is_empty(), "{held:?}");
    play.end().await;
}

#[tokio::test]
async fn a_pod_follows_the_meshs_roots() {
    let operator = FakeOperator::start().await;
    let node = crate::state::NodeInfo { in_pod: true, ..crate::state::testing::node() };
    let shared = Shared::new(node, crate::telemetry::AccessLog::default(), crate::telemetry::SpanSink::off());
    shared.identity.store(Some(Arc::new(operator.ca.issue(WEB))));
    let control_plane = ControlPlane::new(operator.address.to_string(), None);
    let shutdown = Shutdown::new();
    let client = tokio::spawn(Client::new(shared.clone(), control_plane).run(shutdown.clone()));
    let mut play = Play { shared, shutdown, operator, client };
    let mut stream = play.stream().await;
    subscriptions(&mut stream).await;
    let response = DeltaDiscoveryResponse {
        type_url: type_url(Kind::Listener).into(),
        nonce: "n1".into(),
        ..DeltaDiscoveryResponse::default()
    };
    stream.responses.send(Ok(response)).await.unwrap();
    let asked = stream.requests.recv().await.unwrap();
    assert_eq!(asked.resource_names_subscribe, ["ROOTCA"]);
    stream.requests.recv().await.unwrap();
    let new = crate::tls::testing::TestCa::new();
    let bundle = format!("{}{}", play.operator.ca.root_pem(), new.root_pem());
    let context = sockets::v3::CertificateValidationContext {
        trusted_ca: Some(core::DataSource {
            specifier: Some(core::data_source::Specifier::InlineBytes(bundle.into_bytes())),
            ..core::DataSource::default()
        }),
        ..sockets::v3::CertificateValidationContext::default()
    };
    let secret = sockets::v3::Secret {
        name: "ROOTCA".into(),
        r#type: Some(sockets::v3::secret::Type::ValidationContext(context)),
    };
    let roots = vec![resource(Kind::Secret, "ROOTCA", "1", &secret)];
    let answer = respond(&mut stream, Kind::Secret, "n2", roots, &[]).await;
    assert!(answer.error_detail.is_none(), "{answer:?}");
    let identity = play.shared.identity.load_full().unwrap();
    assert_eq!(identity.root_certificates, [play.operator.ca.root.clone(), new.root.clone()]);
    play.end().await;
}

#[tokio::test]
async fn an_operator_with_a_wrong_identity_is_not_listened_to() {
    let operator = FakeOperator::start_as(WEB).await;
    let shared = shared();
    shared.identity.store(Some(Arc::new(operator.ca.issue(WEB))));
    let mut client = Client::new(shared.clone(), ControlPlane::new(operator.address.to_string(), None));
    let error = client.stream(&mut Backoff::new(Duration::ZERO, Duration::ZERO)).await;
    assert!(matches!(error, Error::Connect(ConnectError::Tls(..))), "{error}");
}
