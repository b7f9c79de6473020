//! Steady load on keep-alive connections, each answer kept.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinHandle};

/// One request's outcome.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// When it was sent.
    pub sent: Instant,
    /// When its answer was complete.
    pub done: Instant,
    /// Status, or why there is none.
    pub status: Result<u16, String>,
    /// The version that the demo application says served it.
    pub version: String,
    /// Whether it carried the extra headers of a tester.
    pub tester: bool,
}

/// What to send.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to connect.
    pub address: SocketAddr,
    /// Host header.
    pub host: String,
    /// Path.
    pub path: String,
    /// Every so-manieth request carries `x-canary: true`; 0 means none does.
    pub tester_every: u64,
    /// Connections, each with one request at a time.
    pub connections: usize,
    /// Pause of each connection between requests.
    pub pause: Duration,
}

impl Plan {
    /// Four connections without testers.
    pub fn new(address: SocketAddr, host: &str, path: &str) -> Self {
        Self {
            address,
            host: host.into(),
            path: path.into(),
            tester_every: 0,
            connections: 4,
            pause: Duration::from_millis(5),
        }
    }
}

/// Load under way.
pub struct Load {
    stop: Arc<AtomicBool>,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    workers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts sending.
    pub fn start(plan: Plan) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let outcomes = Arc::new(Mutex::new(Vec::new()));
        let workers =
            (0..plan.connections).map(|_| tokio::spawn(worker(plan.clone(), stop.clone(), outcomes.clone()))).collect();
        Self { stop, outcomes, workers }
    }

    /// How many requests are done.
    pub fn count(&self) -> usize {
        self.outcomes.lock().expect("outcomes").len()
    }

    /// Waits until `more` further requests are done.
    pub async fn more(&self, more: usize) {
        let goal = self.count() + more;
        crate::wait::until("the load goes on", Duration::from_secs(60), || async {
            crate::wait::ensure(self.count() >= goal, || format!("{} of {goal}", self.count()))
        })
        .await;
    }

    /// Stops, and gives every outcome in order of completion.
    pub async fn stop(self) -> Vec<Outcome> {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers {
            worker.await.expect("load worker");
        }
        std::mem::take(&mut *self.outcomes.lock().expect("outcomes"))
    }
}

/// Counts by status; failures under their words.
pub fn by_status(outcomes: &[Outcome]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for outcome in outcomes {
        let key = match &outcome.status {
            Ok(status) => status.to_string(),
            Err(reason) => reason.clone(),
        };
        *counts.entry(key).or_default() += 1;
    }
    counts
}

/// Panics unless every request was answered with 200.
pub fn assert_all_ok(outcomes: &[Outcome]) {
    assert!(!outcomes.is_empty(), "the load sent nothing");
    let counts = by_status(outcomes);
    assert_eq!(counts.keys().map(String::as_str).collect::<Vec<_>>(), ["200"], "lost requests: {counts:?}");
}

async fn worker(plan: Plan, stop: Arc<AtomicBool>, outcomes: Arc<Mutex<Vec<Outcome>>>) {
    let mut connection = None;
    let mut count = 0u64;
    while !stop.load(Ordering::Relaxed) {
        count += 1;
        let tester = plan.tester_every > 0 && count.is_multiple_of(plan.tester_every);
        let sent = Instant::now();
        let answer = tokio::time::timeout(Duration::from_secs(20), send(&plan, &mut connection, tester))
            .await
            .unwrap_or_else(|_| Err("no answer within 20 s".into()));
        let (status, version) = match answer {
            Ok((status, version)) => (Ok(status), version),
            Err(reason) => {
                connection = None;
                (Err(reason), String::new())
            }
        };
        outcomes.lock().expect("outcomes").push(Outcome { sent, done: Instant::now(), status, version, tester });
        tokio::time::sleep(plan.pause).await;
    }
}

async fn send(
    plan: &Plan,
    connection: &mut Option<SendRequest<Empty<Bytes>>>,
    tester: bool,
) -> Result<(u16, String), String> {
    // A connection that was closed between requests is no lost request; one that breaks during a request is.
    if let Some(open) = connection
        && open.ready().await.is_err()
    {
        *connection = None;
    }
    if connection.is_none() {
        let stream = TcpStream::connect(plan.address).await.map_err(|error| format!("connect: {error}"))?;
        let (sender, driver) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        tokio::spawn(driver);
        *connection = Some(sender);
    }
    let Some(sender) = connection else { return Err("not connected".into()) };
    let mut request = Request::get(&plan.path).header("host", &plan.host);
    if tester {
        request = request.header("x-canary", "true");
    }
    let request = request.body(Empty::new()).expect("a test's request is well formed");
    let response = sender.send_request(request).await.map_err(|error| format!("request: {error}"))?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(|error| format!("body: {error}"))?.to_bytes();
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    Ok((status, json["version"].as_str().unwrap_or_default().to_owned()))
}
