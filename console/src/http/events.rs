//! Server-sent events (`GET /api/v1/events?window=60&view=app`): `status`, `config`, `graph` and `canaries`, each with the JSON of
//! the resource of that name.

use std::{convert::Infallible, sync::Arc, time::Duration};

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
use tokio::{sync::broadcast::error::RecvError, time::Interval};
use weft_runtime::Shutdown;

use super::{ApiError, api::GraphQuery};
use crate::{
    app::App,
    auth::Caller,
    live::{Message, News, Subscription, present},
};

/// How often a silent connection is shown to be alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How soon a page comes back after the stream ended.
const RETRY: Duration = Duration::from_secs(1);

/// How often it is looked whether the listener may still listen.
const LOOK_EVERY: Duration = Duration::from_secs(15);

struct Feed {
    caller: Caller,
    app: Arc<App>,
    look: Interval,
    first: FuturesUnordered<BoxFuture<'static, Message>>,
    subscription: Subscription,
    shutdown: Shutdown,
    /// Which graph was sent last.
    sent: String,
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
    let subscription = app.live.subscribe(graph).ok_or_else(|| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-many-pages",
            "Too many pages listen to this console.",
            "Close some of them, then load this one again.",
        )
    })?;
    let first = present(&app, std::slice::from_ref(&subscription.graph));
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.reset();
    let shutdown = app.shutdown.clone();
    let feed = Feed { caller, app, look, first, subscription, shutdown, sent: String::new(), ended: false };
    let stream = stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((Ok(event), feed))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE).text("still here")))
}

impl Feed {
    /// A stream outlives no session: the page comes back, and is asked again.
    async fn may_listen(&mut self) -> bool {
        match self.caller.session() {
            Some(session) => self.app.auth.holds(&session).await,
            None => true,
        }
    }

    /// What this page is to hear of a message; `None` for other pages' graphs, and for the graph that it has already.
    async fn event(&mut self, message: &Message) -> Option<Event> {
        let sight = self.caller.sight();
        let json = match &message.news {
            News::Graph(graph) if **graph != *self.subscription.graph => return None,
            News::Graph(graph) => {
                let answer = self.app.answers.get(graph, self.app.view(), &|name| sight.sees(name), false).await;
                if answer.etag == self.sent {
                    return None;
                }
                self.sent.clone_from(&answer.etag);
                answer.json.clone()
            }
            _ => message.json_for(sight),
        };
        Some(Event::default().event(message.news.name()).data(&*json).retry(RETRY))
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
                () = self.shutdown.wait() => return None,
            };
            match received {
                Ok(message) => {
                    if let Some(event) = self.event(&message).await {
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
