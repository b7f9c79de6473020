//! Which traces the list and the heat map ask for.

pub mod heat;

use crate::{location::View, queries::TraceQuery};

/// Rows of a page of the list.
const ROWS: usize = 100;
/// Steps of time in the heat map.
const COLUMNS: u64 = 48;

/// Whether a text is a whole trace id (W3C Trace Context).
pub fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What the view searches for, without its time: a change of it is another search.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// All of it but the time.
    pub plain: TraceQuery,
    /// How far it looks back, in milliseconds.
    pub span_ms: u64,
}

impl Search {
    /// Of a view.
    pub fn of(view: &View) -> Self {
        let plain = TraceQuery {
            workload: view.workload.clone(),
            operation: view.traces.operation.clone(),
            tags: view.traces.tags.clone(),
            errors: view.errors,
            min_us: view.traces.min_us,
            max_us: Some(view.traces.max_us).filter(|most| *most > 0),
            namespaces: view.namespaces.clone(),
            ..TraceQuery::default()
        };
        Self { plain, span_ms: if view.hours > 0 { view.hours * 3_600_000 } else { view.window_s * 1000 } }
    }

    /// The query of the heat map as of `now` (milliseconds since the epoch): its columns begin at round times, so that
    /// what is counted once stays where it is.
    pub fn map(&self, now: f64) -> TraceQuery {
        let step = (self.span_ms / COLUMNS).max(1);
        let to_ms = (now as u64 / step + 1) * step;
        let from_ms = to_ms.saturating_sub(step * COLUMNS);
        TraceQuery { from_ms: Some(from_ms), to_ms: Some(to_ms), ..self.plain.clone() }
    }
}

/// The query of the list as of `now`: the search, or of it the cell of the heat map that was chosen.
pub fn listed(view: &View, now: f64) -> TraceQuery {
    let Search { plain, span_ms } = Search::of(view);
    let plain = TraceQuery { limit: ROWS, ..plain };
    match view.traces.cell {
        // A step of time does not reach its end, nor does a row its upper border.
        Some(cell) => TraceQuery {
            from_ms: Some(cell.from_ms),
            to_ms: Some(cell.to_ms - 1),
            min_us: plain.min_us.max(cell.min_us),
            max_us: Some(plain.max_us.unwrap_or(u64::MAX).min(cell.max_us - 1)),
            ..plain
        },
        // To the second, so that the address does not change each time it is written.
        None => TraceQuery { from_ms: Some((now as u64 / 1000 * 1000).saturating_sub(span_ms)), ..plain },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::location::traces::Cell;

    #[test]
    fn a_trace_id_is_told_from_words() {
        assert!(is_id("4bf92f3577b34da6a3ce929d0e0e4736"));
        for other in ["", "GET /", "4bf92f3577b34da6", "4bf92f3577b34da6a3ce929d0e0e473g"] {
            assert!(!is_id(other), "{other}");
        }
    }

    #[test]
    fn columns_begin_at_round_times() {
        let search = Search { plain: TraceQuery::default(), span_ms: 60_000 };
        for now in [1_000_000.0, 1_000_001.0, 1_001_249.0] {
            let map = search.map(now);
            assert_eq!((map.from_ms, map.to_ms), (Some(941_250), Some(1_001_250)), "{now}");
        }
    }

    #[test]
    fn a_cell_narrows_the_search() {
        let mut view = View::default();
        view.traces.min_us = 1500;
        assert_eq!(listed(&view, 61_999.0).from_ms, Some(1000));
        view.traces.cell = Some(Cell { from_ms: 5, to_ms: 10, min_us: 1000, max_us: 2000 });
        let query = listed(&view, 60_999.0);
        assert_eq!((query.from_ms, query.to_ms, query.min_us, query.max_us), (Some(5), Some(9), 1500, Some(1999)));
    }
}
