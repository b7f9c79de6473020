//! `weft-operator reconcile`: keeps a cluster as its `Mesh` objects say. One replica at a time, by a Lease; what serves
//! proxies ([`crate::control_plane`]) needs neither the lease nor this program.

pub mod authority;
pub mod cluster;
pub mod conditions;
mod controller;
mod definitions;
#[cfg(test)]
mod fake;
mod findings;
mod fleet;
mod foreign;
mod injected;
mod install;
pub mod lease;
mod namespaces;
mod options;
pub mod problem;
mod pulse;
mod removal;
pub mod rivals;
pub mod rollout;
pub mod rotation;
mod scaled;
pub mod skew;
pub(crate) mod status;
mod window;

use std::{
    future::ready,
    path::Path,
    time::{Duration, Instant},
};

use http::StatusCode;
use kube::{
    Client,
    runtime::events::{Recorder, Reporter},
};
use tokio::{sync::watch, time::sleep};
use weft_install::names;
use weft_mesh::Settings;
use weft_runtime::{Shutdown, StartupError, admin};
use weft_source::kubernetes as source;

pub use options::ReconcileOptions;

use self::{cluster::Cluster, controller::Signals, definitions::There, lease::Candidate, pulse::Pulse};
use crate::ca::cluster as ca_cluster;

/// Before trying again what leading needs.
const RETRY: Duration = Duration::from_secs(3);

/// Stands for election and reconciles while elected, until shutdown.
pub async fn run(options: ReconcileOptions, shutdown: Shutdown) -> anyhow::Result<()> {
    let probes = admin::bind(options.admin, "--admin").await?;
    let client = client(options.kubeconfig.as_deref()).await?;
    let pulse = Pulse::new(Instant::now());
    tokio::spawn(admin::serve(probes, router(pulse.clone()), shutdown.clone()));
    let me = format!("{}_{:08x}", options.identity, rand::random::<u32>());
    let mut candidate =
        Candidate::new(client.clone(), &options.namespace, names::FIELD_MANAGER, me.clone(), pulse.clone());
    tracing::info!(me, namespace = options.namespace, "standing for election");
    while !shutdown.begun() && candidate.win(&shutdown).await {
        tracing::info!(me, "reconciling");
        let leading = lead(Cluster { client: client.clone() }, &options, pulse.lead());
        // Whatever is under way ends where it stands when the lease is lost: every step is safe to repeat.
        tokio::select! {
            () = leading => {}
            () = candidate.hold(&shutdown) => {}
        }
        pulse.stopped();
    }
    candidate.release().await;
    Ok(())
}

/// A client that tells what it hears. Everybody here tries again by himself and says why; a client that asks a busy server up to
/// fifteen times would keep "slow down" to itself until the request's time is over, and the Mesh would say that nobody answers.
async fn client(kubeconfig: Option<&Path>) -> Result<Client, StartupError> {
    let mut config = source::config(kubeconfig, None).await.map_err(|error| unreachable(&error))?;
    config.default_retry = false;
    source::client(config).map_err(|error| unreachable(&error))
}

/// Probes. Whoever waits for its turn is ready as well.
fn router(pulse: Pulse) -> axum::Router {
    let live = move || {
        ready(match pulse.stuck(Instant::now()) {
            None => (StatusCode::OK, "alive\n".to_owned()),
            Some(why) => {
                tracing::error!("not alive: {why}");
                (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n"))
            }
        })
    };
    axum::Router::new()
        .route("/healthz/live", axum::routing::get(live))
        .route("/healthz/ready", axum::routing::get(async || "ready\n"))
}

async fn lead(cluster: Cluster, options: &ReconcileOptions, pulse: Pulse) {
    // The Mesh kind has to be there before it can be watched.
    while let Err(unmet) = definitions::ensure(&cluster).await {
        // Each Mesh tells of the others.
        if unmet.there != There::NoMesh {
            unmet.tell();
            break;
        }
        tracing::error!(reason = unmet.problem.reason.as_str(), "{}", unmet.problem);
        sleep(RETRY).await;
    }
    let reporter = Reporter { controller: names::FIELD_MANAGER.into(), instance: Some(options.identity.clone()) };
    let recorder = Recorder::new(cluster.client.clone(), reporter);
    // Ends with this function, unlike the process's own.
    let ended = Shutdown::new();
    let _end = EndOnDrop(ended.clone());
    let secrets = ca_cluster::follow(&cluster.client, &options.namespace, ended);
    let (active, is_active) = watch::channel(false);
    let (spread, is_spread) = watch::channel(None);
    let (unread, is_unread) = watch::channel(None);
    let (answering, names) = watch::channel(None);
    let settings = Settings {
        domain: options.domain.clone(),
        trust_domain: options.trust_domain.clone(),
        root_namespace: options.root_namespace.clone(),
        ..Settings::default()
    };
    tokio::join!(
        controller::run(
            cluster.clone(),
            recorder.clone(),
            options.namespace.clone(),
            secrets.clone(),
            Signals { active, answering, spread: is_spread, unread: is_unread, pulse },
        ),
        namespaces::keep(cluster.clone(), secrets, is_active, spread),
        findings::run(cluster, recorder, settings, names, unread),
    );
}

struct EndOnDrop(Shutdown);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.begin();
    }
}

/// One line for a cluster that cannot be reached.
pub(crate) fn unreachable(error: &dyn std::fmt::Display) -> StartupError {
    StartupError::new(
        "cannot reach a Kubernetes cluster",
        error,
        "run in a pod with a service account, or name a kubeconfig by --kubeconfig or KUBECONFIG",
    )
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::{problem::Reason, *};

    const REFUSAL: &str = r#"{"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 429,
        "reason": "TooManyRequests", "message": "too many requests"}"#;

    #[tokio::test]
    async fn a_server_that_asks_to_slow_down_is_told_as_that() {
        // Two crates could each have set one up already; either is the same.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let busy = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 4096];
                drop(stream.read(&mut head).await);
                let answer = format!(
                    "HTTP/1.1 429 Too Many Requests\r\nretry-after: 60\r\ncontent-type: application/json\r\n\
                     content-length: {}\r\nconnection: close\r\n\r\n{REFUSAL}",
                    REFUSAL.len()
                );
                drop(stream.write_all(answer.as_bytes()).await);
            }
        });
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        let text = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "one",
            "clusters": [{"name": "a", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "me", "user": {}}],
            "contexts": [{"name": "one", "context": {"cluster": "a", "user": "me"}}],
        });
        std::fs::write(&path, text.to_string()).unwrap();
        let cluster = Cluster { client: client(Some(path.as_path())).await.unwrap() };
        let problem = cluster.ask("ask for the version", cluster.client.apiserver_version()).await.unwrap_err();
        assert_eq!(problem.reason, Reason::TooManyRequests, "{problem}");
        busy.abort();
    }
}
