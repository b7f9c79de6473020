//! One worker's metric series.
//!
//! Values are atomics that only this thread writes. The scraper reads them through tables that are locked when a series
//! appears, never when it counts.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    hash::Hash,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Edge, RequestRecord, ResponseFlags, TcpRecord, exposition,
    series::{Count, RequestValues, Table, TcpValues, WorkerSeries},
    spans::span_of,
};
use crate::state::Shared;

/// Series of one kind that one worker may hold.
const MAX_SERIES: usize = 4000;
/// A series that was not touched for this long may be dropped when there is no room for a new one.
const STALE: Duration = Duration::from_secs(600);

/// Counts for one worker. Single-threaded; nothing in it waits.
pub struct Recorder {
    shared: Arc<Shared>,
    series: Arc<WorkerSeries>,
    edges: RefCell<HashSet<Rc<Edge>>>,
    requests: RefCell<Index<RequestKey, RequestValues>>,
    tcp: RefCell<Index<TcpKey, TcpValues>>,
    routes: RefCell<HashMap<RouteKey, Entry<Count>>>,
}

type Index<K, V> = HashMap<K, Entry<V>>;

struct Entry<V> {
    values: Arc<V>,
    touched: Instant,
}

/// Edges compare by pointer here: they are interned, and the key keeps its edge alive.
#[derive(Clone)]
struct EdgeKey(Rc<Edge>);

impl PartialEq for EdgeKey {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for EdgeKey {}

impl Hash for EdgeKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        Rc::as_ptr(&self.0).hash(state);
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct RequestKey {
    edge: EdgeKey,
    status: u16,
    grpc: Option<u16>,
    is_grpc: bool,
    flags: ResponseFlags,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct TcpKey {
    edge: EdgeKey,
    flags: ResponseFlags,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct RouteKey {
    virtual_service: Arc<str>,
    route: Arc<str>,
    subset: Arc<str>,
    host: Arc<str>,
}

impl Recorder {
    /// A recorder whose series the scraper sees.
    pub fn new(shared: Arc<Shared>) -> Self {
        let series = shared.stats.register_worker();
        Self {
            shared,
            series,
            edges: RefCell::default(),
            requests: RefCell::default(),
            tcp: RefCell::default(),
            routes: RefCell::default(),
        }
    }

    /// The one shared copy of `edge`. Hashes its text; keep the result for as long as the connection or endpoint lasts.
    pub fn edge(&self, edge: Edge) -> Rc<Edge> {
        let mut edges = self.edges.borrow_mut();
        if let Some(known) = edges.get(&edge) {
            return known.clone();
        }
        if edges.len() >= MAX_SERIES {
            edges.retain(|known| Rc::strong_count(known) > 1);
        }
        let edge = Rc::new(edge);
        edges.insert(edge.clone());
        edge
    }

    /// Counts a finished request, writes its access log line and hands its span to the exporter.
    pub fn record(&self, record: &RequestRecord) {
        self.count(record);
        self.shared.access_log.request(record);
        if let Some((context, span)) = record.trace
            && context.sampled
        {
            self.shared.spans.push(|tag_length| span_of(record, context, span, &self.shared.node, tag_length));
        }
    }

    fn count(&self, record: &RequestRecord) {
        let key = RequestKey {
            edge: EdgeKey(record.edge.clone()),
            status: record.status,
            grpc: record.grpc_status,
            is_grpc: record.grpc,
            flags: record.flags,
        };
        let entry = find(&mut self.requests.borrow_mut(), key, &self.series.requests, |key| {
            exposition::request_labels(&key.edge.0, key.is_grpc, key.grpc, key.status, key.flags)
        });
        let Some(values) = entry else {
            self.shared.stats.series_dropped();
            return;
        };
        values.requests.add(1);
        values.duration.observe(record.duration.as_secs_f64() * 1000.0);
        values.request_bytes.observe(record.bytes_received as f64);
        values.response_bytes.observe(record.bytes_sent as f64);
        if record.grpc {
            values.request_messages.add(record.request_messages);
            values.response_messages.add(record.response_messages);
        }
    }

    /// Counts a weighted pick: call it for first attempts only, never for retries or mirrors. `virtual_service` is
    /// `namespace/name`, `route` what [`weft_model::xds::route_id`] gives, `subset` empty for none.
    pub fn route_picked(&self, virtual_service: &Arc<str>, route: &Arc<str>, subset: &Arc<str>, host: &Arc<str>) {
        let key = RouteKey {
            virtual_service: virtual_service.clone(),
            route: route.clone(),
            subset: subset.clone(),
            host: host.clone(),
        };
        let own = self.shared.facts.load();
        let entry = find(&mut self.routes.borrow_mut(), key, &self.series.routes, |key| {
            exposition::route_labels([
                &key.virtual_service,
                &key.route,
                &key.subset,
                &key.host,
                &own.workload,
                &own.namespace,
            ])
        });
        match entry {
            Some(count) => count.add(1),
            None => self.shared.stats.series_dropped(),
        }
    }

    /// Counts a new opaque connection; its bytes and its end are told to the result.
    pub fn tcp_opened(&self, edge: &Rc<Edge>) -> TcpSeries {
        let values = self.tcp_values(edge, ResponseFlags::NONE);
        values.opened.add(1);
        TcpSeries { edge: edge.clone(), values }
    }

    /// Counts a connection's end with its flags and writes its access log line.
    pub fn tcp_closed(&self, series: TcpSeries, record: &TcpRecord) {
        let values = match record.flags.is_empty() {
            true => series.values,
            false => self.tcp_values(&series.edge, record.flags),
        };
        values.closed.add(1);
        self.shared.access_log.tcp(record);
    }

    fn tcp_values(&self, edge: &Rc<Edge>, flags: ResponseFlags) -> Arc<TcpValues> {
        let key = TcpKey { edge: EdgeKey(edge.clone()), flags };
        find(&mut self.tcp.borrow_mut(), key, &self.series.tcp, |key| exposition::tcp_labels(&key.edge.0, key.flags))
            .unwrap_or_else(|| {
                self.shared.stats.series_dropped();
                Arc::default()
            })
    }
}

/// An open opaque connection's counters.
pub struct TcpSeries {
    edge: Rc<Edge>,
    values: Arc<TcpValues>,
}

impl TcpSeries {
    /// Bytes from the client since the last call.
    pub fn received(&self, bytes: u64) {
        self.values.received.add(bytes);
    }

    /// Bytes to the client since the last call.
    pub fn sent(&self, bytes: u64) {
        self.values.sent.add(bytes);
    }
}

/// Finds or makes a series; `None` when there is no room and nothing stale to drop.
fn find<K: Eq + Hash + Clone, V: Default>(
    index: &mut HashMap<K, Entry<V>>,
    key: K,
    table: &Table<V>,
    labels: impl FnOnce(&K) -> String,
) -> Option<Arc<V>> {
    let now = Instant::now();
    if let Some(entry) = index.get_mut(&key) {
        entry.touched = now;
        return Some(entry.values.clone());
    }
    if index.len() >= MAX_SERIES {
        index.retain(|_, entry| now.duration_since(entry.touched) < STALE || Arc::strong_count(&entry.values) > 2);
        let live: HashSet<*const V> = index.values().map(|entry| Arc::as_ptr(&entry.values)).collect();
        table.retain(|values| live.contains(&Arc::as_ptr(values)));
        if index.len() >= MAX_SERIES {
            return None;
        }
    }
    let values = Arc::<V>::default();
    table.insert(labels(&key).into(), values.clone());
    index.insert(key, Entry { values: values.clone(), touched: now });
    Some(values)
}

#[cfg(test)]
mod tests;
