//! Which part of the scene the canvas shows.

use super::geometry::{Point, Rect};

/// Zoom limits: below, nothing can be told apart; above, nothing new is seen.
const LIMITS: (f64, f64) = (0.04, 2.5);
/// One press of a zoom key.
pub const STEP: f64 = 1.25;

/// screen = scene × scale + offset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Viewport {
    /// CSS pixels on screen for one of the scene.
    pub scale: f64,
    /// Where the scene's origin stands on screen.
    pub offset: Point,
}

impl Default for Viewport {
    fn default() -> Self {
        Self { scale: 1.0, offset: Point::default() }
    }
}

impl Viewport {
    /// A point of the canvas in the scene.
    pub fn scene(&self, screen: Point) -> Point {
        (screen - self.offset) * (1.0 / self.scale)
    }

    /// A point of the scene on the canvas.
    pub fn screen(&self, scene: Point) -> Point {
        scene * self.scale + self.offset
    }

    /// Moves what is seen by so many pixels.
    pub fn pan(&mut self, by: Point) {
        self.offset = self.offset + by;
    }

    /// Zooms by `factor`; what is under `anchor` stays there.
    pub fn zoom(&mut self, factor: f64, anchor: Point) {
        let fixed = self.scene(anchor);
        self.scale = (self.scale * factor).clamp(LIMITS.0, LIMITS.1);
        self.offset = anchor - fixed * self.scale;
    }

    /// Shows all of `bounds` on a canvas of `width` × `height`, never larger than life.
    pub fn fit(bounds: Rect, width: f64, height: f64, margin: f64) -> Self {
        if bounds.w <= 0.0 || bounds.h <= 0.0 || width <= 0.0 || height <= 0.0 {
            return Self::default();
        }
        let room = |space: f64| (space - 2.0 * margin).max(40.0);
        let scale = (room(width) / bounds.w).min(room(height) / bounds.h).clamp(LIMITS.0, 1.0);
        let centre = bounds.centre();
        Self { scale, offset: Point::new(width / 2.0, height / 2.0) - centre * scale }
    }

    /// The same on the part of the canvas that begins `left` pixels from its left; on the whole canvas where what is left
    /// would be narrower than half of it.
    pub fn fit_beside(bounds: Rect, left: f64, width: f64, height: f64, margin: f64) -> Self {
        let left = if left > width / 2.0 { 0.0 } else { left };
        let mut view = Self::fit(bounds, width - left, height, margin);
        view.pan(Point::new(left, 0.0));
        view
    }

    /// Moves as little as is needed to show all of `bounds`; what is larger than the canvas shows its start.
    pub fn reveal(&mut self, bounds: Rect, width: f64, height: f64) {
        let corner = self.screen(Point::new(bounds.x, bounds.y));
        let shift = |start: f64, length: f64, room: f64| {
            let over = (start + length - room).max(0.0);
            if start < 0.0 { -start } else { -over.min(start) }
        };
        let by =
            Point::new(shift(corner.x, bounds.w * self.scale, width), shift(corner.y, bounds.h * self.scale, height));
        self.pan(by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zooming_keeps_the_anchor() {
        let mut view = Viewport { scale: 0.8, offset: Point::new(13.0, -7.0) };
        let anchor = Point::new(300.0, 200.0);
        let before = view.scene(anchor);
        view.zoom(1.7, anchor);
        assert!(view.scene(anchor).distance(before) < 1e-9);
        view.zoom(1e9, anchor);
        assert_eq!(view.scale, LIMITS.1);
        assert!(view.scene(anchor).distance(before) < 1e-9);
    }

    #[test]
    fn fitting_centres_and_does_not_enlarge() {
        let bounds = Rect { x: 100.0, y: 50.0, w: 200.0, h: 100.0 };
        let view = Viewport::fit(bounds, 1000.0, 800.0, 20.0);
        assert_eq!(view.scale, 1.0);
        assert!(view.screen(bounds.centre()).distance(Point::new(500.0, 400.0)) < 1e-9);
        assert_eq!(Viewport::fit(Rect::default(), 10.0, 10.0, 1.0), Viewport::default());
    }

    #[test]
    fn a_graph_is_fitted_beside_what_covers_the_canvas() {
        let bounds = Rect { x: 0.0, y: 0.0, w: 2000.0, h: 400.0 };
        let view = Viewport::fit_beside(bounds, 360.0, 1200.0, 800.0, 28.0);
        let (left, right) = (view.screen(Point::default()).x, view.screen(Point::new(2000.0, 0.0)).x);
        assert!(left >= 360.0 + 28.0 - 1e-9 && right <= 1200.0 - 28.0 + 1e-9, "{left} {right}");
        assert_eq!(
            Viewport::fit_beside(bounds, 360.0, 700.0, 800.0, 28.0),
            Viewport::fit(bounds, 700.0, 800.0, 28.0),
            "too little would be left"
        );
    }

    #[test]
    fn revealing_moves_no_further_than_needed() {
        let bounds = Rect { x: 900.0, y: 10.0, w: 200.0, h: 50.0 };
        let mut view = Viewport::default();
        view.reveal(bounds, 1200.0, 800.0);
        assert_eq!(view, Viewport::default());
        view.reveal(bounds, 1000.0, 800.0);
        assert_eq!(view.offset, Point::new(-100.0, 0.0));
        view.reveal(Rect { x: 0.0, ..bounds }, 1000.0, 800.0);
        assert_eq!(view.offset, Point::new(0.0, 0.0));
        view.reveal(bounds, 100.0, 800.0);
        assert_eq!(view.offset, Point::new(-900.0, 0.0));
    }
}
