//! Flags of `weft-console`; each is also an environment variable `WEFT_<FLAG>`.

use std::{net::SocketAddr, path::PathBuf};

use crate::{auth, db::DatabaseUrl};

/// Where configuration comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum SourceKind {
    /// A directory of YAML.
    #[default]
    Directory,
    /// The API server of a cluster.
    Kubernetes,
}

/// What can be done instead of serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Subcommand)]
pub enum Task {
    /// Print the OpenAPI document of the API, as GET /api/v1/openapi.json gives it.
    Openapi,
    /// Ask the console that listens at --listen whether it is ready; ends with 1, and says why, where it is not.
    Ready,
}

/// The console: graph, canaries, configuration and traces of one mesh.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "weft-console", version, subcommand_negates_reqs = true)]
pub struct Args {
    /// Something else than serving.
    #[command(subcommand)]
    pub task: Option<Task>,
    /// Where configuration comes from, as for the operator.
    #[arg(long, env = "WEFT_SOURCE", value_enum, default_value_t)]
    pub source: SourceKind,
    /// Directory of manifests, the same that the operator reads. Only with --source directory, and required there.
    #[arg(long, env = "WEFT_CONFIG_DIR", required_if_eq("source", "directory"))]
    pub config_dir: Option<PathBuf>,
    /// Path of the kubeconfig; by default KUBECONFIG, ~/.kube/config, or the pod's own account. Only with --source
    /// kubernetes. What it allows is used for reading alone: changes are made with the token of whoever makes them.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; by default its current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Where to listen; without a way to sign in, a loopback address.
    #[arg(long, env = "WEFT_LISTEN", default_value_t = SocketAddr::from(([127, 0, 0, 1], weft_model::ports::CONSOLE)))]
    pub listen: SocketAddr,
    /// Where spans are received (OTLP over HTTP), apart from the page: nobody signs in there. Without it they are received
    /// at --listen while only this machine reaches that, and nowhere otherwise.
    #[arg(long, env = "WEFT_OTLP_LISTEN", value_name = "ADDRESS")]
    pub otlp_listen: Option<SocketAddr>,
    /// Prometheus.
    #[command(flatten)]
    pub prometheus: crate::telemetry::prometheus::PrometheusArgs,
    /// The operator's admin port, such as http://127.0.0.1:15014.
    #[arg(long, env = "WEFT_OPERATOR_ADMIN")]
    pub operator_admin: Option<String>,
    /// File with the token that opens the operator's pages, read each time; on a cluster the kubelet keeps it fresh. An
    /// operator on this machine, or behind a forwarded port, asks for none.
    #[arg(long, env = "WEFT_OPERATOR_TOKEN_FILE", value_name = "FILE")]
    pub operator_token_file: Option<PathBuf>,
    /// Directory for the console's own files, created if missing.
    #[arg(long, env = "WEFT_DATA_DIR", default_value = "weft-console-data")]
    pub data_dir: PathBuf,
    /// Database of what people keep (sessions, audit, saved views, history): postgres://USER@HOST/NAME, which several
    /// consoles may share and which then holds received traces as well, or sqlite:FILE; by default the file console.db
    /// in --data-dir. A password is best given by --database-file, because others on the machine can read command lines.
    #[arg(long, env = "WEFT_DATABASE", hide_env_values = true, value_name = "URL")]
    pub database: Option<DatabaseUrl>,
    /// File with the address of that Postgres, such as one of a mounted Secret. It is read again when it changes: a renewed
    /// name or password is used for connections from then on.
    #[arg(long, env = "WEFT_DATABASE_FILE", value_name = "FILE", conflicts_with = "database")]
    pub database_file: Option<PathBuf>,
    /// Directory of the logs of what runs on this machine: NAME.access.json of a proxy's access log, NAMESPACE.NAME.app.log
    /// and NAMESPACE.NAME.proxy.log. Only with --source directory; a cluster's logs are the kubelet's.
    #[arg(long, env = "WEFT_LOGS_DIR", value_name = "DIR")]
    pub logs_dir: Option<PathBuf>,
    /// Directory of the built page.
    #[arg(long, env = "WEFT_ASSETS", default_value = "frontend/dist")]
    pub assets: PathBuf,
    /// Namespace whose objects hold mesh-wide.
    #[arg(long, env = "WEFT_ROOT_NAMESPACE", default_value = "istio-system")]
    pub root_namespace: String,
    /// What the proxies of this mesh call their cluster, as theirs: tells it from others whose metrics are in Prometheus.
    #[arg(long, env = "WEFT_CLUSTER_ID", default_value = crate::graph::OWN_CLUSTER)]
    pub cluster_id: String,
    /// From which share of failing requests on something is degraded or failing: a file in the shape of Kiali's
    /// health_config, read again when it changes. Annotations health.kiali.io/rate of single objects go before it.
    #[arg(long, env = "WEFT_HEALTH_CONFIG", value_name = "FILE")]
    pub health_config: Option<PathBuf>,
    /// The same written out instead of in a file, for where a variable is easier to give, as in a Mesh.
    #[arg(long, env = "WEFT_HEALTH_RATES", value_name = "YAML", conflicts_with = "health_config")]
    pub health_rates: Option<String>,
    /// Spans kept of received traces; the oldest traces go first.
    #[arg(long, env = "WEFT_MAX_SPANS", default_value_t = 200_000)]
    pub max_spans: usize,
    /// Pages that may be open and up to date at once: 8 of one person, and half of all for those who have not signed in. Each
    /// holds a connection; others are told to wait.
    #[arg(
        long,
        env = "WEFT_LIVE_PAGES",
        default_value_t = 256,
        value_name = "NUMBER",
        value_parser = clap::value_parser!(u16).range(1..=2048)
    )]
    pub live_pages: u16,
    /// Page of another program that shows a node of the graph, as NAME=URL with {namespace}, {workload}, {app} or {service}
    /// (a full host name) where these go; {fromMs} and {toMs} are the time that is shown. It may be given several times, in
    /// the environment with spaces between.
    #[arg(long, env = "WEFT_NODE_LINK", value_name = "NAME=URL", value_delimiter = ' ')]
    pub node_link: Vec<crate::node_link::Template>,
    /// Where traces are read.
    #[command(flatten)]
    pub traces: crate::telemetry::traces::TraceArgs,
    /// Sign-in.
    #[command(flatten)]
    pub auth: crate::auth::AuthArgs,
    /// Logging.
    #[command(flatten)]
    pub log: weft_runtime::log::LogArgs,
}

impl Args {
    /// Whether spans are received beside the page: only this machine reaches it, also by its public name.
    pub fn takes_spans_beside_the_page(&self) -> bool {
        let named = self.auth.public_url.as_ref();
        self.otlp_listen.is_none() && self.listen.ip().is_loopback() && named.is_none_or(auth::is_loopback)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn a_database_is_named_once() {
        let named = |flags: &[&str]| {
            let mut all = vec!["weft-console", "--config-dir=config"];
            all.extend(flags);
            Args::try_parse_from(all).map(|args| args.database_file.is_some())
        };
        assert!(named(&["--database-file=/etc/weft/database/url"]).unwrap());
        assert!(named(&["--database-file=/a", "--database=sqlite:b"]).is_err());
    }

    #[test]
    fn only_serving_needs_a_directory() {
        assert_eq!(Args::try_parse_from(["weft-console", "openapi"]).unwrap().task, Some(Task::Openapi));
        assert_eq!(Args::try_parse_from(["weft-console", "ready"]).unwrap().task, Some(Task::Ready));
        assert!(Args::try_parse_from(["weft-console", "--source=directory"]).is_err());
    }
}
