//! What the tests stand on: a Prometheus of their own, a page of counters, an operator, objects.

mod postgres;
mod stores;

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

pub use self::{
    postgres::Postgres,
    stores::{Jaeger, Zipkin},
};
use axum::{Json, Router, routing::get};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, time::interval};
use weft_api::Change;
use weft_console::telemetry::prometheus::Prometheus;
use weft_mesh::{Settings, Snapshot, Store};
use weft_model::sync::ObjectAck;

/// How long anything may take to become true.
pub const SOON: Duration = Duration::from_secs(20);

/// Waits until `probe` gives something.
pub async fn until<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    let mut again = interval(Duration::from_millis(50));
    loop {
        again.tick().await;
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
    }
}

/// Serves a router on a port of its own for the rest of the test.
pub async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// A page of metrics whose text the test sets.
#[derive(Clone)]
pub struct Page(Arc<Shown>);

struct Shown {
    text: Mutex<Text>,
    scrapes: watch::Sender<u64>,
}

/// What a scrape gets: the same each time, or a text for the number of the scrape.
type Text = Box<dyn Fn(u64) -> String + Send>;

impl Default for Page {
    fn default() -> Self {
        Self(Arc::new(Shown { text: Mutex::new(Box::new(|_| String::new())), scrapes: watch::Sender::new(0) }))
    }
}

impl Page {
    pub fn set(&self, text: impl Into<String>) {
        let text = text.into();
        self.change(move |_| text.clone());
    }

    /// From now on the text follows the number of the scrape.
    pub fn change(&self, text: impl Fn(u64) -> String + Send + 'static) {
        *self.0.text.lock().unwrap() = Box::new(text);
    }

    pub fn router(&self) -> Router {
        let page = self.clone();
        let scrape = move || async move {
            page.0.scrapes.send_modify(|scrapes| *scrapes += 1);
            let scrape = *page.0.scrapes.borrow();
            (page.0.text.lock().unwrap())(scrape)
        };
        Router::new().route("/metrics", get(scrape))
    }

    /// Waits until a scrape that began after now is over.
    pub async fn scraped_twice(&self) {
        let mut scrapes = self.0.scrapes.subscribe();
        let enough = *scrapes.borrow() + 3;
        tokio::time::timeout(SOON, scrapes.wait_for(|scrapes| *scrapes >= enough)).await.expect("scrapes").unwrap();
    }
}

/// An operator whose acknowledgements the test sets.
#[derive(Clone, Default)]
pub struct Acks(Arc<Mutex<Vec<ObjectAck>>>);

impl Acks {
    pub fn set(&self, acks: Vec<ObjectAck>) {
        *self.0.lock().unwrap() = acks;
    }

    pub fn router(&self) -> Router {
        let acks = self.clone();
        Router::new().route("/debug/acks", get(move || async move { Json(acks.0.lock().unwrap().clone()) }))
    }
}

/// A snapshot of objects given as JSON.
pub fn snapshot(objects: &[Value]) -> Arc<Snapshot> {
    let mut store = Store::new(Settings::default());
    let read = |value| Change::Put(Arc::new(weft_api::parse(value, "default").unwrap().object));
    store.apply(objects.iter().map(read).collect());
    store.snapshot()
}

/// A Prometheus process that scrapes one page four times a second.
pub struct Scraper {
    child: Child,
    pub address: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Drop for Scraper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Scraper {
    /// Starts Prometheus; `None`, with a word, where it is not installed. In CI it must be.
    pub async fn start(target: SocketAddr) -> Option<Self> {
        let Some(program) = find("prometheus") else {
            assert!(std::env::var_os("CI").is_none(), "prometheus is not installed: apt-get install prometheus");
            eprintln!("skipped: prometheus is not installed (apt-get install prometheus)");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 250ms, scrape_timeout: 250ms}}\nscrape_configs:\n- job_name: proxies\n  static_configs: [{{targets: ['{target}']}}]\n"
        );
        std::fs::write(&config, text).unwrap();
        // The port is free again when Prometheus takes it; nothing else here asks for one by number.
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let scraper = Self { child, address, _dir: dir };
        let client = scraper.client();
        until("prometheus scrapes", async || client.instant("up == 1", None).await.ok().filter(|up| !up.is_empty()))
            .await;
        Some(scraper)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn client(&self) -> Prometheus {
        Prometheus::new(&self.url()).unwrap()
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}
