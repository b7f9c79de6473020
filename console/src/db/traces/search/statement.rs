//! The statements of a search.

/// Which statement answers a filter: what is not asked for must not keep an index from being used. The parameters of each
/// begin with those of the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Only of traces.
    Traces,
    /// Of spans, by what `spans_by_trace` holds.
    Spans,
    /// Of a workload's spans, by what `spans_by_operation` holds.
    Workload,
    /// The same, and their attributes.
    WorkloadTags,
    /// Of any spans' attributes: those of all traces in the window are read, newest first, until enough are found.
    Tags,
}

macro_rules! of_traces {
    ($columns:expr, $spans:expr) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM traces AS t WHERE t.start_us >= $1 AND t.start_us <= $2 AND NOT (t.start_us = $2 AND t.trace_id >= $3) \
             AND t.duration_us >= $4 AND t.duration_us <= $5 AND (NOT $6 OR t.error)",
            $spans,
            " ORDER BY t.start_us DESC, t.trace_id DESC LIMIT $7"
        )
    };
}

/// A tag is looked for as it stands in the JSON text, quotes included; inside of a string they would be escaped.
macro_rules! tagged {
    () => {
        " AND ($10 IS NULL OR replace(s.attributes, $10, '') <> s.attributes) \
          AND ($11 IS NULL OR replace(s.attributes, $11, '') <> s.attributes) \
          AND ($12 IS NULL OR replace(s.attributes, $12, '') <> s.attributes) \
          AND ($13 IS NULL OR replace(s.attributes, $13, '') <> s.attributes) \
          AND ($14 IS NULL OR replace(s.attributes, $14, '') <> s.attributes) \
          AND ($15 IS NULL OR replace(s.attributes, $15, '') <> s.attributes))"
    };
}

/// `$9` are namespaces.
macro_rules! any_span {
    () => {
        " AND EXISTS (SELECT 1 FROM spans AS s WHERE s.trace_id = t.trace_id AND ($8 IS NULL OR s.name = $8) \
          AND (NOT $6 OR s.error) AND ($9 IS NULL OR replace($9, '\u{1f}' || s.namespace || '\u{1f}', '') <> $9)"
    };
}

/// `$9` is the workload. A span begins no earlier than its trace, but for clocks that are up to an hour behind.
macro_rules! workload_span {
    () => {
        " AND t.trace_id IN (SELECT s.trace_id FROM spans AS s WHERE s.workload = $9 AND ($8 IS NULL OR s.name = $8) \
          AND s.start_us >= $1 - 3600000000 AND (NOT $6 OR s.error)"
    };
}

/// Statements that give `columns` of the traces that pass a filter, newest first.
macro_rules! search {
    ($columns:expr, $shape:expr) => {
        match $shape {
            Shape::Traces => of_traces!($columns, ""),
            Shape::Spans => of_traces!($columns, concat!(any_span!(), ")")),
            Shape::Workload => of_traces!($columns, concat!(workload_span!(), ")")),
            Shape::WorkloadTags => of_traces!($columns, concat!(workload_span!(), tagged!())),
            Shape::Tags => of_traces!($columns, concat!(any_span!(), tagged!())),
        }
    };
}

pub(super) fn listing(shape: Shape) -> &'static str {
    search!("t.*", shape)
}

pub(super) fn pointing(shape: Shape) -> &'static str {
    search!("t.start_us, t.duration_us, t.error", shape)
}
