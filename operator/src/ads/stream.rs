//! One proxy's stream: reads its requests, watches for snapshots, translates off the network threads, and sends what the
//! session says.

use std::{
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;
use tonic::{Status, Streaming};
use weft_mesh::{Proxy, Resources, Snapshot, translate::Translator};
use weft_model::{SpiffeId, WorkloadRef, xds::SDS_ROOTS};
use weft_runtime::Shutdown;

use super::{
    acks::AckBook,
    kind::Kind,
    node::NodeInfo,
    published::{Published, Watch, unix_ms},
    registry::{Connected, Progress, Registry},
    roots,
    session::{Answer, Session},
};
use crate::{
    ca::AuthorityWatch,
    metrics::{Metrics, TypeLabels},
};

/// Time for the first request of a stream.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// Streams that wait at once for their workload to become known.
pub const MAX_ARRIVING: usize = 1024;

/// What all streams share.
pub struct Hub {
    /// Connected proxies.
    pub registry: Arc<Registry>,
    /// Acknowledgements by object.
    pub acks: Arc<AckBook>,
    /// Metrics.
    pub metrics: Metrics,
    /// The present snapshot.
    pub published: Watch,
    /// Translates, and remembers what proxies have in common.
    pub translator: Arc<Translator>,
    /// Translations at once: as many as there are processors, so that the network threads keep theirs.
    pub translators: Arc<Semaphore>,
    /// Trust domain of identities.
    pub trust_domain: String,
    /// Whose roots proxies are to trust.
    pub authority: AuthorityWatch,
    /// How long a proxy may connect before its workload is known: the event of a pod's creation may come after the pod.
    pub patience: Duration,
    /// Turns of those that wait so.
    pub arriving: Arc<Semaphore>,
    /// Ends every stream.
    pub shutdown: Shutdown,
}

/// What a translation gives.
type Translated = Result<(Arc<Resources>, Published), Status>;

/// Serves a stream until one side ends it. The last thing sent is why, if it was this side.
pub async fn serve(
    hub: Arc<Hub>,
    identity: SpiffeId,
    mut requests: Streaming<DeltaDiscoveryRequest>,
    responses: mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>,
) {
    let first = tokio::select! {
        first = timeout(FIRST_REQUEST, requests.message()) => first,
        () = hub.shutdown.wait() => return,
    };
    let refusal = match first {
        Ok(Ok(Some(first))) => match admit(&hub, &identity, &first).await {
            Ok(node) => {
                let mut stream = Stream::open(hub, node, identity, responses);
                let ended = stream.run(first, &mut requests).await;
                stream.close(ended).await;
                return;
            }
            Err(status) => {
                tracing::warn!(%identity, reason = status.message(), "refused a proxy");
                hub.metrics.refused_streams.inc();
                status
            }
        },
        Ok(Ok(None)) | Ok(Err(_)) => return,
        Err(_) => Status::deadline_exceeded("the first request did not come"),
    };
    // Nobody may be listening any more.
    let _ = responses.send(Err(refusal)).await;
}

/// Whether a certificate may act for the node that it claims to be. A workload that is not known yet is waited for
/// briefly; after that the proxy is refused and tries again.
async fn admit(hub: &Hub, identity: &SpiffeId, first: &DeltaDiscoveryRequest) -> Result<NodeInfo, Status> {
    let node = NodeInfo::read(first.node.as_ref()).map_err(|error| Status::invalid_argument(error.to_string()))?;
    let mut published = hub.published.clone();
    let known = async {
        loop {
            let snapshot = Arc::clone(&published.borrow_and_update().snapshot);
            match authorized(&snapshot, &hub.trust_domain, identity, &node) {
                Err(Refused::Unknown(_)) => {}
                decided => return decided,
            }
            if published.changed().await.is_err() {
                return Err(Refused::Stopping);
            }
        }
    };
    let turn = hub.arriving.try_acquire();
    let patience = if turn.is_ok() { hub.patience } else { Duration::ZERO };
    tokio::select! {
        decided = timeout(patience, known) => decided.unwrap_or_else(|_| Err(Refused::Unknown(node.workload.clone())))?,
        () = hub.shutdown.wait() => return Err(Refused::Stopping.into()),
    };
    Ok(node)
}

/// Why a proxy may not have a workload's configuration.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(
        "there is no pod or WorkloadEntry {0} with an IP address: create it, or correct the proxy's --workload and \
         --namespace"
    )]
    Unknown(WorkloadRef),
    #[error("the certificate proves {proved}, but {workload} runs as {expected}")]
    Identity { proved: Box<SpiffeId>, workload: WorkloadRef, expected: Box<SpiffeId> },
    #[error("the operator is stopping")]
    Stopping,
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        let text = refused.to_string();
        match refused {
            Refused::Unknown(_) | Refused::Identity { .. } => Self::permission_denied(text),
            Refused::Stopping => Self::unavailable(text),
        }
    }
}

fn authorized(snapshot: &Snapshot, trust_domain: &str, identity: &SpiffeId, node: &NodeInfo) -> Result<Proxy, Refused> {
    let workload = &node.workload;
    let proxy = Proxy::for_workload(snapshot, workload, node.kind, node.engine)
        .ok_or_else(|| Refused::Unknown(workload.clone()))?
        .with_capture(node.capture);
    let expected = proxy.identity(trust_domain);
    if expected != *identity {
        let (proved, expected) = (Box::new(identity.clone()), Box::new(expected));
        return Err(Refused::Identity { proved, workload: workload.clone(), expected });
    }
    Ok(proxy)
}

/// Why a stream ends.
enum End {
    /// The proxy is gone.
    Gone,
    /// This side ends it.
    With(Status),
}

struct Stream {
    hub: Arc<Hub>,
    connected: Arc<Connected>,
    session: Session,
    watch: Watch,
    authority: AuthorityWatch,
    translation: Option<AbortOnDropHandle<Translated>>,
    responses: mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>,
    /// When the oldest change that the proxy has not fully acknowledged was taken up.
    unacked_since: Option<Instant>,
}

impl Stream {
    fn open(
        hub: Arc<Hub>,
        node: NodeInfo,
        identity: SpiffeId,
        responses: mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>,
    ) -> Self {
        let session = Session::new(node.engine);
        let watch = hub.published.clone();
        let authority = hub.authority.clone();
        tracing::info!(node = node.id, version = node.version, "proxy connected");
        let connected = hub.registry.enter(node, identity);
        // Entered before the first snapshot is taken from the watch: whatever is published from now on waits for us.
        hub.acks.connected(connected.id, &connected.node.id);
        hub.metrics.proxies.inc();
        Self { hub, connected, session, watch, authority, translation: None, responses, unacked_since: None }
    }

    async fn run(&mut self, first: DeltaDiscoveryRequest, requests: &mut Streaming<DeltaDiscoveryRequest>) -> End {
        self.translate();
        let mut next = Some(first);
        loop {
            if let Some(request) = next.take()
                && let Err(status) = self.hear(request)
            {
                return End::With(status);
            }
            if self.speak().await.is_err() {
                return End::Gone;
            }
            self.note();
            tokio::select! {
                message = requests.message() => match message {
                    Ok(Some(request)) => next = Some(request),
                    Ok(None) => return End::Gone,
                    Err(status) => {
                        tracing::debug!(node = self.connected.node.id, %status, "stream broke");
                        return End::Gone;
                    }
                },
                translated = finished(&mut self.translation) => {
                    self.translation = None;
                    if let Err(status) = self.take_up(translated) {
                        return End::With(status);
                    }
                }
                changed = self.watch.changed(), if self.translation.is_none() => match changed {
                    Ok(()) => self.translate(),
                    Err(_) => return End::With(Status::unavailable("the operator is stopping")),
                },
                // One that never changes has no sender any more: pending, not an end.
                Ok(()) = self.authority.changed(), if self.translation.is_none() => self.translate(),
                () = self.connected.superseded.cancelled() => {
                    return End::With(Status::aborted("a newer stream of the same proxy has come"));
                }
                () = self.hub.shutdown.wait() => {
                    return End::With(Status::unavailable("the operator is stopping"));
                }
            }
        }
    }

    /// Starts translating the newest snapshot. One runs at a time; what is published meanwhile is seen afterwards.
    fn translate(&mut self) {
        let published = self.watch.borrow_and_update().clone();
        let authority = self.authority.borrow_and_update().clone();
        let translators = Arc::clone(&self.hub.translators);
        let translator = Arc::clone(&self.hub.translator);
        let latency = self.hub.metrics.translate.clone();
        let trust_domain = self.hub.trust_domain.clone();
        let connected = Arc::clone(&self.connected);
        let work = async move {
            let _turn = translators.acquire_owned().await;
            let translated = tokio::task::spawn_blocking(move || {
                let start = Instant::now();
                let proxy = authorized(&published.snapshot, &trust_domain, &connected.identity, &connected.node)?;
                let mut resources = translator.translate(&published.snapshot, &proxy);
                resources.insert(roots::resource(&authority));
                let resources = Arc::new(resources);
                latency.observe(start.elapsed().as_secs_f64());
                Ok((resources, published))
            });
            translated.await.unwrap_or_else(|error| Err(Status::internal(format!("translation failed: {error}"))))
        };
        self.translation = Some(AbortOnDropHandle::new(tokio::spawn(work)));
    }

    fn take_up(&mut self, translated: Translated) -> Result<(), Status> {
        match translated {
            Ok((resources, published)) => {
                let fresh = self.session.generation().is_none();
                self.session.set_target(resources, published.snapshot.generation());
                if !fresh && !self.session.settled() {
                    self.unacked_since.get_or_insert(published.at);
                }
                Ok(())
            }
            // The proxy keeps its last configuration; the next snapshot may be better.
            Err(status) if status.code() == tonic::Code::Internal => {
                tracing::error!(node = self.connected.node.id, reason = status.message(), "cannot translate");
                Ok(())
            }
            Err(status) => {
                tracing::warn!(node = self.connected.node.id, reason = status.message(), "proxy is no longer admitted");
                Err(status)
            }
        }
    }

    fn hear(&mut self, request: DeltaDiscoveryRequest) -> Result<(), Status> {
        let type_url = request.type_url.clone();
        let heard = self.session.hear(request).map_err(|error| Status::resource_exhausted(error.to_string()))?;
        let node = &self.connected.node.id;
        match heard {
            None => tracing::debug!(node, type_url, "asked for a type that is not served"),
            Some(heard) => {
                if let Some(Answer::Nack(refused)) = heard.answer {
                    self.hub.metrics.nacks.get_or_create(&TypeLabels { r#type: heard.kind.name() }).inc();
                    for (name, reason) in refused {
                        tracing::warn!(node, r#type = heard.kind.name(), name, reason, "proxy refused a resource");
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends what is due. The queue is as long as there are types and one response of a type is out at a time, so a proxy
    /// that does not read makes only itself wait.
    async fn speak(&mut self) -> Result<(), ()> {
        for (kind, response) in self.session.speak() {
            let labels = TypeLabels { r#type: kind.name() };
            self.hub.metrics.responses.get_or_create(&labels).inc();
            let count = response.resources.len() + response.removed_resources.len();
            self.hub.metrics.resources.get_or_create(&labels).inc_by(count as u64);
            self.responses.send(Ok(response)).await.map_err(|_| ())?;
        }
        Ok(())
    }

    /// Writes down how far the proxy is.
    fn note(&mut self) {
        if let Some(generation) = self.session.generation() {
            // Working out what is on its way costs all that is, so not after each part of something large.
            if !self.session.cut() {
                let stale = self.session.take_stale();
                // And it matters only to objects that somebody still waits for.
                if !stale.is_empty() || self.hub.acks.waits() {
                    let unconfirmed = self.session.unconfirmed();
                    self.hub.acks.report(self.connected.id, generation, &unconfirmed, &stale, unix_ms());
                }
            }
            if self.session.settled()
                && let Some(since) = self.unacked_since.take()
            {
                self.hub.metrics.proxy_ack.observe(since.elapsed().as_secs_f64());
            }
        }
        let standings = self.session.standings();
        let roots = standings[Kind::Sds as usize].version(SDS_ROOTS).map(str::to_owned);
        let target = Arc::clone(self.session.target());
        *self.connected.progress.lock() = Progress { types: self.session.summary(), target, standings, roots };
    }

    async fn close(self, end: End) {
        if let End::With(status) = end {
            tracing::info!(node = self.connected.node.id, reason = status.message(), "closing a proxy's stream");
            let _ = self.responses.send(Err(status)).await;
        } else {
            tracing::info!(node = self.connected.node.id, "proxy disconnected");
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.hub.registry.leave(self.connected.id);
        self.hub.acks.disconnected(self.connected.id, unix_ms());
        self.hub.metrics.proxies.dec();
    }
}

/// The running translation's result; never, when none runs. Losing the race to something else loses nothing.
async fn finished(translation: &mut Option<AbortOnDropHandle<Translated>>) -> Translated {
    match translation {
        Some(running) => {
            running.await.unwrap_or_else(|error| Err(Status::internal(format!("translation was interrupted: {error}"))))
        }
        None => pending().await,
    }
}
