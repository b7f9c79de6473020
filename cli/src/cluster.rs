//! The cluster that a command speaks of, found as kubectl finds it.

mod error;
pub mod meshes;
pub mod pods;
mod target;

use std::{error::Error as _, path::PathBuf, time::Duration};

use kube::Client;
use weft_runtime::StartupError;
use weft_source::kubernetes;

pub use self::error::{explain, passing, words};

/// Flags of every command that speaks to a cluster, named as kubectl's.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ClusterArgs {
    /// Path of the kubeconfig; by default those that the variable KUBECONFIG lists, then ~/.kube/config.
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; by default its current one.
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Namespace; by default that of the context where one is needed, and all where a list is shown.
    #[arg(short = 'n', long, global = true, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Namespace of the installation.
    #[arg(long, global = true, value_name = "NAMESPACE", default_value = weft_install::names::NAMESPACE,
        value_parser = namespace_name)]
    pub weft_namespace: String,
}

/// A namespace's name (RFC 1123 label).
pub fn namespace_name(text: &str) -> Result<String, String> {
    match weft_api::is_dns_label(text) {
        true => Ok(text.to_owned()),
        false => {
            Err("a namespace's name has at most 63 lower-case letters, digits and '-', and no '-' at its ends".into())
        }
    }
}

/// A revision's name, as a Mesh takes it.
pub fn revision_name(text: &str) -> Result<String, String> {
    weft_api::mesh::revision_name(text).map(|()| text.to_owned())
}

/// How long the API server may take to answer one request.
const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster that can be asked.
#[derive(Clone)]
pub struct Cluster {
    /// The client.
    pub client: Client,
    /// The namespace that was asked for.
    pub only: Option<String>,
    /// The namespace to use where one is needed.
    pub namespace: String,
    /// Namespace of the installation.
    pub system: String,
    /// Address of the API server.
    pub server: String,
}

impl ClusterArgs {
    /// Reads the kubeconfig and makes a client. The API server is not asked yet.
    ///
    /// # Errors
    /// When there is no kubeconfig, it cannot be read, or it names no such context.
    pub async fn connect(&self) -> anyhow::Result<Cluster> {
        self.with(self.config().await?)
    }

    /// A client of what [`Self::config`] or [`Self::signed`] read.
    ///
    /// # Errors
    /// When its certificates or its user cannot be used.
    pub fn with(&self, mut config: kube::Config) -> anyhow::Result<Cluster> {
        config.read_timeout = Some(PATIENCE);
        let server = config.cluster_url.to_string();
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        Ok(Cluster {
            client: kubernetes::client(config).map_err(no_cluster)?,
            only: self.namespace.clone(),
            namespace,
            system: self.weft_namespace.clone(),
            server: server.trim_end_matches('/').to_owned(),
        })
    }

    /// Reads the kubeconfig.
    ///
    /// # Errors
    /// When there is none, it cannot be read, or it names no such context.
    pub async fn config(&self) -> Result<kube::Config, StartupError> {
        kubernetes::config(self.kubeconfig.as_deref(), self.context.as_deref()).await.map_err(no_cluster)
    }

    /// Reads the kubeconfig and has its user's program, where there is one, give its token.
    ///
    /// # Errors
    /// When there is none, it cannot be read, names no such context, or the program fails.
    pub async fn signed(&self) -> Result<kube::Config, StartupError> {
        kubernetes::signed(self.config().await?).await.map_err(no_cluster)
    }

    /// Refuses `-n` where the whole cluster is meant, instead of passing over it.
    ///
    /// # Errors
    /// When a namespace was named; says which flag names that of the installation.
    pub fn no_namespace(&self, command: &str) -> Result<(), StartupError> {
        let Some(namespace) = &self.namespace else { return Ok(()) };
        let remedy = format!("leave it out; --weft-namespace {namespace} names the namespace of the installation");
        Err(StartupError::new(
            format!("cannot {command}"),
            "a mesh is the whole cluster's: -n says nothing here",
            remedy,
        ))
    }
}

fn no_cluster(error: kubernetes::ConnectError) -> StartupError {
    // What tells the file or the context, and not just that something is not there.
    let why = match &error {
        kubernetes::ConnectError::Kubeconfig(error) => error.to_string(),
        kubernetes::ConnectError::Nowhere(error) => {
            error.source().map_or_else(|| error.to_string(), ToString::to_string)
        }
        kubernetes::ConnectError::Client(error) => innermost(error),
    };
    // The client quotes a path twice.
    let why = why.replace("'\"", "'").replace("\"'", "'");
    let remedy = match error {
        kubernetes::ConnectError::Kubeconfig(_) => {
            "check --kubeconfig, --context and KUBECONFIG; kubectl config get-contexts lists contexts"
        }
        kubernetes::ConnectError::Nowhere(_) => {
            "name a kubeconfig with --kubeconfig or KUBECONFIG; make cluster starts a cluster for trying"
        }
        kubernetes::ConnectError::Client(_) => "look at the certificates and the user that this context names",
    };
    StartupError::new("cannot find a cluster", why, remedy)
}

/// The cause at the bottom, which says most.
pub fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Runs a command that awaits.
pub fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(kubeconfig: &std::path::Path, context: Option<&str>) -> ClusterArgs {
        ClusterArgs {
            kubeconfig: Some(kubeconfig.to_owned()),
            context: context.map(str::to_owned),
            namespace: None,
            weft_namespace: "weft-system".into(),
        }
    }

    #[test]
    fn a_namespace_is_not_passed_over_in_silence() {
        let mut one = args(std::path::Path::new("/does/not/exist"), None);
        assert!(one.no_namespace("install").is_ok());
        one.namespace = Some("mesh".into());
        let told = one.no_namespace("install").err().unwrap().to_string();
        assert!(told.contains("cannot install") && told.contains("--weft-namespace mesh"), "{told}");
    }

    const TWO: &str = "apiVersion: v1\nkind: Config\ncurrent-context: one\n\
        clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}, {name: b, cluster: {server: 'http://127.0.0.1:2'}}]\n\
        users: [{name: me, user: {token: t}}]\n\
        contexts: [{name: one, context: {cluster: a, user: me}}, {name: two, context: {cluster: b, user: me, namespace: shop}}]\n";

    #[tokio::test]
    async fn a_context_gives_server_and_namespace() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), TWO).unwrap();
        let one = args(file.path(), None).connect().await.unwrap();
        assert_eq!((one.server.as_str(), one.namespace.as_str()), ("http://127.0.0.1:1", "default"));
        let two = args(file.path(), Some("two")).connect().await.unwrap();
        assert_eq!((two.server.as_str(), two.namespace.as_str()), ("http://127.0.0.1:2", "shop"));
        assert_eq!(two.only, None);
    }

    #[tokio::test]
    async fn what_is_missing_is_named_with_the_remedy() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), TWO).unwrap();
        let wrong = args(file.path(), Some("three")).connect().await.err().unwrap();
        assert!(wrong.is::<StartupError>() && wrong.to_string().contains("--context"), "{wrong}");
        let missing = args(std::path::Path::new("/does/not/exist"), None).connect().await.err().unwrap();
        assert!(missing.is::<StartupError>() && missing.to_string().contains("KUBECONFIG"), "{missing}");
        assert!(missing.to_string().contains("'/does/not/exist'"), "{missing}");
    }
}
