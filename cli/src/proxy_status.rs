//! `weft proxy-status`: whether every proxy has what its control plane means it to have.

use std::{collections::BTreeMap, fmt::Write as _, process::ExitCode};

use futures::future::join_all;
use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::ResourceExt;
use serde::Serialize;
use weft_model::{
    ports,
    sync::{ProxySync, TypeSync},
};
use weft_source::kubernetes::forward::{self, ForwardError};

use crate::{
    cluster::{Cluster, ClusterArgs, block_on, pods},
    output::{self, Answer, OutputArgs, table},
};

/// Show whether every proxy has the newest configuration.
#[derive(Clone, Debug, clap::Args)]
pub struct ProxyStatusArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Only this proxy, with every word of its refusals: POD, POD.NAMESPACE or NAMESPACE/POD.
    #[arg(value_name = "POD")]
    proxy: Option<String>,
    /// Ask one operator at its admin address instead of a cluster, such as http://127.0.0.1:15014.
    #[arg(long, value_name = "URL")]
    operator_admin: Option<String>,
}

/// Asks every control plane and prints. Exits with 1 when a proxy is not connected, stale, or refused something.
pub fn run(args: ProxyStatusArgs) -> anyhow::Result<ExitCode> {
    block_on(async {
        let mut status = match &args.operator_admin {
            Some(url) => standalone(url).await?,
            None => gather(&args.cluster.connect().await?).await?,
        };
        if let Some(wanted) = &args.proxy {
            status.keep(wanted)?;
        } else if let Some(namespace) = &args.cluster.namespace {
            status.proxies.retain(|proxy| proxy.namespace == *namespace);
        }
        output::print(args.output.output, &status)?;
        Ok(if status.good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// The answer.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyStatus {
    /// Proxies by namespace and name.
    pub proxies: Vec<ProxyState>,
    /// Control planes that could not be asked, with the reason.
    pub unreachable: BTreeMap<String, String>,
    /// Why proxies that no control plane knows are not shown, if pods could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    #[serde(skip)]
    details: bool,
}

/// One proxy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyState {
    /// Namespace.
    pub namespace: String,
    /// Pod or workload.
    pub name: String,
    /// Whether a control plane has it on the line.
    pub connected: bool,
    /// Whether it may be connected to a control plane that could not be asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
    /// Whether its pod started a moment ago, so that nobody expects a connection yet.
    #[serde(skip)]
    pub starting: bool,
    /// Whether its pod runs nothing yet, such as for want of a node or an image.
    #[serde(skip)]
    pub pending: bool,
    /// When its pod was made, where no control plane knows it.
    #[serde(skip)]
    pub made: Option<Timestamp>,
    /// The control plane's pod.
    pub control_plane: String,
    /// The proxy's version.
    pub version: String,
    /// The identity that its certificate proves.
    pub identity: String,
    /// State by xDS type.
    pub types: Vec<TypeSync>,
}

async fn standalone(url: &str) -> anyhow::Result<ProxyStatus> {
    let page = forward::get_at(url, "/debug/syncz").await?;
    let proxies: Vec<ProxySync> = output::answer(url, &page)?;
    Ok(ProxyStatus::new(vec![(url.to_owned(), Ok(proxies))], &[]))
}

/// Asks every ready control plane of the cluster, and looks which proxies none of them knows, where pods may be read.
pub async fn gather(cluster: &Cluster) -> anyhow::Result<ProxyStatus> {
    let control_planes = cluster.component("control-plane").await?;
    let (pods, unread) = match cluster.pods().await {
        Ok(pods) => (pods, Vec::new()),
        Err(error) => (Vec::new(), vec![error.to_string()]),
    };
    let asked = control_planes.iter().filter(|pod| pods::is_ready(pod)).map(|pod| async {
        let name = pod.name_any();
        let page =
            forward::get(&cluster.client, &cluster.system, &name, ports::CONTROL_PLANE_ADMIN, "/debug/syncz").await;
        let read = |page: hyper::body::Bytes| serde_json::from_slice(&page).map_err(|error| error.to_string());
        let page = page.map_err(|error| explain(&error, &cluster.system, &name));
        (name, page.and_then(read))
    });
    Ok(ProxyStatus { unread, ..ProxyStatus::new(join_all(asked).await, &pods) })
}

/// Why a control plane cannot be asked, with the remedy.
fn explain(error: &ForwardError, system: &str, pod: &str) -> String {
    let remedy = match error {
        ForwardError::Unauthorized => "sign in again: the credentials in the kubeconfig are not accepted".to_owned(),
        ForwardError::Forbidden(namespace) => format!(
            "ask for a role that may get and create pods/portforward in namespace {namespace}, or choose another --context"
        ),
        _ => format!("look at its pod and its log: kubectl -n {system} logs {pod}"),
    };
    format!("{error} ({remedy})")
}

impl ProxyStatus {
    /// Puts the control planes' answers together. A proxy that has just moved from one to another is known to both: the
    /// newer connection counts.
    fn new(answers: Vec<(String, Result<Vec<ProxySync>, String>)>, pods: &[Pod]) -> Self {
        let mut status = Self::default();
        let mut newest: BTreeMap<(String, String), (u64, ProxyState)> = BTreeMap::new();
        for (control_plane, answer) in answers {
            match answer {
                Ok(proxies) => {
                    for proxy in proxies {
                        let key = (proxy.workload.namespace.clone(), proxy.workload.name.clone());
                        if newest.get(&key).is_none_or(|(at, _)| *at <= proxy.connected_at_ms) {
                            newest.insert(key, (proxy.connected_at_ms, ProxyState::of(proxy, &control_plane)));
                        }
                    }
                }
                Err(problem) => {
                    status.unreachable.insert(control_plane, problem);
                }
            }
        }
        let now = Timestamp::now();
        // Those that could not be asked may have it on the line.
        let unknown = !status.unreachable.is_empty();
        // One that ends hangs up before its pod is gone.
        for proxy in pods::proxied(pods).filter(|proxy| !proxy.over() && pods::stays(proxy.pod)) {
            let key = (proxy.pod.namespace().unwrap_or_default(), proxy.pod.name_any());
            let (starting, pending) = (proxy.starts(now), proxy.pending());
            let made = proxy.pod.creation_timestamp().map(|time| time.0);
            newest.entry(key).or_insert_with_key(|(namespace, name)| {
                (0, ProxyState { starting, pending, made, unknown, ..ProxyState::missing(namespace, name) })
            });
        }
        status.proxies = newest.into_values().map(|(_, proxy)| proxy).collect();
        status
    }

    /// Only the proxy that was asked for.
    fn keep(&mut self, wanted: &str) -> anyhow::Result<()> {
        let is_it = |proxy: &ProxyState| {
            let (namespace, name) = (&proxy.namespace, &proxy.name);
            [name.clone(), format!("{name}.{namespace}"), format!("{namespace}/{name}")]
                .iter()
                .any(|form| form == wanted)
        };
        self.proxies.retain(is_it);
        self.details = true;
        if self.proxies.is_empty() {
            return Err(weft_runtime::StartupError::new(
                format!("cannot show {wanted}"),
                "no control plane knows it, and no such pod has a proxy",
                "look for it with weft proxy-status",
            )
            .into());
        }
        Ok(())
    }

    /// Whether every proxy is known to be connected and in step.
    pub fn good(&self) -> bool {
        self.unreachable.is_empty() && self.unread.is_empty() && self.proxies.iter().all(ProxyState::good)
    }
}

impl ProxyState {
    fn of(proxy: ProxySync, control_plane: &str) -> Self {
        Self {
            namespace: proxy.workload.namespace,
            name: proxy.workload.name,
            connected: true,
            unknown: false,
            starting: false,
            pending: false,
            made: None,
            control_plane: control_plane.to_owned(),
            version: proxy.version,
            identity: proxy.identity,
            types: proxy.types,
        }
    }

    /// One that no control plane knows.
    pub(crate) fn missing(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            connected: false,
            unknown: false,
            starting: false,
            pending: false,
            made: None,
            control_plane: String::new(),
            version: String::new(),
            identity: String::new(),
            types: Vec::new(),
        }
    }

    /// Whether it is connected and in step.
    pub fn good(&self) -> bool {
        self.connected && self.types.iter().all(|kind| kind.synced && kind.nack.is_none())
    }

    /// The command that tells what its pod waits for.
    pub fn description(&self) -> String {
        format!("kubectl -n {} describe pod {}", self.namespace, self.name)
    }

    fn column(&self, kind: &str) -> String {
        match self.types.iter().find(|state| state.kind == kind) {
            None if self.connected => "-".into(),
            None if self.unknown => "unknown".into(),
            None => "NOT CONNECTED".into(),
            Some(TypeSync { nack: Some(_), .. }) => "REFUSED".into(),
            Some(state) if state.synced => format!("synced ({})", state.resources),
            Some(_) => "STALE".into(),
        }
    }
}

/// Types in the order of their pushes.
const TYPES: [&str; 7] = ["cds", "eds", "lds", "rds", "vhds", "sds", "wds"];

impl Answer for ProxyStatus {
    fn text(&self) -> String {
        let mut head = vec!["PROXY", "CDS", "LDS", "EDS", "RDS", "CONTROL PLANE", "VERSION"];
        let columns: &[&str] = if self.details { &TYPES } else { &["cds", "lds", "eds", "rds"] };
        if self.details {
            head = vec!["PROXY", "CDS", "EDS", "LDS", "RDS", "VHDS", "SDS", "WDS", "CONTROL PLANE", "VERSION"];
        }
        let row = |proxy: &ProxyState| {
            let mut row = vec![format!("{}.{}", proxy.name, proxy.namespace)];
            row.extend(columns.iter().map(|kind| proxy.column(kind)));
            row.extend([proxy.control_plane.clone(), proxy.version.clone()]);
            row
        };
        if self.proxies.is_empty() && self.unreachable.is_empty() && self.unread.is_empty() {
            return "No proxy is connected, and no pod has one.".to_owned();
        }
        let mut text = table(&head, &self.proxies.iter().map(row).collect::<Vec<_>>());
        for proxy in &self.proxies {
            for state in proxy.types.iter().filter(|state| state.nack.is_some()) {
                let words = state.nack.as_deref().unwrap_or_default();
                let _ = write!(
                    text,
                    "\n{}.{} refused {}:\n  {words}\n",
                    proxy.name,
                    proxy.namespace,
                    state.kind.to_uppercase()
                );
            }
        }
        for (pod, problem) in &self.unreachable {
            let _ = write!(text, "\nThe control plane {pod} could not be asked: {problem}\n");
        }
        let unknown: Vec<_> = self.proxies.iter().filter(|proxy| proxy.unknown).map(|proxy| &*proxy.name).collect();
        if !unknown.is_empty() {
            let _ = write!(text, "\nWhether these are connected is therefore not known: {}.\n", unknown.join(", "));
        }
        let away = self.proxies.iter().filter(|proxy| !proxy.connected && !proxy.unknown);
        let (pending, silent): (Vec<_>, Vec<_>) = away.partition(|proxy| proxy.pending);
        let names = |all: &[&ProxyState]| all.iter().map(|proxy| &*proxy.name).collect::<Vec<_>>().join(", ");
        if !silent.is_empty() {
            let look = "Look at the log of the container istio-proxy, and at weft check.";
            let _ = write!(text, "\nNot connected: {}. {look}\n", names(&silent));
        }
        if let Some(first) = pending.first() {
            let look = first.description();
            let pods: Vec<_> = pending.iter().map(|proxy| format!("{}/{}", proxy.namespace, proxy.name)).collect();
            let _ = write!(text, "\nNot running yet: {}. What it waits for: {look}\n", pods.join(", "));
        }
        for words in &self.unread {
            let _ = write!(text, "\nProxies that no control plane knows are not shown: {words}\n");
        }
        text
    }
}

#[cfg(test)]
mod tests;
