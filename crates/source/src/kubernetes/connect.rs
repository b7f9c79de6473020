//! Reaching an API server.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use http::{Request, Response, header::AUTHORIZATION};
use kube::{
    Client, Config,
    client::{AuthError, Body, ConfigExt as _},
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use tower::{BoxError, Layer as _, ServiceExt as _};

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

/// The same with the token that the user's program gives (`exec` of the kubeconfig, client.authentication.k8s.io) in the place
/// of the program, so that it runs once, whoever is shown the token. One that gives a certificate stays, and so does every
/// other user.
///
/// # Errors
/// When the program cannot be run, or gives no credential.
pub async fn signed(mut config: Config) -> Result<Config, ConnectError> {
    let user = &config.auth_info;
    let fixed = user.token.is_some() || user.token_file.is_some();
    if fixed || (user.exec.is_none() && user.auth_provider.is_none()) {
        return Ok(config);
    }
    let wrong = |error| ConnectError::Client(Box::new(error));
    let Some(layer) = config.auth_layer().map_err(wrong)? else { return Ok(config) };
    // What it would put on a request: kube tells it in no other way.
    let echo = tower::service_fn(|request: Request<Body>| {
        let shown = request.headers().get(AUTHORIZATION).cloned();
        async move {
            let mut response = Response::new(());
            if let Some(shown) = shown {
                response.headers_mut().insert(AUTHORIZATION, shown);
            }
            Ok::<_, BoxError>(response)
        }
    });
    let shown = layer.layer(echo).oneshot(Request::new(Body::empty())).await.map_err(|error| {
        wrong(match error.downcast::<AuthError>() {
            Ok(error) => kube::Error::Auth(*error),
            Err(error) => kube::Error::Service(error),
        })
    })?;
    let value = shown.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some(token) = value.and_then(|value| value.strip_prefix("Bearer ")) {
        config.auth_info.token = Some(token.to_owned().into());
        (config.auth_info.exec, config.auth_info.auth_provider) = (None, None);
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The configuration of a user whose program is a script.
    async fn run_by(dir: &Path, script: &str) -> Config {
        std::fs::write(dir.join("plugin"), script).unwrap();
        let exec = serde_json::json!({
            "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
            "command": "sh", "args": [dir.join("plugin"), "ada"],
        });
        let file = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "one",
            "clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}],
            "users": [{"name": "me", "user": {"exec": exec, "as": "bo"}}],
            "contexts": [{"name": "one", "context": {"cluster": "a", "user": "me"}}],
        });
        std::fs::write(dir.join("config"), file.to_string()).unwrap();
        config(Some(&dir.join("config")), None).await.unwrap()
    }

    /// Gives a token, with or without an end, and writes down that it ran.
    fn giving(status: &str) -> String {
        format!(
            "echo run >> \"$(dirname \"$0\")/runs\"\ncat <<END\n\
             {{\"apiVersion\": \"client.authentication.k8s.io/v1\", \"kind\": \"ExecCredential\", \"status\": {status}}}\nEND\n"
        )
    }

    #[tokio::test]
    async fn a_program_of_the_kubeconfig_gives_the_token_once() {
        for end in ["", ", \"expirationTimestamp\": \"2999-01-01T00:00:00Z\""] {
            let dir = tempfile::tempdir().unwrap();
            let config = run_by(dir.path(), &giving(&format!("{{\"token\": \"ey.$1\"{end}}}"))).await;
            let signed = signed(config).await.unwrap();
            let auth_info = &signed.auth_info;
            assert!(auth_info.exec.is_none() && auth_info.impersonate.as_deref() == Some("bo"), "{end}");
            // The script was given its arguments.
            assert_eq!(serde_json::to_value(auth_info).unwrap()["token"], "ey.ada", "{end}");
            assert_eq!(std::fs::read_to_string(dir.path().join("runs")).unwrap(), "run\n", "{end}");
        }
    }

    #[tokio::test]
    async fn a_program_that_fails_is_told_and_other_users_stay() {
        let dir = tempfile::tempdir().unwrap();
        let told = signed(run_by(dir.path(), "exit 3").await).await.err().unwrap().to_string();
        assert!(told.contains("exit status: 3"), "{told}");
        let mut fixed = run_by(dir.path(), "exit 3").await;
        fixed.auth_info.token = Some("ey.fixed".to_owned().into());
        assert!(signed(fixed).await.unwrap().auth_info.exec.is_some(), "the token counts, as kubectl has it");
        let bare = Config::new("http://127.0.0.1:1".parse().unwrap());
        assert!(signed(bare).await.unwrap().auth_info.token.is_none());
    }

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
