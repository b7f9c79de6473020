//! Starts everything, and stops it in order.

use std::{net::SocketAddr, path::Path, sync::Arc};

use tokio::{net::TcpListener, task::JoinHandle};
use weft_mesh::Settings;
use weft_runtime::{Shutdown, StartupError, admin};

use crate::{
    app::App,
    args::Args,
    audit::AuditLog,
    auth::Auth,
    canary::{CanaryService, edit::Editor},
    config::{
        edit::{ObjectEditor, Undos},
        thresholds,
    },
    db::{self, AddressFile, DatabaseUrl},
    graph::{Answers, Drawings, GraphCache},
    http::{self, Spans},
    live::{self, Live},
    mesh::{fleet::Fleet, measured::Measured},
    metrics::Metrics,
    operator::Operator,
    place::Place,
    telemetry::{
        prometheus::{Prometheus, QueryError},
        traces::{Backend, Ingest, TraceSource, write_batches},
    },
};

/// A console that listens and is ready to run.
pub struct Console {
    listener: TcpListener,
    address: SocketAddr,
    otlp: Option<TcpListener>,
    spans: Spans,
    app: Arc<App>,
    tasks: Vec<JoinHandle<()>>,
}

impl Console {
    /// Checks flags, opens files, reads the configuration and binds the port. Prometheus and the operator may be away.
    pub async fn start(args: Args, shutdown: Shutdown) -> anyhow::Result<Self> {
        refuse_strangers(&args)?;
        let prometheus = Prometheus::open(&args.prometheus).map_err(|error| {
            let remedy = match &error {
                QueryError::Flag { .. } => "correct or leave out that flag",
                _ => "give an address such as http://127.0.0.1:9090",
            };
            StartupError::new("cannot use --prometheus", error, remedy)
        })?;
        let operator = args.operator_admin.as_deref().map(Operator::new).transpose().map_err(|error| {
            StartupError::new("cannot use --operator-admin", error, "give an address such as http://127.0.0.1:15014")
        })?;
        let operator = operator.map(|operator| operator.with_token_file(args.operator_token_file.as_deref()));
        let listener = admin::bind(args.listen, "--listen").await?;
        let address = listener.local_addr()?;
        let otlp = match args.otlp_listen {
            Some(address) => Some(admin::bind(address, "--otlp-listen").await?),
            None => None,
        };
        let spans = if args.takes_spans_beside_the_page() { Spans::Here } else { Spans::Elsewhere };
        make_private(&args.data_dir)?;
        let address_file = args.database_file.as_deref().map(address_file).transpose()?;
        let database = match &address_file {
            Some(file) => file.url().clone(),
            None => args.database.clone().unwrap_or_else(|| DatabaseUrl::in_directory(&args.data_dir)),
        };
        let state = db::State::open(&database).await.map_err(|error| unusable_database(&database, error))?;
        let traces = db::open_traces(&database, &args.data_dir.join("traces.db"), args.max_spans)
            .await
            .map_err(|e| unusable(&args.data_dir, e))?;
        let renewed = address_file.map(|file| {
            let (followed, shutdown) = (file.follow(state.clone(), traces.clone()), shutdown.clone());
            async move {
                tokio::select! {
                    () = followed => {}
                    () = shutdown.wait() => {}
                }
            }
        });
        let backend = Backend::new(&args.traces).map_err(|error| {
            let remedy = error.remedy();
            StartupError::new("cannot use --trace-source", error, remedy)
        })?;
        let metrics = Arc::new(Metrics::new());
        let settings = Settings { root_namespace: args.root_namespace.clone(), ..Settings::default() };
        let thresholds =
            thresholds::open(args.health_config.as_deref(), args.health_rates.as_deref(), shutdown.clone())?;
        let place = Place::open(&args, settings, thresholds.present, metrics.clone(), shutdown.clone()).await?;
        let source = place.followed;
        let graphs = Arc::new(GraphCache::new(prometheus.clone()).of_cluster(&args.cluster_id));
        let canaries =
            Arc::new(CanaryService::new(prometheus.clone(), operator.clone(), graphs.clone(), source.views.clone()));
        let audit = AuditLog::new(state.clone());
        let (sessions, logins) = (state.sessions.clone(), state.logins.clone());
        let auth = Auth::open(&args.auth, &args.data_dir, sessions, logins, audit.clone(), place.reviewer)?;
        let tended = auth.tend(shutdown.clone());
        let undos = Undos::new(state.undos.clone(), auth.seal());
        let editor = Editor::new(
            source.views.clone(),
            place.documents.clone(),
            state.edits.clone(),
            undos.clone(),
            canaries.clone(),
            metrics.clone(),
            audit.clone(),
        );
        let objects = ObjectEditor::new(
            source.views.clone(),
            place.documents.clone(),
            undos.clone(),
            state.edits.clone(),
            metrics.clone(),
            audit.clone(),
        );
        let (ingest, queue) = Ingest::new();
        let writer = write_batches(ingest.clone(), queue, traces.clone(), metrics.clone(), shutdown.clone());
        let app = Arc::new(App {
            name: place.name,
            directory: place.directory,
            fleet: Fleet::new(operator),
            logs_dir: place.logs_dir,
            cluster: place.cluster,
            prometheus: prometheus.clone(),
            prometheus_url: prometheus.as_ref().map(|p| p.url().to_owned()).unwrap_or_default(),
            assets: args.assets,
            config: source.views,
            answers: Answers::new(graphs.clone()),
            drawings: Drawings::new(graphs.clone()),
            measured: Measured::new(prometheus.clone(), graphs.clone()),
            graphs,
            canaries,
            editor,
            objects,
            documents: place.documents,
            auth,
            audit,
            state,
            traces: backend.map_or(TraceSource::Embedded(traces), TraceSource::Backend),
            node_links: args.node_link.into_iter().map(|template| template.0).collect(),
            trace_links: args.traces.trace_link,
            ingest,
            live: Live::new(metrics.clone(), args.live_pages.into()),
            metrics,
            shutdown,
        });
        let mut tasks = vec![
            tokio::spawn(writer),
            source.task,
            thresholds.task,
            tokio::spawn(live::refresh(app.clone())),
            tokio::spawn(tended),
            tokio::spawn(undos.tend(app.shutdown.clone())),
        ];
        tasks.extend(renewed.map(tokio::spawn));
        Ok(Self { listener, address, otlp, spans, app, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where spans are received, if at an address of their own.
    pub fn otlp_address(&self) -> Option<SocketAddr> {
        self.otlp.as_ref()?.local_addr().ok()
    }

    /// Serves until shutdown, then writes what is still queued.
    pub async fn run(self) -> anyhow::Result<()> {
        tracing::info!(address = %self.address, "console: open http://{}", self.address);
        if let Some(address) = self.otlp_address() {
            tracing::info!(%address, "spans are received at http://{address}/v1/traces");
        }
        let shutdown = self.app.shutdown.clone();
        let received = self.otlp.map(|listener| {
            let router = http::otlp_router(self.app.clone());
            tokio::spawn(http::serve(listener, router, shutdown.clone()))
        });
        http::serve(self.listener, http::router(self.app, self.spans), shutdown).await;
        if let Some(received) = received
            && let Err(error) = received.await
        {
            tracing::error!(%error, "spans were not received to the end");
        }
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the console failed");
            }
        }
        Ok(())
    }
}

/// Without sign-in everybody who can connect can move a canary.
fn refuse_strangers(args: &Args) -> Result<(), StartupError> {
    if args.listen.ip().is_loopback() || args.auth.guards() {
        return Ok(());
    }
    Err(StartupError::new(
        format!("cannot listen on {}", args.listen),
        "nobody has to sign in, so the console answers this machine only",
        "name an OpenID provider with --oidc-issuer, or choose a loopback address with --listen, such as 127.0.0.1:20001",
    ))
}

fn make_private(dir: &Path) -> Result<(), StartupError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| {
        StartupError::new(
            format!("cannot create {}", dir.display()),
            error,
            "choose a directory that can be written with --data-dir",
        )
    })
}

fn address_file(file: &Path) -> Result<AddressFile, StartupError> {
    AddressFile::open(file.to_owned()).map_err(|error| {
        StartupError::new(
            format!("cannot use --database-file {}", file.display()),
            error,
            "write the address of a Postgres into it: postgres://USER:PASSWORD@HOST/NAME",
        )
    })
}

fn unusable_database(url: &DatabaseUrl, error: db::DbError) -> StartupError {
    let remedy = error.remedy().unwrap_or("name another one with --database: postgres://USER@HOST/NAME or sqlite:FILE");
    StartupError::new(format!("cannot use {url}"), &error, remedy)
}

fn unusable(dir: &Path, error: db::DbError) -> StartupError {
    StartupError::new(
        format!("cannot use {}", dir.display()),
        error,
        "make it writable, or choose another directory with --data-dir",
    )
}
