//! With what each of the demo's processes is started.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    directory::Directory,
    plan::{Instance, Plan, ProxyRole},
    program::Program,
};

/// A join token that a process needs each time it starts.
#[derive(Clone)]
pub struct TokenFor {
    /// Namespace that the token binds.
    pub namespace: &'static str,
    /// Service account that the token binds.
    pub service_account: &'static str,
    /// Where the process reads it.
    pub file: PathBuf,
}

/// How to start one process.
#[derive(Clone)]
pub struct Spec {
    /// `namespace/name` of the workload it belongs to; the program's own name otherwise.
    pub workload: String,
    /// `operator`, `proxy`, `app`, `load`, `prometheus` or `console`.
    pub role: &'static str,
    /// What to run.
    pub program: Program,
    /// With which arguments.
    pub args: Vec<OsString>,
    /// Made anew before each start.
    pub token: Option<TokenFor>,
}

fn spec(workload: impl Into<String>, role: &'static str, program: Program, args: Vec<OsString>) -> Spec {
    Spec { workload: workload.into(), role, program, args, token: None }
}

/// `["--flag", value]` pairs as arguments.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { vec![$(OsString::from(&*$arg)),*] };
}

/// The operator on the demo's directory.
pub fn operator(plan: &Plan, directory: &Directory, cert_ttl: Duration) -> Spec {
    let args = args![
        "--config-dir",
        directory.manifests().as_os_str(),
        "--state-dir",
        directory.state().as_os_str(),
        "--listen",
        plan.control_plane().to_string(),
        "--admin",
        plan.operator_admin().to_string(),
        "--cert-ttl",
        humantime::format_duration(cert_ttl).to_string(),
    ];
    spec("weft-operator", "operator", Program::Operator, args)
}

/// Prometheus, scraping operator and proxies.
pub fn prometheus(plan: &Plan, directory: &Directory) -> Spec {
    let dir = directory.prometheus();
    let args = args![
        format!("--config.file={}", dir.join("prometheus.yml").display()),
        format!("--storage.tsdb.path={}", dir.join("data").display()),
        format!("--web.listen-address={}", plan.prometheus()),
        "--storage.tsdb.retention.time=6h",
        "--log.level=warn",
    ];
    spec("prometheus", "prometheus", Program::Prometheus, args)
}

/// What the console's graph reads instead of raw histograms.
pub const RECORDING_RULES: &str = include_str!("../../../charts/weft/files/recording-rules.yaml");

/// What Prometheus scrapes, every second so that the page is live.
pub fn scrape_config(plan: &Plan) -> String {
    let targets: Vec<_> = plan
        .instances
        .iter()
        .filter(|instance| instance.proxy.is_some())
        .map(|instance| format!("'{}'", plan.metrics(instance)))
        .collect();
    format!(
        "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nrule_files: [recording-rules.yaml]\nscrape_configs:\n  - job_name: weft-proxy\n    metrics_path: /stats/prometheus\n    \
         static_configs: [{{targets: [{}]}}]\n  - job_name: weft-operator\n    static_configs: [{{targets: ['{}']}}]\n",
        targets.join(", "),
        plan.operator_admin(),
    )
}

/// One instance's application; with `spans`, it sends some of its own to the console.
pub fn app(plan: &Plan, instance: &Instance, spans: bool) -> Option<Spec> {
    let flags = instance.app?;
    let mut args =
        args!["serve", "--listen", plan.app(instance).to_string(), "--egress", plan.egress(instance).to_string()];
    if spans {
        let collector = format!("http://{}", plan.console());
        args.extend(args!["--otlp-endpoint", collector, "--namespace", instance.namespace]);
    }
    args.extend(flags.iter().map(OsString::from));
    Some(spec(format!("{}/{}", instance.namespace, instance.name), "app", Program::App, args))
}

/// One instance's proxy. Its spans go to the console, or to a Zipkin.
pub fn proxy(plan: &Plan, directory: &Directory, instance: &Instance, zipkin: Option<&str>) -> Spec {
    let file = directory.tokens().join(instance.name);
    let (collector, url) = match zipkin {
        Some(url) => ("--zipkin-endpoint", format!("{}/api/v2/spans", url.trim_end_matches('/'))),
        None => ("--otlp-endpoint", format!("http://{}", plan.console())),
    };
    let role = if instance.proxy == Some(ProxyRole::Gateway) { "gateway" } else { "sidecar" };
    let args = args![
        "--control-plane",
        plan.control_plane().to_string(),
        "--workload",
        instance.name,
        "--namespace",
        instance.namespace,
        "--service-account",
        instance.service_account,
        "--address",
        plan.ip(instance.host).to_string(),
        "--role",
        role,
        "--join-token-file",
        file.as_os_str(),
        collector,
        url,
        "--access-log",
        directory.logs().join(format!("{}.access.json", instance.name)).as_os_str(),
    ];
    let mut spec = spec(format!("{}/{}", instance.namespace, instance.name), "proxy", Program::Proxy, args);
    spec.token = Some(TokenFor { namespace: instance.namespace, service_account: instance.service_account, file });
    spec
}

/// The console. It holds spans itself, or reads them from a Zipkin.
pub fn console(
    plan: &Plan,
    directory: &Directory,
    assets: &Path,
    zipkin: Option<&str>,
    sign_in: Vec<OsString>,
) -> Spec {
    let mut args = args![
        "--config-dir",
        directory.manifests().as_os_str(),
        "--listen",
        plan.console().to_string(),
        "--prometheus",
        format!("http://{}", plan.prometheus()),
        "--operator-admin",
        format!("http://{}", plan.operator_admin()),
        "--data-dir",
        directory.console().as_os_str(),
        "--logs-dir",
        directory.logs().as_os_str(),
        "--assets",
        assets.as_os_str(),
    ];
    if let Some(url) = zipkin {
        args.extend(args!["--trace-source", "zipkin", "--trace-url", url]);
    }
    args.extend(sign_in);
    spec("weft-console", "console", Program::Console, args)
}

/// Shoppers at the gateway; every twentieth is a tester.
pub fn load(plan: &Plan, rate: f64) -> Spec {
    let args = args![
        "call",
        "--url",
        format!("http://{}/", plan.gateway_http()),
        "--host",
        "shop.example.com",
        "--rate",
        rate.to_string(),
        "--tester-every",
        "20",
    ];
    spec("load-generator", "load", Program::App, args)
}

/// legacy-billing calls payment-service from its own address, in plaintext.
pub fn legacy(plan: &Plan) -> Spec {
    let args = args![
        "call",
        "--url",
        format!("http://{}/invoice", plan.payment()),
        "--host",
        "payment-service:8080",
        "--rate",
        "3",
        "--local-address",
        plan.ip(17).to_string(),
    ];
    spec("shop/legacy-billing", "app", Program::App, args)
}
