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
mod injected;
mod install;
pub mod lease;
mod namespaces;
mod options;
pub mod problem;
mod pulse;
mod removal;
mod rivals;
pub mod rollout;
pub mod rotation;
pub mod skew;
pub(crate) mod status;
mod window;

use std::{
    future::ready,
    time::{Duration, Instant},
};

use http::StatusCode;
use kube::runtime::events::{Recorder, Reporter};
use tokio::{sync::watch, time::sleep};
use weft_install::names;
use weft_mesh::Settings;
use weft_runtime::{Shutdown, StartupError, admin};

pub use options::ReconcileOptions;

use self::{cluster::Cluster, controller::Signals, definitions::There, lease::Candidate, pulse::Pulse};
use crate::ca::cluster as ca_cluster;

/// Before trying again what leading needs.
const RETRY: Duration = Duration::from_secs(3);

/// Stands for election and reconciles while elected, until shutdown.
pub async fn run(options: ReconcileOptions, shutdown: Shutdown) -> anyhow::Result<()> {
    let probes = admin::bind(options.admin, "--admin").await?;
    let client = crate::kubernetes::client(options.kubeconfig.as_deref()).await?;
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
            Signals { active, answering, spread: is_spread, pulse },
        ),
        namespaces::keep(cluster.clone(), secrets, is_active, spread),
        findings::run(cluster, recorder, settings, names),
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
