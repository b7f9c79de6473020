//! Mesh-wide settings with their defaults filled in.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use weft_api::{
    mesh::MeshConfig,
    networking::{
        sidecar::OutboundMode,
        traffic_policy::{H2UpgradePolicy, TcpKeepalive},
        virtual_service::Retry,
    },
};

use crate::Settings;

/// What holds where no object says otherwise. Defaults are Istio's.
#[derive(Clone, Debug)]
pub struct MeshSettings {
    /// The mesh's trust domain, then its aliases.
    pub trust_domains: Vec<String>,
    /// What happens to unknown hosts.
    pub outbound: OutboundMode,
    /// Whether clients speak mutual TLS to whoever can.
    pub auto_mtls: bool,
    /// Retries of routes that say nothing.
    pub retries: Retry,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// How long to wait for a connection's first bytes; zero is without end, `None` the proxy's own default.
    pub detection_timeout: Option<Duration>,
    /// Probes of idle connections.
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// Whether HTTP/1.1 is sent on as HTTP/2.
    pub h2_upgrade: bool,
    /// How paths are normalized.
    pub path_normalization: PathNormalization,
    /// Percent of requests without a decision that start a trace.
    pub trace_sampling: f64,
    /// When downstream connections without requests are closed; `None` is the proxy's own default.
    pub idle_timeout: Option<Duration>,
    /// The configuration as written, for what is not interpreted here.
    pub config: Arc<MeshConfig>,
}

/// How request paths are normalized before anything looks at them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathNormalization {
    /// Not at all.
    None,
    /// RFC 3986, and `\` to `/`.
    #[default]
    Base,
    /// And runs of `/` to one.
    MergeSlashes,
    /// And `%2F` and `%5C` decoded first.
    DecodeAndMergeSlashes,
}

impl MeshSettings {
    /// Fills in what `config` leaves out. The trust domain is the one that the CA signs for, whatever `config` says.
    pub(super) fn new(settings: &Settings, config: Arc<MeshConfig>) -> Self {
        let mut trust_domains = vec![settings.trust_domain.clone()];
        for alias in &config.trust_domain_aliases {
            if !trust_domains.contains(alias) {
                trust_domains.push(alias.clone());
            }
        }
        let proxy = |path: &[&str]| {
            path.iter().try_fold(config.default_config.as_ref()?, |value, key| value.get(*key)).cloned()
        };
        Self {
            trust_domains,
            outbound: config.outbound_traffic_policy.as_ref().and_then(|p| p.mode).unwrap_or(OutboundMode::AllowAny),
            auto_mtls: config.enable_auto_mtls.unwrap_or(true),
            retries: config
                .default_http_retry_policy
                .clone()
                .unwrap_or_else(|| Retry { attempts: 2, ..Retry::default() }),
            connect_timeout: config.connect_timeout.map_or(Duration::from_secs(10), Duration::from),
            detection_timeout: config.protocol_detection_timeout.map(Duration::from),
            tcp_keepalive: config.tcp_keepalive.clone(),
            h2_upgrade: config.h2_upgrade_policy == Some(H2UpgradePolicy::Upgrade),
            path_normalization: path_normalization(config.path_normalization.as_ref()),
            trace_sampling: proxy(&["tracing", "sampling"])
                .and_then(|v| v.as_f64().or_else(|| v.as_str().and_then(|s| s.parse().ok())))
                .filter(|s: &f64| s.is_finite())
                .map_or(1.0, |s| s.clamp(0.0, 100.0)),
            idle_timeout: None,
            config,
        }
    }

    /// The trust domain that the CA signs for.
    pub fn trust_domain(&self) -> &str {
        self.trust_domains.first().map_or("", String::as_str)
    }
}

fn path_normalization(written: Option<&Value>) -> PathNormalization {
    match written.and_then(|v| v.get("normalization")).and_then(Value::as_str) {
        Some("NONE") => PathNormalization::None,
        Some("MERGE_SLASHES") => PathNormalization::MergeSlashes,
        Some("DECODE_AND_MERGE_SLASHES") => PathNormalization::DecodeAndMergeSlashes,
        _ => PathNormalization::Base,
    }
}
