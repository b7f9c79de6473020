//! Live updates: one refresher works for all pages that listen, and only while one does.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{
    FutureExt, StreamExt,
    future::{self, BoxFuture},
    stream::FuturesUnordered,
};
use parking_lot::Mutex;
use tokio::sync::{Notify, broadcast};

use crate::{app::App, graph::draw, metrics::Metrics};

/// How often pages hear news.
const INTERVAL: Duration = Duration::from_millis(1500);
/// Messages that a slow page may be behind.
const BACKLOG: usize = 64;
/// Pages that may listen at once.
const MAX_SUBSCRIBERS: usize = 64;

/// One event.
#[derive(Clone, Debug)]
pub struct Message {
    /// `status`, `graph`, `canaries` or `config`.
    pub name: &'static str,
    /// The window that a graph is of, in seconds; other events are for everyone.
    pub window_s: Option<u64>,
    /// The JSON of the resource of that name.
    pub json: Arc<str>,
}

/// The pages that listen.
pub struct Live {
    sender: broadcast::Sender<Message>,
    /// How many listen, by the window they watch.
    windows: Arc<Mutex<BTreeMap<u64, usize>>>,
    arrived: Arc<Notify>,
    metrics: Arc<Metrics>,
}

/// One page's ear; dropping it ends the subscription.
pub struct Subscription {
    /// What it hears, graphs of other windows included.
    pub messages: broadcast::Receiver<Message>,
    /// The window it watches, in seconds.
    pub window_s: u64,
    windows: Arc<Mutex<BTreeMap<u64, usize>>>,
    metrics: Arc<Metrics>,
}

impl Live {
    /// Nobody listens yet.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG), windows: Arc::default(), arrived: Arc::default(), metrics }
    }

    /// Begins to listen; `None` when too many do.
    pub fn subscribe(&self, window_s: u64) -> Option<Subscription> {
        let messages = self.sender.subscribe();
        let mut windows = self.windows.lock();
        let listening: usize = windows.values().sum();
        if listening >= MAX_SUBSCRIBERS {
            return None;
        }
        *windows.entry(window_s).or_default() += 1;
        self.metrics.subscribers(listening + 1);
        self.arrived.notify_one();
        Some(Subscription { messages, window_s, windows: self.windows.clone(), metrics: self.metrics.clone() })
    }

    fn watched(&self) -> Vec<u64> {
        self.windows.lock().keys().copied().collect()
    }

    fn send(&self, message: Message) {
        // Without a receiver there is nobody to tell, which is no error.
        let _ = self.sender.send(message);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut windows = self.windows.lock();
        if let Some(count) = windows.get_mut(&self.window_s) {
            *count -= 1;
            if *count == 0 {
                windows.remove(&self.window_s);
            }
        }
        self.metrics.subscribers(windows.values().sum());
    }
}

/// The JSON of a resource as events carry it.
pub fn encode(value: &impl serde::Serialize) -> Arc<str> {
    serde_json::to_string(value).unwrap_or_default().into()
}

/// The present state of everything that a page shows, each part as soon as it is known: what is configured does not wait
/// for Prometheus.
pub fn present(app: &Arc<App>, windows: &[u64]) -> FuturesUnordered<BoxFuture<'static, Message>> {
    let parts = FuturesUnordered::new();
    let everyone = |name, json| Message { name, window_s: None, json };
    parts.push(future::ready(everyone("config", app.view().list_json.clone())).boxed());
    let own = app.clone();
    parts.push(async move { everyone("status", encode(&own.status().await)) }.boxed());
    let own = app.clone();
    parts.push(async move { everyone("canaries", encode(&*own.canaries.evaluate().await)) }.boxed());
    for &window_s in windows {
        let own = app.clone();
        let graph = async move {
            let observed = own.graphs.get(window_s).await;
            Message { name: "graph", window_s: Some(window_s), json: encode(&draw(&observed, &own.view().estate)) }
        };
        parts.push(graph.boxed());
    }
    parts
}

/// Refreshes what pages show every second and a half, and at once when configuration changes; rests while nobody
/// listens. Ends at shutdown.
pub async fn refresh(app: Arc<App>) {
    let mut config = app.config.clone();
    let mut sent: BTreeMap<&'static str, Arc<str>> = BTreeMap::new();
    loop {
        if app.live.watched().is_empty() {
            sent.clear();
            tokio::select! {
                () = app.live.arrived.notified() => {}
                () = app.shutdown.wait() => return,
            }
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            changed = config.changed() => if changed.is_err() { return },
            () = app.shutdown.wait() => return,
        }
        let mut parts = present(&app, &app.live.watched());
        loop {
            let message = tokio::select! {
                message = parts.next() => message,
                () = app.shutdown.wait() => return,
            };
            let Some(message) = message else { break };
            // A graph always has a new time; the others are told only when they differ.
            if message.window_s.is_none() {
                if sent.get(message.name) == Some(&message.json) {
                    continue;
                }
                sent.insert(message.name, message.json.clone());
            }
            app.live.send(message);
        }
    }
}
