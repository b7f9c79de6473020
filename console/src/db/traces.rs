use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use sqlx::{Row, SqliteConnection, SqlitePool, sqlite::SqliteRow};
use weft_model::trace::{Span, TraceRow};

use super::DbError;

/// Spans kept of one trace; more than that nobody reads, and it bounds the work of one write.
const MAX_SPANS_OF_TRACE: i64 = 5000;
/// Traces deleted by one statement, so that none takes long.
const DELETE_STEP: i64 = 200;

/// Gives at most so many free pages back to the file system.
const VACUUM_STEP: &str = "PRAGMA incremental_vacuum(500)";

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

/// Which traces to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceFilter {
    /// Only traces that this workload (`namespace/name`) took part in.
    pub workload: Option<String>,
    /// Only traces in which a span failed.
    pub errors: bool,
    /// Only traces that took at least so many microseconds.
    pub min_us: u64,
    /// At most so many.
    pub limit: u32,
}

/// The spans' file.
#[derive(Clone, Debug)]
pub struct TraceStore {
    pool: SqlitePool,
    max_spans: i64,
    /// Spans in the file; only the writer changes it.
    held: Arc<AtomicI64>,
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl TraceStore {
    pub(super) async fn new(pool: SqlitePool, max_spans: usize) -> Result<Self, DbError> {
        let held: i64 = sqlx::query("SELECT COALESCE(SUM(spans), 0) AS held FROM traces")
            .fetch_one(&pool)
            .await?
            .try_get("held")?;
        let max_spans = i64::try_from(max_spans).unwrap_or(i64::MAX);
        Ok(Self { pool, max_spans, held: Arc::new(AtomicI64::new(held)) })
    }

    /// Writes a batch in one transaction, then deletes the oldest traces above the cap. A span that is there already
    /// (an exporter that repeats itself) is left as it is. For a single writer.
    pub async fn write(&self, batch: &[SpanRecord]) -> Result<(), DbError> {
        let mut by_trace: BTreeMap<&str, Vec<&SpanRecord>> = BTreeMap::new();
        for span in batch {
            by_trace.entry(&span.trace_id).or_default().push(span);
        }
        let mut transaction = self.pool.begin().await?;
        let mut added = 0;
        for (trace_id, spans) in by_trace {
            let before = span_count(&mut transaction, trace_id).await?;
            let room = usize::try_from(MAX_SPANS_OF_TRACE - before).unwrap_or(0);
            for span in spans.into_iter().take(room) {
                insert(&mut transaction, span).await?;
            }
            summarize(&mut transaction, trace_id).await?;
            added += span_count(&mut transaction, trace_id).await? - before;
        }
        transaction.commit().await?;
        if self.held.fetch_add(added, Ordering::Relaxed) + added > self.max_spans {
            self.shrink().await?;
        }
        Ok(())
    }

    /// Spans in the file.
    pub fn held(&self) -> usize {
        usize::try_from(self.held.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Deletes traces that began before `start_us`.
    pub async fn expire(&self, start_us: u64) -> Result<(), DbError> {
        loop {
            let oldest = sqlx::query("SELECT trace_id FROM traces WHERE start_us < ? ORDER BY start_us LIMIT ?")
                .bind(signed(start_us))
                .bind(DELETE_STEP)
                .fetch_all(&self.pool)
                .await?;
            if oldest.is_empty() {
                break;
            }
            self.delete(&oldest).await?;
        }
        // A little at a time, so that nobody waits for it.
        sqlx::query(VACUUM_STEP).execute(&self.pool).await?;
        Ok(())
    }

    /// Deletes the oldest traces until a tenth of the cap is free, so that this is seldom needed.
    async fn shrink(&self) -> Result<(), DbError> {
        while self.held.load(Ordering::Relaxed) > self.max_spans - self.max_spans / 10 {
            let oldest = sqlx::query("SELECT trace_id FROM traces ORDER BY start_us LIMIT ?")
                .bind(DELETE_STEP)
                .fetch_all(&self.pool)
                .await?;
            if oldest.is_empty() {
                break;
            }
            self.delete(&oldest).await?;
        }
        // The pages that are free now are used by the spans to come; giving them back would only take time.
        Ok(())
    }

    async fn delete(&self, traces: &[SqliteRow]) -> Result<(), DbError> {
        let mut transaction = self.pool.begin().await?;
        let mut deleted = 0;
        for row in traces {
            let trace_id: &str = row.try_get("trace_id")?;
            let spans =
                sqlx::query("DELETE FROM spans WHERE trace_id = ?").bind(trace_id).execute(&mut *transaction).await?;
            deleted += signed(spans.rows_affected());
            sqlx::query("DELETE FROM traces WHERE trace_id = ?").bind(trace_id).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        self.held.fetch_sub(deleted, Ordering::Relaxed);
        Ok(())
    }

    /// Traces that pass `filter`, newest first.
    pub async fn list(&self, filter: &TraceFilter) -> Result<Vec<TraceRow>, DbError> {
        let rows = sqlx::query(
            "SELECT * FROM traces AS t WHERE (NOT ?1 OR t.error) AND t.duration_us >= ?2 AND (?3 IS NULL OR EXISTS \
             (SELECT 1 FROM spans AS s WHERE s.trace_id = t.trace_id AND s.workload = ?3)) \
             ORDER BY t.start_us DESC LIMIT ?4",
        )
        .bind(filter.errors)
        .bind(signed(filter.min_us))
        .bind(&filter.workload)
        .bind(i64::from(filter.limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(trace_row).collect()
    }

    /// The spans of one trace by start time; their depth is not filled in. Empty when the trace is not held.
    pub async fn spans(&self, trace_id: &str) -> Result<Vec<Span>, DbError> {
        let rows = sqlx::query("SELECT * FROM spans WHERE trace_id = ? ORDER BY start_us, span_id")
            .bind(trace_id)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(span_row).collect()
    }

    /// Closes the file; writes of others that are under way finish first.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

async fn span_count(connection: &mut SqliteConnection, trace_id: &str) -> Result<i64, DbError> {
    let row =
        sqlx::query("SELECT spans FROM traces WHERE trace_id = ?").bind(trace_id).fetch_optional(connection).await?;
    row.map_or(Ok(0), |row| Ok(row.try_get("spans")?))
}

async fn insert(connection: &mut SqliteConnection, span: &SpanRecord) -> Result<(), DbError> {
    sqlx::query(
        "INSERT OR IGNORE INTO spans (trace_id, span_id, parent_id, name, workload, kind, start_us, duration_us, error, \
         attributes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&span.trace_id)
    .bind(&span.span_id)
    .bind(&span.parent_id)
    .bind(&span.name)
    .bind(&span.workload)
    .bind(span.kind)
    .bind(signed(span.start_us))
    .bind(signed(span.duration_us))
    .bind(span.error)
    .bind(serde_json::to_string(&span.attributes)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Brings a trace's row in step with its spans. The root is the span without a parent, or else the first one: the
/// parent of the first proxy's span is often an application that sends none.
async fn summarize(connection: &mut SqliteConnection, trace_id: &str) -> Result<(), DbError> {
    sqlx::query(
        "INSERT OR REPLACE INTO traces (trace_id, root, workload, start_us, duration_us, spans, error) \
         SELECT ?1, r.name, r.workload, a.start_us, a.end_us - a.start_us, a.spans, a.error FROM \
         (SELECT MIN(start_us) AS start_us, MAX(start_us + duration_us) AS end_us, COUNT(*) AS spans, MAX(error) AS error \
          FROM spans WHERE trace_id = ?1) AS a, \
         (SELECT name, workload FROM spans WHERE trace_id = ?1 ORDER BY parent_id <> '', start_us, span_id LIMIT 1) AS r",
    )
    .bind(trace_id)
    .execute(connection)
    .await?;
    Ok(())
}

fn unsigned(row: &SqliteRow, column: &str) -> Result<u64, DbError> {
    Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or_default())
}

fn trace_row(row: &SqliteRow) -> Result<TraceRow, DbError> {
    Ok(TraceRow {
        trace_id: row.try_get("trace_id")?,
        root: row.try_get("root")?,
        workload: row.try_get("workload")?,
        start_us: unsigned(row, "start_us")?,
        duration_us: unsigned(row, "duration_us")?,
        spans: usize::try_from(unsigned(row, "spans")?).unwrap_or(usize::MAX),
        error: row.try_get("error")?,
    })
}

fn span_row(row: &SqliteRow) -> Result<Span, DbError> {
    let attributes: BTreeMap<String, String> = serde_json::from_str(row.try_get("attributes")?)?;
    Ok(Span {
        span_id: row.try_get("span_id")?,
        parent_id: row.try_get("parent_id")?,
        name: row.try_get("name")?,
        workload: row.try_get("workload")?,
        kind: row.try_get("kind")?,
        start_us: unsigned(row, "start_us")?,
        duration_us: unsigned(row, "duration_us")?,
        error: row.try_get("error")?,
        depth: 0,
        attributes: attributes.into_iter().collect(),
    })
}
