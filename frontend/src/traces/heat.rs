//! Where the cells of the heat map stand, how dark they are, and where arrow keys lead.

use weft_model::trace::{Heat, HeatCell};

use crate::location::traces::Cell;

/// Shades that are told apart.
pub const SHADES: usize = 5;

/// The rectangle that a cell stands for.
pub fn rectangle(heat: &Heat, cell: HeatCell) -> Cell {
    let step = (heat.to_ms - heat.from_ms) / heat.columns.max(1) as u64;
    let from_ms = heat.from_ms + step * cell.column as u64;
    let border = |row: usize| heat.borders_us.get(row).copied().unwrap_or_default();
    Cell { from_ms, to_ms: from_ms + step, min_us: border(cell.row), max_us: border(cell.row + 1) }
}

/// By the logarithm of the count: one trace is seen beside ten thousand.
pub fn shade(traces: usize, most: usize) -> usize {
    let share = (traces.max(1) as f64).ln() / (most.max(2) as f64).ln();
    1 + ((share * SHADES as f64) as usize).min(SHADES - 1)
}

/// The cell that an arrow key leads to: the nearest one in its direction.
pub fn neighbour(cells: &[HeatCell], from: HeatCell, key: &str) -> Option<HeatCell> {
    let distance = |cell: &HeatCell| {
        let (right, up) = (cell.column as i64 - from.column as i64, cell.row as i64 - from.row as i64);
        let (ahead, aside) = match key {
            "ArrowRight" => (right, up),
            "ArrowLeft" => (-right, up),
            "ArrowUp" => (up, right),
            "ArrowDown" => (-up, right),
            _ => return None,
        };
        (ahead > 0).then(|| ahead + 3 * aside.abs())
    };
    cells
        .iter()
        .filter_map(|cell| Some((distance(cell)?, *cell)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, cell)| cell)
}

/// Borders with a label: whole powers of ten, or the ends where there are none.
pub fn labels(borders: &[u64]) -> Vec<(usize, u64)> {
    let power = |us: u64| us > 0 && us == 10u64.pow(us.ilog10());
    let powers: Vec<_> = borders.iter().copied().enumerate().filter(|(_, us)| power(*us)).collect();
    if powers.len() >= 2 {
        return powers;
    }
    let last = borders.len().saturating_sub(1);
    [0, last].into_iter().filter_map(|row| Some((row, *borders.get(row)?))).collect()
}

/// Where a chosen rectangle lies in the picture, in cells: left, top, width, height. `None` outside of it.
pub fn outline(heat: &Heat, cell: Cell) -> Option<(f64, f64, f64, f64)> {
    let rows = heat.borders_us.len().saturating_sub(1);
    let step = (heat.to_ms - heat.from_ms) as f64 / heat.columns.max(1) as f64;
    let column = |ms: u64| ((ms as f64 - heat.from_ms as f64) / step).clamp(0.0, heat.columns as f64);
    let row = |us: u64| heat.borders_us.partition_point(|border| *border < us).min(rows);
    let (left, right) = (column(cell.from_ms), column(cell.to_ms));
    let (low, high) = (row(cell.min_us), row(cell.max_us));
    (right > left && high > low).then(|| (left, (rows - high) as f64, right - left, (high - low) as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(column: usize, row: usize) -> HeatCell {
        HeatCell { column, row, traces: 1, errors: 0 }
    }

    fn heat() -> Heat {
        let borders_us = vec![500, 1000, 2000, 5000];
        Heat { from_ms: 1000, to_ms: 49_000, columns: 48, borders_us, ..Heat::default() }
    }

    #[test]
    fn arrows_lead_to_the_nearest_cell() {
        let cells = [cell(0, 0), cell(3, 1), cell(5, 0), cell(3, 3)];
        let goes = |key| neighbour(&cells, cells[1], key).map(|cell| (cell.column, cell.row));
        assert_eq!(goes("ArrowRight"), Some((5, 0)));
        assert_eq!(goes("ArrowLeft"), Some((0, 0)));
        assert_eq!(goes("ArrowUp"), Some((3, 3)));
        assert_eq!(goes("ArrowDown"), Some((5, 0)));
        assert_eq!(goes("x"), None);
        assert_eq!(neighbour(&cells, cells[0], "ArrowLeft"), None);
    }

    #[test]
    fn a_cell_is_framed_where_it_stands() {
        let place = rectangle(&heat(), cell(2, 1));
        assert_eq!(place, Cell { from_ms: 3000, to_ms: 4000, min_us: 1000, max_us: 2000 });
        assert_eq!(outline(&heat(), place), Some((2.0, 1.0, 1.0, 1.0)));
        assert_eq!(outline(&heat(), Cell { from_ms: 0, to_ms: 900, ..place }), None, "it has left the window");
    }

    #[test]
    fn few_are_seen_beside_many() {
        assert_eq!([shade(1, 10_000), shade(30, 10_000), shade(10_000, 10_000), shade(1, 1)], [1, 2, 5, 1]);
        assert_eq!(labels(&[500, 1000, 2000, 5000, 10_000, 20_000]), [(1, 1000), (4, 10_000)]);
        assert_eq!(labels(&[500, 1000, 2000]), [(0, 500), (2, 2000)]);
    }
}
