//! `weft demo`: the whole mesh on this machine as separate processes, without root.

mod directory;
mod plan;
mod ports;
mod program;
mod ready;
mod report;
mod sign_in;
mod spec;
mod supervisor;
mod words;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use weft_runtime::{Shutdown, StartupError};

use self::{directory::Directory, plan::Plan, program::Programs, supervisor::Supervisor};

/// Flags of `weft demo`.
#[derive(clap::Args)]
pub struct DemoArgs {
    /// Stop by itself after this long, such as 60s.
    #[arg(long = "for", value_parser = humantime::parse_duration)]
    run_for: Option<Duration>,
    /// How to say that all is ready.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
    /// The console listens on 127.0.0.1 at this port plus 1, Prometheus at plus 2; instances own addresses of
    /// 127.A.B.0/24 with A and B its high and low byte. Demos with different bases run side by side.
    #[arg(long, default_value_t = 20000, value_parser = clap::value_parser!(u16).range(1024..=65533))]
    port_base: u16,
    /// The manifests to start from; they are copied, never changed.
    #[arg(long, env = "WEFT_DEMO_MANIFESTS", default_value = "demo")]
    manifests: PathBuf,
    /// The console's page, as `cargo xtask frontend` builds it.
    #[arg(long, env = "WEFT_ASSETS", default_value = "frontend/dist")]
    assets: PathBuf,
    /// Requests per second that shoppers send.
    #[arg(long, default_value_t = 30.0)]
    rate: f64,
    /// Lifetime of workload certificates, at least 60s.
    #[arg(long, default_value = "24h", value_parser = humantime::parse_duration)]
    cert_ttl: Duration,
    /// A Zipkin, such as http://127.0.0.1:9411, that proxies send their spans to and the console reads them from; without
    /// one the console holds them itself.
    #[arg(long, value_name = "URL")]
    zipkin: Option<String>,
    /// Applications send spans of their own as well, as instrumented ones do, within the traces of their proxies.
    #[arg(long, conflicts_with = "zipkin")]
    app_spans: bool,
    /// Sign-in.
    #[command(flatten)]
    sign_in: sign_in::SignInArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Text,
    /// One line of JSON once all is ready; everything else goes to standard error.
    Json,
}

/// Runs the demo until a signal, `--for`, or a failed start.
pub fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    // One thread: children are bound to the life of the thread that starts them.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (stop, hurry) = (Shutdown::new(), Shutdown::new());
        on_signals(stop.clone(), hurry.clone())?;
        demo(args, stop, hurry).await
    })
}

/// The first signal begins an orderly stop, a second one a quick one; both leave nothing behind. A terminal that closes
/// counts as a signal, too.
fn on_signals(stop: Shutdown, hurry: Shutdown) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {}, _ = hangup.recv() => {} }
            if stop.begun() { hurry.begin() } else { stop.begin() }
        }
    });
    Ok(())
}

async fn demo(args: DemoArgs, stop: Shutdown, hurry: Shutdown) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    if !(args.rate.is_finite() && args.rate > 0.0 && args.rate <= 10_000.0) {
        return Err(StartupError::new(
            "cannot send requests",
            format!("--rate {}", args.rate),
            "give a rate from 0.1 to 10000",
        )
        .into());
    }
    let plan = Plan::new(args.port_base);
    let programs = Programs::find()?;
    let mut directory = Directory::create(&plan, &args.manifests)?;
    let mut supervisor = Supervisor::new(programs, directory.logs());
    let say = |text: &str| {
        // A reader that has gone is noticed when the report cannot be written.
        let _ = match args.output {
            Output::Text => writeln!(io::stdout(), "{text}"),
            Output::Json => writeln!(io::stderr(), "{text}"),
        };
    };
    let outcome = tokio::select! {
        outcome = start(&args, &plan, &directory, &mut supervisor, &say) => outcome.map(Some),
        () = stop.wait() => Ok(None),
    };
    let outcome = match outcome {
        Ok(Some(())) => {
            let report = args.sign_in.link(&directory).and_then(|link| match args.output {
                Output::Text => Ok(report::text(&plan, &directory, link.as_deref(), started.elapsed())),
                Output::Json => report::json(&plan, &directory, link.as_deref(), &supervisor),
            });
            let told = report.and_then(|report| Ok(writeln!(io::stdout(), "{report}")?));
            let ends = async {
                match args.run_for {
                    Some(limit) => tokio::time::sleep(limit).await,
                    None => std::future::pending().await,
                }
            };
            match told {
                Err(error) => Err(error.context("cannot write to standard output")),
                Ok(()) => tokio::select! {
                    () = stop.wait() => Ok(()),
                    () = ends => Ok(()),
                    error = supervisor.watch(&directory, &say) => Err(error),
                },
            }
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    say("Stopping.");
    let hurried = tokio::select! {
        () = supervisor.stop() => false,
        () = hurry.wait() => true,
    };
    if hurried {
        supervisor.kill().await;
    }
    directory.remove().context("cannot remove the demo's directory")?;
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn start(
    args: &DemoArgs,
    plan: &Plan,
    directory: &Directory,
    supervisor: &mut Supervisor,
    say: &impl Fn(&str),
) -> anyhow::Result<()> {
    ports::all_free(plan)?;
    say(&format!("Manifests   {} (a copy; edit it and the mesh follows)", directory.manifests().display()));
    say("Starting    operator and Prometheus");
    supervisor.spawn(spec::operator(plan, directory, args.cert_ttl), directory).await?;
    std::fs::write(directory.prometheus().join("prometheus.yml"), spec::scrape_config(plan))?;
    std::fs::write(directory.prometheus().join("recording-rules.yaml"), spec::RECORDING_RULES)?;
    supervisor.spawn(spec::prometheus(plan, directory), directory).await?;
    ready::http_ok(supervisor, &plan.operator_admin(), "/healthz/ready", "operator", say).await?;
    say("Starting    application and proxies");
    let zipkin = args.zipkin.as_deref();
    for instance in &plan.instances {
        if let Some(app) = spec::app(plan, instance, args.app_spans) {
            supervisor.spawn(app, directory).await?;
        }
        if instance.proxy.is_some() {
            supervisor.spawn(spec::proxy(plan, directory, instance, zipkin), directory).await?;
        }
    }
    let sign_in = args.sign_in.console_flags(plan, directory);
    supervisor.spawn(spec::console(plan, directory, &args.assets, zipkin, sign_in), directory).await?;
    for instance in plan.instances.iter().filter(|instance| instance.proxy.is_some()) {
        ready::http_ok(supervisor, &plan.readiness(instance), "/healthz/ready", instance.name, say).await?;
    }
    ready::http_ok(supervisor, &plan.prometheus(), "/-/ready", "Prometheus", say).await?;
    ready::http_ok(supervisor, &plan.console(), "/healthz/ready", "console", say).await?;
    say("Starting    load");
    supervisor.spawn(spec::load(plan, args.rate), directory).await?;
    supervisor.spawn(spec::legacy(plan), directory).await?;
    ready::first_answer(supervisor, plan, say).await
}
