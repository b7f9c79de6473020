use std::path::PathBuf;

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
}

/// Where traces are read.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TraceArgs {
    /// What holds the traces that are shown: this console (embedded), which receives spans at /v1/traces, or another
    /// program that the proxies send them to.
    #[arg(long, env = "WEFT_TRACE_SOURCE", value_enum, default_value_t)]
    pub trace_source: SourceKind,
    /// Its address, such as http://jaeger-query:16686 or http://zipkin:9411; a path may follow.
    #[arg(long, env = "WEFT_TRACE_URL", value_name = "URL")]
    pub trace_url: Option<String>,
    /// File with a bearer token for it; it is read again for each request, so that it can be renewed.
    #[arg(long, env = "WEFT_TRACE_TOKEN_FILE", value_name = "FILE")]
    pub trace_token_file: Option<PathBuf>,
}
