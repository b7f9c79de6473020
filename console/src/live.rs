//! Live updates: one refresher works for all pages that listen, and only while one does.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{
    FutureExt, StreamExt,
    future::{self, BoxFuture},
    stream::FuturesUnordered,
};
use parking_lot::Mutex;
use tokio::sync::{Notify, broadcast};

use weft_model::{canary::Canaries, config::Status};

use crate::{app::App, auth::Sight, config::View, graph::Ask, metrics::Metrics, redact};

/// How often pages hear news.
const INTERVAL: Duration = Duration::from_millis(1500);
/// Messages that a slow page may be behind.
const BACKLOG: usize = 64;
/// Pages that may listen at once.
const MAX_SUBSCRIBERS: usize = 64;

/// One event.
#[derive(Clone)]
pub struct Message {
    /// What it tells.
    pub news: News,
    /// The JSON of it for those who see everything; empty for a graph, which is made for whoever looks.
    pub json: Arc<str>,
}

/// What an event tells: the resource of that name.
#[derive(Clone)]
pub enum News {
    /// The state of what the console depends on, with the view that its counts are of.
    Status(Arc<Status>, Arc<View>),
    /// There may be a newer graph of this kind.
    Graph(Arc<Ask>),
    /// Weighted routes.
    Canaries(Arc<Canaries>),
    /// Objects and findings.
    Config(Arc<View>),
}

impl News {
    /// The event's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status(..) => "status",
            Self::Graph(_) => "graph",
            Self::Canaries(_) => "canaries",
            Self::Config(_) => "config",
        }
    }
}

impl Message {
    /// What somebody is told of it, as JSON.
    pub fn json_for(&self, sight: &Sight) -> Arc<str> {
        if *sight == Sight::All {
            return self.json.clone();
        }
        match &self.news {
            News::Status(status, view) => encode(&redact::status((**status).clone(), &view.list, sight)),
            News::Graph(_) => self.json.clone(),
            News::Canaries(list) => encode(&redact::canaries((**list).clone(), sight)),
            News::Config(view) => encode(&redact::config(&view.list, sight)),
        }
    }

    fn everyone(news: News, json: Arc<str>) -> Self {
        Self { news, json }
    }
}

type Watched = Arc<Mutex<BTreeMap<Arc<Ask>, usize>>>;

/// The pages that listen.
pub struct Live {
    sender: broadcast::Sender<Message>,
    /// How many listen, by the graph they watch.
    watched: Watched,
    arrived: Arc<Notify>,
    metrics: Arc<Metrics>,
}

/// One page's ear; dropping it ends the subscription.
pub struct Subscription {
    /// What it hears, other graphs included.
    pub messages: broadcast::Receiver<Message>,
    /// The graph it watches.
    pub graph: Arc<Ask>,
    watched: Watched,
    metrics: Arc<Metrics>,
}

impl Live {
    /// Nobody listens yet.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG), watched: Arc::default(), arrived: Arc::default(), metrics }
    }

    /// Begins to listen; `None` when too many do.
    pub fn subscribe(&self, graph: Ask) -> Option<Subscription> {
        let messages = self.sender.subscribe();
        let graph = Arc::new(graph);
        let mut watched = self.watched.lock();
        let listening: usize = watched.values().sum();
        if listening >= MAX_SUBSCRIBERS {
            return None;
        }
        *watched.entry(graph.clone()).or_default() += 1;
        self.metrics.subscribers(listening + 1);
        self.arrived.notify_one();
        Some(Subscription { messages, graph, watched: self.watched.clone(), metrics: self.metrics.clone() })
    }

    fn watched(&self) -> Vec<Arc<Ask>> {
        self.watched.lock().keys().cloned().collect()
    }

    fn send(&self, message: Message) {
        // Without a receiver there is nobody to tell, which is no error.
        let _ = self.sender.send(message);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut watched = self.watched.lock();
        if let Some(count) = watched.get_mut(&self.graph) {
            *count -= 1;
            if *count == 0 {
                watched.remove(&self.graph);
            }
        }
        self.metrics.subscribers(watched.values().sum());
    }
}

/// The JSON of a resource as events carry it.
pub fn encode(value: &impl serde::Serialize) -> Arc<str> {
    serde_json::to_string(value).unwrap_or_default().into()
}

/// The present state of everything that a page shows, each part as soon as it is known: what is configured does not wait
/// for Prometheus. Of a graph it is only told that there is a newer one: who asks for it gets what they may see.
pub fn present(app: &Arc<App>, graphs: &[Arc<Ask>]) -> FuturesUnordered<BoxFuture<'static, Message>> {
    let parts = FuturesUnordered::new();
    let view = app.view();
    parts.push(future::ready(Message::everyone(News::Config(view.clone()), view.list_json.clone())).boxed());
    let own = app.clone();
    parts.push(
        async move {
            let status = Arc::new(own.status().await);
            let json = encode(&*status);
            Message::everyone(News::Status(status, own.view()), json)
        }
        .boxed(),
    );
    let own = app.clone();
    parts.push(
        async move {
            let list = own.canaries.evaluate().await;
            let json = encode(&*list);
            Message::everyone(News::Canaries(list), json)
        }
        .boxed(),
    );
    for graph in graphs {
        let (own, graph) = (app.clone(), graph.clone());
        let told = async move {
            own.graphs.seen(graph.moment(), false).await;
            Message::everyone(News::Graph(graph), Arc::default())
        };
        parts.push(told.boxed());
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
            // Quantiles that were pending are here: pages need not wait for them any longer.
            () = app.graphs.completed() => {}
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
            // Whoever watches a graph looks whether theirs is new; the others are told only when they differ.
            if !matches!(message.news, News::Graph(_)) {
                let name = message.news.name();
                if sent.get(name) == Some(&message.json) {
                    continue;
                }
                sent.insert(name, message.json.clone());
            }
            app.live.send(message);
        }
    }
}
