//! The part of Istio's mesh config that the mesh reads (<https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/>).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::{
    Duration,
    networking::{
        sidecar::OutboundMode,
        traffic_policy::{H2UpgradePolicy, LocalityLb, TcpKeepalive},
        virtual_service::Retry,
    },
    one_of::words,
};

/// Mesh-wide settings. Fields of type [`Value`] are kept as written.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MeshConfig {
    /// Trust domain of identities; none is `cluster.local`.
    pub trust_domain: Option<String>,
    /// Other trust domains that are this one too.
    pub trust_domain_aliases: Vec<String>,
    /// Namespace whose policies are mesh-wide; none is `istio-system`.
    pub root_namespace: Option<String>,
    /// What happens to hosts that are not known; none is ALLOW_ANY.
    pub outbound_traffic_policy: Option<MeshOutboundTrafficPolicy>,
    /// Whether clients use mutual TLS with servers that have a proxy; none is yes.
    pub enable_auto_mtls: Option<bool>,
    /// Where the access log goes; empty is nowhere.
    pub access_log_file: Option<String>,
    /// Format of the access log.
    pub access_log_format: Option<String>,
    /// Text or JSON.
    pub access_log_encoding: Option<AccessLogEncoding>,
    /// Whether spans are reported.
    pub enable_tracing: Option<bool>,
    /// Retries of routes that say nothing; none is 2 tries on `connect-failure,refused-stream,unavailable,cancelled`.
    pub default_http_retry_policy: Option<Retry>,
    /// How long a connection may take to open; none is 10 s.
    pub connect_timeout: Option<Duration>,
    /// How long to wait for the first bytes when the protocol is not declared; none or zero is without end.
    pub protocol_detection_timeout: Option<Duration>,
    /// Probes of idle connections.
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// Whether HTTP/1.1 is sent on as HTTP/2.
    pub h2_upgrade_policy: Option<H2UpgradePolicy>,
    /// Preference by locality.
    pub locality_lb_setting: Option<LocalityLb>,
    /// Who sees services that do not say; none is everyone.
    pub default_service_export_to: Vec<String>,
    /// Who sees VirtualServices that do not say; none is everyone.
    pub default_virtual_service_export_to: Vec<String>,
    /// Who sees DestinationRules that do not say; none is everyone.
    pub default_destination_rule_export_to: Vec<String>,
    /// Settings of proxies.
    pub default_config: Option<Value>,
    /// Providers of telemetry and authorization.
    pub extension_providers: Vec<Value>,
    /// Which providers are used when nothing else is said.
    pub default_providers: Option<Value>,
    /// TLS between workloads.
    #[serde(rename = "meshMTLS")]
    pub mesh_mtls: Option<Value>,
    /// TLS elsewhere.
    pub tls_defaults: Option<Value>,
    /// How paths are normalized before policies see them.
    pub path_normalization: Option<Value>,
    /// Namespaces that the control plane looks at.
    pub discovery_selectors: Vec<Value>,
    /// Settings of services by host.
    pub service_settings: Vec<Value>,
    /// Further roots.
    pub ca_certificates: Vec<Value>,
    /// Certificate authority elsewhere.
    pub ca: Option<Value>,
    /// Certificates to provision for DNS names.
    pub certificates: Vec<Value>,
    /// Where configuration comes from.
    pub config_sources: Vec<Value>,
    /// Labels of services that are not imported from Kubernetes.
    pub service_scope_configs: Vec<Value>,
    /// How often DNS names are looked up again.
    pub dns_refresh_rate: Option<Duration>,
    /// Whether clients verify server certificates by default.
    pub verify_certificate_at_client: Option<bool>,
    /// Whether proxies' access log goes to a log service.
    pub enable_envoy_access_log_service: Option<bool>,
    /// Whether listeners keep refused connections out of the access log.
    pub disable_envoy_listener_log: Option<bool>,
    /// Whether an application's own metrics are merged with its proxy's.
    pub enable_prometheus_merge: Option<bool>,
    /// Port that outbound connections are captured on.
    pub proxy_listen_port: Option<u32>,
    /// Port that inbound connections are captured on.
    pub proxy_inbound_listen_port: Option<u32>,
    /// Port of an HTTP proxy.
    pub proxy_http_port: Option<u32>,
    /// How Kubernetes Ingress is read.
    pub ingress_class: Option<String>,
    /// Service of the Ingress gateway.
    pub ingress_service: Option<String>,
    /// Workloads of the Ingress gateway.
    pub ingress_selector: Option<String>,
    /// How Ingress is taken: `DEFAULT`, `STRICT` or `OFF`.
    pub ingress_controller_mode: Option<String>,
    /// Prefix of inbound statistics.
    pub inbound_cluster_stat_name: Option<String>,
    /// Prefix of outbound statistics.
    pub outbound_cluster_stat_name: Option<String>,
    /// What happens to inbound connections to ports that no service names.
    pub inbound_traffic_policy: Option<Value>,
    /// How long a tunnel may be idle.
    pub hbone_idle_timeout: Option<Duration>,
    /// Networks of a mesh that spans several: key `meshNetworks` of Istio's ConfigMap, not a field of the config.
    #[serde(skip)]
    pub networks: MeshNetworks,
}

/// Networks of a mesh that spans several.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MeshNetworks {
    /// By name.
    pub networks: BTreeMap<String, Network>,
}

/// One network.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Network {
    /// Which endpoints are in it.
    pub endpoints: Vec<NetworkEndpoints>,
    /// How it is reached from the others.
    pub gateways: Vec<NetworkGateway>,
}

/// Endpoints by address range, or all of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NetworkEndpoints {
    /// CIDR range.
    pub from_cidr: Option<String>,
    /// Cluster.
    pub from_registry: Option<String>,
}

/// A way into a network.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NetworkGateway {
    /// Service of the gateway, by its full name.
    pub registry_service_name: Option<String>,
    /// Address of the gateway.
    pub address: Option<String>,
    /// Port of the gateway.
    pub port: u32,
    /// `region/zone/subzone`.
    pub locality: String,
}

/// What happens to hosts that are not known. Unlike a Sidecar's, it is ALLOW_ANY when empty.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MeshOutboundTrafficPolicy {
    /// What.
    pub mode: Option<OutboundMode>,
}

words! {
    /// How the access log is written.
    AccessLogEncoding {
        /// Lines of text.
        #[default]
        Text = "TEXT",
        /// One JSON object a line.
        Json = "JSON",
    }
}
