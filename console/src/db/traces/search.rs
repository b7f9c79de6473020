//! What is asked of the spans that are held.

mod statement;

use std::{collections::BTreeMap, fmt, str::FromStr};

use weft_model::trace::{Span, TraceRow};

use self::statement::{Shape, listing, pointing};
use super::{TraceStore, namespace_of};
use crate::db::{
    DbError,
    database::{Row, Value},
};

/// Tags that may be asked for at once.
pub const MAX_TAGS: usize = 6;
/// Names given at once.
const MAX_NAMES: usize = 500;
/// Stands between namespaces in one parameter; no namespace has it in its name.
const BETWEEN: char = '\u{1f}';

/// Which traces to list. Workload, operation, tags and error are of one and the same span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceFilter {
    /// A workload (`namespace/name`) that took part.
    pub workload: Option<String>,
    /// Name of a span.
    pub operation: Option<String>,
    /// Attributes of a span with their values; at most [`MAX_TAGS`] are looked at.
    pub tags: Vec<(String, String)>,
    /// Only traces in which a span failed.
    pub errors: bool,
    /// Only traces that took at least so many microseconds.
    pub min_us: Option<u64>,
    /// At most so many.
    pub max_us: Option<u64>,
    /// Only traces that began at this time or later, microseconds since the epoch.
    pub from_us: Option<u64>,
    /// Or at this time at the latest.
    pub to_us: Option<u64>,
    /// Only spans of these namespaces are looked at; `None` for all.
    pub namespaces: Option<Vec<String>>,
    /// Whether those are all that the reader may see: then nothing may be told that depends on the traces of others.
    pub redacted: bool,
    /// Only what follows this row.
    pub before: Option<Cursor>,
    /// At most so many.
    pub limit: usize,
}

/// A place in the list, newest first: the row at which a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Its start, microseconds since the epoch.
    pub start_us: u64,
    /// Its trace.
    pub trace_id: String,
}

/// A trace as a point of the heat map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TracePoint {
    /// Start, microseconds since the epoch.
    pub start_us: u64,
    /// Duration in microseconds.
    pub duration_us: u64,
    /// Whether a span failed.
    pub error: bool,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.start_us, self.trace_id)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (start, trace_id) = text.split_once('.').ok_or(())?;
        let hexadecimal =
            !trace_id.is_empty() && trace_id.len() <= 32 && trace_id.bytes().all(|b| b.is_ascii_hexdigit());
        let start_us = start.parse().map_err(|_| ())?;
        if hexadecimal { Ok(Self { start_us, trace_id: trace_id.to_owned() }) } else { Err(()) }
    }
}

impl TraceFilter {
    /// Whether it names a workload that is not among what is seen, so that nothing can pass.
    pub fn is_of_the_hidden(&self) -> bool {
        let (Some(workload), Some(names)) = (&self.workload, &self.namespaces) else { return false };
        let own = namespace_of(workload);
        !names.iter().any(|name| name == own)
    }

    /// The statement that answers it; `None` when nothing can pass.
    fn shape(&self) -> Option<Shape> {
        if self.is_of_the_hidden() {
            return None;
        }
        Some(match (&self.workload, self.tags.is_empty()) {
            (Some(_), true) => Shape::Workload,
            (Some(_), false) => Shape::WorkloadTags,
            (None, false) => Shape::Tags,
            (None, true) if self.operation.is_some() || self.namespaces.is_some() => Shape::Spans,
            (None, true) => Shape::Traces,
        })
    }

    fn values(&self, shape: Shape) -> Result<Vec<Value>, DbError> {
        // A page goes on where the one before it ended; "g" follows every hexadecimal digit.
        let latest = self.to_us.unwrap_or(u64::MAX);
        let (latest, before) = match &self.before {
            Some(cursor) if cursor.start_us <= latest => (cursor.start_us, cursor.trace_id.as_str()),
            _ => (latest, "g"),
        };
        let mut values: Vec<Value> = vec![
            self.from_us.unwrap_or(0).into(),
            latest.into(),
            before.into(),
            self.min_us.unwrap_or(0).into(),
            self.max_us.unwrap_or(u64::MAX).into(),
            self.errors.into(),
            self.limit.into(),
        ];
        if shape == Shape::Traces {
            return Ok(values);
        }
        values.push((&self.operation).into());
        values.push(match shape {
            Shape::Workload | Shape::WorkloadTags => (&self.workload).into(),
            _ => {
                let joined = |names: &Vec<String>| {
                    names.iter().fold(BETWEEN.to_string(), |text, name| text + name + &BETWEEN.to_string())
                };
                (&self.namespaces.as_ref().map(joined)).into()
            }
        });
        if matches!(shape, Shape::Spans | Shape::Workload) {
            return Ok(values);
        }
        let mut tags = self.tags.iter();
        for _ in 0..MAX_TAGS {
            let needle = match tags.next() {
                Some((key, value)) => {
                    Some(format!("{}:{}", serde_json::to_string(key)?, serde_json::to_string(value)?))
                }
                None => None,
            };
            values.push((&needle).into());
        }
        Ok(values)
    }
}

impl TraceStore {
    /// Traces that pass `filter`, newest first.
    pub async fn list(&self, filter: &TraceFilter) -> Result<Vec<TraceRow>, DbError> {
        let Some(shape) = filter.shape() else { return Ok(Vec::new()) };
        let rows = self.database.rows(listing(shape), filter.values(shape)?).await?;
        rows.iter().map(trace_row).collect()
    }

    /// The same as points.
    pub async fn points(&self, filter: &TraceFilter) -> Result<Vec<TracePoint>, DbError> {
        let point = |row: &Row| {
            Ok(TracePoint {
                start_us: row.number("start_us")?,
                duration_us: row.number("duration_us")?,
                error: row.get("error")?,
            })
        };
        let Some(shape) = filter.shape() else { return Ok(Vec::new()) };
        let rows = self.database.rows(pointing(shape), filter.values(shape)?).await?;
        rows.iter().map(point).collect()
    }

    /// The spans of one trace by start time; their depth is not filled in. Empty when the trace is not held.
    pub async fn spans(&self, trace_id: &str) -> Result<Vec<Span>, DbError> {
        let sql = "SELECT * FROM spans WHERE trace_id = $1 ORDER BY start_us, span_id";
        self.database.rows(sql, [trace_id.into()]).await?.iter().map(span_row).collect()
    }

    /// Workloads that sent spans, in order.
    pub async fn workloads(&self) -> Result<Vec<String>, DbError> {
        let sql = "SELECT DISTINCT workload AS name FROM spans ORDER BY workload LIMIT $1";
        let rows = self.database.rows(sql, [MAX_NAMES.into()]).await?;
        rows.iter().map(|row| row.get("name")).collect()
    }

    /// Names of a workload's spans, in order.
    pub async fn operations(&self, workload: &str) -> Result<Vec<String>, DbError> {
        let sql = "SELECT DISTINCT name FROM spans WHERE workload = $1 ORDER BY name LIMIT $2";
        let rows = self.database.rows(sql, [workload.into(), MAX_NAMES.into()]).await?;
        rows.iter().map(|row| row.get("name")).collect()
    }

    /// How long the newest spans of one operation took, in microseconds: at most `limit` that began at `from_us` or later.
    pub async fn durations(&self, like: &Span, from_us: u64, limit: usize) -> Result<Vec<u64>, DbError> {
        let sql = "SELECT duration_us FROM spans WHERE workload = $1 AND name = $2 AND kind = $3 AND start_us >= $4 \
                   ORDER BY start_us DESC LIMIT $5";
        let values = [(&like.workload).into(), (&like.name).into(), (&like.kind).into(), from_us.into(), limit.into()];
        self.database.rows(sql, values).await?.iter().map(|row| row.number("duration_us")).collect()
    }
}

fn trace_row(row: &Row) -> Result<TraceRow, DbError> {
    Ok(TraceRow {
        trace_id: row.get("trace_id")?,
        root: row.get("root")?,
        workload: row.get("workload")?,
        start_us: row.number("start_us")?,
        duration_us: row.number("duration_us")?,
        spans: usize::try_from(row.number("spans")?).unwrap_or(usize::MAX),
        error: row.get("error")?,
    })
}

fn span_row(row: &Row) -> Result<Span, DbError> {
    let attributes: BTreeMap<String, String> = serde_json::from_str(&row.get::<String>("attributes")?)?;
    Ok(Span {
        span_id: row.get("span_id")?,
        parent_id: row.get("parent_id")?,
        name: row.get("name")?,
        workload: row.get("workload")?,
        kind: row.get("kind")?,
        start_us: row.number("start_us")?,
        duration_us: row.number("duration_us")?,
        error: row.get("error")?,
        attributes: attributes.into_iter().collect(),
        ..Span::default()
    })
}

#[cfg(test)]
mod tests;
