//! `weft proxy-config`: the configuration that is in force in one proxy.

mod tables;

use std::process::ExitCode;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Map, Value};
use weft_mesh::dump;
use weft_model::ports;
use weft_source::kubernetes::forward;

use crate::{
    cluster::{ClusterArgs, block_on},
    output::{self, Answer, OutputArgs},
};

/// Show the configuration that is in force in a proxy.
#[derive(Clone, Debug, clap::Args)]
pub struct ProxyConfigArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Which part.
    #[arg(value_enum)]
    part: Part,
    /// The proxy's pod: POD, POD.NAMESPACE, NAMESPACE/POD, or KIND/NAME of what has pods, such as deploy/web.
    #[arg(value_name = "POD", required_unless_present = "proxy_admin")]
    proxy: Option<String>,
    /// Only entries in whose name this occurs.
    #[arg(long, value_name = "TEXT", default_value = "")]
    name: String,
    /// Ask a proxy at its admin address instead of a cluster, such as http://127.0.0.1:15000.
    #[arg(long, value_name = "URL")]
    proxy_admin: Option<String>,
}

/// A part of a proxy's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// What it listens on.
    #[value(alias = "listener")]
    Listeners,
    /// Where requests go, by virtual host.
    #[value(alias = "route")]
    Routes,
    /// Destinations.
    #[value(alias = "cluster")]
    Clusters,
    /// Addresses behind each destination.
    #[value(alias = "endpoint")]
    Endpoints,
    /// Certificates: whose they are and how long they hold.
    #[value(alias = "secret")]
    Secrets,
    /// The workloads that it knows callers by.
    #[value(alias = "workload")]
    Workloads,
    /// Everything (as JSON).
    All,
}

/// Asks the proxy and prints.
pub fn run(args: ProxyConfigArgs) -> anyhow::Result<ExitCode> {
    block_on(async {
        let path = if args.part == Part::Secrets { "/certs" } else { "/config_dump" };
        let (from, page) = match (&args.proxy_admin, &args.proxy) {
            (Some(url), _) => (url.clone(), forward::get_at(url, path).await?),
            (None, Some(proxy)) => {
                let cluster = args.cluster.connect().await?;
                let (namespace, pod) = cluster.proxy_pod(proxy).await?;
                let page = forward::get(&cluster.client, &namespace, &pod, ports::PROXY_ADMIN, path).await?;
                (format!("{namespace}/{pod}"), page)
            }
            (None, None) => anyhow::bail!("name a pod, or an address with --proxy-admin"),
        };
        let dump: Value = output::answer(&from, &page)?;
        let config = Config::of(&dump, args.part, &args.name);
        let format = if args.part == Part::All { output::Format::Json } else { args.output.output };
        output::print(format, &config)?;
        Ok(ExitCode::SUCCESS)
    })
}

/// The part that was asked for.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Config {
    value: Value,
    #[serde(skip)]
    part: Part,
}

impl Config {
    /// Cuts the part out of a proxy's answer and leaves the entries whose name contains `name`.
    fn of(dump: &Value, part: Part, name: &str) -> Self {
        let key = match part {
            Part::Listeners => "listeners",
            Part::Routes => "route_configurations",
            Part::Clusters | Part::Endpoints => "clusters",
            Part::Secrets => "certificates",
            Part::Workloads => "workloads",
            Part::All => return Self { value: dump.clone(), part },
        };
        let value = match dump.get(key) {
            Some(Value::Object(entries)) => {
                let fits = |(entry, _): &(&String, &Value)| entry.contains(name);
                Value::Object(
                    entries.iter().filter(fits).map(|(entry, value)| (entry.clone(), value.clone())).collect(),
                )
            }
            Some(other) => other.clone(),
            None => Value::Object(Map::new()),
        };
        Self { value, part }
    }
}

impl Answer for Config {
    fn text(&self) -> String {
        let text = match self.part {
            Part::Listeners => tables::printed(&dump::listeners(&self.value)),
            Part::Routes => tables::printed(&dump::routes(&self.value)),
            Part::Clusters => tables::printed(&dump::clusters(&self.value)),
            Part::Endpoints => tables::printed(&dump::endpoints(&self.value)),
            Part::Secrets => tables::secrets(&self.value),
            Part::Workloads => tables::workloads(&self.value),
            Part::All => self.value.to_string(),
        };
        // A head alone says that nothing was found less clearly than words.
        if text.lines().count() == 1 && self.part != Part::All { "Nothing fits.".to_owned() } else { text }
    }
}

#[cfg(test)]
mod tests;
