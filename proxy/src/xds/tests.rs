use std::{collections::HashMap, time::Duration};

use envoy_types::pb::{
    envoy::{
        config::{cluster::v3::Cluster, core::v3 as core, endpoint::v3 as endpoint},
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

#[test]
fn a_nack_stays_short() {
    let outcome = held::Outcome { refused: vec!["é".repeat(100); 100], ..Default::default() };
    assert!(outcome.nack().unwrap().len() <= 4096 + '…'.len_utf8());
    assert_eq!(held::Outcome::default().nack(), None);
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
