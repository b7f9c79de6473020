//! One service: it waits as long as its work takes, calls its dependencies side by side, and answers with JSON that
//! tells who served what.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use serde_json::{Value, json};
use weft_runtime::Shutdown;

use crate::spans::{Open, Tracer};

/// Flags of `serve`.
#[derive(clap::Args, Clone)]
pub struct ServeArgs {
    /// Service name, told in answers.
    #[arg(long)]
    name: String,
    /// Version, told in answers.
    #[arg(long, default_value = "v1")]
    version: String,
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
    /// Where calls to other services go, with the service in the Host header; without it they go to the service's own
    /// address, as DNS has it.
    #[arg(long)]
    egress: Option<SocketAddr>,
    /// A dependency, `service/path`; may be given several times.
    #[arg(long = "calls")]
    calls: Vec<String>,
    /// Least time that the work takes, in milliseconds.
    #[arg(long, default_value_t = 2)]
    latency_ms: u64,
    /// How much longer it may take, in milliseconds.
    #[arg(long, default_value_t = 6)]
    jitter_ms: u64,
    /// Every so-manieth request fails; 0 means none does.
    #[arg(long, default_value_t = 0)]
    fail_every: u64,
    /// The status of requests that fail.
    #[arg(long, default_value = "500")]
    fail_status: StatusCode,
    /// Collector that takes spans of the application's own, such as http://127.0.0.1:4318; without one it makes none, and
    /// only hands on the context that requests come with.
    #[arg(long, value_name = "URL")]
    otlp_endpoint: Option<Uri>,
    /// Namespace that its spans name.
    #[arg(long, default_value = "default")]
    namespace: String,
}

struct Service {
    args: ServeArgs,
    client: Client<HttpConnector, Empty<Bytes>>,
    served: AtomicU64,
    tracer: Option<Tracer>,
}

/// Headers that an application passes on so that traces connect and testers stay testers.
const PASSED_ON: [&str; 8] =
    ["x-request-id", "traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-canary", "x-test-fault"];
/// Those among them whose place the context of an own span takes.
const CONTEXT: [&str; 4] = ["traceparent", "b3", "x-b3-traceid", "x-b3-spanid"];
/// An answer of a dependency is small; anything longer is a mistake.
const ANSWER_LIMIT: usize = 256 * 1024;

/// Serves until shutdown.
pub async fn run(args: ServeArgs, shutdown: Shutdown) -> anyhow::Result<()> {
    let listener = weft_runtime::admin::bind(args.listen, "--listen").await?;
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(20))
        .build(HttpConnector::new());
    let start = |collector| Tracer::start(collector, &args.namespace, &args.name, &args.version);
    let tracer = args.otlp_endpoint.as_ref().map(start).transpose()?;
    let service = Arc::new(Service { args, client, served: AtomicU64::new(0), tracer });
    weft_runtime::admin::serve(listener, Router::new().fallback(answer).with_state(service), shutdown).await?;
    Ok(())
}

async fn answer(State(service): State<Arc<Service>>, request: Request) -> Response {
    let args = &service.args;
    let count = service.served.fetch_add(1, Ordering::Relaxed) + 1;
    let span = service
        .tracer
        .as_ref()
        .and_then(|tracer| tracer.request(request.method(), request.uri().path(), request.headers()));
    let work = args.latency_ms + rand::random_range(0..=args.jitter_ms);
    tokio::time::sleep(Duration::from_millis(work)).await;
    let mut calls = Vec::with_capacity(args.calls.len());
    let mut failed = args.fail_every > 0 && count.is_multiple_of(args.fail_every);
    if !failed {
        for call in &args.calls {
            let (status, body) = service.call(call, request.headers(), span.as_ref()).await;
            failed |= !status.is_success();
            calls.push(json!({ "call": call, "status": status.as_u16(), "answer": body }));
        }
    }
    let status = if failed { args.fail_status } else { StatusCode::OK };
    if let Some(span) = span {
        span.end(status);
    }
    let body = json!({ "service": args.name, "version": args.version, "path": request.uri().path(), "count": count, "calls": calls });
    (status, [("x-served-by", format!("{} {}", args.name, args.version))], Json(body)).into_response()
}

impl Service {
    /// Calls `service/path`. A call that gets no answer counts as 502 with the reason as its body.
    async fn call(&self, target: &str, incoming: &HeaderMap, caller: Option<&Open>) -> (StatusCode, Value) {
        let span = caller.map(|caller| caller.call(format!("GET {target}")));
        let (host, path) = target.split_once('/').unwrap_or((target, ""));
        let at = self.args.egress.map_or_else(|| host.to_owned(), |egress| egress.to_string());
        let mut request = http::Request::get(format!("http://{at}/{path}")).header(header::HOST, host);
        for name in PASSED_ON.into_iter().filter(|name| span.is_none() || !CONTEXT.contains(name)) {
            if let Some(value) = incoming.get(name) {
                request = request.header(name, value);
            }
        }
        if let Some(span) = &span {
            request = request.header("traceparent", span.traceparent());
        }
        let answer = async {
            let request = request.body(Empty::new()).map_err(|error| error.to_string())?;
            let response = self.client.request(request).await.map_err(|error| error.to_string())?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_LIMIT);
            let bytes = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
            Ok::<_, String>((status, serde_json::from_slice(&bytes).unwrap_or_else(|_| text())))
        };
        let (status, body) = answer.await.unwrap_or_else(|reason| (StatusCode::BAD_GATEWAY, Value::String(reason)));
        if let Some(span) = span {
            span.end(status);
        }
        (status, body)
    }
}
