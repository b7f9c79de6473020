use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{task::JoinSet, time::MissedTickBehavior};

use super::{Message, News, encode, renewed};
use crate::{
    app::App,
    graph::{self, Ask},
};

/// How often pages hear news.
const INTERVAL: Duration = Duration::from_millis(1500);

/// What is told by itself, so that none waits for another: what is configured does not wait for Prometheus, nor one graph
/// for a slower one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Config,
    Status,
    Canaries,
    Graph(Arc<Ask>),
}

impl Part {
    fn all(graphs: &[Arc<Ask>]) -> Vec<Self> {
        let graphs = graphs.iter().cloned().map(Self::Graph);
        [Self::Config, Self::Status, Self::Canaries].into_iter().chain(graphs).collect()
    }

    /// The present state of it. Of a graph it is only told that there is a newer one: who asks for it gets what they may
    /// see.
    async fn message(self, app: Arc<App>) -> Message {
        match self {
            Self::Config => {
                let view = app.view();
                let json = renewed(view.list_version.clone());
                Message::everyone(News::Config(view), json)
            }
            Self::Status => {
                let status = Arc::new(app.status().await);
                let json = encode(&*status);
                Message::everyone(News::Status(status, app.view()), json)
            }
            Self::Canaries => {
                let list = app.canaries.evaluate().await;
                let json = encode(&*list);
                Message::everyone(News::Canaries(list), json)
            }
            Self::Graph(graph) => {
                let (observed, details) = app.graphs.seen(graph.moment(), false).await;
                let version = graph::version(&observed, &details, &app.view());
                Message::everyone(News::Graph(graph), renewed(version))
            }
        }
    }
}

/// The present state of everything that a page shows, each part as soon as it is known. The parts are made whether or not
/// somebody takes them; those that nobody wants any more are given up.
pub fn present(app: &Arc<App>, graphs: &[Arc<Ask>]) -> JoinSet<Message> {
    apart(Part::all(graphs).into_iter().map(|part| part.message(app.clone())))
}

fn apart<T: Send + 'static>(parts: impl Iterator<Item = impl Future<Output = T> + Send + 'static>) -> JoinSet<T> {
    parts.collect()
}

/// Parts that are being made. Each is made once at a time.
#[derive(Default)]
struct Making {
    running: FuturesUnordered<BoxFuture<'static, (Part, Message)>>,
    parts: BTreeSet<Part>,
    /// Of these, what has to be made again, because they began before something changed.
    again: BTreeSet<Part>,
}

impl Making {
    /// Begins with a part that is not being made.
    fn begin(&mut self, app: &Arc<App>, part: Part) {
        if self.parts.insert(part.clone()) {
            let message = part.clone().message(app.clone());
            self.running.push(async move { (part, message.await) }.boxed());
        }
    }

    /// The same; what is being made is made once more.
    fn renew(&mut self, app: &Arc<App>, part: Part) {
        if self.parts.contains(&part) {
            self.again.insert(part);
        } else {
            self.begin(app, part);
        }
    }

    /// The next part that is made; `None` while none is being made.
    async fn next(&mut self) -> Option<(Part, Message)> {
        self.running.next().await
    }

    fn made(&mut self, app: &Arc<App>, part: Part) {
        self.parts.remove(&part);
        if self.again.remove(&part) {
            self.begin(app, part);
        }
    }
}

/// Refreshes what pages show every second and a half, and at once when configuration changes; rests while nobody
/// listens. Ends at shutdown.
pub async fn refresh(app: Arc<App>) {
    let (mut config, mut completed) = (app.config.clone(), app.graphs.completed());
    let mut sent: BTreeMap<&'static str, Arc<str>> = BTreeMap::new();
    let mut making = Making::default();
    let mut tick = tokio::time::interval(INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        if app.live.watched().is_empty() {
            sent.clear();
            // What nobody polls would keep others from what it holds.
            making = Making::default();
            tokio::select! {
                () = app.live.arrived.notified() => tick.reset(),
                () = app.shutdown.wait() => return,
            }
        }
        tokio::select! {
            _ = tick.tick() => {
                for part in Part::all(&app.live.watched()) {
                    making.begin(&app, part);
                }
            }
            // Quantiles that were pending are here: pages need not wait for them any longer.
            Ok(()) = completed.changed() => {
                for graph in app.live.watched() {
                    making.renew(&app, Part::Graph(graph));
                }
            }
            changed = config.changed() => {
                if changed.is_err() {
                    return;
                }
                for part in Part::all(&app.live.watched()) {
                    making.renew(&app, part);
                }
            }
            Some((part, message)) = making.next() => {
                making.made(&app, part);
                // Whoever watches a graph looks whether they know it; the others are told only when they differ.
                if !matches!(message.news, News::Graph(_)) {
                    let name = message.news.name();
                    if sent.get(name) == Some(&message.json) {
                        continue;
                    }
                    sent.insert(name, message.json.clone());
                }
                app.live.send(message);
            }
            () = app.shutdown.wait() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        sync::{Mutex, Notify},
        time::timeout,
    };

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn who_does_not_read_holds_nothing_up() {
        let (lock, begun) = (Arc::new(Mutex::new(())), Arc::new(Notify::new()));
        let part = |lock: Arc<Mutex<()>>, begun: Arc<Notify>| async move {
            let _held = lock.lock().await;
            begun.notify_one();
            tokio::task::yield_now().await;
        };
        let mut parts = apart([part(lock.clone(), begun.clone())].into_iter());
        timeout(SOON, begun.notified()).await.expect("a part is begun before it is asked for");
        drop(timeout(SOON, lock.lock()).await.expect("and goes on without being asked for"));
        assert!(parts.join_next().await.is_some_and(|made| made.is_ok()));
    }
}
