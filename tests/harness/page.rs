//! The real page over a graph that was made: for sizes that no demo has. The console's server is left out; what it would
//! answer comes from here, with its headers.

use std::{convert::Infallible, net::SocketAddr, path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
    header,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use weft_model::{
    graph::{Badge, CodeRate, Edge, Graph, Health, Lock, Node, NodeKind, Sources},
    session::{Person, SessionInfo},
};

use crate::process::root;

/// As the console sends it.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'";

/// A page that is served for as long as this lives.
pub struct Page {
    /// Its address.
    pub url: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Page {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Page {
    /// Serves the built page (`cargo xtask frontend`) with `graph`.
    pub async fn start(graph: Graph) -> Self {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address: SocketAddr = listener.local_addr().expect("an address");
        let graph = Arc::new(graph);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let graph = graph.clone();
                let serve = service_fn(move |request: Request<Incoming>| {
                    let graph = graph.clone();
                    async move { Ok::<_, Infallible>(answer(request.uri().path(), &graph)) }
                });
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), serve));
            }
        });
        Self { url: format!("http://{address}"), task }
    }
}

fn answer(path: &str, graph: &Graph) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    if path == "/api/v1/events" {
        // A stream that is open and says nothing.
        let hello = futures::stream::once(async { Ok(Frame::data(Bytes::from_static(b": hello\n\n"))) });
        let body = StreamBody::new(hello.chain(futures::stream::pending())).boxed_unsync();
        return Response::builder().header(header::CONTENT_TYPE, "text/event-stream").body(body).expect("a response");
    }
    let (kind, body) = match path.strip_prefix("/api/v1") {
        Some("/graph") => ("application/json", serde_json::to_vec(graph).unwrap_or_default()),
        Some("/session") => {
            let person = Person { name: "somebody".into(), how: "local".into(), ..Person::default() };
            let person = Person { admin: true, sees_all: true, sees_any: true, ..person };
            let info = SessionInfo { person: Some(person), ..SessionInfo::default() };
            ("application/json", serde_json::to_vec(&info).unwrap_or_default())
        }
        Some("/meta") => {
            let names: std::collections::BTreeSet<&str> =
                graph.nodes.iter().map(|node| node.namespace.as_str()).collect();
            let link = json!({ "name": "Dash", "template": "https://dash.example/{namespace}/{workload}?to={toMs}" });
            let meta = json!({
                "version": "0",
                "name": "made",
                "signIn": false,
                "prometheusUrl": "",
                "namespaces": names,
                "nodeLinks": [link],
            });
            ("application/json", meta.to_string().into_bytes())
        }
        Some(_) => ("application/json", b"null".to_vec()),
        None => {
            let name = if path == "/" { "index.html" } else { path.trim_start_matches('/') };
            let kind = match name.rsplit('.').next() {
                Some("html") => "text/html",
                Some("js") => "text/javascript",
                Some("css") => "text/css",
                Some("wasm") => "application/wasm",
                _ => "image/svg+xml",
            };
            let file: PathBuf = root().join("frontend/dist").join(name.replace("..", ""));
            (kind, std::fs::read(file).unwrap_or_default())
        }
    };
    let response = Response::builder().header(header::CONTENT_TYPE, kind).header("content-security-policy", POLICY);
    let status = if body.is_empty() || body == b"null" { 404 } else { 200 };
    response.status(status).body(Full::new(Bytes::from(body)).boxed_unsync()).expect("a response")
}

/// The same graph as if every other workload were in the cluster `west`, and the rest in the console's own, `east`.
pub fn two_clusters(mut graph: Graph) -> Graph {
    let west: std::collections::BTreeSet<String> =
        graph.nodes.iter().skip(1).step_by(2).map(|node| node.id.clone()).collect();
    let renamed = |id: &str| if west.contains(id) { format!("{id}@west") } else { id.to_owned() };
    for node in &mut graph.nodes {
        node.cluster = if west.contains(&node.id) { "west" } else { "east" }.to_owned();
        node.id = renamed(&node.id);
    }
    for edge in &mut graph.edges {
        (edge.source, edge.destination) = (renamed(&edge.source), renamed(&edge.destination));
        edge.id = format!("{}->{}", edge.source, edge.destination);
    }
    graph.nodes.sort_by(|a, b| a.id.cmp(&b.id));
    graph.edges.sort_by(|a, b| a.id.cmp(&b.id));
    graph
}

/// A mesh of so many workloads in so many namespaces: layers of callers, mostly within their namespace, the same each time.
pub fn mesh(workloads: usize, calls: usize, namespaces: usize) -> Graph {
    let words = [
        "cart",
        "order",
        "payment",
        "inventory",
        "shipping",
        "profile",
        "search",
        "billing",
        "catalog",
        "notification",
    ];
    let spaces = ["shop", "identity", "logistics", "analytics-and-reporting", "media", "core", "edge", "partners"];
    let id = |index: usize| {
        let namespace = index % namespaces;
        let number = index / namespaces;
        let version = 1 + usize::from(number % 7 == 6);
        let space = format!(
            "{}{}",
            spaces[namespace % spaces.len()],
            if namespace < spaces.len() { String::new() } else { (namespace / spaces.len()).to_string() }
        );
        (space, format!("{}-service-{number}", words[number % words.len()]), version)
    };
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = move |limit: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % limit.max(1) as u64) as usize
    };
    let name = |index: usize| {
        let (space, word, version) = id(index);
        format!("{space}/{word}-v{version}")
    };
    let mut edges: Vec<Edge> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for tries in 0..calls * 20 {
        if edges.len() == calls {
            break;
        }
        // The first calls reach everybody once; the rest go where they like, downwards.
        let to = if tries + 1 < workloads { tries + 1 } else { 1 + next(workloads - 1) };
        let near = to.saturating_sub(namespaces * (1 + next(6)));
        let from = if next(5) == 0 { next(to) } else { near };
        if from == to || !seen.insert((from, to)) {
            continue;
        }
        let rate = [0.4, 3.0, 8.0, 25.0, 120.0][next(5)];
        let errors = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.004, 0.03, 0.2][next(10)];
        let latency = [4.0, 12.0, 40.0, 150.0, 700.0][next(5)];
        let plaintext = if next(40) == 0 { 0.4 } else { 0.0 };
        edges.push(Edge {
            id: format!("{}->{}", name(from), name(to)),
            source: name(from),
            destination: name(to),
            protocol: ["http", "http", "http", "grpc"][next(4)].into(),
            rate,
            error_share: Some(errors),
            share: Some(0.5),
            p50_ms: Some(latency / 2.0),
            p95_ms: Some(latency),
            p99_ms: Some(latency * 2.0),
            bytes_sent: rate * 800.0,
            bytes_received: rate * 4000.0,
            health: if errors > 0.1 {
                Health::Failing
            } else if errors > 0.001 {
                Health::Degraded
            } else {
                Health::Healthy
            },
            lock: if plaintext > 0.0 { Lock::Mixed } else { Lock::Mtls },
            plaintext_share: Some(plaintext),
            codes: vec![CodeRate { code: "200".into(), flags: "-".into(), rate, ..CodeRate::default() }],
            ..Edge::default()
        });
    }
    edges.sort_by(|a, b| a.id.cmp(&b.id));
    let mut nodes: Vec<Node> = (0..workloads)
        .map(|index| {
            let (namespace, app, version) = id(index);
            let own = name(index);
            let incoming = || edges.iter().filter(|edge| edge.destination == own);
            let rate_in: f64 = incoming().map(|edge| edge.rate).sum();
            let failed: f64 = incoming().filter_map(|edge| Some(edge.rate * edge.error_share?)).sum();
            let badge = |kind: &str, text: &str| Badge {
                kind: kind.into(),
                severity: None,
                text: text.into(),
                namespace: String::new(),
            };
            Node {
                id: own.clone(),
                kind: if index == 0 { NodeKind::Gateway } else { NodeKind::Workload },
                namespace,
                workload: format!("{app}-v{version}"),
                app,
                version: format!("v{version}"),
                health: incoming().map(|edge| edge.health).max().unwrap_or_default(),
                rate_in,
                rate_out: edges.iter().filter(|edge| edge.source == own).map(|edge| edge.rate).sum(),
                error_share: (rate_in > 0.0).then(|| failed / rate_in),
                badges: if index % 9 == 4 {
                    vec![badge("canary", "90/10"), badge("circuit-breaker", "at most 100")]
                } else {
                    vec![]
                },
                ..Node::default()
            }
        })
        .collect();
    nodes.sort_by(|a, b| a.id.cmp(&b.id));
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
    Graph {
        at_ms: now,
        window_s: 60,
        nodes,
        edges,
        sources: Sources { asked: 4, answered: 4, ..Sources::default() },
        ..Graph::default()
    }
}
