//! Proxies that take their configuration and throw it away: what our own proxy asks for, in its way, and nothing else,
//! because they share the machine with what is measured.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use anyhow::{Context, Result, bail};
use envoy_types::pb::{
    envoy::{
        config::core::v3::{Node, node::UserAgentVersionType},
        service::discovery::v3::{
            DeltaDiscoveryRequest, DeltaDiscoveryResponse,
            aggregated_discovery_service_client::AggregatedDiscoveryServiceClient,
        },
    },
    google::protobuf::{Struct, Value, value::Kind},
};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use kube::Client;
use prost::Message;
use tokio::task::AbortHandle;
use tonic::Streaming;
use weft_model::xds::{SDS_ROOTS, WORKLOAD_TYPE_URL};

use crate::identity;

const CLUSTERS: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const VIRTUAL_HOSTS: &str = "type.googleapis.com/envoy.config.route.v3.VirtualHost";
const SECRETS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
/// Types that a proxy takes by wildcard, in the order of its first requests.
const WILDCARD: [&str; 6] = [
    CLUSTERS,
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "type.googleapis.com/envoy.config.listener.v3.Listener",
    "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    VIRTUAL_HOSTS,
    WORKLOAD_TYPE_URL,
];
/// Largest response; the operator cuts what is larger into several.
const MAX_RESPONSE: usize = 64 * 1024 * 1024;
/// Length and compression flag before each gRPC message.
const FRAME: u64 = 5;

/// One instance of the mesh.
pub struct Instance {
    /// Namespace.
    pub namespace: String,
    /// Pod.
    pub pod: String,
    /// Its service account.
    pub account: String,
    /// Its address.
    pub address: Ipv4Addr,
}

/// What every proxy needs to know.
pub struct Mesh {
    /// For tokens.
    pub client: Client,
    /// Where proxies connect.
    pub control_plane: SocketAddr,
    /// The root certificate, PEM.
    pub root: String,
    /// The virtual host whose changes are told.
    pub watched: String,
    /// Who is told.
    pub news: UnboundedSender<News>,
}

/// What a proxy tells.
pub enum News {
    /// It has received the virtual host.
    Changed(Instant),
    /// Its stream ended.
    Lost(String),
}

/// A connected proxy that holds its whole configuration.
pub struct Proxy {
    received: Arc<AtomicU64>,
    /// How many resources it got at first.
    pub resources: usize,
    reader: AbortHandle,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Proxy {
    /// Joins, connects, and takes the first configuration.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn connect(mesh: &Mesh, instance: &Instance) -> Result<Self> {
        let pod = (instance.namespace.as_str(), instance.pod.as_str());
        let identity = identity::join(&mesh.client, mesh.control_plane, &mesh.root, pod, &instance.account).await?;
        let channel = identity::channel(mesh.control_plane, &mesh.root, Some(&identity)).await?;
        let mut ads = AggregatedDiscoveryServiceClient::new(channel).max_decoding_message_size(MAX_RESPONSE);
        let (requests, queue) = unbounded();
        let mut node = Some(node(instance));
        for kind in WILDCARD {
            requests.unbounded_send(DeltaDiscoveryRequest { node: node.take(), ..request(kind) })?;
        }
        let responses = ads.delta_aggregated_resources(queue).await?.into_inner();
        let received = Arc::new(AtomicU64::new(0));
        let mut stream = Stream { requests, responses, received: Arc::clone(&received) };
        let mut missing: BTreeSet<_> = WILDCARD.into();
        let (mut resources, mut secrets_begun) = (0, false);
        while !missing.is_empty() {
            let response = stream.next().await.with_context(|| format!("{}/{}", pod.0, pod.1))?;
            resources += response.resources.len();
            missing.remove(response.type_url.as_str());
            // A proxy in a pod asks for the roots once a cluster names them.
            if response.type_url == CLUSTERS && !std::mem::replace(&mut secrets_begun, true) {
                let names = vec![SDS_ROOTS.to_owned()];
                let ask = DeltaDiscoveryRequest { resource_names_subscribe: names, ..request(SECRETS) };
                stream.requests.unbounded_send(ask)?;
            }
        }
        let (watched, news) = (mesh.watched.clone(), mesh.news.clone());
        let reader = tokio::spawn(async move {
            let error = stream.tell(&watched, &news).await;
            // Nobody listens at the end of the measurement.
            drop(news.unbounded_send(News::Lost(error)));
        });
        Ok(Self { received, resources, reader: reader.abort_handle() })
    }

    /// Bytes received until now: messages with their gRPC frames, without HTTP/2's and TLS's.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

/// A channel for news.
pub fn news() -> (UnboundedSender<News>, UnboundedReceiver<News>) {
    unbounded()
}

struct Stream {
    requests: UnboundedSender<DeltaDiscoveryRequest>,
    responses: Streaming<DeltaDiscoveryResponse>,
    received: Arc<AtomicU64>,
}

impl Stream {
    /// The next response, acknowledged.
    async fn next(&mut self) -> Result<DeltaDiscoveryResponse> {
        let Some(response) = self.responses.message().await? else { bail!("the operator closed the stream") };
        self.received.fetch_add(response.encoded_len() as u64 + FRAME, Ordering::Relaxed);
        self.requests.unbounded_send(DeltaDiscoveryRequest {
            type_url: response.type_url.clone(),
            response_nonce: response.nonce.clone(),
            ..DeltaDiscoveryRequest::default()
        })?;
        Ok(response)
    }

    /// Tells each change of `watched` until the stream ends; gives why it did.
    async fn tell(&mut self, watched: &str, news: &UnboundedSender<News>) -> String {
        loop {
            let response = match self.next().await {
                Ok(response) => response,
                Err(error) => return format!("{error:#}"),
            };
            let at = Instant::now();
            if response.type_url == VIRTUAL_HOSTS
                && response.resources.iter().any(|resource| resource.name == watched)
                && news.unbounded_send(News::Changed(at)).is_err()
            {
                return "nobody listens".to_owned();
            }
        }
    }
}

fn request(kind: &str) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest { type_url: kind.to_owned(), ..DeltaDiscoveryRequest::default() }
}

/// A captured sidecar, as our proxy introduces itself.
fn node(instance: &Instance) -> Node {
    let Instance { namespace, pod, account, address } = instance;
    let text = |value: &str| Value { kind: Some(Kind::StringValue(value.to_owned())) };
    let fields = [
        ("NAMESPACE", namespace.as_str()),
        ("SERVICE_ACCOUNT", account),
        ("NAME", pod),
        ("CLUSTER_ID", "Kubernetes"),
        ("CAPTURE", "redirect"),
        ("REVISION", ""),
    ];
    Node {
        id: format!("sidecar~{address}~{pod}.{namespace}~{namespace}.svc.cluster.local"),
        cluster: "Kubernetes".into(),
        metadata: Some(Struct { fields: fields.map(|(name, value)| (name.to_owned(), text(value))).into() }),
        user_agent_name: "weft-proxy".into(),
        user_agent_version_type: Some(UserAgentVersionType::UserAgentVersion(env!("CARGO_PKG_VERSION").into())),
        ..Node::default()
    }
}
