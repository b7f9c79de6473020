//! Server-sent events (`GET /api/v1/events?window=60&view=app`): `status` and `canaries` with the JSON of the resource of that
//! name; `config` and `graph` say that the resource of that name is another one, to be asked for.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};
use tokio::{
    sync::broadcast::error::RecvError,
    task::JoinSet,
    time::{Instant, Interval, MissedTickBehavior},
};
use weft_model::audit::How;
use weft_runtime::Shutdown;

use super::{ApiError, api::GraphQuery};
use crate::{
    app::App,
    auth::Caller,
    live::{Full, Listener, Message, News, Subscription, present},
};

/// How often a silent connection is shown to be alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How soon a page comes back after the stream ended.
const RETRY: Duration = Duration::from_secs(1);

/// How often it is looked whether the listener's session still holds.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// How often it is asked whether they still see what they saw; on a cluster that is a question for each namespace.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// Looks and questions that are on their way at once: one of each.
const MAX_CHECKS: usize = 2;
/// How long a proof counts that is shown with each request, a token or a proxy's word.
const PROVEN_FOR: Duration = Duration::from_secs(600);

struct Feed {
    caller: Caller,
    app: Arc<App>,
    began: Instant,
    look: Interval,
    ask: Interval,
    /// The present state. It is made beside the stream, as the checks are: a reader who stops reading would hold what a half
    /// made answer has locked, and all others wait for.
    first: JoinSet<Message>,
    /// Whether the reader may go on, each asked once.
    checks: JoinSet<bool>,
    subscription: Subscription,
    shutdown: Shutdown,
    /// What was said last of what is not sent itself.
    told: BTreeMap<&'static str, Arc<str>>,
    ended: bool,
}

/// Subscribes: the whole present state, each part as soon as it is known, then what changes. A page that falls too far behind is let go with a
/// word, and comes back for the whole state.
pub(super) async fn subscribe(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Result<Query<GraphQuery>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let Query(query) = query?;
    let graph = query.checked()?;
    // Listening begins before the state is read, so nothing falls between the two.
    let subscription = app.live.subscribe(graph, Listener::of(&caller)).map_err(|full| match full {
        Full::All => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-many-pages",
            "Too many pages listen to this console.",
            "Close some of them, then load this one again.",
        ),
        Full::Own(most) => ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-own-pages",
            format!("{most} pages of {} listen to this console, and no more may.", caller.name()),
            "Close some of them; this one listens again by itself once there is room.",
        ),
    })?;
    let first = present(&app, std::slice::from_ref(&subscription.graph));
    let began = Instant::now();
    let every = |period: Duration| {
        let mut every = tokio::time::interval_at(began + period, period);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        every
    };
    let (look, ask) = (every(LOOK_EVERY), every(ASK_EVERY));
    let shutdown = app.shutdown.clone();
    let (checks, told) = (JoinSet::new(), BTreeMap::new());
    let feed = Feed { caller, app, began, look, ask, first, checks, subscription, shutdown, told, ended: false };
    let stream = stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((Ok(event), feed))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE).text("still here")))
}

impl Feed {
    /// A stream outlives no session and no proof: the page comes back, and is asked again.
    fn may_listen(&self) -> impl Future<Output = bool> + Send + use<> {
        let (app, session) = (self.app.clone(), self.caller.session());
        let proven = !matches!(self.caller.how(), How::Token | How::Proxy) || self.began.elapsed() < PROVEN_FOR;
        async move {
            match session {
                Some(session) => app.auth.holds(&session).await,
                None => proven,
            }
        }
    }

    /// Nor does it outlive the rights that it began with.
    fn sees_the_same(&self) -> impl Future<Output = bool> + Send + use<> {
        let (app, caller) = (self.app.clone(), self.caller.clone());
        async move { app.auth.sees_the_same(&caller, &app.view().estate.namespaces).await }
    }

    fn check(&mut self, check: impl Future<Output = bool> + Send + 'static) {
        if self.checks.len() < MAX_CHECKS {
            self.checks.spawn(check);
        }
    }

    /// What this page is to hear of a message; `None` for other pages' graphs, and for what it was told already.
    fn event(&mut self, message: &Message) -> Option<Event> {
        if matches!(&message.news, News::Graph(graph) if **graph != *self.subscription.graph) {
            return None;
        }
        let name = message.news.name();
        let json = message.json_for(self.caller.sight());
        if matches!(message.news, News::Graph(_) | News::Config(_)) {
            if self.told.get(name) == Some(&json) {
                return None;
            }
            self.told.insert(name, json.clone());
        }
        Some(Event::default().event(name).data(&*json).retry(RETRY))
    }

    async fn next(&mut self) -> Option<Event> {
        if self.ended {
            return None;
        }
        loop {
            let received = tokio::select! {
                Some(made) = self.first.join_next() => match made {
                    Ok(message) => Ok(message),
                    // It panicked, which is in the log; the page hears of it when it changes.
                    Err(_) => continue,
                },
                received = self.subscription.messages.recv() => received,
                Some(may) = self.checks.join_next() => {
                    if may.unwrap_or(false) { continue }
                    return None;
                }
                _ = self.look.tick() => {
                    let check = self.may_listen();
                    self.check(check);
                    continue;
                }
                _ = self.ask.tick() => {
                    let check = self.sees_the_same();
                    self.check(check);
                    continue;
                }
                () = self.shutdown.wait() => return None,
            };
            match received {
                Ok(message) => {
                    if let Some(event) = self.event(&message) {
                        return Some(event);
                    }
                }
                Err(RecvError::Lagged(_)) => {
                    self.ended = true;
                    return Some(Event::default().comment("too far behind; connect again"));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
