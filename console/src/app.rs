//! What every request handler shares.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::watch;
use weft_model::{
    Severity,
    config::{Dependency, Meta, Status, Writes},
    link::NodeLink,
};
use weft_runtime::Shutdown;
use weft_source::{Documents, kubernetes::Clients};

use crate::{
    audit::AuditLog,
    auth::Auth,
    canary::{CanaryService, edit::Editor},
    config::{View, edit::ObjectEditor},
    db,
    graph::{Answers, Drawings, GraphCache, mtls_share},
    live::Live,
    mesh::{fleet::Fleet, measured::Measured},
    metrics::Metrics,
    telemetry::{
        prometheus::Prometheus,
        traces::{Ingest, Link, TraceSource},
    },
};

/// Over how long the share of mutual TLS is taken, in seconds.
const MTLS_WINDOW_S: u64 = 60;

/// How long the database may take to say that it is well; pages wait for the rest of the status.
const DATABASE_WITHIN: Duration = Duration::from_secs(1);

/// One console.
pub struct App {
    /// The directory or cluster that is shown.
    pub name: String,
    /// Where the manifests are, if they are files.
    pub directory: Option<PathBuf>,
    /// Prometheus' address for links; empty when none is configured.
    pub prometheus_url: String,
    /// Where the page's files are.
    pub assets: PathBuf,
    /// The present configuration.
    pub config: watch::Receiver<Arc<View>>,
    /// Prometheus itself, for charts.
    pub prometheus: Option<Prometheus>,
    /// Control planes and the proxies that they know.
    pub fleet: Fleet,
    /// What Prometheus knows of the mesh as a whole.
    pub measured: Measured,
    /// Where logs are, if they are files.
    pub logs_dir: Option<PathBuf>,
    /// The cluster's API server, if a cluster is shown.
    pub cluster: Option<Clients>,
    /// What was observed, by window.
    pub graphs: Arc<GraphCache>,
    /// Graphs as they are sent.
    pub answers: Answers,
    /// The graph as lists and pages read it.
    pub drawings: Drawings,
    /// Weighted routes.
    pub canaries: Arc<CanaryService>,
    /// Changes of weights.
    pub editor: Editor,
    /// Changes of whole objects.
    pub objects: ObjectEditor,
    /// Objects as they are written.
    pub documents: Documents,
    /// Who calls.
    pub auth: Auth,
    /// Where every change is written down.
    pub audit: AuditLog,
    /// What people need to keep.
    pub state: db::State,
    /// Where traces are read.
    pub traces: TraceSource,
    /// Pages elsewhere that show a node of the graph.
    pub node_links: Vec<NodeLink>,
    /// Pages elsewhere that show a trace.
    pub trace_links: Vec<Link>,
    /// The queue in front of those that are received.
    pub ingest: Ingest,
    /// Pages that listen.
    pub live: Live,
    /// The console's own metrics.
    pub metrics: Arc<Metrics>,
    /// Ends event streams.
    pub shutdown: Shutdown,
}

impl App {
    /// The present configuration.
    pub fn view(&self) -> Arc<View> {
        self.config.borrow().clone()
    }

    /// What the page asks first.
    pub fn meta(&self) -> Meta {
        Meta {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: self.name.clone(),
            directory: self.directory.as_ref().map(|dir| dir.display().to_string()).unwrap_or_default(),
            cluster: self.graphs.own_cluster().to_owned(),
            cluster_source: self.auth.reviewer().is_some(),
            sign_in: self.auth.guards(),
            writes: match (self.auth.guards(), self.auth.reviewer().is_some()) {
                (true, _) => Writes::Session,
                (false, true) => Writes::Token,
                (false, false) => Writes::Open,
            },
            prometheus_url: self.prometheus_url.clone(),
            namespaces: self.view().estate.namespaces.iter().cloned().collect(),
            node_links: self.node_links.clone(),
        }
    }

    /// What is wrong with the console's own storage, and what to do.
    async fn database_problem(&self) -> Option<String> {
        let slow = Err(db::DbError::Slow(DATABASE_WITHIN.as_secs()));
        match tokio::time::timeout(DATABASE_WITHIN, self.state.ready()).await.unwrap_or(slow) {
            Err(error) => Some(error.in_full()),
            Ok(()) => self.ingest.trouble().map(|problem| format!("Spans cannot be kept: {problem}")),
        }
    }

    /// The state of what the console depends on.
    pub async fn status(&self) -> Status {
        let (observed, operator, database) =
            tokio::join!(self.graphs.get(MTLS_WINDOW_S), self.canaries.operator_problem(), self.database_problem());
        let dependency = |problem: Option<String>| Dependency { up: problem.is_none(), problem };
        let view = self.view();
        let count = |severity| view.findings().filter(|finding| finding.severity == severity).count();
        Status {
            prometheus: observed.prometheus(),
            operator: dependency(operator),
            database: dependency(database),
            findings: (count(Severity::Error), count(Severity::Warning), count(Severity::Info)),
            mtls_share: mtls_share(&observed),
        }
    }
}
