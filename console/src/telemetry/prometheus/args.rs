use std::path::PathBuf;

/// Where Prometheus is, and how it lets the console in.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct PrometheusArgs {
    /// Prometheus that scrapes the proxies, such as http://127.0.0.1:9090, or what speaks its API, such as Mimir and Thanos;
    /// a path may follow.
    #[arg(long, env = "WEFT_PROMETHEUS", value_name = "URL")]
    pub prometheus: Option<String>,
    /// File with a bearer token for it; it is read again for each request, so that it can be renewed.
    #[arg(long, env = "WEFT_PROMETHEUS_TOKEN_FILE", value_name = "FILE", requires = "prometheus")]
    pub prometheus_token_file: Option<PathBuf>,
    /// Name to sign in there with; what --prometheus-token-file holds is its password then (HTTP Basic).
    #[arg(long, env = "WEFT_PROMETHEUS_USER", value_name = "NAME", requires = "prometheus")]
    pub prometheus_user: Option<String>,
    /// Tenant to ask for where there are several (X-Scope-OrgID).
    #[arg(long, env = "WEFT_PROMETHEUS_TENANT", value_name = "ID", requires = "prometheus")]
    pub prometheus_tenant: Option<String>,
    /// File with certificates to trust beside the system's, for https.
    #[arg(long, env = "WEFT_PROMETHEUS_CA_FILE", value_name = "FILE", requires = "prometheus")]
    pub prometheus_ca_file: Option<PathBuf>,
}
