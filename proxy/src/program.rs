//! The program: starts all parts in order, waits for a signal, drains, stops.

use std::{sync::Arc, time::Duration};

use weft_runtime::{Shutdown, StartupError};

use crate::{
    admin::Admin,
    control_plane::ControlPlane,
    flags::Flags,
    identity::{self, Keeper},
    listener,
    state::Shared,
    telemetry::{AccessLog, AccessLogTarget, SpanSink},
    workers::Workers,
    xds,
};

/// How often ejected endpoints are looked at.
const SWEEP: Duration = Duration::from_secs(1);

/// Runs until SIGINT or SIGTERM, then drains. Errors are those that keep the proxy from starting.
pub async fn run(flags: Flags) -> anyhow::Result<()> {
    let node = flags.node()?;
    let control_plane = ControlPlane::new(flags.control_plane()?, Some(node.address));
    let (spans, exporter) = match flags.collector()? {
        Some(endpoint) => {
            let (sink, exporter) = SpanSink::new(endpoint);
            (sink, Some(exporter))
        }
        None => (SpanSink::off(), None),
    };
    let admin = Admin::bind(&node).await?;
    let shared = Shared::new(node, open_access_log(&flags.access_log())?, spans);
    let credentials = flags.credentials()?;
    let roots = credentials.roots_file().map(Into::into);
    let keeper = Keeper::new(shared.clone(), control_plane.clone(), credentials)?;
    let workers = Workers::start(&shared, flags.concurrency.into(), listener::serve)
        .map_err(|error| StartupError::new("cannot start worker threads", error, "lower --concurrency"))?;

    let shutdown = Shutdown::new();
    shutdown.on_signals()?;
    // What carries on while connections drain.
    let last = Shutdown::new();
    admin.serve(&shared, workers.dispatcher(), flags.application(), &shutdown, &last);
    let exporter = exporter.map(|exporter| tokio::spawn(exporter.run(shared.clone(), last.clone())));
    tokio::spawn(keeper.run(last.clone()));
    if let Some(file) = roots {
        tokio::spawn(identity::roots::follow(shared.clone(), file, last.clone()));
    }
    tokio::spawn(xds::Client::new(shared.clone(), control_plane).run(last.clone()));
    tokio::spawn(listener::run(shared.clone(), workers.dispatcher()));
    tokio::spawn(sweep(shared.clone()));
    tracing::info!(node = shared.node.id(), workers = flags.concurrency, "started");

    shutdown.wait().await;
    shared.drain.begin();
    tracing::info!(connections = shared.drain.live(), limit_ms = flags.drain_time.as_millis() as u64, "draining");
    let left = shared.drain.finished(flags.drain_time).await;
    if left > 0 {
        tracing::warn!(connections = left, "drain time is over, closing what is left");
    }
    workers.stop().await;
    last.begin();
    if let Some(exporter) = exporter {
        // It sends what is left once, within its own time limit.
        let _ = exporter.await;
    }
    tracing::info!("stopped");
    Ok(())
}

fn open_access_log(target: &AccessLogTarget) -> Result<AccessLog, StartupError> {
    AccessLog::open(target).map_err(|error| {
        let what = match target {
            AccessLogTarget::File(path) => format!("cannot write the access log {}", path.display()),
            _ => "cannot write the access log".into(),
        };
        StartupError::new(
            what,
            error,
            "name a file in a writable directory with --access-log, or turn it off with `off`",
        )
    })
}

/// Lets ejected endpoints back in when their time is over.
async fn sweep(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(SWEEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let back = shared.config.load().sweep(shared.now());
        if back > 0 {
            tracing::debug!(endpoints = back, "ejected endpoints are back");
        }
    }
}
