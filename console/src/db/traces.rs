mod search;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use weft_model::trace::Span;

pub use self::search::{Cursor, MAX_TAGS, TraceFilter, TracePoint};
use super::{
    DatabaseUrl, DbError,
    database::{Database, Row, Transaction, Value},
};
use crate::telemetry::traces::{EARLY_US, extent};

/// Spans kept of one trace; more than that nobody reads, and it bounds the work of one write.
const MAX_SPANS_OF_TRACE: u64 = 5000;
/// Traces deleted by one transaction, so that none takes long.
const DELETE_STEP: u64 = 200;
/// Spans inserted by one statement.
const CHUNK: usize = 40;
/// Columns of a span.
const COLUMNS: usize = 11;

/// One span as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanRecord {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// 16 hexadecimal digits, or empty for a root.
    pub parent_id: String,
    /// Operation.
    pub name: String,
    /// `namespace/name`.
    pub workload: String,
    /// `client`, `server` or `internal`.
    pub kind: &'static str,
    /// Start, microseconds since the epoch.
    pub start_us: u64,
    /// Duration in microseconds.
    pub duration_us: u64,
    /// Whether it failed.
    pub error: bool,
    /// Attributes.
    pub attributes: BTreeMap<String, String>,
}

/// Spans that were received: in a file, or in a Postgres that several consoles may share.
#[derive(Clone, Debug)]
pub struct TraceStore {
    database: Database,
    max_spans: u64,
    /// Spans held, as of the last write.
    held: Arc<AtomicU64>,
}

/// `INSERT` of so many spans. A span that is there already (an exporter that repeats itself) is left as it is.
fn insertion(rows: usize) -> String {
    let mut sql = "INSERT INTO spans (trace_id, span_id, parent_id, name, workload, namespace, kind, start_us, \
                   duration_us, error, attributes) VALUES "
        .to_owned();
    for row in 0..rows {
        sql.push_str(if row > 0 { ", (" } else { "(" });
        for column in 1..=COLUMNS {
            let _ = write!(sql, "{}${}", if column > 1 { ", " } else { "" }, row * COLUMNS + column);
        }
        sql.push(')');
    }
    sql + " ON CONFLICT (trace_id, span_id) DO NOTHING"
}

static INSERT_MANY: LazyLock<String> = LazyLock::new(|| insertion(CHUNK));
static INSERT_ONE: LazyLock<String> = LazyLock::new(|| insertion(1));

impl TraceStore {
    pub(super) async fn new(database: Database, max_spans: usize) -> Result<Self, DbError> {
        let row = database.row("SELECT spans FROM trace_held", []).await?;
        let held = row.map_or(Ok(0), |row| row.number("spans"))?;
        let max_spans = u64::try_from(max_spans).unwrap_or(u64::MAX);
        Ok(Self { database, max_spans, held: Arc::new(AtomicU64::new(held)) })
    }

    /// Connections that are made from now on use the name and the password of `url`.
    pub(super) fn renew(&self, url: &DatabaseUrl) -> Result<(), DbError> {
        self.database.renew(url)
    }

    /// Writes a batch in one transaction, then deletes the oldest traces above the cap.
    pub async fn write(&self, batch: &[SpanRecord]) -> Result<(), DbError> {
        let mut by_trace: BTreeMap<&str, Vec<&SpanRecord>> = BTreeMap::new();
        for span in batch {
            by_trace.entry(&span.trace_id).or_default().push(span);
        }
        let write = async {
            let mut transaction = self.turn().await?;
            let mut taken: Vec<&SpanRecord> = Vec::with_capacity(batch.len());
            for (trace_id, spans) in &by_trace {
                let row =
                    transaction.row("SELECT spans FROM traces WHERE trace_id = $1", vec![(*trace_id).into()]).await?;
                let before = row.map_or(Ok(0), |row| row.number("spans"))?;
                let room = usize::try_from(MAX_SPANS_OF_TRACE.saturating_sub(before)).unwrap_or(usize::MAX);
                taken.extend(spans.iter().take(room));
            }
            let mut added = 0;
            let (chunks, rest) = taken.as_chunks::<CHUNK>();
            for chunk in chunks {
                let values = chunk.iter().map(|span| values(span)).collect::<Result<Vec<_>, _>>()?;
                added += transaction.run(INSERT_MANY.as_str(), values.into_iter().flatten().collect()).await?;
            }
            for span in rest {
                added += transaction.run(INSERT_ONE.as_str(), values(span)?.into()).await?;
            }
            for trace_id in by_trace.keys() {
                summarize(&mut transaction, trace_id).await?;
            }
            let held = transaction
                .row("UPDATE trace_held SET spans = spans + $1 WHERE id = 1 RETURNING spans", vec![added.into()])
                .await?;
            let held = held.map_or(Ok(0), |row| row.number("spans"))?;
            transaction.commit().await?;
            Ok(held)
        };
        let held = self.database.watched(write).await?;
        self.held.store(held, Ordering::Relaxed);
        if held > self.max_spans {
            // Until a tenth of the cap is free, so that this is seldom needed. Pages that are free then are used by the
            // spans to come; giving them back would only take time.
            let enough = self.max_spans - self.max_spans / 10;
            while self.held.load(Ordering::Relaxed) > enough && self.delete_before(None).await? {}
        }
        Ok(())
    }

    /// Spans held.
    pub fn held(&self) -> usize {
        usize::try_from(self.held.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }

    /// Deletes traces that began before `start_us`.
    pub async fn expire(&self, start_us: u64) -> Result<(), DbError> {
        while self.delete_before(Some(start_us)).await? {}
        self.database.give_back().await
    }

    /// Deletes some of the oldest traces; says whether there were any.
    async fn delete_before(&self, start_us: Option<u64>) -> Result<bool, DbError> {
        let deletion = async {
            let mut transaction = self.turn().await?;
            // The one that follows the last to go.
            let sql = "SELECT MAX(start_us) AS last, COUNT(*) AS traces FROM (SELECT start_us FROM traces \
                       WHERE $1 IS NULL OR start_us < $1 ORDER BY start_us LIMIT $2) AS oldest";
            let row = transaction.row(sql, vec![start_us.into(), DELETE_STEP.into()]).await?;
            let Some(row) = row.filter(|row| row.number("traces").is_ok_and(|traces| traces > 0)) else {
                return Ok(None);
            };
            let last = row.number("last")?;
            let deleted = transaction
                .run(
                    "DELETE FROM spans WHERE trace_id IN (SELECT trace_id FROM traces WHERE start_us <= $1)",
                    vec![last.into()],
                )
                .await?;
            transaction.run("DELETE FROM traces WHERE start_us <= $1", vec![last.into()]).await?;
            let sql = "UPDATE trace_held SET spans = CASE WHEN spans > $1 THEN spans - $1 ELSE 0 END WHERE id = 1 \
                       RETURNING spans";
            let held = transaction.row(sql, vec![deleted.into()]).await?;
            transaction.commit().await?;
            held.map_or(Ok(0), |row| row.number("spans")).map(Some)
        };
        let held = self.database.watched(deletion).await?;
        if let Some(held) = held {
            self.held.store(held, Ordering::Relaxed);
        }
        Ok(held.is_some())
    }

    /// A transaction in which nobody else writes spans: a trace's row is a sum of them.
    async fn turn(&self) -> Result<Transaction, DbError> {
        let mut transaction = self.database.begin().await?;
        transaction.run("UPDATE trace_held SET spans = spans WHERE id = 1", Vec::new()).await?;
        Ok(transaction)
    }

    /// Closes its connections; writes of others that are under way finish first.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

/// Of `namespace/name`; empty for a workload that belongs to none.
fn namespace_of(workload: &str) -> &str {
    workload.split_once('/').map_or("", |(namespace, _)| namespace)
}

fn values(span: &SpanRecord) -> Result<[Value; COLUMNS], DbError> {
    let namespace = namespace_of(&span.workload);
    Ok([
        (&span.trace_id).into(),
        (&span.span_id).into(),
        (&span.parent_id).into(),
        (&span.name).into(),
        (&span.workload).into(),
        namespace.into(),
        span.kind.into(),
        span.start_us.into(),
        span.duration_us.into(),
        span.error.into(),
        serde_json::to_string(&span.attributes)?.into(),
    ])
}

/// Brings a trace's row in step with its spans, their clocks brought together. The root is the span without a parent, or else the first one: the
/// parent of the first proxy's span is often an application that sends none.
async fn summarize(transaction: &mut Transaction, trace_id: &str) -> Result<(), DbError> {
    let sql = "INSERT INTO traces (trace_id, root, workload, start_us, duration_us, spans, error) \
               SELECT $1, r.name, r.workload, a.start_us, a.end_us - a.start_us, a.spans, a.errors > 0 FROM \
               (SELECT MIN(start_us) AS start_us, MAX(start_us + duration_us) AS end_us, COUNT(*) AS spans, \
                SUM(CASE WHEN error THEN 1 ELSE 0 END) AS errors FROM spans WHERE trace_id = $1) AS a, \
               (SELECT name, workload FROM spans WHERE trace_id = $1 \
                ORDER BY CASE WHEN parent_id = '' THEN 0 ELSE 1 END, start_us, span_id LIMIT 1) AS r WHERE a.spans > 0 \
               ON CONFLICT (trace_id) DO UPDATE SET root = excluded.root, workload = excluded.workload, \
               start_us = excluded.start_us, duration_us = excluded.duration_us, spans = excluded.spans, \
               error = excluded.error \
               RETURNING duration_us AS whole, (SELECT MAX(s.duration_us) FROM spans AS s WHERE s.trace_id = $1) AS longest";
    let Some(row) = transaction.row(sql, vec![trace_id.into()]).await? else { return Ok(()) };
    // Spans lie within each other. Where none spans the whole, a sender's clock may be off: the list then says what the
    // waterfall says. Only such traces are read for it.
    if row.number("whole")? <= row.number("longest")?.saturating_add(EARLY_US) {
        return Ok(());
    }
    let sql = "SELECT span_id, parent_id, workload, start_us, duration_us, error FROM spans WHERE trace_id = $1";
    let rows = transaction.rows(sql, vec![trace_id.into()]).await?;
    let timed = |row: &Row| {
        Ok(Span {
            span_id: row.get("span_id")?,
            parent_id: row.get("parent_id")?,
            workload: row.get("workload")?,
            start_us: row.number("start_us")?,
            duration_us: row.number("duration_us")?,
            error: row.get("error")?,
            ..Span::default()
        })
    };
    let spans = rows.iter().map(timed).collect::<Result<Vec<_>, DbError>>()?;
    if let Some((start_us, end_us)) = extent(spans) {
        let values = vec![trace_id.into(), start_us.into(), end_us.saturating_sub(start_us).into()];
        transaction.run("UPDATE traces SET start_us = $2, duration_us = $3 WHERE trace_id = $1", values).await?;
    }
    Ok(())
}
