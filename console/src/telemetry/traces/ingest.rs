use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use tokio::{sync::mpsc, time::Instant};
use weft_runtime::Shutdown;

use crate::{
    db::{SpanRecord, TraceStore},
    metrics::Metrics,
};

/// Spans that may wait for the writer.
const QUEUE: usize = 20_000;
/// Spans written by one transaction.
const BATCH: usize = 2000;
/// How long the writer waits for a batch to fill.
const LINGER: Duration = Duration::from_millis(100);
/// How often a batch is tried that the database does not take now.
const TRIES: u32 = 10;
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);
/// How long traces are kept.
pub const MAX_AGE: Duration = Duration::from_secs(24 * 3600);
/// How often old traces are looked for.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(60);

/// The queue has no room; the sender should try again a second later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the trace queue is full: spans arrive faster than they can be written; sample less, or try again later")]
pub struct Full;

/// The bounded queue in front of the writer. Clones share it.
#[derive(Clone, Debug)]
pub struct Ingest {
    sender: mpsc::Sender<Vec<SpanRecord>>,
    waiting: Arc<AtomicUsize>,
    /// Why the last write failed, until one succeeds.
    trouble: Arc<Mutex<Option<String>>>,
}

impl Ingest {
    /// A queue and its end for [`write_batches`].
    pub fn new() -> (Self, mpsc::Receiver<Vec<SpanRecord>>) {
        let (sender, receiver) = mpsc::channel(QUEUE / 16);
        (Self { sender, waiting: Arc::default(), trouble: Arc::default() }, receiver)
    }

    /// Queues spans at once, or says that there is no room; never waits.
    pub fn offer(&self, spans: Vec<SpanRecord>) -> Result<(), Full> {
        let count = spans.len();
        if count == 0 {
            return Ok(());
        }
        if self.waiting.fetch_add(count, Ordering::Relaxed) + count > QUEUE {
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            return Err(Full);
        }
        self.sender.try_send(spans).map_err(|_| {
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            Full
        })
    }

    /// Why spans cannot be written now, and what to do.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    /// Why none are taken now: what waits cannot be written. With nothing waiting, the next ones are the attempt that
    /// finds out whether it goes again.
    pub fn held_up(&self) -> Option<String> {
        self.trouble().filter(|_| self.waiting() > 0)
    }

    /// Spans that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// Writes what is queued until shutdown, and then what is still waiting. A batch is tried again while the database is in
/// trouble; one that cannot be written at all is dropped, counted and logged: traces must never hold up anything.
pub async fn write_batches(
    ingest: Ingest,
    mut queue: mpsc::Receiver<Vec<SpanRecord>>,
    store: TraceStore,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
) {
    let mut expiry = tokio::time::interval(EXPIRY_INTERVAL);
    loop {
        let first = tokio::select! {
            biased;
            batch = queue.recv() => batch,
            () = shutdown.wait() => None,
            _ = expiry.tick() => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let limit = u64::try_from(now.saturating_sub(MAX_AGE).as_micros()).unwrap_or(u64::MAX);
                if let Err(error) = store.expire(limit).await {
                    tracing::warn!(%error, "old traces could not be deleted");
                }
                continue;
            }
        };
        let Some(mut batch) = first else { break };
        let deadline = Instant::now() + LINGER;
        while batch.len() < BATCH {
            match tokio::time::timeout_at(deadline, queue.recv()).await {
                Ok(Some(more)) => batch.extend(more),
                Ok(None) | Err(_) => break,
            }
        }
        write(&ingest, batch, &store, &metrics, &shutdown).await;
    }
    queue.close();
    while let Some(batch) = queue.recv().await {
        write(&ingest, batch, &store, &metrics, &shutdown).await;
    }
    store.close().await;
}

async fn write(ingest: &Ingest, batch: Vec<SpanRecord>, store: &TraceStore, metrics: &Metrics, shutdown: &Shutdown) {
    let count = batch.len();
    let mut tries = TRIES;
    let written = loop {
        match store.write(&batch).await {
            Err(error) if error.is_condition() && tries > 1 && !shutdown.begun() => {
                tries -= 1;
                *ingest.trouble.lock() = Some(error.in_full());
                tokio::select! { () = tokio::time::sleep(PAUSE) => {} () = shutdown.wait() => {} }
            }
            done => break done,
        }
    };
    *ingest.trouble.lock() = written.as_ref().err().map(|error| error.in_full());
    match written {
        Ok(()) => metrics.spans_written(count),
        Err(error) => {
            tracing::warn!(%error, spans = count, "spans could not be written and are lost");
            metrics.spans_lost(count);
        }
    }
    metrics.spans_held(store.held());
    ingest.waiting.fetch_sub(count, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::db::{DatabaseUrl, TraceFilter, open_traces};

    fn spans(count: usize) -> Vec<SpanRecord> {
        let span = |n: usize| SpanRecord {
            trace_id: format!("{:032x}", n % 50),
            span_id: format!("{n:016x}"),
            parent_id: String::new(),
            name: "GET".into(),
            workload: "shop/web".into(),
            kind: "client",
            start_us: u64::MAX >> 12,
            duration_us: 1,
            error: false,
            attributes: BTreeMap::new(),
        };
        (0..count).map(span).collect()
    }

    #[tokio::test]
    async fn a_full_queue_says_so_and_never_waits() {
        let (ingest, mut queue) = Ingest::new();
        assert_eq!(ingest.offer(spans(QUEUE)), Ok(()));
        assert_eq!(ingest.offer(spans(1)), Err(Full));
        assert_eq!(ingest.waiting(), QUEUE);
        assert_eq!(queue.recv().await.map(|batch| batch.len()), Some(QUEUE));
    }

    /// While another program holds the file, nothing is taken that cannot be kept, and what was taken is kept.
    #[tokio::test]
    async fn a_database_in_trouble_is_told_and_loses_nothing() {
        use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("traces.db");
        let store = open_traces(&DatabaseUrl::in_directory(dir.path()), &file, 100_000).await.unwrap();
        let mut other = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&file)).await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        let (ingest, queue) = Ingest::new();
        let shutdown = Shutdown::new();
        let metrics = Arc::new(Metrics::new());
        let writer = write_batches(ingest.clone(), queue, store.clone(), metrics, shutdown.clone());
        let writer = tokio::spawn(writer);
        ingest.offer(spans(40)).unwrap();
        let until = async |done: &dyn Fn() -> bool| {
            let deadline = Instant::now() + Duration::from_secs(60);
            while !done() {
                assert!(Instant::now() < deadline, "{:?}, {} wait", ingest.trouble(), ingest.waiting());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        until(&|| ingest.held_up().is_some()).await;
        assert!(ingest.trouble().unwrap().contains("locked by another program"), "{:?}", ingest.trouble());
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
        until(&|| ingest.waiting() == 0).await;
        assert_eq!((ingest.trouble(), ingest.held_up()), (None, None));
        assert_eq!(store.held(), 40);
        shutdown.begin();
        writer.await.unwrap();
    }

    #[tokio::test]
    async fn what_waits_at_shutdown_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("traces.db");
        let store = open_traces(&DatabaseUrl::in_directory(dir.path()), &file, 100_000).await.unwrap();
        let (ingest, queue) = Ingest::new();
        for _ in 0..3 {
            ingest.offer(spans(40)).unwrap();
        }
        let shutdown = Shutdown::new();
        shutdown.begin();
        write_batches(ingest.clone(), queue, store, Arc::new(Metrics::new()), shutdown).await;
        assert_eq!(ingest.waiting(), 0);
        let store = open_traces(&DatabaseUrl::in_directory(dir.path()), &file, 100_000).await.unwrap();
        let all = TraceFilter { limit: 100, ..TraceFilter::default() };
        assert_eq!(store.list(&all).await.unwrap().len(), 40);
    }
}
