use std::path::PathBuf;

use crate::telemetry::traces::link::Link;

/// What holds the traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum SourceKind {
    /// This console, which receives them by OTLP.
    #[default]
    Embedded,
    /// Jaeger, by its query API.
    Jaeger,
    /// Zipkin, by its API v2.
    Zipkin,
    /// Tempo, by TraceQL.
    Tempo,
}

/// Where traces are read.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TraceArgs {
    /// What holds the traces that are shown: this console (embedded), which receives spans at /v1/traces, or another
    /// program that the proxies send them to.
    #[arg(long, env = "WEFT_TRACE_SOURCE", value_enum, default_value_t)]
    pub trace_source: SourceKind,
    /// Its address, such as http://jaeger-query:16686, http://zipkin:9411 or http://tempo:3200; a path may follow.
    #[arg(long, env = "WEFT_TRACE_URL", value_name = "URL")]
    pub trace_url: Option<String>,
    /// File with a bearer token for it; it is read again for each request, so that it can be renewed.
    #[arg(long, env = "WEFT_TRACE_TOKEN_FILE", value_name = "FILE")]
    pub trace_token_file: Option<PathBuf>,
    /// Name to sign in there with; what --trace-token-file holds is its password then (HTTP Basic).
    #[arg(long, env = "WEFT_TRACE_USER", value_name = "NAME")]
    pub trace_user: Option<String>,
    /// Tenant to ask for where there are several (X-Scope-OrgID).
    #[arg(long, env = "WEFT_TRACE_TENANT", value_name = "ID")]
    pub trace_tenant: Option<String>,
    /// File with certificates to trust beside the system's, for https.
    #[arg(long, env = "WEFT_TRACE_CA_FILE", value_name = "FILE")]
    pub trace_ca_file: Option<PathBuf>,
    /// Page of another program that shows a trace, as NAME=URL with {trace} where its id goes; {fromMs} and {toMs} are the
    /// time around it. It may be given several times, in the environment with spaces between.
    #[arg(long, env = "WEFT_TRACE_LINK", value_name = "NAME=URL", value_delimiter = ' ')]
    pub trace_link: Vec<Link>,
}
