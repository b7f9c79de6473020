//! Room that is taken: rectangles by the cells of a grid, so that a large graph is not searched as a whole.

use std::collections::HashMap;

use crate::graph::geometry::{Point, Rect};

/// Side of a cell: about the size of a node.
const CELL: f64 = 160.0;

/// Rectangles that are taken.
#[derive(Debug, Default)]
pub struct Taken {
    rects: Vec<Rect>,
    cells: HashMap<(i32, i32), Vec<usize>>,
}

fn cell(at: f64) -> i32 {
    (at / CELL).floor() as i32
}

fn cells(rect: Rect) -> impl Iterator<Item = (i32, i32)> {
    let (left, right) = (cell(rect.x), cell(rect.x + rect.w));
    (cell(rect.y)..=cell(rect.y + rect.h)).flat_map(move |y| (left..=right).map(move |x| (x, y)))
}

impl Taken {
    /// Takes a rectangle.
    pub fn add(&mut self, rect: Rect) {
        for cell in cells(rect) {
            self.cells.entry(cell).or_default().push(self.rects.len());
        }
        self.rects.push(rect);
    }

    /// How much of `rect` is taken; what is taken twice counts twice.
    pub fn overlap(&self, rect: Rect) -> f64 {
        let mut near: Vec<usize> = cells(rect).filter_map(|cell| self.cells.get(&cell)).flatten().copied().collect();
        near.sort_unstable();
        near.dedup();
        near.into_iter().map(|index| self.rects[index].overlap(rect)).sum()
    }

    /// Whether a point is taken.
    pub fn holds(&self, point: Point) -> bool {
        let near = self.cells.get(&(cell(point.x), cell(point.y)));
        near.into_iter().flatten().any(|index| self.rects[*index].holds(point))
    }
}
