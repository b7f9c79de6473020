//! The control plane on a cluster: the API server as source, the CA in a Secret, webhooks. It keeps no state and holds no
//! lease, so that any replica serves any proxy; when the API server is away it serves on with what it knows.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use kube::Client;
use tokio::time::timeout;
use weft_install::names;
use weft_runtime::{Shutdown, StartupError, admin as admin_port};
use weft_source::kubernetes as source;

use crate::{
    admin::Readers,
    ca::{
        AccountTokens, ClusterTokens, Credentials, JoinTokens,
        cluster::{self as ca_cluster, Terms},
    },
    control_plane::{ControlPlane, Port},
    options::Options,
    reconcile::unreachable,
    reload::Reloader,
    server::tls::{Clients, ServingTls, Shown},
    webhook::{self, Webhooks},
};

/// How long a proxy may be ahead of the event of its pod.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long everything serves on after the signal to stop: Services lead here until every node has heard that they shall not.
const LAME_DUCK: Duration = Duration::from_secs(5);
/// Time that everything has to stop after that; a review that has begun may take most of it. A pod has 30 s for both.
const STOP: Duration = Duration::from_secs(10);

/// A client of the cluster that a kubeconfig names, else of the one around this process.
pub async fn client(kubeconfig: Option<&Path>) -> Result<Client, StartupError> {
    let config = source::config(kubeconfig, None).await.map_err(|error| unreachable(&error))?;
    source::client(config).map_err(|error| unreachable(&error))
}

/// Serves until shutdown and a moment beyond. Readiness comes with the first complete look at the cluster and a certificate
/// authority.
pub async fn serve(options: Options, shutdown: Shutdown) -> anyhow::Result<()> {
    let identity = options.identity()?;
    let listener = admin_port::bind(options.listen, "--listen").await?;
    let admin = admin_port::bind(options.admin, "--admin").await?;
    let hooks = admin_port::bind(options.webhooks, "--webhooks").await?;
    let client = client(None).await?;
    let control_plane = ControlPlane::default();
    let stop = shutdown.later(LAME_DUCK);
    // Probes are answered while everything else is waited for.
    let pages = control_plane.pages(Readers::of_cluster(client.clone(), &options.namespace));
    let pages = tokio::spawn(admin_port::serve(admin, pages, stop.clone()));

    tokio::spawn(control_plane.clock.clone().follow(client.clone(), stop.clone()));

    let terms = Terms { trust_domain: options.trust_domain.clone(), max_ttl: options.cert_ttl };
    let secrets = ca_cluster::follow(&client, &options.namespace, stop.clone());
    let authority = ca_cluster::usable(secrets, terms, stop.clone());
    let (acks, metrics) = (Arc::clone(&control_plane.acks), control_plane.metrics.clone());
    let first = Reloader::kubernetes(client.clone(), options.settings(), options.reader(), acks, metrics, &stop);
    let begun = tokio::select! {
        begun = async { tokio::join!(authority, first) } => begun,
        // Nobody is led here yet.
        () = shutdown.wait() => return Ok(()),
    };
    let (Some(authority), Some(reloader)) = begun else { return Ok(()) };

    let service = options.revisioned(names::CONTROL_PLANE);
    let namespaces = [options.namespace.as_str(), options.root_namespace.as_str()];
    let operator = format!("weft-operator.{}.svc", namespaces[1]);
    let within = format!("{service}.{}.svc", namespaces[0]);
    let names = vec![format!("{within}.{}", options.domain), within.clone(), operator];
    let present = authority.borrow().clone();
    let shown = |names, clients| Shown { identity: identity.clone(), names, addresses: Vec::new(), clients };
    let tls = ServingTls::issue(&present, shown(names.clone(), Clients::Proxies))?;
    let hook_tls = ServingTls::issue(&present, shown(names, Clients::Anonymous))?;
    control_plane.keep_fresh(&hook_tls, &authority, &stop);

    let published = reloader.watch();
    let accounts = AccountTokens::new(client.clone(), published.clone());
    let credentials = Credentials {
        join: JoinTokens::Cluster(ClusterTokens::new(client.clone(), &options.namespace)),
        accounts: Some(Arc::new(accounts)),
    };
    let settings = webhook::follow_settings(&client, &options, stop.clone());
    let webhooks = Webhooks::new(settings, control_plane.metrics.clone());
    let hooks = tokio::spawn(webhook::serve(hooks, hook_tls, webhooks, stop.clone()));
    let trust_domain = options.trust_domain.clone();
    let port = Port { listener, tls, authority, credentials, published, trust_domain, patience: PATIENCE };
    let port = control_plane.serve(port, &stop);
    let reloading = tokio::spawn(reloader.run(stop.clone()));
    control_plane.set_ready(true);
    tracing::info!(listen = %options.listen, admin = %options.admin, webhooks = %options.webhooks, service = within, "serving");

    shutdown.wait().await;
    control_plane.set_ready(false);
    tracing::info!("serving on until nobody is led here any more");
    stop.wait().await;
    tracing::info!("stopping");
    let stopped = async { tokio::join!(port, pages, hooks, reloading) };
    match timeout(STOP, stopped).await {
        Ok((_, _, _, reloaded)) => reloaded?.context("taking a change of configuration up"),
        Err(_) => {
            tracing::warn!("not everything stopped in time");
            Ok(())
        }
    }
}
