//! Graphs as they are sent, made once for all who may see the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    sync::Arc,
    time::Instant,
};

use flate2::{Compression, write::GzEncoder};
use parking_lot::Mutex;
use weft_model::graph::View;

use super::{Details, GraphCache, Moment, Observed, draw, redact, within};
use crate::{config, live};

/// Answers remembered at once.
const ANSWERS: usize = 16;

/// What a reader asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ask {
    /// Length of the window in seconds.
    pub window_s: u64,
    /// Its end in milliseconds since the epoch; now when `None`.
    pub at_ms: Option<u64>,
    /// What nodes are.
    pub view: View,
    /// See [`super::draw`].
    pub idle: Option<bool>,
    /// Only what touches these; everything when empty.
    pub namespaces: Vec<String>,
}

impl Ask {
    /// What has to be known for it.
    pub fn moment(&self) -> Moment {
        Moment { window_s: self.window_s, at_ms: self.at_ms, idle: self.idle == Some(true) }
    }
}

/// A graph ready to be sent.
#[derive(Debug)]
pub struct Answer {
    /// As JSON.
    pub json: Arc<str>,
    /// The same, compressed.
    pub gzip: bytes::Bytes,
    /// Tells it from others by its content alone, so that any replica knows it again. It is weak, because the bytes differ
    /// by compression.
    pub etag: String,
    /// What it was made of, as events name it.
    pub version: String,
}

/// Who asks for what: the ask and the namespaces that are hidden from the asker.
type Key = (Ask, Vec<String>);

/// What an answer was made of. Holding on to it keeps its address from being used again.
#[derive(Clone)]
pub(super) struct Made {
    pub observed: Arc<Observed>,
    pub details: Arc<Details>,
    pub view: Arc<config::View>,
}

impl Made {
    pub(super) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.observed, &other.observed)
            && Arc::ptr_eq(&self.details, &other.details)
            && Arc::ptr_eq(&self.view, &other.view)
    }
}

#[derive(Default)]
struct Slot(tokio::sync::Mutex<Option<(Made, Arc<Answer>)>>);

/// Answers by who may see what.
pub struct Answers {
    graphs: Arc<GraphCache>,
    slots: Mutex<BTreeMap<Key, (Instant, Arc<Slot>)>>,
}

impl Answers {
    /// Nothing is remembered yet.
    pub fn new(graphs: Arc<GraphCache>) -> Self {
        Self { graphs, slots: Mutex::default() }
    }

    /// The graph that somebody gets who sees the namespaces that `sees` affirms. With `wait`, quantiles are waited for.
    pub async fn get(
        &self,
        ask: &Ask,
        view: Arc<config::View>,
        sees: &(dyn Fn(&str) -> bool + Sync),
        wait: bool,
    ) -> Arc<Answer> {
        let (observed, details) = self.graphs.seen(ask.moment(), wait).await;
        let all: BTreeSet<&str> = namespaces(&observed, &view);
        let hidden: Vec<String> = all.iter().filter(|name| !sees(name)).map(|name| (*name).to_owned()).collect();
        let is_missing = |name: &&String| !all.contains(name.as_str()) || hidden.contains(*name);
        let missing: Vec<String> = ask.namespaces.iter().filter(is_missing).cloned().collect();
        let known: BTreeSet<String> =
            if hidden.is_empty() { BTreeSet::new() } else { all.into_iter().map(str::to_owned).collect() };
        let made = Made { observed, details, view };
        let slot = self.slot(&(ask.clone(), hidden.clone()));
        let mut entry = slot.0.lock().await;
        if let Some((of, answer)) = entry.as_ref()
            && of.same(&made)
        {
            return answer.clone();
        }
        let (ask, of) = (ask.clone(), made.clone());
        let answer = tokio::task::spawn_blocking(move || make(&ask, &of, &hidden, &known, &missing)).await;
        let answer = Arc::new(answer.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
        *entry = Some((made, answer.clone()));
        answer
    }

    fn slot(&self, key: &Key) -> Arc<Slot> {
        let now = Instant::now();
        let mut slots = self.slots.lock();
        if !slots.contains_key(key) && slots.len() >= ANSWERS {
            let oldest = slots.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            oldest.and_then(|key| slots.remove(&key));
        }
        let (used, slot) = slots.entry(key.clone()).or_insert_with(|| (now, Arc::default()));
        *used = now;
        slot.clone()
    }
}

/// Every namespace that a graph may name, and "" for the mesh as a whole.
fn namespaces<'a>(observed: &'a Observed, view: &'a config::View) -> BTreeSet<&'a str> {
    let estate = &view.estate;
    let seen = observed.namespaces.iter().map(|name| &**name);
    let configured = estate.namespaces.iter().chain(estate.service_namespaces.values()).map(String::as_str);
    seen.chain(configured).chain([""]).collect()
}

/// Tells what graphs are made of from what they were made of before, in this process; events name it.
pub fn version(observed: &Observed, details: &Details, view: &config::View) -> String {
    let took = [observed.took, details.took].map(|took| took.as_nanos().to_string()).join("-");
    format!("{}-{took}-{}", observed.at_ms + observed.age_ms, view.version)
}

/// `missing` are namespaces that were asked for and are not there, or are not the reader's to see.
fn make(ask: &Ask, of: &Made, hidden: &[String], known: &BTreeSet<String>, missing: &[String]) -> Answer {
    let mut graph = draw(&of.observed, &of.details, &of.view.estate, ask.view, ask.idle);
    graph.replay = ask.at_ms.is_some();
    if !hidden.is_empty() {
        let is_hidden = |name: &str| hidden.iter().any(|hidden| hidden == name);
        // What nobody was asked about is shown to those only who see the mesh as a whole.
        let knows = |name: &str| known.contains(name);
        graph = redact(graph, &|name| !is_hidden(if knows(name) { name } else { "" }), &knows);
    }
    let mut graph = within(graph, &ask.namespaces);
    if !missing.is_empty() {
        let words = format!("No namespace {} is known that you may see.", missing.join(", "));
        graph.sources.note = Some(match graph.sources.note.take() {
            Some(before) => format!("{before} {words}"),
            None => words,
        });
    }
    let json = serde_json::to_string(&graph).unwrap_or_default();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(LEVEL));
    // Writing into memory cannot fail.
    let _ = gzip.write_all(json.as_bytes());
    Answer {
        gzip: gzip.finish().unwrap_or_default().into(),
        etag: format!("W/\"{}\"", live::version(json.as_bytes())),
        version: version(&of.observed, &of.details, &of.view),
        json: json.into(),
    }
}

/// How hard answers are compressed: they are made once and sent to many.
const LEVEL: u32 = 6;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use weft_mesh::{Settings, Store};
    use weft_source::Index;

    use super::*;

    /// What a replica has that read its configuration so many times, and whose Prometheus took so long.
    fn answer(views: u64, took: Duration, at_ms: u64) -> Answer {
        let view = config::View::new(views, Store::new(Settings::default()).snapshot(), Index::default(), Vec::new());
        let of = Made {
            observed: Arc::new(Observed { at_ms, window_s: 60, took, ..Observed::default() }),
            details: Arc::new(Details { took, ..Details::default() }),
            view: Arc::new(view),
        };
        let ask = Ask { window_s: 60, at_ms: Some(at_ms), view: View::default(), idle: None, namespaces: Vec::new() };
        make(&ask, &of, &[], &BTreeSet::new(), &[])
    }

    #[test]
    fn replicas_that_answer_the_same_give_it_the_same_tag() {
        let (one, other) = (answer(1, Duration::from_millis(3), 5_000), answer(7, Duration::from_millis(9), 5_000));
        assert_eq!((&one.json, &one.etag), (&other.json, &other.etag));
        assert_ne!(one.version, other.version, "a page that waits for what it was told of tells them apart");
        assert_ne!(one.etag, answer(1, Duration::from_millis(3), 6_000).etag);
    }
}
