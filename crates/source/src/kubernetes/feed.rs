//! Follows one kind: lists it, watches it from there, and begins anew when the API server has forgotten where we were.
//!
//! The calls are kube's; the loop is ours, because three things matter here that a generic watcher leaves open: that a
//! streamed list which breaks off begins from nothing, that 410 as an HTTP status is as good as 410 in the stream, and
//! that a server's Retry-After is heeded.

use std::{collections::BTreeMap, pin::pin, time::Duration};

use futures::StreamExt;
use kube::{
    Api, Client,
    api::{ListParams, WatchEvent, WatchParams},
};
use tokio::{
    sync::mpsc,
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};
use weft_api::{
    Kind,
    core::{EndpointSliceManifest, NodeManifest, PodManifest},
};

use super::{
    crds::{self, Definition},
    ledger::Name,
    pace::Pace,
    trouble::{Class, Failure},
    watched::{Watched, What},
    wire::{Body, Json, Read, Wire},
};

/// Numbers a feed; never used twice.
pub(super) type FeedId = u64;

/// Objects in one page of a list.
const PAGE: u32 = 500;
/// When the server is to end a watch, seconds. A connection that died unnoticed is noticed then.
const WATCH_SECONDS: u32 = 240;
/// How long an answer may take to begin; a page of a list comes whole.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// What a server gets to end the watch by itself.
const GRACE: Duration = Duration::from_secs(10);
/// A watch that ends sooner than this was not worth its connection.
const SHORT: Duration = Duration::from_secs(1);
/// The annotation of the bookmark after a streamed list's last object.
const END_OF_LIST: &str = "k8s.io/initial-events-end";

/// What a feed has to say.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) feed: FeedId,
    pub(super) event: Event,
}

/// One thing that a feed saw.
#[derive(Debug)]
pub(super) enum Event {
    /// A whole list follows.
    Begin,
    /// An object as it is now.
    Seen(Name, Read),
    /// An object that is gone.
    Gone(Name),
    /// The list is complete: what was not seen since it began is gone.
    Done,
    /// It goes on where it was after it had failed.
    Resumed,
    /// It cannot go on for now.
    Failed(Failure),
}

impl std::fmt::Debug for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Object(..) => "Object",
            Self::Rejected(_) => "Rejected",
            Self::Serves(..) => "Serves",
            Self::Nothing => "Nothing",
        })
    }
}

/// Begins to follow a kind.
pub(super) fn spawn(client: Client, watched: Watched, feed: FeedId, reports: mpsc::Sender<Report>) -> AbortHandle {
    macro_rules! follow {
        ($body:ty) => {
            tokio::spawn(Feed::<$body>::new(client, watched, feed, reports).run())
        };
    }
    match watched.what {
        What::Definitions => follow!(Definition),
        What::Kind(Kind::Pod) => follow!(PodManifest),
        What::Kind(Kind::Node) => follow!(NodeManifest),
        What::Kind(Kind::EndpointSlice) => follow!(EndpointSliceManifest),
        What::Kind(_) => follow!(Json),
    }
    .abort_handle()
}

/// Why a feed stopped for a moment, or for good.
enum Stop {
    /// Nobody listens any more.
    Closed,
    /// The watch ran its time.
    Ended,
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

struct Feed<B> {
    client: Client,
    api: Api<Wire<B>>,
    watched: Watched,
    feed: FeedId,
    reports: mpsc::Sender<Report>,
    /// Whether lists come as streams, object by object, instead of in pages. Found out by asking for one.
    streaming: bool,
    /// Whether it was said that something is wrong, and not yet that it is over.
    failing: bool,
    /// Where the watch goes on; `None` before the first list and after the server forgot.
    position: Option<String>,
    pace: Pace,
}

impl<B: Body> Feed<B> {
    fn new(client: Client, watched: Watched, feed: FeedId, reports: mpsc::Sender<Report>) -> Self {
        let resource = watched.resource();
        let api = match &watched.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        Self {
            client,
            api,
            watched,
            feed,
            reports,
            streaming: true,
            failing: false,
            position: None,
            pace: Pace::default(),
        }
    }

    async fn run(mut self) {
        loop {
            let begun = Instant::now();
            let stop = match (&self.position, self.streaming) {
                (None, false) => self.list().await.err(),
                (None, true) => self.watch(None).await.err(),
                (Some(position), _) => {
                    let position = position.clone();
                    self.watch(Some(position)).await.err()
                }
            };
            let failure = match stop {
                None => continue,
                Some(Stop::Closed) => return,
                Some(Stop::Ended) if begun.elapsed() >= SHORT => {
                    self.pace.reset();
                    continue;
                }
                Some(Stop::Ended) => Failure::unavailable("the watch ends as soon as it begins"),
                Some(Stop::Failed(failure)) => failure,
            };
            match failure.class {
                Class::Gone => self.position = None,
                Class::NoStream if self.streaming => {
                    self.streaming = false;
                    continue;
                }
                Class::Forbidden if self.watched.what == What::Definitions && self.discover().await.is_err() => return,
                _ => {}
            }
            let refused = matches!(failure.class, Class::Forbidden | Class::Missing);
            let wait = self.pace.after(refused, failure.retry_after);
            tracing::debug!(what = %self.watched.title(), error = %failure.message, ?wait, "cannot follow for now");
            self.failing = true;
            if self.say(Event::Failed(failure)).await.is_err() {
                return;
            }
            sleep(wait).await;
        }
    }

    fn fields(&self) -> Option<String> {
        self.watched.name.as_ref().map(|name| format!("metadata.name={name}"))
    }

    /// Lists in pages.
    async fn list(&mut self) -> Result<(), Stop> {
        self.say(Event::Begin).await?;
        let mut parameters = ListParams { limit: Some(PAGE), field_selector: self.fields(), ..ListParams::default() };
        loop {
            let page = answer(self.api.list(&parameters)).await?;
            for object in page.items {
                self.see(object).await?;
            }
            parameters.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if parameters.continue_token.is_none() {
                self.position = page.metadata.resource_version.filter(|version| !version.is_empty());
                if self.position.is_none() {
                    return Err(Failure::unavailable("the list has no resource version").into());
                }
                return self.done().await;
            }
        }
    }

    /// Watches from a position. Without one, the watch begins with the list, object by object.
    async fn watch(&mut self, from: Option<String>) -> Result<(), Stop> {
        let mut listing = from.is_none();
        let parameters = WatchParams {
            field_selector: self.fields(),
            timeout: Some(WATCH_SECONDS),
            send_initial_events: listing,
            ..WatchParams::default()
        };
        if listing {
            self.say(Event::Begin).await?;
        }
        let events = answer(self.api.watch(&parameters, from.as_deref().unwrap_or_default())).await?;
        let mut events = pin!(events);
        let silence = Duration::from_secs(WATCH_SECONDS.into()) + GRACE;
        loop {
            // Nothing may happen for long; that it could is news after a failure.
            let resumes = self.failing && !listing;
            let event = match timeout(if resumes { SHORT } else { silence }, events.next()).await {
                Ok(Some(event)) => event.map_err(Failure::from)?,
                Ok(None) => return Err(Stop::Ended),
                Err(_) if resumes => {
                    self.resumed().await?;
                    continue;
                }
                Err(_) => return Err(Failure::unavailable("the connection is silent").into()),
            };
            if resumes && !matches!(event, WatchEvent::Error(_)) {
                self.resumed().await?;
            }
            match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    self.advance(object.version(), listing);
                    self.see(object).await?;
                }
                WatchEvent::Deleted(object) => {
                    self.advance(object.version(), listing);
                    self.say(Event::Gone(object.name())).await?;
                }
                WatchEvent::Bookmark(bookmark) => {
                    if listing && bookmark.metadata.annotations.contains_key(END_OF_LIST) {
                        listing = false;
                        self.done().await?;
                    }
                    self.advance(Some(&bookmark.metadata.resource_version), listing);
                }
                WatchEvent::Error(status) => return Err(Failure::of_status(&status).into()),
            }
        }
    }

    async fn done(&mut self) -> Result<(), Stop> {
        self.failing = false;
        self.pace.reset();
        self.say(Event::Done).await
    }

    async fn resumed(&mut self) -> Result<(), Stop> {
        self.failing = false;
        self.pace.reset();
        self.say(Event::Resumed).await
    }

    /// A list that is not complete is nothing to go on from.
    fn advance(&mut self, version: Option<&str>, listing: bool) {
        if let Some(version) = version.filter(|version| !version.is_empty() && !listing) {
            self.position = Some(version.to_owned());
        }
    }

    async fn see(&self, object: Wire<B>) -> Result<(), Stop> {
        let name = object.name();
        let read = object.read(&self.watched);
        self.say(Event::Seen(name, read)).await
    }

    /// Without the right to read CustomResourceDefinitions, what is served can still be asked for now and then.
    async fn discover(&self) -> Result<(), Stop> {
        let served: BTreeMap<_, _> = match crds::discover(&self.client).await {
            Ok(served) => served,
            Err(error) => {
                tracing::debug!(%error, "cannot ask for the kinds that are served");
                return Ok(());
            }
        };
        self.say(Event::Begin).await?;
        for (kind, version) in served {
            let name = Name::new("", &format!("{}.{}", kind.plural(), kind.group()));
            self.say(Event::Seen(name, Read::Serves(kind, Some(version)))).await?;
        }
        self.say(Event::Done).await
    }

    async fn say(&self, event: Event) -> Result<(), Stop> {
        self.reports.send(Report { feed: self.feed, event }).await.map_err(|_| Stop::Closed)
    }
}

/// A call's answer, if it begins in time.
async fn answer<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, Failure> {
    match timeout(ANSWER_WITHIN, call).await {
        Ok(answer) => answer.map_err(Failure::from),
        Err(_) => Err(Failure::unavailable("no answer in time")),
    }
}
