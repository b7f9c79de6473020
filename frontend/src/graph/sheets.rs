//! The two canvases of what stands still.
//!
//! While the view moves, the browser moves and stretches the sheet that is seen, which costs next to nothing however much is
//! on it, and the other sheet is drawn for a newer view, a part in each frame. When it is whole, they change places. Where the
//! view has left too much of the one that is seen behind, nothing is carried any further.

use super::{geometry::Rect, viewport::Viewport};

/// Parts of a sheet, side by side and below each other.
const PARTS: (u32, u32) = (4, 3);

/// How much of the board the sheet that is seen covers at least, as a part of its area. Beside it there is nothing to see.
const COVERED: f64 = 0.6;

/// How (`visibility`) the sheet that is seen and the other one are styled. What is seen is so only together with all that it
/// lies in: a page that is covered until it is known who came back to it hides everything.
pub const SEEN: [&str; 2] = ["inherit", "hidden"];

/// Which sheet is seen, of which view it is, and how far the other one is.
#[derive(Default)]
pub struct Sheets {
    second: bool,
    /// The view that the seen one was drawn for; `None` before it was.
    shown: Option<Viewport>,
    /// The view that the other one is being drawn for, and how many of its parts are.
    drawing: Option<(Viewport, u32)>,
}

impl Sheets {
    /// The index of the one that is seen.
    pub fn front(&self) -> usize {
        usize::from(self.second)
    }

    /// The index of the other one.
    pub fn back(&self) -> usize {
        usize::from(!self.second)
    }

    /// Whether what is seen was drawn for another view than `view`.
    pub fn is_stale(&self, view: Viewport) -> bool {
        self.shown != Some(view)
    }

    /// The view that is drawn next, which is `view` unless the last one is not ready yet.
    pub fn next_view(&mut self, view: Viewport) -> Viewport {
        self.drawing.get_or_insert((view, 0)).0
    }

    /// The next part to be drawn on a sheet of so many device pixels; `None` when all are.
    pub fn next_part(&mut self, (width, height): (f64, f64)) -> Option<Rect> {
        let (_, done) = self.drawing.as_mut().filter(|(_, done)| *done < PARTS.0 * PARTS.1)?;
        let cut = |length: f64, index: u32, parts: u32| (length * f64::from(index) / f64::from(parts)).round();
        let (column, row) = (*done % PARTS.0, *done / PARTS.0);
        let (left, right) = (cut(width, column, PARTS.0), cut(width, column + 1, PARTS.0));
        let (top, bottom) = (cut(height, row, PARTS.1), cut(height, row + 1, PARTS.1));
        *done += 1;
        Some(Rect { x: left, y: top, w: right - left, h: bottom - top })
    }

    /// Has both change places if the one that is being drawn is whole.
    pub fn turn(&mut self) {
        if let Some((view, _)) = self.drawing.take_if(|(_, done)| *done == PARTS.0 * PARTS.1) {
            (self.shown, self.second) = (Some(view), !self.second);
        }
    }

    /// Everything was drawn for `view` on the one that is seen.
    pub fn drew_all(&mut self, view: Viewport) {
        (self.shown, self.drawing) = (Some(view), None);
    }

    /// How the sheet that is seen has to be moved and stretched to stand where `view` says: factor, right, down.
    pub fn carried(&self, view: Viewport) -> (f64, f64, f64) {
        let Some(shown) = self.shown else { return (1.0, 0.0, 0.0) };
        let factor = view.scale / shown.scale;
        let moved = view.offset - shown.offset * factor;
        (factor, moved.x, moved.y)
    }

    /// Whether the sheet that is seen still covers enough of a board of so many pixels when it is carried to `view`.
    pub fn covers(&self, view: Viewport, (width, height): (f64, f64)) -> bool {
        let (factor, x, y) = self.carried(view);
        let sheet = Rect { x, y, w: width * factor, h: height * factor };
        let board = Rect { x: 0.0, y: 0.0, w: width, h: height };
        self.shown.is_some() && sheet.overlap(board) >= COVERED * width * height
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::geometry::Point;

    const SIZE: (f64, f64) = (1001.0, 703.0);

    fn view(scale: f64, x: f64, y: f64) -> Viewport {
        Viewport { scale, offset: Point::new(x, y) }
    }

    #[test]
    fn parts_cover_the_sheet_without_a_gap_and_then_it_is_seen() {
        let mut sheets = Sheets::default();
        sheets.drew_all(view(1.0, 0.0, 0.0));
        let (first, later) = (view(1.0, 6.0, 3.0), view(1.0, 12.0, 6.0));
        assert_eq!(sheets.next_view(first), first);
        let mut parts = Vec::new();
        while let Some(part) = sheets.next_part(SIZE) {
            assert_eq!((sheets.next_view(later), sheets.front()), (first, 0), "what was begun is drawn to its end");
            parts.push(part);
        }
        assert_eq!(parts.iter().map(|part| part.w * part.h).sum::<f64>(), SIZE.0 * SIZE.1);
        assert!(parts.iter().all(|part| [part.x, part.y, part.w, part.h].iter().all(|side| side.fract() == 0.0)));
        sheets.turn();
        assert_eq!((sheets.front(), sheets.back()), (1, 0));
        assert!(!sheets.is_stale(first) && sheets.is_stale(later));
        assert_eq!(sheets.next_view(later), later);
    }

    #[test]
    fn what_is_seen_is_carried_to_where_the_view_is() {
        let mut sheets = Sheets::default();
        let (before, after) = (view(0.5, 10.0, 20.0), view(0.75, -40.0, 5.0));
        sheets.drew_all(before);
        let (factor, right, down) = sheets.carried(after);
        let place = Point::new(123.0, 456.0);
        let carried = before.screen(place) * factor + Point::new(right, down);
        assert!(carried.distance(after.screen(place)) < 1e-9);
    }

    #[test]
    fn a_sheet_that_was_left_behind_covers_too_little() {
        let mut sheets = Sheets::default();
        assert!(!sheets.covers(view(1.0, 0.0, 0.0), SIZE), "nothing was drawn yet");
        sheets.drew_all(view(1.0, 0.0, 0.0));
        // Closer it covers all, wherever that is.
        assert!(sheets.covers(view(2.0, -300.0, -200.0), SIZE));
        for (after, covers) in [(0.39, true), (0.41, false)] {
            assert_eq!(sheets.covers(view(1.0, after * SIZE.0, 0.0), SIZE), covers, "{after} of it to the side");
        }
        for (scale, covers) in [(0.78, true), (0.77, false)] {
            assert_eq!(sheets.covers(view(scale, 50.0, 50.0), SIZE), covers, "{scale} as large");
        }
    }

    #[test]
    fn a_page_that_is_hidden_hides_its_sheets() {
        assert!(!SEEN.contains(&"visible"), "that would be seen through whatever hides the page");
    }

    #[test]
    fn a_change_drops_what_was_being_drawn() {
        let mut sheets = Sheets::default();
        let begun = view(1.0, 5.0, 0.0);
        assert!(sheets.is_stale(begun), "nothing was drawn yet");
        sheets.next_view(begun);
        sheets.next_part(SIZE);
        let now = view(1.0, 9.0, 0.0);
        sheets.drew_all(now);
        assert_eq!(sheets.front(), 0);
        assert!(!sheets.is_stale(now));
        assert_eq!(sheets.next_view(begun), begun);
        assert_eq!(sheets.next_part(SIZE).map(|part| (part.x, part.y)), Some((0.0, 0.0)), "from the start");
    }
}
