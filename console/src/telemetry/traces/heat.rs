use std::collections::BTreeMap;

use weft_model::trace::{Heat, HeatCell};

use super::source::Points;

/// Steps of time.
const COLUMNS: usize = 48;
/// The shortest and the longest border of a row, in microseconds; what lies outside is counted at the edge.
const SHORTEST_US: u64 = 100;
const LONGEST_US: u64 = 1_000_000_000;

/// Counts traces by when they began, from `from_us` to `to_us` (microseconds since the epoch), and how long they took.
pub fn heat(found: Points, from_us: u64, to_us: u64) -> Heat {
    let Points { points, cut, note } = found;
    let (from_ms, to_ms) = (from_us / 1000, (to_us / 1000).max(from_us / 1000 + 1));
    let step_us = ((to_ms - from_ms).saturating_mul(1000) / COLUMNS as u64).max(1);
    let all = steps();
    // The row of a duration among all; the last border of a row belongs to the next one.
    let row_of = |us: u64| all.partition_point(|border| *border <= us).clamp(1, all.len() - 1) - 1;
    let rows = points.iter().map(|point| row_of(point.duration_us));
    let (lowest, highest) = rows.fold((all.len(), 0), |(low, high), row| (low.min(row), high.max(row)));
    let mut cells: BTreeMap<(usize, usize), HeatCell> = BTreeMap::new();
    for point in &points {
        let steps = point.start_us.saturating_sub(from_ms * 1000) / step_us;
        let column = usize::try_from(steps).unwrap_or(usize::MAX).min(COLUMNS - 1);
        let row = row_of(point.duration_us) - lowest;
        let cell = cells.entry((column, row)).or_insert(HeatCell { column, row, ..HeatCell::default() });
        cell.traces += 1;
        cell.errors += usize::from(point.error);
    }
    let borders_us = if points.is_empty() { Vec::new() } else { all[lowest..=highest + 1].to_vec() };
    Heat {
        from_ms,
        to_ms,
        columns: COLUMNS,
        borders_us,
        cells: cells.into_values().collect(),
        counted: points.len(),
        cut,
        note,
    }
}

/// 0, 100 µs, 200 µs, 500 µs, 1 ms, …
fn steps() -> Vec<u64> {
    let decades = std::iter::successors(Some(SHORTEST_US), |decade| Some(decade * 10));
    let borders = decades.flat_map(|decade| [1, 2, 5].map(|factor| factor * decade));
    std::iter::once(0).chain(borders.take_while(|border| *border <= LONGEST_US)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::TracePoint;

    fn points(points: Vec<TracePoint>) -> Points {
        Points { points, ..Points::default() }
    }

    fn point(start_us: u64, duration_us: u64, error: bool) -> TracePoint {
        TracePoint { start_us, duration_us, error }
    }

    #[test]
    fn traces_are_counted_by_time_and_duration() {
        let points = vec![
            point(47_999_000, 4_999, true),
            point(1_500_000, 2_000, false),
            point(1_400_000, 3_000, true),
            point(0, 500, false),
        ];
        let heat = heat(Points { points, cut: false, note: Some("some".into()) }, 0, 48_000_000);
        assert_eq!((heat.columns, heat.counted, heat.note.as_deref()), (48, 4, Some("some")));
        assert_eq!(heat.borders_us, [500, 1000, 2000, 5000]);
        let cells: Vec<_> = heat.cells.iter().map(|cell| (cell.column, cell.row, cell.traces, cell.errors)).collect();
        assert_eq!(cells, [(0, 0, 1, 0), (1, 2, 2, 1), (47, 2, 1, 1)]);
    }

    #[test]
    fn what_lies_outside_is_counted_at_the_edge() {
        let heat = heat(points(vec![point(u64::MAX, u64::MAX, false), point(0, 0, false)]), 5_000_000, 5_000_000);
        assert_eq!(heat.cells.len(), 2);
        assert_eq!((heat.borders_us[0], heat.borders_us.last()), (0, Some(&1_000_000_000)));
        assert!(heat.cells.iter().all(|cell| cell.row + 1 < heat.borders_us.len() && cell.column < heat.columns));
        assert_eq!(super::heat(Points::default(), 0, 0).cells, []);
    }
}
