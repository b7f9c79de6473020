//! Values of metric series: written by one worker, read by the scraper.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use weft_model::metrics::DURATION_BUCKETS;

/// Number of buckets, `+Inf` included.
pub const BUCKETS: usize = DURATION_BUCKETS.len() + 1;

/// A counter with one writer. Not a read-modify-write, so it costs a plain load and store.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds `n`. Only the owning worker may call it.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// The value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A histogram with Istio's bounds and one writer.
#[derive(Debug)]
pub struct Histogram {
    buckets: [Count; BUCKETS],
    sum: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| Count::default()), sum: AtomicU64::new(0f64.to_bits()) }
    }
}

impl Histogram {
    /// Counts one value.
    pub fn observe(&self, value: f64) {
        let bucket = DURATION_BUCKETS.iter().position(|bound| value <= *bound).unwrap_or(BUCKETS - 1);
        self.buckets[bucket].add(1);
        let sum = f64::from_bits(self.sum.load(Ordering::Relaxed)) + value;
        self.sum.store(sum.to_bits(), Ordering::Relaxed);
    }

    /// Adds this histogram's values to `total`.
    pub fn read(&self, total: &mut HistogramTotal) {
        for (to, from) in total.buckets.iter_mut().zip(&self.buckets) {
            *to += from.get();
        }
        total.sum += f64::from_bits(self.sum.load(Ordering::Relaxed));
    }
}

/// A histogram summed over workers; buckets are not cumulative.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistogramTotal {
    /// Count per bucket.
    pub buckets: [u64; BUCKETS],
    /// Sum of all values.
    pub sum: f64,
}

/// Values of one HTTP or gRPC series.
#[derive(Debug, Default)]
pub struct RequestValues {
    /// Requests.
    pub requests: Count,
    /// Milliseconds.
    pub duration: Histogram,
    /// Request body bytes.
    pub request_bytes: Histogram,
    /// Response body bytes.
    pub response_bytes: Histogram,
    /// gRPC messages from clients.
    pub request_messages: Count,
    /// gRPC messages from servers.
    pub response_messages: Count,
}

/// Values of one opaque TCP series.
#[derive(Debug, Default)]
pub struct TcpValues {
    /// Connections opened.
    pub opened: Count,
    /// Connections closed.
    pub closed: Count,
    /// Bytes to the client.
    pub sent: Count,
    /// Bytes from the client.
    pub received: Count,
}

/// Series of one kind that one worker owns and the scraper reads: label text and values.
#[derive(Debug)]
pub struct Table<V>(Mutex<Vec<(Arc<str>, Arc<V>)>>);

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V> Table<V> {
    /// Adds a series.
    pub fn insert(&self, labels: Arc<str>, values: Arc<V>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((labels, values));
    }

    /// Drops the series that `keep` refuses.
    pub fn retain(&self, keep: impl Fn(&Arc<V>) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(_, values)| keep(values));
    }

    /// Reads all series.
    pub fn each(&self, mut read: impl FnMut(&Arc<str>, &V)) {
        for (labels, values) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            read(labels, values);
        }
    }
}

/// All series of one worker.
#[derive(Debug, Default)]
pub struct WorkerSeries {
    /// HTTP and gRPC.
    pub requests: Table<RequestValues>,
    /// Opaque TCP.
    pub tcp: Table<TcpValues>,
    /// Weighted picks.
    pub routes: Table<Count>,
}
