//! `envoy.service.discovery.v3.AggregatedDiscoveryService`.

use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
    aggregated_discovery_service_server::{AggregatedDiscoveryService, AggregatedDiscoveryServiceServer},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{
    kind::Kind,
    stream::{self, Hub},
};
use crate::server::Peer;

/// Requests larger than this are refused: a reconnecting proxy lists every resource that it has.
const MAX_REQUEST: usize = 8 * 1024 * 1024;

/// The discovery service.
#[derive(Clone)]
pub struct Ads(Arc<Hub>);

impl Ads {
    /// Serves what `hub` publishes.
    pub fn new(hub: Arc<Hub>) -> Self {
        Self(hub)
    }

    /// The gRPC service.
    pub fn into_service(self) -> AggregatedDiscoveryServiceServer<Self> {
        AggregatedDiscoveryServiceServer::new(self).max_decoding_message_size(MAX_REQUEST)
    }
}

#[tonic::async_trait]
impl AggregatedDiscoveryService for Ads {
    type StreamAggregatedResourcesStream = ReceiverStream<Result<DiscoveryResponse, Status>>;
    type DeltaAggregatedResourcesStream = ReceiverStream<Result<DeltaDiscoveryResponse, Status>>;

    async fn stream_aggregated_resources(
        &self,
        _: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        Err(Status::unimplemented(
            "only incremental xDS is served: use DeltaAggregatedResources (api_type: DELTA_GRPC)",
        ))
    }

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        let Some(identity) = request.extensions().get::<Peer>().and_then(|peer| peer.identity.clone()) else {
            return Err(Status::unauthenticated("configuration is for proxies with a certificate of this mesh"));
        };
        // Room for a response of each type and for the reason of the end.
        let (sender, receiver) = mpsc::channel(Kind::ALL.len() + 1);
        tokio::spawn(stream::serve(Arc::clone(&self.0), identity, request.into_inner(), sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}
