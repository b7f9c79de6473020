//! Reaching an API server.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};

/// How long a connection may take to open.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Why there is no API server to speak to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig cannot be used.
    #[error("the kubeconfig cannot be used: {0}: check --kubeconfig, --context and KUBECONFIG")]
    Kubeconfig(#[source] Box<KubeconfigError>),
    /// There is neither a kubeconfig nor a pod's service account.
    #[error(
        "no Kubernetes cluster is configured ({0}): give --kubeconfig, set KUBECONFIG, or run in a pod with a service account"
    )]
    Nowhere(#[source] Box<kube::config::InferConfigError>),
    /// The credentials or certificates cannot be used.
    #[error("cannot speak to the API server: {0}")]
    Client(#[source] Box<kube::Error>),
}

/// What tells how to reach the API server: the kubeconfig and context that were given, else what kubectl would take, else
/// the pod's service account.
pub async fn config(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Config, ConnectError> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let wrong = |error| ConnectError::Kubeconfig(Box::new(error));
    let file = match kubeconfig {
        Some(path) => Some(Kubeconfig::read_from(path)),
        None => std::env::var_os("KUBECONFIG").and_then(|list| listed(&list)),
    };
    let mut config = match file {
        Some(file) => Config::from_custom_kubeconfig(file.map_err(wrong)?, &options).await.map_err(wrong)?,
        None if context.is_some() => Config::from_kubeconfig(&options).await.map_err(wrong)?,
        None => Config::infer().await.map_err(|error| ConnectError::Nowhere(Box::new(error)))?,
    };
    config.connect_timeout = Some(CONNECT_WITHIN);
    Ok(config)
}

/// The files of a list as KUBECONFIG has it, merged: what the first one says holds. Those that are not there are passed over,
/// as kubectl does; nothing when none is.
fn listed(list: &OsStr) -> Option<Result<Kubeconfig, KubeconfigError>> {
    let present: Vec<_> = std::env::split_paths(list).filter(|path| path.is_file()).collect();
    let merge = |merged: Kubeconfig, path: &PathBuf| Kubeconfig::read_from(path).and_then(|file| merged.merge(file));
    (!present.is_empty()).then(|| present.iter().try_fold(Kubeconfig::default(), merge))
}

/// A client of the API server.
pub fn client(config: Config) -> Result<Client, ConnectError> {
    Client::try_from(config).map_err(|error| ConnectError::Client(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_not_there_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["one", "two"] {
            let text = format!("apiVersion: v1\nkind: Config\ncurrent-context: {name}\ncontexts: [{{name: {name}}}]\n");
            std::fs::write(path(name), text).unwrap();
        }
        let list = |names: &[&str]| listed(&std::env::join_paths(names.iter().map(|name| path(name))).unwrap());
        let merged = list(&["gone", "one", "two"]).unwrap().unwrap();
        assert_eq!((merged.current_context.as_deref(), merged.contexts.len()), (Some("one"), 2));
        assert!(list(&["gone"]).is_none() && listed(OsStr::new("")).is_none());
        std::fs::write(path("two"), "contexts: [").unwrap();
        assert!(list(&["one", "two"]).unwrap().is_err(), "what is there has to be right");
    }
}
