//! The filter applied to whole traces: other stores understand less of it, or something else by it, and none of them
//! knows whose spans somebody may see.

use weft_model::trace::{Span, TraceRow};

use super::{
    backend::Whole,
    span::{SERVICE, workload_of},
};
use crate::db::TraceFilter;

/// A trace's row if it passes.
pub(super) fn row(whole: &Whole, filter: &TraceFilter) -> Option<TraceRow> {
    let row = summary(whole)?;
    let within = |value: u64, least: Option<u64>, most: Option<u64>| {
        least.is_none_or(|least| value >= least) && most.is_none_or(|most| value <= most)
    };
    let before = filter.before.as_ref();
    let passes = within(row.duration_us, filter.min_us, filter.max_us)
        && within(row.start_us, filter.from_us, filter.to_us)
        && before.is_none_or(|cursor| (row.start_us, &row.trace_id) < (cursor.start_us, &cursor.trace_id))
        && whole.spans.iter().any(|span| fits(span, filter));
    passes.then_some(row)
}

pub(super) fn fits(span: &Span, filter: &TraceFilter) -> bool {
    let attribute = |name: &str| {
        let found = span.attributes.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    let namespace = span.workload.split_once('/').map_or("", |(namespace, _)| namespace);
    filter.namespaces.as_ref().is_none_or(|names| names.iter().any(|name| name == namespace))
        && filter.workload.as_ref().is_none_or(|wanted| {
            *wanted == span.workload || workload_of(attribute(SERVICE)).eq_ignore_ascii_case(wanted)
        })
        && filter.operation.as_ref().is_none_or(|wanted| span.name.eq_ignore_ascii_case(wanted))
        && filter.tags.iter().all(|(key, value)| span.attributes.iter().any(|(k, v)| k == key && v == value))
        && (!filter.errors || span.error)
}

/// What the list shows of a trace. The root is the span without a parent, or else the first one.
fn summary(whole: &Whole) -> Option<TraceRow> {
    let root = whole.spans.iter().min_by_key(|span| (!span.parent_id.is_empty(), span.start_us, &span.span_id))?;
    let start_us = whole.spans.iter().map(|span| span.start_us).min()?;
    let end = whole.spans.iter().map(|span| span.start_us.saturating_add(span.duration_us)).max()?;
    Some(TraceRow {
        trace_id: whole.trace_id.clone(),
        root: root.name.clone(),
        workload: root.workload.clone(),
        start_us,
        duration_us: end - start_us,
        spans: whole.spans.len(),
        error: whole.spans.iter().any(|span| span.error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Cursor;

    fn whole() -> Whole {
        let span = |id: &str, parent: &str, workload: &str, start_us| Span {
            span_id: id.into(),
            parent_id: parent.into(),
            name: format!("GET /{id}"),
            workload: workload.into(),
            start_us,
            duration_us: 100,
            attributes: vec![("a".into(), id.into()), (SERVICE.into(), "web.shop".into())],
            ..Span::default()
        };
        Whole { trace_id: "0a".into(), spans: vec![span("2", "1", "bank/till", 50), span("1", "", "shop/web-v1", 0)] }
    }

    #[test]
    fn one_span_fits_in_all() {
        let row = |filter: TraceFilter| row(&whole(), &filter);
        let tag = |value: &str| vec![("a".to_owned(), value.to_owned())];
        let shop = || Some(vec!["shop".to_owned()]);
        let found = row(TraceFilter::default()).unwrap();
        assert_eq!((found.root.as_str(), found.duration_us, found.spans), ("GET /1", 150, 2));
        assert!(row(TraceFilter { workload: Some("shop/web-v1".into()), ..TraceFilter::default() }).is_some());
        assert!(row(TraceFilter { workload: Some("shop/web".into()), ..TraceFilter::default() }).is_some());
        assert!(row(TraceFilter { namespaces: shop(), tags: tag("1"), ..TraceFilter::default() }).is_some());
        assert!(row(TraceFilter { namespaces: shop(), tags: tag("2"), ..TraceFilter::default() }).is_none());
        assert!(row(TraceFilter { errors: true, ..TraceFilter::default() }).is_none());
        assert!(row(TraceFilter { min_us: Some(151), ..TraceFilter::default() }).is_none());
        let before = |trace_id: &str| Some(Cursor { start_us: 0, trace_id: trace_id.into() });
        assert!(row(TraceFilter { before: before("0a"), ..TraceFilter::default() }).is_none());
        assert!(row(TraceFilter { before: before("0b"), ..TraceFilter::default() }).is_some());
        assert_eq!(super::row(&Whole { trace_id: "0".into(), spans: Vec::new() }, &TraceFilter::default()), None);
    }
}
