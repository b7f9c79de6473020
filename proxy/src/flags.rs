//! Command line. Each flag can also be given as `WEFT_<FLAG>`.

mod pod;

use std::{net::IpAddr, path::PathBuf, time::Duration};

use clap::Parser;
use weft_runtime::{StartupError, log::LogArgs};

pub use pod::PodArgs;

use crate::{
    admin::Application,
    identity::Credentials,
    state::{Capture, ConnectionLimits, NodeInfo, Role},
    telemetry::{AccessLogTarget, Encoding, Endpoint, Sampling},
};

/// The mesh's proxy: carries one workload's traffic, or a gateway's, as the operator says.
///
/// `weft-proxy capture` redirects a pod's connections to the proxy, `weft-proxy wait` waits until the proxy is ready.
#[derive(Clone, Debug, Parser)]
#[command(name = "weft-proxy", version)]
pub struct Flags {
    /// The operator's ADS and certificate port. A name is resolved anew for each connection.
    #[arg(long, env = "WEFT_CONTROL_PLANE", value_name = "HOST:PORT")]
    pub control_plane: String,
    /// Name of this instance's WorkloadEntry or pod.
    #[arg(long, env = "WEFT_WORKLOAD", value_name = "NAME")]
    pub workload: String,
    /// Its namespace.
    #[arg(long, env = "WEFT_NAMESPACE", value_name = "NAMESPACE", default_value = "default")]
    pub namespace: String,
    /// Its service account.
    #[arg(long, env = "WEFT_SERVICE_ACCOUNT", value_name = "NAME", default_value = "default")]
    pub service_account: String,
    /// The address that this instance owns; listeners bind there and peers are dialled from it.
    #[arg(long, env = "WEFT_ADDRESS", value_name = "IP")]
    pub address: IpAddr,
    /// Whether this is a workload's proxy or a gateway.
    #[arg(long, env = "WEFT_ROLE", value_enum, default_value_t = Role::Sidecar)]
    pub role: Role,
    /// File with the join token that the first certificate is asked for with, outside of Kubernetes.
    #[arg(long, env = "WEFT_JOIN_TOKEN_FILE", value_name = "FILE")]
    pub join_token_file: Option<PathBuf>,
    /// File that keeps the certificate and its key from one start to the next, so that a join token is needed only once;
    /// its directory must be writable, and it is for this user alone.
    #[arg(long, env = "WEFT_IDENTITY_FILE", value_name = "FILE")]
    pub identity_file: Option<PathBuf>,
    /// What a pod tells its proxy.
    #[command(flatten)]
    pub pod: PodArgs,
    /// Trust domain of the mesh.
    #[arg(long, env = "WEFT_TRUST_DOMAIN", default_value = "cluster.local")]
    pub trust_domain: String,
    /// DNS suffix of services.
    #[arg(long, env = "WEFT_DOMAIN", default_value = "cluster.local")]
    pub domain: String,
    /// Namespace of the operator and of mesh-wide objects.
    #[arg(long, env = "WEFT_ROOT_NAMESPACE", default_value = "istio-system")]
    pub root_namespace: String,
    /// Name of this cluster in metrics.
    #[arg(long, env = "WEFT_CLUSTER_ID", default_value = "Kubernetes")]
    pub cluster_id: String,
    /// Collector that spans are posted to (OTLP/HTTP); none without it.
    #[arg(long, env = "WEFT_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Zipkin that spans are posted to instead (its API v2); without a path it is /api/v2/spans.
    #[arg(long, env = "WEFT_ZIPKIN_ENDPOINT", value_name = "URL")]
    pub zipkin_endpoint: Option<String>,
    /// Characters that a span keeps of a request's path, and of whatever else the request says itself.
    #[arg(long, env = "WEFT_MAX_TAG_LENGTH", value_name = "CHARACTERS", default_value_t = 256)]
    pub max_tag_length: usize,
    /// Where the access log goes: a file, `-` for standard output, or `off`.
    #[arg(long, env = "WEFT_ACCESS_LOG", value_name = "PATH|-|off", default_value = "-")]
    pub access_log: String,
    /// Share of requests, in percent, that the access log has lines for; those that failed always have one.
    #[arg(long, env = "WEFT_ACCESS_LOG_SAMPLING", value_name = "PERCENT", default_value = "100")]
    pub access_log_sampling: Sampling,
    /// Worker threads.
    #[arg(long, env = "WEFT_CONCURRENCY", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
    /// How long open requests may take after SIGTERM.
    #[arg(long, env = "WEFT_DRAIN_TIME", default_value = "5s", value_parser = humantime::parse_duration)]
    pub drain_time: Duration,
    /// How long new connections are still taken after SIGTERM, while peers learn that this instance is going.
    #[arg(long, env = "WEFT_MINIMUM_DRAIN_TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    pub minimum_drain_time: Duration,
    /// Drain until no connection is open, however long that takes, instead of for --drain-time at most.
    #[arg(long, env = "WEFT_DRAIN_UNTIL_IDLE", default_value_t = false, num_args = 0..=1, default_missing_value = "true",
        action = clap::ArgAction::Set)]
    pub drain_until_idle: bool,
    /// Downstream connections that the process holds; more are closed at once and counted.
    #[arg(long, env = "WEFT_MAX_CONNECTIONS", default_value_t = ConnectionLimits::default().process)]
    pub max_connections: usize,
    /// Downstream connections that one listener holds, so that one port cannot take every place.
    #[arg(long, env = "WEFT_MAX_LISTENER_CONNECTIONS", default_value_t = ConnectionLimits::default().listener)]
    pub max_listener_connections: usize,
    /// Logging.
    #[command(flatten)]
    pub log: LogArgs,
}

impl Flags {
    /// Who this proxy is. Names end up in certificates and metrics, so they must be DNS names.
    pub fn node(&self) -> Result<NodeInfo, StartupError> {
        let named = [
            ("--workload", &self.workload),
            ("--namespace", &self.namespace),
            ("--service-account", &self.service_account),
            ("--trust-domain", &self.trust_domain),
            ("--domain", &self.domain),
            ("--root-namespace", &self.root_namespace),
        ];
        for (flag, value) in named {
            if !is_dns_name(value) {
                return Err(StartupError::new(
                    format!("cannot use {flag} {value:?}"),
                    "it is not a DNS name",
                    "use lower-case letters, digits, '-' and '.'",
                ));
            }
        }
        if self.address.is_unspecified() {
            return Err(StartupError::new(
                format!("cannot use --address {}", self.address),
                "it is no address of one machine",
                "name the address that this workload instance owns",
            ));
        }
        Ok(NodeInfo {
            workload: self.workload.clone(),
            namespace: self.namespace.clone(),
            service_account: self.service_account.clone(),
            address: self.address,
            role: self.role,
            trust_domain: self.trust_domain.clone(),
            domain: self.domain.clone(),
            root_namespace: self.root_namespace.clone(),
            cluster: self.cluster_id.clone(),
            capture: self.pod.capture,
            in_pod: self.in_pod(),
            revision: self.pod.revision.clone(),
            node_name: self.pod.node_name.clone().filter(|name| !name.is_empty()),
        })
    }

    /// Whether this proxy shares a pod's network with an application and is known by the pod's service account.
    pub fn in_pod(&self) -> bool {
        self.pod.capture == Capture::Redirect || self.pod.token_file.is_some()
    }

    /// What injection told of the application.
    pub fn application(&self) -> Application {
        Application { probes: self.pod.app_probes.clone().unwrap_or_default(), metrics: self.pod.prometheus.clone() }
    }

    /// What the first certificate is asked for with.
    pub fn credentials(&self) -> Result<Credentials, StartupError> {
        match (&self.join_token_file, &self.pod.token_file) {
            (Some(file), None) => Ok(Credentials::Join(file.clone())),
            (None, Some(token)) => Ok(Credentials::Projected {
                token: token.clone(),
                roots: self.pod.root_cert_file.clone().ok_or_else(|| {
                    StartupError::new(
                        "cannot use --token-file",
                        "nothing says how the operator is known",
                        "name the file with the mesh's roots with --root-cert-file",
                    )
                })?,
            }),
            (None, None) if self.identity_file.is_some() => Ok(Credentials::Kept),
            (given, _) => Err(StartupError::new(
                "cannot ask for a certificate",
                if given.is_some() { "two kinds of token are given" } else { "no token is given" },
                "name either a --join-token-file or an --identity-file that has a certificate, or in a pod a --token-file \
                 with a --root-cert-file",
            )),
        }
    }

    /// Where the operator is.
    pub fn control_plane(&self) -> Result<String, StartupError> {
        let (host, port) = self.control_plane.rsplit_once(':').unwrap_or((&self.control_plane, ""));
        if host.is_empty() || !port.parse::<u16>().is_ok_and(|port| port > 0) {
            return Err(StartupError::new(
                format!("cannot use --control-plane {:?}", self.control_plane),
                "it is not HOST:PORT",
                "name the operator's address, such as 127.0.0.2:15012",
            ));
        }
        Ok(self.control_plane.clone())
    }

    /// Where spans go.
    pub fn collector(&self) -> Result<Option<Endpoint>, StartupError> {
        let (flag, encoding, url, remedy) = match (given(&self.otlp_endpoint), given(&self.zipkin_endpoint)) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(StartupError::new(
                    "cannot send spans",
                    "both --otlp-endpoint and --zipkin-endpoint are given",
                    "leave one of them out (or WEFT_OTLP_ENDPOINT or WEFT_ZIPKIN_ENDPOINT): a collector can hand spans on",
                ));
            }
            (Some(url), None) => {
                let remedy = "name an OTLP/HTTP collector, such as http://127.0.0.1:4318";
                ("--otlp-endpoint", Encoding::Otlp, url, remedy)
            }
            (None, Some(url)) => {
                let remedy = "name a Zipkin, such as http://127.0.0.1:9411";
                ("--zipkin-endpoint", Encoding::Zipkin, url, remedy)
            }
        };
        let endpoint = Endpoint::new(encoding, url);
        endpoint.map(Some).map_err(|error| StartupError::new(format!("cannot use {flag}"), error, remedy))
    }

    /// Where the access log goes.
    pub fn access_log(&self) -> AccessLogTarget {
        AccessLogTarget::parse(&self.access_log)
    }
}

/// A flag's value; an empty variable is none.
fn given(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|value| !value.is_empty())
}

fn is_dns_name(name: &str) -> bool {
    let label = |label: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(inner) && !label.starts_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(more: &[&str]) -> Flags {
        let base = ["weft-proxy", "--control-plane", "127.0.0.2:15012", "--workload", "a-1", "--address", "127.0.0.9"];
        Flags::try_parse_from(base.iter().chain(more)).unwrap()
    }

    #[test]
    fn one_kind_of_token_is_needed() {
        assert!(matches!(flags(&["--join-token-file", "t"]).credentials(), Ok(Credentials::Join(_))));
        let pod = ["--token-file", "t", "--root-cert-file", "r", "--capture", "redirect", "--drain-until-idle"];
        let pod = flags(&pod);
        assert!(matches!(pod.credentials(), Ok(Credentials::Projected { .. })));
        assert!(pod.in_pod() && pod.drain_until_idle);
        assert!(matches!(flags(&["--identity-file", "i"]).credentials(), Ok(Credentials::Kept)));
        for bad in [&[][..], &["--token-file", "t"], &["--token-file", "t", "--join-token-file", "t"]] {
            assert!(flags(bad).credentials().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn defaults_are_sensible() {
        let flags = flags(&[]);
        assert_eq!(flags.drain_time, Duration::from_secs(5));
        assert_eq!(flags.access_log(), AccessLogTarget::Stdout);
        assert_eq!(flags.node().unwrap().id(), "sidecar~127.0.0.9~a-1.default~default.svc.cluster.local");
        assert!(flags.collector().unwrap().is_none());
    }

    #[test]
    fn bad_values_name_the_remedy() {
        for more in [["--namespace", "A"], ["--service-account", "../x"], ["--address", "0.0.0.0"]] {
            let error = Flags::try_parse_from(
                ["weft-proxy", "--control-plane", "c:1", "--workload", "w"]
                    .into_iter()
                    .chain(more)
                    .chain(if more[0] == "--address" { vec![] } else { vec!["--address", "127.0.0.9"] }),
            )
            .unwrap()
            .node()
            .unwrap_err();
            assert!(error.to_string().contains(more[0]), "{error}");
        }
        assert!(flags(&["--otlp-endpoint", "https://x"]).collector().is_err());
        let error = flags(&["--zipkin-endpoint", "zipkin:9411"]).collector().unwrap_err().to_string();
        assert!(error.contains("--zipkin-endpoint") && error.contains("http://127.0.0.1:9411"), "{error}");
    }

    #[test]
    fn spans_go_to_one_collector() {
        let shown = |more: &[&str]| flags(more).collector().map(|endpoint| endpoint.map(|it| it.to_string()));
        let (otlp, zipkin) = ("--otlp-endpoint=http://otel:4318", "--zipkin-endpoint=http://zipkin:9411");
        assert_eq!(shown(&[otlp]).unwrap().unwrap(), "http://otel:4318/v1/traces");
        assert_eq!(shown(&[zipkin]).unwrap().unwrap(), "http://zipkin:9411/api/v2/spans");
        // A variable that is set to nothing is not set.
        assert_eq!(shown(&[zipkin, "--otlp-endpoint="]).unwrap().unwrap(), "http://zipkin:9411/api/v2/spans");
        let error = shown(&[otlp, zipkin]).unwrap_err().to_string();
        assert!(error.contains("both") && error.contains("leave one of them out"), "{error}");
        assert_eq!((flags(&[]).max_tag_length, flags(&["--max-tag-length=60"]).max_tag_length), (256, 60));
    }
}
