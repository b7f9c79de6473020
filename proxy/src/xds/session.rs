//! One ADS stream.

use std::{collections::HashMap, sync::Arc};

use envoy_types::pb::{
    envoy::{
        config::core::v3::{Node, node::UserAgentVersionType},
        service::discovery::v3::{
            DeltaDiscoveryRequest, DeltaDiscoveryResponse,
            aggregated_discovery_service_client::AggregatedDiscoveryServiceClient,
        },
    },
    google::{
        protobuf::{Struct, Value, value::Kind as ValueKind},
        rpc::Status,
    },
};
use http::Uri;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};
use weft_model::xds::SDS_ROOTS;
use weft_policy::config::{Config, Delta, Kind, Resource, SecretContent};

use super::{
    Error,
    held::{Held, Outcome},
    kinds::{self, WILDCARD},
};
use crate::{
    backoff::Backoff,
    control_plane::Link,
    identity::roots,
    state::{NodeInfo, Shared},
    telemetry::Facts,
};

/// Requests that may wait until the operator reads them.
const QUEUE: usize = 32;
/// Largest response; the operator cuts what is larger into several.
const MAX_RESPONSE: usize = 64 * 1024 * 1024;
/// How the operator tells this proxy from other xDS clients.
const USER_AGENT: &str = "weft-proxy";

/// An open stream.
pub struct Session<'a> {
    shared: &'a Arc<Shared>,
    held: &'a mut Held,
    requests: mpsc::Sender<DeltaDiscoveryRequest>,
    responses: Streaming<DeltaDiscoveryResponse>,
    /// Whether SDS was spoken of on this stream; its first request carries the versions held.
    secrets_begun: bool,
}

impl<'a> Session<'a> {
    /// Opens the stream and asks for everything, telling what is held already.
    pub async fn open(
        shared: &'a Arc<Shared>,
        held: &'a mut Held,
        link: Link,
        origin: Uri,
    ) -> Result<Session<'a>, Error> {
        let mut client =
            AggregatedDiscoveryServiceClient::with_origin(link, origin).max_decoding_message_size(MAX_RESPONSE);
        let (requests, queue) = mpsc::channel(QUEUE);
        let mut node = Some(node(&shared.node));
        for kind in WILDCARD {
            let first = DeltaDiscoveryRequest {
                // Only the first request of a stream says who asks.
                node: node.take(),
                initial_resource_versions: held.versions(kind),
                ..request(kind)
            };
            // The queue is larger than the number of types.
            let _ = requests.try_send(first);
        }
        let responses = client.delta_aggregated_resources(ReceiverStream::new(queue)).await.map_err(Error::Stream)?;
        shared.stats.set_xds_connected(true);
        tracing::info!("configuration stream open");
        let mut session = Session { shared, held, requests, responses: responses.into_inner(), secrets_begun: false };
        let known = session.held.secrets();
        if !known.is_empty() {
            session.ask_secrets(known, Vec::new()).await?;
        }
        Ok(session)
    }

    /// Takes responses until the stream ends.
    pub async fn run(&mut self, backoff: &mut Backoff) -> Error {
        loop {
            let response = match self.responses.message().await {
                Ok(Some(response)) => response,
                Ok(None) => return Error::Closed,
                Err(status) => return Error::Stream(status),
            };
            // The operator works: the next loss begins with a short wait again.
            backoff.reset();
            if let Err(error) = self.handle(response).await {
                return error;
            }
        }
    }

    async fn handle(&mut self, response: DeltaDiscoveryResponse) -> Result<(), Error> {
        let (nonce, type_url) = (response.nonce.clone(), response.type_url.clone());
        let Some(kind) = kinds::kind(&type_url) else {
            self.shared.stats.xds_response(1);
            let refusal = format!("{type_url} was not subscribed to");
            return self.answer(type_url, nonce, Some(refusal)).await;
        };
        let mut outcome = self.held.take(kind, response);
        self.bind_ahead(&mut outcome);
        let nack = outcome.nack();
        self.shared.stats.xds_response(outcome.refused.len());
        for refused in &outcome.refused {
            tracing::warn!(%refused, "resource refused, its last good version stays in force");
        }
        tracing::debug!(
            kind = kinds::short(kind),
            put = outcome.delta.put.len(),
            removed = outcome.delta.remove.len(),
            "response"
        );
        self.put_in_force(kind, outcome.delta).await?;
        self.answer(type_url, nonce, nack).await
    }

    /// A listener that cannot be bound is refused. If it had another address until now, it keeps that; a new one is in
    /// force all the same and tried on, so that it heals when its address becomes free.
    fn bind_ahead(&mut self, outcome: &mut Outcome) {
        let current = self.shared.config.load();
        let Outcome { delta, refused } = outcome;
        delta.put.retain(|(name, resource)| {
            let Resource::Listener(listener) = resource else { return true };
            let Err(why) = self.shared.sockets.prepare(listener) else { return true };
            refused.push(format!("{} {name}: {why}", kinds::short(Kind::Listener)));
            self.held.forget(Kind::Listener, name);
            !current.listeners.contains_key(name)
        });
    }

    /// Swaps the configuration, then follows what it needs.
    async fn put_in_force(&mut self, kind: Kind, delta: Delta) -> Result<(), Error> {
        if !delta.put.is_empty() || !delta.remove.is_empty() {
            let config = self.shared.config.load().update(delta);
            self.shared.publish(config);
        }
        let config = self.shared.config.load_full();
        if kind == Kind::Workload
            && let Some(facts) = own_facts(&self.shared.node, &config)
            && facts != **self.shared.facts.load()
        {
            self.shared.facts.store(Arc::new(facts));
        }
        if kind == Kind::Secret
            && let Some(secret) = config.secrets.get(SDS_ROOTS)
            && let SecretContent::Roots(pem) = &secret.content
            && let Err(error) = roots::adopt_pem(self.shared, pem, "SDS")
        {
            tracing::warn!(%error, "roots not taken; those in force stay");
        }
        if matches!(kind, Kind::Listener | Kind::Cluster) {
            let change = self.held.follow_secrets(&config, self.shared.node.in_pod);
            if !change.unsubscribe.is_empty() {
                let remove = change.unsubscribe.iter().map(|name| (Kind::Secret, name.clone())).collect();
                self.shared.publish(config.update(Delta { remove, ..Delta::default() }));
            }
            if !change.subscribe.is_empty() || !change.unsubscribe.is_empty() {
                let unsubscribe = change.unsubscribe.iter().map(|name| name.to_string()).collect();
                self.ask_secrets(change.subscribe, unsubscribe).await?;
            }
        }
        if self.held.complete() && !self.shared.readiness.configured() {
            self.shared.readiness.set_configured();
            // Who waits for the complete configuration waits for a generation.
            self.shared.publish((*self.shared.config.load_full()).clone());
            tracing::info!(
                listeners = config.listeners.len(),
                clusters = config.upstreams.len(),
                workloads = config.workloads.len(),
                "configuration complete"
            );
        }
        Ok(())
    }

    async fn ask_secrets(&mut self, subscribe: Vec<String>, unsubscribe: Vec<String>) -> Result<(), Error> {
        let first = !std::mem::replace(&mut self.secrets_begun, true);
        self.send(DeltaDiscoveryRequest {
            resource_names_subscribe: subscribe,
            resource_names_unsubscribe: unsubscribe,
            initial_resource_versions: if first { self.held.versions(Kind::Secret) } else { HashMap::new() },
            ..request(Kind::Secret)
        })
        .await
    }

    async fn answer(&self, type_url: String, nonce: String, nack: Option<String>) -> Result<(), Error> {
        let error_detail =
            nack.map(|message| Status { code: Code::InvalidArgument.into(), message, ..Status::default() });
        self.send(DeltaDiscoveryRequest {
            type_url,
            response_nonce: nonce,
            error_detail,
            ..DeltaDiscoveryRequest::default()
        })
        .await
    }

    async fn send(&self, request: DeltaDiscoveryRequest) -> Result<(), Error> {
        self.requests.send(request).await.map_err(|_| Error::Closed)
    }
}

fn request(kind: Kind) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest { type_url: kinds::type_url(kind).into(), ..DeltaDiscoveryRequest::default() }
}

fn node(node: &NodeInfo) -> Node {
    let text = |value: &str| Value { kind: Some(ValueKind::StringValue(value.to_owned())) };
    let metadata = [
        ("NAMESPACE", node.namespace.as_str()),
        ("SERVICE_ACCOUNT", &node.service_account),
        ("NAME", &node.workload),
        ("CLUSTER_ID", &node.cluster),
        ("CAPTURE", node.capture.as_str()),
        ("REVISION", &node.revision),
    ];
    let metadata = metadata.into_iter().chain(node.node_name.as_deref().map(|name| ("NODE_NAME", name)));
    let fields = metadata.map(|(name, value)| (name.to_owned(), text(value))).collect();
    Node {
        id: node.id(),
        cluster: node.cluster.clone(),
        metadata: Some(Struct { fields }),
        user_agent_name: USER_AGENT.into(),
        user_agent_version_type: Some(UserAgentVersionType::UserAgentVersion(env!("CARGO_PKG_VERSION").into())),
        ..Node::default()
    }
}

/// This instance's own row of the workload table, found by its address and held against its flags.
fn own_facts(node: &NodeInfo, config: &Config) -> Option<Facts> {
    let row = config.workload(node.address)?;
    (*row.namespace == *node.namespace && *row.service_account == *node.service_account).then(|| Facts::of_row(row))
}
