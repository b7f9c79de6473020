//! Live updates: one refresher works for all pages that listen, and only while one does.

mod refresh;

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, broadcast};
use weft_model::{audit::How, canary::Canaries, config::Status, events::Renewed};

pub use self::refresh::{present, refresh};
use crate::{
    auth::{Caller, Sight},
    config::View,
    graph::Ask,
    metrics::Metrics,
    redact,
};

/// Messages that a slow page may be behind.
const BACKLOG: usize = 64;
/// Pages of one person that may listen at once; a browser opens six over HTTP/1.1.
const MAX_OF_PERSON: usize = 8;

/// One event.
#[derive(Clone)]
pub struct Message {
    /// What it tells.
    pub news: News,
    /// Its data for those who see everything.
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
            News::Config(view) => renewed(version(encode(&redact::config(&view.list, sight)).as_bytes())),
        }
    }

    fn everyone(news: News, json: Arc<str>) -> Self {
        Self { news, json }
    }
}

/// Whose page it is, as far as pages are counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listener {
    /// Of this machine's own user: there is nobody to leave room for.
    Local,
    /// Of somebody who is not signed in.
    Anonymous,
    /// Of whoever has this name.
    Person(String),
}

/// Why a page cannot listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// As many listen as can.
    All,
    /// As many of the same person's do, or of those who are not signed in: so many.
    Own(usize),
}

/// How many listen.
#[derive(Default)]
struct Counts {
    /// By the graph they watch.
    graphs: BTreeMap<Arc<Ask>, usize>,
    /// By whose they are.
    listeners: BTreeMap<Listener, usize>,
}

type Watched = Arc<Mutex<Counts>>;

/// The pages that listen.
pub struct Live {
    sender: broadcast::Sender<Message>,
    watched: Watched,
    arrived: Arc<Notify>,
    metrics: Arc<Metrics>,
    /// Pages that may listen at once.
    most: usize,
}

/// One page's ear; dropping it ends the subscription.
pub struct Subscription {
    /// What it hears, other graphs included.
    pub messages: broadcast::Receiver<Message>,
    /// The graph it watches.
    pub graph: Arc<Ask>,
    listener: Listener,
    watched: Watched,
    metrics: Arc<Metrics>,
}

impl Live {
    /// Nobody listens yet, and `most` pages may.
    pub fn new(metrics: Arc<Metrics>, most: usize) -> Self {
        let sender = broadcast::Sender::new(BACKLOG);
        Self { sender, watched: Arc::default(), arrived: Arc::default(), metrics, most }
    }

    /// Begins to listen, unless too many do.
    pub fn subscribe(&self, graph: Ask, listener: Listener) -> Result<Subscription, Full> {
        let messages = self.sender.subscribe();
        let graph = Arc::new(graph);
        let mut watched = self.watched.lock();
        let listening = watched.all();
        let own = watched.listeners.get(&listener).copied().unwrap_or_default();
        if let Some(most) = listener.most(self.most).filter(|most| own >= *most) {
            return Err(Full::Own(most));
        }
        if listening >= self.most {
            return Err(Full::All);
        }
        *watched.graphs.entry(graph.clone()).or_default() += 1;
        *watched.listeners.entry(listener.clone()).or_default() += 1;
        self.metrics.subscribers(listening + 1);
        self.arrived.notify_one();
        Ok(Subscription { messages, graph, listener, watched: self.watched.clone(), metrics: self.metrics.clone() })
    }

    fn watched(&self) -> Vec<Arc<Ask>> {
        self.watched.lock().graphs.keys().cloned().collect()
    }

    fn send(&self, message: Message) {
        // Without a receiver there is nobody to tell, which is no error.
        let _ = self.sender.send(message);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut watched = self.watched.lock();
        one_less(&mut watched.graphs, &self.graph);
        one_less(&mut watched.listeners, &self.listener);
        self.metrics.subscribers(watched.all());
    }
}

impl Counts {
    fn all(&self) -> usize {
        self.graphs.values().sum()
    }
}

impl Listener {
    /// Whose page a caller's is.
    pub fn of(caller: &Caller) -> Self {
        match caller.how() {
            How::Local => Self::Local,
            How::Anonymous => Self::Anonymous,
            How::Session | How::Token | How::Proxy | How::Other => Self::Person(caller.name().to_owned()),
        }
    }

    /// How many of the `all` that may listen are theirs.
    fn most(&self, all: usize) -> Option<usize> {
        match self {
            Self::Local => None,
            // Together: nobody tells them apart.
            Self::Anonymous => Some(all.div_ceil(2)),
            Self::Person(_) => Some(MAX_OF_PERSON),
        }
    }
}

fn one_less<K: Ord>(counts: &mut BTreeMap<K, usize>, of: &K) {
    if let Some(count) = counts.get_mut(of) {
        *count -= 1;
        if *count == 0 {
            counts.remove(of);
        }
    }
}

/// What an event says of what is not in it.
fn renewed(version: String) -> Arc<str> {
    encode(&Renewed { version })
}

/// Tells an answer from others, in its tag and in the event that says that there is another one: a page that has the answer
/// does not ask for it again.
pub fn version(body: &[u8]) -> String {
    Sha256::digest(body).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// The JSON of a resource as events carry it.
pub fn encode(value: &impl serde::Serialize) -> Arc<str> {
    serde_json::to_string(value).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(window_s: u64) -> Ask {
        Ask { window_s, at_ms: None, view: weft_model::graph::View::default(), idle: None, namespaces: Vec::new() }
    }

    #[test]
    fn nobody_takes_all_that_listen() {
        const ALL: usize = 20;
        let live = Live::new(Arc::new(Metrics::new()), ALL);
        let person = |name: &str| Listener::Person(name.to_owned());
        let mut adas: Vec<Subscription> =
            (0..MAX_OF_PERSON).map(|n| live.subscribe(ask(60 + n as u64), person("ada")).ok().unwrap()).collect();
        assert_eq!(live.subscribe(ask(60), person("ada")).err(), Some(Full::Own(MAX_OF_PERSON)));
        adas.pop();
        adas.push(live.subscribe(ask(60), person("ada")).ok().unwrap());
        let strangers: Vec<Subscription> =
            (0..ALL / 2).map(|_| live.subscribe(ask(60), Listener::Anonymous).ok().unwrap()).collect();
        assert_eq!(live.subscribe(ask(60), Listener::Anonymous).err(), Some(Full::Own(ALL / 2)));
        let bos = live.subscribe(ask(60), person("bo")).ok().unwrap();
        drop((adas, strangers, bos));
        assert!(live.watched().is_empty() && live.watched.lock().listeners.is_empty(), "nothing is left of who left");
        let all: Vec<Subscription> = (0..ALL).map(|_| live.subscribe(ask(60), Listener::Local).ok().unwrap()).collect();
        assert_eq!(live.subscribe(ask(60), person("bo")).err(), Some(Full::All));
        drop(all);
    }
}
