//! The views and their flags.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Subcommand;
use weft_model::{details::Subject, graph::View};

/// What is shown.
#[derive(Clone, Debug, Subcommand)]
pub enum ViewCommand {
    /// The service graph: who calls what, how much, how fast, and whether encrypted.
    Graph {
        /// What the nodes are.
        #[arg(long, value_parser = view, default_value = "workload", value_name = "workload|service|app|versioned-app")]
        view: View,
        #[command(flatten)]
        window: WindowArgs,
        /// End of the window: RFC 3339, milliseconds since the Unix epoch, or how long ago, such as 10m; now without it.
        #[arg(long, value_parser = moment, value_name = "TIME")]
        at: Option<u64>,
        /// Leave out what has no traffic.
        #[arg(long)]
        busy: bool,
    },
    /// Every weighted route, or one: configured and observed shares, and the verdict; how one fared, and who moved it.
    #[command(visible_alias = "canary")]
    Canaries {
        /// Only those of the object of that name, which may be NAMESPACE/NAME.
        name: Option<String>,
        /// Who moved its weights, the newest move first.
        #[arg(long, requires = "name")]
        history: bool,
        /// How its destinations fared over time.
        #[arg(long, requires = "name", conflicts_with = "history")]
        course: bool,
        /// Which of its routes, where it has several weighted ones.
        #[arg(long, requires = "name", value_name = "INDEX")]
        route: Option<usize>,
        /// Over how long the course is; a quarter of an hour without it.
        // What is required is not missed beside what it conflicts with.
        #[arg(
            long,
            requires = "course",
            conflicts_with = "history",
            value_parser = humantime::parse_duration,
            value_name = "DURATION"
        )]
        window: Option<Duration>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Configuration with findings, or one object with its YAML.
    Config {
        /// Only this kind, such as VirtualService.
        kind: Option<String>,
        /// The one object of that name, which may be NAMESPACE/NAME.
        name: Option<String>,
        /// Only objects with findings.
        #[arg(long)]
        findings: bool,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Workloads with health, traffic and proxies, or one of them.
    #[command(visible_alias = "workload")]
    Workloads(SubjectArgs),
    /// Services, or one of them.
    #[command(visible_alias = "service")]
    Services(SubjectArgs),
    /// Applications, or one of them.
    #[command(visible_alias = "app")]
    Apps(SubjectArgs),
    /// Namespaces, or one of them.
    Namespaces(SubjectArgs),
    /// How something fared over time.
    Charts {
        /// What it is: a workload, service, app or namespace; or a node or a call as the graph names it.
        #[arg(value_parser = charted, value_name = "workload|service|app|namespace|node|call")]
        of: Charted,
        /// Which one: NAMESPACE/NAME, or NAME with -n; a node's id, or a call's as SOURCE->DESTINATION.
        name: String,
        /// What it sends instead of what it receives; of a node and a call both are shown.
        #[arg(long)]
        out: bool,
        /// Label of Istio's metrics that lines are split by, such as response_code; not of a node or a call.
        #[arg(long, value_name = "LABEL")]
        split: Option<String>,
        /// Over how long; the console's own choice without it.
        #[arg(long, value_parser = humantime::parse_duration, value_name = "DURATION")]
        window: Option<Duration>,
    },
    /// What the instances of a workload and their proxies wrote last, the oldest line first.
    #[command(visible_alias = "log")]
    Logs {
        /// Which workload: NAMESPACE/NAME, or NAME with -n.
        workload: String,
        /// Only this pod or WorkloadEntry of it.
        #[arg(long, visible_alias = "instance", value_name = "NAME")]
        pod: Option<String>,
        /// Lines of each log at most; 100 without it.
        #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(u32).range(1..=1_000))]
        lines: Option<u32>,
        /// Only lines that name this trace, looked for further back.
        #[arg(long, value_name = "ID")]
        trace: Option<String>,
    },
    /// Saved views: one's own and those that others share.
    Views,
    /// Traces, the newest first.
    Traces {
        /// Workload that reports a span, NAMESPACE/NAME.
        #[arg(long, visible_alias = "workload", value_name = "NAMESPACE/NAME")]
        service: Option<String>,
        /// Operation of that span.
        #[arg(long)]
        operation: Option<String>,
        /// Attribute of that span; repeat it for several.
        #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
        tags: Vec<String>,
        /// Only those in which something failed.
        #[arg(long)]
        errors: bool,
        /// Count them by time and duration instead.
        #[arg(long, conflicts_with_all = ["limit", "cursor"])]
        heat: bool,
        /// Shortest duration in milliseconds.
        #[arg(long, value_name = "MILLISECONDS")]
        min_ms: Option<f64>,
        /// Longest duration in milliseconds.
        #[arg(long, value_name = "MILLISECONDS")]
        max_ms: Option<f64>,
        #[command(flatten)]
        since: SinceArgs,
        #[command(flatten)]
        page: PageArgs,
    },
    /// One trace, span by span.
    Trace {
        /// 32 hexadecimal digits.
        id: String,
    },
    /// Control planes, proxies, certificates and cost, and what is unhealthy.
    Mesh,
    /// The proxy of one pod or WorkloadEntry: in what it differs from what its control plane wants, and what is in force.
    Proxy {
        /// Which instance: NAMESPACE/NAME, or NAME with -n.
        #[arg(value_name = "POD|WORKLOADENTRY")]
        instance: String,
    },
    /// Who did what, the newest first.
    Audit {
        /// By whom.
        #[arg(long, value_name = "NAME")]
        who: Option<String>,
        /// From which IP address; for who administrates the console.
        #[arg(long, value_name = "IP")]
        address: Option<std::net::IpAddr>,
        /// What was done, such as weights or sign-in.
        #[arg(long)]
        action: Option<String>,
        /// Kind of the object.
        #[arg(long)]
        kind: Option<String>,
        /// Name of the object.
        #[arg(long)]
        name: Option<String>,
        /// About what configures one of the mesh's, such as workloads/NAMESPACE/NAME or namespaces/NAME; or of several, with
        /// commas between them.
        #[arg(long, value_name = "workloads|services|apps|namespaces/…")]
        about: Option<String>,
        #[command(flatten)]
        since: SinceArgs,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Whether what the console depends on answers, and how many findings there are.
    Status,
    /// Who asks, and how people sign in.
    Session,
    /// Sign in with the link that weft demo prints, and keep the session for this user of this machine.
    Login {
        /// The link, which works once; - reads it from standard input.
        link: String,
    },
}

/// What charts are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charted {
    /// What has a page.
    Page(Subject),
    /// A node of the graph.
    Node,
    /// A call of the graph.
    Call,
}

/// One subject's list, or one of it.
#[derive(Clone, Debug, clap::Args)]
pub struct SubjectArgs {
    /// One of them: NAMESPACE/NAME, or NAME with -n.
    pub name: Option<String>,
    #[command(flatten)]
    pub window: WindowArgs,
    #[command(flatten)]
    pub page: PageArgs,
}

/// Over how long figures are.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct WindowArgs {
    /// Over how long figures are; a minute without it.
    #[arg(long, value_parser = humantime::parse_duration, value_name = "DURATION")]
    pub window: Option<Duration>,
}

/// Between which moments.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct SinceArgs {
    /// Not before: RFC 3339, milliseconds since the Unix epoch, or how long ago, such as 1h.
    #[arg(long, value_parser = moment, value_name = "TIME")]
    pub since: Option<u64>,
    /// Not after; written as --since is.
    #[arg(long, value_parser = moment, value_name = "TIME")]
    pub until: Option<u64>,
}

/// Which rows of a list.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct PageArgs {
    /// Rows at most, over as many pages as that takes.
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub limit: Option<u32>,
    /// Where to begin: what an answer before this one gave as next.
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
}

fn view(text: &str) -> Result<View, String> {
    let known = View::ALL.into_iter().find(|view| view.as_str() == text);
    known.ok_or_else(|| format!("choose {}", View::ALL.map(View::as_str).join(", ")))
}

fn charted(text: &str) -> Result<Charted, String> {
    let short = |subject: &Subject| subject.slug().strip_suffix('s') == Some(text) || subject.slug() == text;
    match text {
        "node" => Ok(Charted::Node),
        "call" => Ok(Charted::Call),
        _ => Subject::ALL
            .into_iter()
            .find(short)
            .map(Charted::Page)
            .ok_or_else(|| "choose workload, service, app, namespace, node or call".to_owned()),
    }
}

fn tag(text: &str) -> Result<String, String> {
    let whole = text.split_once('=').is_some_and(|(key, _)| !key.is_empty());
    if whole { Ok(text.to_owned()) } else { Err("write KEY=VALUE, such as http.status_code=503".to_owned()) }
}

/// Milliseconds since the Unix epoch.
fn moment(text: &str) -> Result<u64, String> {
    if let Ok(millis) = text.parse::<u64>() {
        return Ok(millis);
    }
    let at = match humantime::parse_duration(text) {
        Ok(ago) => SystemTime::now().checked_sub(ago),
        Err(_) => humantime::parse_rfc3339_weak(text).ok(),
    };
    let millis = at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map(|since| since.as_millis());
    let millis = millis.and_then(|millis| u64::try_from(millis).ok());
    millis.ok_or_else(|| "write 2026-01-31T12:00:00Z, milliseconds since 1970, or how long ago, such as 10m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_three_ways() {
        assert_eq!(moment("1700000000000"), Ok(1_700_000_000_000));
        assert_eq!(moment("2023-11-14T22:13:20Z"), Ok(1_700_000_000_000));
        let (hour, now) = (moment("1h").unwrap(), moment("0s").unwrap());
        assert!((3_600_000..3_610_000).contains(&(now - hour)), "{hour} {now}");
        for bad in ["", "noon", "-5", "2023-13-40"] {
            assert!(moment(bad).unwrap_err().contains("how long ago"), "{bad}");
        }
    }

    #[test]
    fn a_view_and_a_tag_are_named_as_the_api_names_them() {
        assert_eq!(view("versioned-app"), Ok(View::VersionedApp));
        assert!(view("pods").unwrap_err().contains("workload, service, app, versioned-app"));
        assert!(tag("a=b").is_ok() && tag("a=").is_ok() && tag("=b").is_err() && tag("a").is_err());
    }
}
