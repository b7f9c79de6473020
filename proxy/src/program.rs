//! The program: starts all parts in order, waits for a signal, drains, stops.

use std::{sync::Arc, time::Duration};

use weft_runtime::{Shutdown, StartupError};

use crate::{
    admin::Admin,
    control_plane::ControlPlane,
    flags::Flags,
    identity::{self, IdentityFile, Keeper},
    listener,
    state::{Capture, ConnectionLimits, Shared},
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
            let (sink, exporter) = SpanSink::new(endpoint, flags.max_tag_length);
            (sink, Some(exporter))
        }
        None => (SpanSink::off(), None),
    };
    let admin = Admin::bind(&node).await?;
    let access_log = open_access_log(&flags.access_log())?.sampled(flags.access_log_sampling);
    let limits = ConnectionLimits { process: flags.max_connections, listener: flags.max_listener_connections };
    let shared = Shared::limited(node, access_log, spans, limits);
    let credentials = flags.credentials()?;
    let roots = credentials.roots_file().map(Into::into);
    let keeper = match &flags.identity_file {
        None => Keeper::new(shared.clone(), control_plane.clone(), credentials)?,
        Some(path) => {
            let file = IdentityFile::new(path.clone());
            Keeper::resuming(shared.clone(), control_plane.clone(), credentials, file)?
        }
    };
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
    drain(&shared, Patience::of(&flags)).await;
    workers.stop().await;
    last.begin();
    if let Some(exporter) = exporter {
        // It sends what is left once, within its own time limit.
        let _ = exporter.await;
    }
    tracing::info!("stopped");
    Ok(())
}

/// How long connections may take to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Patience {
    /// New connections are taken for so long.
    least: Duration,
    /// What is open then may take so long; `None` is until it ends.
    most: Option<Duration>,
    /// Whether new connections are taken to the end: an application whose connections are redirected here would
    /// otherwise be cut off while it stops itself.
    open: bool,
}

impl Patience {
    fn of(flags: &Flags) -> Self {
        let captured = flags.pod.capture == Capture::Redirect;
        match (flags.drain_until_idle, captured) {
            (true, open) => Self { least: flags.minimum_drain_time, most: None, open },
            // The application stops at the same time and may still call others, connections or not.
            (false, true) => {
                let least = flags.minimum_drain_time.max(flags.drain_time);
                Self { least, most: Some(Duration::ZERO), open: true }
            }
            (false, false) => Self { least: flags.minimum_drain_time, most: Some(flags.drain_time), open: false },
        }
    }
}

/// Ends connections without dropping requests.
async fn drain(shared: &Shared, patience: Patience) {
    tracing::info!(connections = shared.drain.live(), ?patience, "draining");
    shared.drain.announce();
    tokio::time::sleep(patience.least).await;
    if !patience.open {
        shared.drain.begin();
    }
    let left = match patience.most {
        Some(most) => shared.drain.finished(most).await,
        None => {
            shared.drain.idle().await;
            0
        }
    };
    shared.drain.begin();
    if left > 0 {
        tracing::warn!(connections = left, "drain time is over, closing what is left");
    }
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn patience(more: &[&str]) -> Patience {
        let base = ["weft-proxy", "--control-plane", "c:1", "--workload", "w", "--address", "10.0.0.1"];
        Patience::of(&Flags::try_parse_from(base.iter().chain(more)).unwrap())
    }

    #[test]
    fn a_captured_application_is_not_cut_off_while_it_stops() {
        let seconds = Duration::from_secs;
        assert_eq!(patience(&[]), Patience { least: seconds(0), most: Some(seconds(5)), open: false });
        let captured = patience(&["--capture", "redirect", "--drain-time", "30s"]);
        assert_eq!(captured, Patience { least: seconds(30), most: Some(seconds(0)), open: true });
        let native = patience(&["--capture", "redirect", "--drain-until-idle", "--minimum-drain-time", "2s"]);
        assert_eq!(native, Patience { least: seconds(2), most: None, open: true });
    }
}
