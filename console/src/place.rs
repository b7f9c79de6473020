//! The place whose configuration a console shows: a directory, or a cluster.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::watch;
use weft_mesh::Settings;
use weft_runtime::{Shutdown, StartupError};
use weft_source::{
    ConfigStore, Documents, KubernetesStore,
    kubernetes::{self, Clients, ConnectError},
};

use crate::{
    args::{Args, SourceKind},
    auth::Reviewer,
    config::{
        reload::{self, Followed},
        thresholds::Thresholds,
    },
    metrics::Metrics,
};

/// An open place.
pub struct Place {
    /// What people call it.
    pub name: String,
    /// Where the manifests are; `None` of a cluster.
    pub directory: Option<PathBuf>,
    /// Its configuration, followed.
    pub followed: Followed,
    /// The way to read and edit single objects.
    pub documents: Documents,
    /// Who may what; only of a cluster.
    pub reviewer: Option<Arc<Reviewer>>,
    /// Where logs are, if they are files.
    pub logs_dir: Option<PathBuf>,
    /// The cluster's API server, if it is a cluster.
    pub cluster: Option<Clients>,
}

impl Place {
    /// Opens what the flags name.
    pub async fn open(
        args: &Args,
        settings: Settings,
        thresholds: watch::Receiver<Thresholds>,
        metrics: Arc<Metrics>,
        shutdown: Shutdown,
    ) -> Result<Self, StartupError> {
        match (args.source, &args.config_dir) {
            (SourceKind::Directory, Some(dir)) => Ok(Self {
                name: last_part(dir),
                directory: Some(whole(dir)),
                followed: reload::open(dir, settings, thresholds, metrics, shutdown).await?,
                documents: Documents::Files(Arc::new(ConfigStore::in_directory(dir.to_owned()))),
                reviewer: None,
                cluster: None,
                logs_dir: args.logs_dir.clone(),
            }),
            (SourceKind::Directory, None) => Err(StartupError::new(
                "cannot read the configuration",
                "no directory was named",
                "name the directory of manifests with --config-dir, or choose --source kubernetes",
            )),
            (SourceKind::Kubernetes, _) => Self::cluster(args, settings, thresholds, metrics, shutdown).await,
        }
    }

    async fn cluster(
        args: &Args,
        settings: Settings,
        thresholds: watch::Receiver<Thresholds>,
        metrics: Arc<Metrics>,
        shutdown: Shutdown,
    ) -> Result<Self, StartupError> {
        let unusable = |error: ConnectError| {
            StartupError::new("cannot use the cluster", error, "check --kubeconfig, --context and KUBECONFIG")
        };
        let config = kubernetes::config(args.kubeconfig.as_deref(), args.context.as_deref()).await.map_err(unusable)?;
        let name = args.context.clone().unwrap_or_else(|| config.cluster_url.host().unwrap_or("cluster").to_owned());
        let reviewer = Reviewer::new(&config).map_err(unusable)?;
        let store = KubernetesStore::new(config.clone()).map_err(unusable)?;
        let clients = Clients::new(config).map_err(unusable)?;
        Ok(Self {
            name,
            directory: None,
            logs_dir: None,
            followed: reload::open_cluster(clients.own().clone(), settings, thresholds, metrics, shutdown).await,
            documents: Documents::Cluster(Arc::new(store)),
            reviewer: Some(Arc::new(reviewer)),
            cluster: Some(clients),
        })
    }
}

/// A directory from the root on, as commands that run elsewhere need it.
fn whole(dir: &Path) -> PathBuf {
    std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_path_buf())
}

/// What people call a directory: its last part.
fn last_part(dir: &Path) -> String {
    let whole = whole(dir);
    whole.file_name().map_or_else(|| whole.display().to_string(), |name| name.to_string_lossy().into_owned())
}
