//! `envoy.service.discovery.v3.AggregatedDiscoveryService`.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, aggregated_discovery_service_server::SERVICE_NAME,
};
use http_body::Body;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Response, Status, Streaming,
    codec::{BufferSettings, Codec},
    server::{Grpc, NamedService, StreamingService},
};
use tonic_prost::{ProstDecoder, ProstEncoder};

use super::{
    kind::Kind,
    stream::{self, Hub},
};
use crate::server::Peer;

/// Requests larger than this are refused: a reconnecting proxy lists every resource that it has.
const MAX_REQUEST: usize = 8 * 1024 * 1024;
/// Bytes that a stream's buffer begins with.
const BUFFER: usize = 4 * 1024;

/// The discovery service.
#[derive(Clone)]
pub struct Ads(Arc<Hub>);

impl Ads {
    /// Serves what `hub` publishes.
    pub fn new(hub: Arc<Hub>) -> Self {
        Self(hub)
    }

    fn begin(&self, request: Request<Streaming<DeltaDiscoveryRequest>>) -> Result<Response<Responses>, Status> {
        let Some(identity) = request.extensions().get::<Peer>().and_then(|peer| peer.identity.clone()) else {
            return Err(Status::unauthenticated("configuration is for proxies with a certificate of this mesh"));
        };
        // Room for a response of each type and for the reason of the end.
        let (sender, receiver) = mpsc::channel(Kind::ALL.len() + 1);
        tokio::spawn(stream::serve(Arc::clone(&self.0), identity, request.into_inner(), sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

type Responses = ReceiverStream<Result<DeltaDiscoveryResponse, Status>>;

impl StreamingService<DeltaDiscoveryRequest> for Ads {
    type Response = DeltaDiscoveryResponse;
    type ResponseStream = Responses;
    type Future = Ready<Result<Response<Responses>, Status>>;

    fn call(&mut self, request: Request<Streaming<DeltaDiscoveryRequest>>) -> Self::Future {
        ready(self.begin(request))
    }
}

/// Sends each response by itself: a stream keeps a buffer of up to twice its largest piece for as long as it lasts.
struct Apart;

impl Codec for Apart {
    type Encode = DeltaDiscoveryResponse;
    type Decode = DeltaDiscoveryRequest;
    type Encoder = ProstEncoder<DeltaDiscoveryResponse>;
    type Decoder = ProstDecoder<DeltaDiscoveryRequest>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(BufferSettings::new(BUFFER, 1))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::new(BufferSettings::new(BUFFER, 1))
    }
}

impl NamedService for Ads {
    const NAME: &'static str = SERVICE_NAME;
}

impl<B> tower::Service<http::Request<B>> for Ads
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default();
        if method != "DeltaAggregatedResources" {
            let refusal = Status::unimplemented(
                "only incremental xDS is served: use DeltaAggregatedResources (api_type: DELTA_GRPC)",
            );
            return Box::pin(ready(Ok(refusal.into_http())));
        }
        let ads = self.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(Apart).apply_max_message_size_config(Some(MAX_REQUEST), None);
            Ok(grpc.streaming(ads, request).await)
        })
    }
}
