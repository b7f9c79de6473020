//! Server-sent events (`GET /api/v1/events?window=60&view=app`): `status` and `canaries` with the JSON of the resource of that
//! name; `config` and `graph` say that the resource of that name is another one, to be asked for.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{
    Stream, StreamExt,
    future::BoxFuture,
    stream::{self, FuturesUnordered},
};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, Interval},
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
/// How long a proof counts that is shown with each request, a token or a proxy's word.
const PROVEN_FOR: Duration = Duration::from_secs(600);

struct Feed {
    caller: Caller,
    app: Arc<App>,
    began: Instant,
    look: Interval,
    ask: Interval,
    first: FuturesUnordered<BoxFuture<'static, Message>>,
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
    let every = |period: Duration| tokio::time::interval_at(began + period, period);
    let (look, ask) = (every(LOOK_EVERY), every(ASK_EVERY));
    let shutdown = app.shutdown.clone();
    let feed =
        Feed { caller, app, began, look, ask, first, subscription, shutdown, told: BTreeMap::new(), ended: false };
    let stream = stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((Ok(event), feed))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE).text("still here")))
}

impl Feed {
    /// A stream outlives no session and no proof: the page comes back, and is asked again.
    async fn may_listen(&mut self) -> bool {
        match self.caller.session() {
            Some(session) => self.app.auth.holds(&session).await,
            None => !matches!(self.caller.how(), How::Token | How::Proxy) || self.began.elapsed() < PROVEN_FOR,
        }
    }

    /// Nor does it outlive the rights that it began with.
    async fn sees_the_same(&mut self) -> bool {
        let view = self.app.view();
        self.app.auth.sees_the_same(&self.caller, &view.estate.namespaces).await
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
                Some(message) = self.first.next() => Ok(message),
                received = self.subscription.messages.recv() => received,
                _ = self.look.tick() => {
                    if self.may_listen().await { continue }
                    return None;
                }
                _ = self.ask.tick() => {
                    if self.sees_the_same().await { continue }
                    return None;
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
