//! Spans of the application's own, as a program sends them that is instrumented: one of each request that it answers, and
//! one of each call that it makes meanwhile. They go on with the trace that a request came with (W3C `traceparent`).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::SpanKind, status::StatusCode as SpanStatus},
};
use prost::Message;
use tokio::{sync::mpsc, time::timeout};

/// Spans that wait for the collector; further ones are lost.
const QUEUE: usize = 4096;
/// Spans of one message.
const BATCH: usize = 512;
/// How often a message is tried, and the rest between two tries.
const TRIES: (u32, Duration) = (5, Duration::from_millis(500));
/// How long a collector may take to answer, and with how many bytes.
const ANSWER: (Duration, usize) = (Duration::from_secs(5), 64 * 1024);

/// Begins spans and sends those that have ended.
pub struct Tracer {
    queue: mpsc::Sender<Span>,
}

/// A span that has begun. It is sent when it ends.
pub struct Open {
    queue: mpsc::Sender<Span>,
    trace: u128,
    id: u64,
    span: Span,
}

impl Tracer {
    /// Sends to a collector's `http://host:port` (OTLP over HTTP, protobuf) in the name of a service.
    pub fn start(collector: &Uri, namespace: &str, name: &str, version: &str) -> anyhow::Result<Self> {
        let target = format!("{}/v1/traces", collector.to_string().trim_end_matches('/'));
        let target: Uri = target.parse().with_context(|| format!("--otlp-endpoint {collector}"))?;
        let attributes =
            vec![text("service.namespace", namespace), text("service.name", name), text("service.version", version)];
        let (queue, spans) = mpsc::channel(QUEUE);
        tokio::spawn(export(spans, target, Resource { attributes, ..Resource::default() }));
        Ok(Self { queue })
    }

    /// Begins the span of a request below the one that its caller names; none where no trace came or none is recorded.
    pub fn request(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Open> {
        let context = sampled(headers.get("traceparent")?.to_str().ok()?)?;
        Some(Open::begin(&self.queue, context, SpanKind::Server, format!("{method} {path}")))
    }
}

impl Open {
    fn begin(queue: &mpsc::Sender<Span>, (trace, parent): (u128, u64), kind: SpanKind, name: String) -> Self {
        // Zero is no id.
        let id = rand::random::<u64>().max(1);
        let span = Span {
            trace_id: trace.to_be_bytes().to_vec(),
            span_id: id.to_be_bytes().to_vec(),
            parent_span_id: parent.to_be_bytes().to_vec(),
            name,
            kind: kind as i32,
            start_time_unix_nano: now(),
            ..Span::default()
        };
        Self { queue: queue.clone(), trace, id, span }
    }

    /// Begins the span of a call below this one.
    pub fn call(&self, name: String) -> Self {
        Self::begin(&self.queue, (self.trace, self.id), SpanKind::Client, name)
    }

    /// What a call carries, so that who answers it stands below this span.
    pub fn traceparent(&self) -> String {
        format!("00-{:032x}-{:016x}-01", self.trace, self.id)
    }

    /// Ends it with the answer's status. Without room it is lost: nobody waits for spans.
    pub fn end(self, status: StatusCode) {
        let mut span = self.span;
        span.end_time_unix_nano = now();
        span.attributes.push(text("http.response.status_code", status.as_str()));
        if status.is_server_error() {
            span.status = Some(Status { code: SpanStatus::Error as i32, ..Status::default() });
        }
        let _ = self.queue.try_send(span);
    }
}

/// Trace and span of a `traceparent` whose trace is recorded.
fn sampled(value: &str) -> Option<(u128, u64)> {
    let mut parts = value.split('-').skip(1);
    let (trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?);
    let recorded = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
    let context = (u128::from_str_radix(trace, 16).ok()?, u64::from_str_radix(span, 16).ok()?);
    recorded.then_some(context)
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// Nanoseconds since the Unix epoch.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

async fn export(mut queue: mpsc::Receiver<Span>, target: Uri, resource: Resource) {
    let client: Client<_, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(HttpConnector::new());
    let mut spans = Vec::new();
    while queue.recv_many(&mut spans, BATCH).await > 0 {
        let scope = ScopeSpans { spans: std::mem::take(&mut spans), ..ScopeSpans::default() };
        let of_service =
            ResourceSpans { resource: Some(resource.clone()), scope_spans: vec![scope], ..ResourceSpans::default() };
        let body = Bytes::from(ExportTraceServiceRequest { resource_spans: vec![of_service] }.encode_to_vec());
        let (mut left, pause) = TRIES;
        while let Err(reason) = in_time(&client, &target, body.clone()).await {
            left -= 1;
            if left == 0 {
                tracing::warn!(%target, %reason, "spans are lost");
                break;
            }
            tokio::time::sleep(pause).await;
        }
    }
}

async fn in_time(client: &Client<HttpConnector, Full<Bytes>>, target: &Uri, body: Bytes) -> Result<(), String> {
    let sent = timeout(ANSWER.0, post(client, target, body)).await;
    sent.unwrap_or_else(|_| Err("the collector does not answer".to_owned()))
}

async fn post(client: &Client<HttpConnector, Full<Bytes>>, target: &Uri, body: Bytes) -> Result<(), String> {
    let request = Request::post(target.clone()).header(header::CONTENT_TYPE, "application/x-protobuf");
    let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
    let response = client.request(request).await.map_err(|error| error.to_string())?;
    let status = response.status();
    // Read to its end, so that the connection serves again.
    Limited::new(response.into_body(), ANSWER.1).collect().await.map_err(|error| error.to_string())?;
    if status.is_success() { Ok(()) } else { Err(format!("the collector answered {status}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const CALLER: &str = "00f067aa0ba902b7";

    #[test]
    fn a_call_stands_below_its_request_and_that_below_the_caller() {
        let (queue, mut ended) = mpsc::channel(4);
        let tracer = Tracer { queue };
        let begin = |context: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", context.parse().unwrap());
            tracer.request(&Method::GET, "/checkout", &headers)
        };
        assert!(begin(&format!("00-{TRACE}-{CALLER}-00")).is_none(), "nobody records it");
        assert!(begin("nonsense").is_none());
        let request = begin(&format!("00-{TRACE}-{CALLER}-01")).unwrap();
        let call = request.call("GET store:8080/".into());
        let carried = call.traceparent();
        call.end(StatusCode::OK);
        request.end(StatusCode::BAD_GATEWAY);
        let (call, request) = (ended.try_recv().unwrap(), ended.try_recv().unwrap());
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!((hex(&request.trace_id), hex(&request.parent_span_id)), (TRACE.to_owned(), CALLER.to_owned()));
        assert_eq!((&call.trace_id, &call.parent_span_id), (&request.trace_id, &request.span_id));
        assert_eq!(carried, format!("00-{TRACE}-{}-01", hex(&call.span_id)));
        assert!(call.status.is_none() && request.status.is_some(), "only the answer failed");
        assert_eq!((call.kind, request.kind), (SpanKind::Client as i32, SpanKind::Server as i32));
    }
}
