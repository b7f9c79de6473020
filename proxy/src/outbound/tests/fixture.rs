//! A proxy, origins and a client, all in this process.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{body::Incoming, client::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::config::Resources;
use crate::{
    listener,
    state::{ConnectionLimits, NodeInfo, Role, Shared},
    telemetry::{AccessLog, AccessLogTarget, SpanSink, exposition},
    workers::{Connection, Workers},
};

/// One proxy with one worker thread.
pub struct Proxy {
    pub shared: Arc<Shared>,
    workers: Workers,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A proxy without configuration.
    pub fn start(name: &str) -> Self {
        Self::limited(name, ConnectionLimits::default())
    }

    /// The same with other limits.
    pub fn limited(name: &str, limits: ConnectionLimits) -> Self {
        Self::with(name, limits, &AccessLogTarget::Off)
    }

    /// One that writes an access log.
    pub fn logging(name: &str, log: &Path) -> Self {
        Self::with(name, ConnectionLimits::default(), &AccessLogTarget::File(log.into()))
    }

    fn with(name: &str, limits: ConnectionLimits, log: &AccessLogTarget) -> Self {
        let node = NodeInfo {
            workload: name.into(),
            namespace: "shop".into(),
            service_account: name.into(),
            address: IpAddr::from([127, 0, 0, 1]),
            role: Role::Sidecar,
            trust_domain: "cluster.local".into(),
            domain: "cluster.local".into(),
            root_namespace: "istio-system".into(),
            cluster: "Kubernetes".into(),
            ..crate::state::testing::node()
        };
        let access_log = AccessLog::open(log).unwrap();
        let shared = Shared::limited(node, access_log, SpanSink::off(), limits);
        let workers = Workers::start(&shared, 1, listener::serve).unwrap();
        let accepting = tokio::spawn(listener::run(shared.clone(), workers.dispatcher()));
        Self { shared, workers, accepting }
    }

    /// Puts resources in force and waits until every listener takes connections.
    pub async fn apply(&self, resources: Resources) {
        let config = resources.onto(&self.shared.config.load());
        let addresses: Vec<SocketAddr> = config.listeners.values().map(|listener| listener.address).collect();
        self.shared.publish(config);
        for address in addresses {
            until("the listener is bound", || async move { TcpStream::connect(address).await.is_ok() }).await;
        }
    }

    /// Puts resources in force without waiting: for listeners that are not bound.
    pub fn put(&self, resources: Resources) {
        self.shared.publish(resources.onto(&self.shared.config.load()));
    }

    /// A connection that was redirected to `listener` on its way to `original`; `None` for one that was not redirected.
    pub async fn redirected(&self, listener: &str, original: Option<SocketAddr>) -> TcpStream {
        let accepting = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(accepting.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = accepting.accept().await.unwrap();
        let (stream, local) = (stream.into_std().unwrap(), client.peer_addr().unwrap());
        let connection = Connection { stream, peer, local, original, listener: listener.into() };
        self.workers.dispatcher().dispatch(connection, None).unwrap();
        client
    }

    /// The sum of a metric's samples whose labels contain all `parts`.
    pub fn count(&self, metric: &str, parts: &[&str]) -> f64 {
        let text = exposition(&self.shared, &[]);
        let samples = text.lines().filter(|line| {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            name == metric && parts.iter().all(|part| line.contains(part))
        });
        samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Waits until a count is reached, and makes sure that it is not passed.
    pub async fn counted(&self, metric: &str, parts: &[&str], wanted: f64) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        while self.count(metric, parts) < wanted && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let count = self.count(metric, parts);
        assert_eq!(count, wanted, "{metric} {parts:?} in\n{}", exposition(&self.shared, &[]));
    }

    /// Requests with this status and these flags.
    pub async fn requests(&self, status: u16, flags: &str, wanted: f64) {
        let status = format!("response_code=\"{status}\"");
        let flags = format!("response_flags=\"{flags}\"");
        self.counted("istio_requests_total", &[&status, &flags], wanted).await;
    }

    /// Drains and stops; returns how many connections were left over.
    pub async fn stop(self, limit: Duration) -> usize {
        self.shared.drain.begin();
        let left = self.shared.drain.finished(limit).await;
        self.workers.stop().await;
        self.accepting.await.unwrap();
        left
    }
}

/// Waits for a condition.
pub async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A free address.
pub fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub type Answer = Response<BoxBody<Bytes, Infallible>>;

/// An HTTP server, both versions.
pub struct Origin {
    pub address: SocketAddr,
    pub connections: Arc<AtomicUsize>,
    pub requests: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Origin {
    pub async fn start<F>(handler: F) -> Self
    where
        F: Fn(usize, Request<Incoming>) -> BoxFuture<'static, Answer> + Clone + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (opened, asked) = (connections.clone(), requests.clone());
        let accepting = tokio::spawn(async move {
            let mut tasks = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                opened.fetch_add(1, Ordering::SeqCst);
                let (handler, asked) = (handler.clone(), asked.clone());
                tasks.spawn(async move {
                    let service = service_fn(move |request| {
                        let number = asked.fetch_add(1, Ordering::SeqCst) + 1;
                        let answer = handler(number, request);
                        async move { Ok::<_, Infallible>(answer.await) }
                    });
                    let mut builder = auto::Builder::new(TokioExecutor::new());
                    // What limits there are are the proxy's.
                    builder.http1().max_headers(256);
                    let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, connections, requests, accepting }
    }

    /// Answers everything with 200 and the path.
    pub async fn echo() -> Self {
        Self::start(|_, request| Box::pin(async move { text(StatusCode::OK, request.uri().path()) })).await
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

pub fn text(status: StatusCode, body: &str) -> Answer {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())).boxed());
    *response.status_mut() = status;
    response
}

/// A keep-alive client.
pub struct Client {
    sender: http1::SendRequest<Full<Bytes>>,
}

pub struct Received {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap()).await
    }

    pub async fn over(stream: TcpStream) -> Self {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender }
    }

    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Received> {
        self.sender.ready().await?;
        let (parts, body) = self.sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Received { status: parts.status, headers: parts.headers, body })
    }

    pub async fn get(&mut self, path: &str) -> Received {
        self.send(get(path)).await.unwrap()
    }
}

/// A GET for the test's virtual host.
pub fn get(path: &str) -> Request<Full<Bytes>> {
    Request::builder().uri(path).header(header::HOST, "order.test").body(Full::default()).unwrap()
}

pub fn post(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let mut request = get(path);
    *request.method_mut() = http::Method::POST;
    *request.body_mut() = Full::new(body.into());
    request
}

/// Writes bytes and reads to the end.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The other side may answer and close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    let _ = read.expect("the connection is not closed");
    String::from_utf8_lossy(&answer).into_owned()
}
