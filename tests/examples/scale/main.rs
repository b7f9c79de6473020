//! Part of `make bench`: the operator on a real API server with thousands of Services and Pods (objects only, nothing
//! runs), a hundred connected proxies, and edits. A measurement: it ends well whatever the figures are.

mod edits;
mod fill;
mod hooks;
mod identity;
mod objects;
mod operator;
mod proxies;
mod report;

use std::{path::PathBuf, time::Instant};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use weft_tests::cluster::{self, Cluster};

use self::{
    edits::{Edited, settle},
    objects::{HTTP, Scale},
    operator::Operator,
    proxies::{Instance, Mesh, Proxy},
    report::Report,
};

/// Measures the operator at scale.
#[derive(Parser)]
struct Args {
    /// Folder that has the operator's program; by default that of the release build.
    #[arg(long, env = "WEFT_PROGRAMS")]
    programs: Option<PathBuf>,
    /// Folder that keeps the filled API server's data from one run to the next, which then need not fill it again.
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Services; each has two pods.
    #[arg(long, default_value_t = 5000)]
    services: usize,
    /// Connected proxies, at most one in each of the 100 namespaces.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=100))]
    proxies: u16,
    /// Edits of one VirtualService.
    #[arg(long, default_value_t = 30)]
    edits: usize,
    /// Reviews that each webhook is asked for.
    #[arg(long, default_value_t = 1000)]
    reviews: usize,
    /// What is printed at the end.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
    /// Stay after the measurement until Ctrl-C, so that one can look at the operator.
    #[arg(long)]
    hold: bool,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Output {
    #[default]
    Table,
    Json,
}

/// Proxies that take their first configuration at once.
const JOINING: usize = 8;
/// The service whose VirtualService is edited.
const EDITED: usize = 10;

/// A cluster that goes with this value.
struct Standing(Cluster);

impl Drop for Standing {
    fn drop(&mut self) {
        self.0.tear_down();
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(reason) = cluster::unable() {
        eprintln!("SKIPPED: the operator at scale is not measured: {reason}");
        return Ok(());
    }
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        measured = measure(&args) => measured,
        // What was started goes with the measurement.
        _ = tokio::signal::ctrl_c() => Ok(()),
        _ = terminated.recv() => Ok(()),
    }
}

async fn measure(args: &Args) -> Result<()> {
    let program = program(args)?;
    let scale = Scale {
        services: args.services.max(args.proxies.into()).max(EDITED + 1),
        pods: 2,
        namespaces: 100,
        nodes: 100,
    };
    let mut report = Report::default();
    let cache = args.cache.as_ref().map(|dir| dir.join(format!("services-{}", scale.services)));
    let cached = cache.as_deref().filter(|objects| objects.exists());
    let cluster = Standing(Cluster::start_api_server(cached)?);
    let client = cluster.0.client().await;
    let root = match cached {
        Some(_) => fill::root_of(&client).await?,
        None => {
            let installation = fill::install(&client).await?;
            let filled = fill::fill(&client, scale, &installation.injection).await?;
            report.seconds("filling the API server", filled, None);
            if let Some(objects) = &cache {
                std::fs::create_dir_all(objects.parent().context("a folder")?)?;
                cluster.0.keep_objects(objects)?;
            }
            installation.root
        }
    };

    let (operator, synced) = Operator::start(&program, &cluster.0).await;
    eprintln!("operator: process {}", operator.pid());
    report.seconds("start to in sync", synced, Some(30.0));
    let memory = operator.memory()?;
    report.memory("memory in sync, without proxies", memory.resident, Some(200.0));
    report.memory("memory in sync, peak", memory.peak, None);
    report.seconds("processor time in sync", operator.cpu()?, None);

    let (news, mut told) = proxies::news();
    let host = format!("{}.{}.svc.cluster.local", objects::name(EDITED), scale.namespace(EDITED));
    let mesh = Mesh {
        client: client.clone(),
        control_plane: operator.proxies(),
        root: root.clone(),
        watched: format!("{HTTP}/{host}:{HTTP}"),
        news,
    };
    let connecting = Instant::now();
    let instances: Vec<_> = (0..usize::from(args.proxies)).map(|service| instance(scale, service)).collect();
    let joining = instances.iter().map(|instance| Proxy::connect(&mesh, instance));
    let proxies: Vec<Proxy> = stream::iter(joining).buffer_unordered(JOINING).try_collect().await?;
    settle(&operator, proxies.len()).await?;
    report.seconds(&format!("{} proxies connected and in sync", proxies.len()), connecting.elapsed(), None);
    report.count("resources of a proxy", proxies.iter().map(|proxy| proxy.resources).max().unwrap_or_default());
    report.size("first configuration of a proxy", proxies.iter().map(Proxy::received).max().unwrap_or_default(), None);
    let memory = operator.memory()?;
    report.memory("memory with proxies", memory.resident, Some(200.0));
    report.memory("memory with proxies, peak", memory.peak, None);

    eprintln!("editing");
    let (namespace, name) = (scale.namespace(EDITED), objects::name(EDITED));
    let edited = Edited { namespace: &namespace, name: &name };
    let edits = edited.edit(&client, &operator, &proxies, &mut told, args.edits).await?;
    report.times("edit to the last proxy", edits.iter().map(|edit| edit.received), 1.0, Some(200.0));
    report.times("· until it is taken up", edits.iter().map(|edit| edit.taken_up), 1.0, None);
    report.times("· from then to the last ACK", edits.iter().map(|edit| edit.acknowledged), 1.0, None);
    report.times("· processor time", edits.iter().map(|edit| edit.cpu), 1.0, None);
    report.size(
        "sent to a proxy for an edit",
        edits.iter().map(|edit| edit.bytes).max().unwrap_or_default(),
        Some(16.0),
    );
    let memory = operator.memory()?;
    report.memory("memory after the edits", memory.resident, Some(200.0));
    report.memory("memory after the edits, peak", memory.peak, None);

    eprintln!("asking the webhooks");
    let pods: Vec<Value> = (0..args.reviews).map(|number| scale.pod(number % scale.services, 0)).collect();
    let rules: Vec<Value> = (0..args.reviews).map(|number| scale.virtual_service(number % scale.services)).collect();
    let (address, root) = (operator.webhooks(), &root);
    let patched = |response: &Value| response["allowed"] == true && response["patch"].is_string();
    report.times("injection webhook", hooks::ask(address, root, "/inject", &pods, patched).await?, 0.99, Some(20.0));
    let allowed = |response: &Value| response["allowed"] == true && response["warnings"].is_null();
    report.times(
        "validation webhook",
        hooks::ask(address, root, "/validate", &rules, allowed).await?,
        0.99,
        Some(20.0),
    );

    match args.output {
        Output::Table => println!("{}", report.table()),
        Output::Json => println!("{}", report.json()),
    }
    if args.hold {
        eprintln!("operator: process {}; Ctrl-C ends it all", operator.pid());
        std::future::pending::<()>().await;
    }
    Ok(())
}

fn program(args: &Args) -> Result<PathBuf> {
    let own = std::env::current_exe().context("this program has no path")?;
    let dir = match &args.programs {
        Some(dir) => dir.clone(),
        // target/debug/examples/scale
        None => own.ancestors().nth(3).context("this program lies outside of a target folder")?.join("release"),
    };
    let path = dir.join("weft-operator");
    let path = path.canonicalize();
    path.with_context(|| format!("no weft-operator in {}: cargo build --release -p weft-operator", dir.display()))
}

/// The first pod of a service; the first hundred services lie in a hundred namespaces.
fn instance(scale: Scale, service: usize) -> Instance {
    Instance {
        namespace: scale.namespace(service),
        pod: scale.pod_name(service, 0),
        account: objects::name(service),
        address: scale.address(service, 0),
    }
}
