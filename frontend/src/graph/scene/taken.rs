//! Room that is taken: rectangles by the cells of a grid, so that a large graph is not searched as a whole.

use std::collections::HashMap;

use crate::graph::geometry::Rect;

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

    /// What is taken about `area`; one in several cells comes several times.
    pub fn near(&self, area: Rect) -> impl Iterator<Item = Rect> {
        cells(area).filter_map(move |cell| self.cells.get(&cell)).flatten().map(move |index| self.rects[*index])
    }
}
