//! Points, rectangles and curves, in CSS pixels of the unscaled scene.

mod curve;

use std::ops::{Add, Mul, Sub};

pub use curve::{Cubic, Curve, Step};

/// A point or a vector.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Downwards.
    pub y: f64,
}

impl Point {
    /// From its parts.
    pub const fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }

    /// Mirrored at the diagonal: right becomes down.
    pub const fn turned(self) -> Self {
        Self::new(self.y, self.x)
    }

    /// Distance to `other`.
    pub fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

impl Add for Point {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::new(self.x + other.x, self.y + other.y)
    }
}

impl Sub for Point {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::new(self.x - other.x, self.y - other.y)
    }
}

impl Mul<f64> for Point {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        Self::new(self.x * factor, self.y * factor)
    }
}

/// An upright rectangle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    /// Left.
    pub x: f64,
    /// Top.
    pub y: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
}

impl Rect {
    /// Of a size, around a centre.
    pub fn around(centre: Point, w: f64, h: f64) -> Self {
        Self { x: centre.x - w / 2.0, y: centre.y - h / 2.0, w, h }
    }

    /// The smallest rectangle that holds both.
    pub fn union(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let (right, bottom) = ((self.x + self.w).max(other.x + other.w), (self.y + self.h).max(other.y + other.h));
        Self { x, y, w: right - x, h: bottom - y }
    }

    /// Larger by `by` on each side.
    pub fn grow(self, by: f64) -> Self {
        Self { x: self.x - by, y: self.y - by, w: self.w + 2.0 * by, h: self.h + 2.0 * by }
    }

    /// Larger and further from the origin by a factor.
    pub fn scaled(self, factor: f64) -> Self {
        Self { x: self.x * factor, y: self.y * factor, w: self.w * factor, h: self.h * factor }
    }

    /// Whether both share some area.
    pub fn meets(self, other: Self) -> bool {
        self.x < other.x + other.w
            && other.x < self.x + self.w
            && self.y < other.y + other.h
            && other.y < self.y + self.h
    }

    /// The area that both share.
    pub fn overlap(self, other: Self) -> f64 {
        let w = (self.x + self.w).min(other.x + other.w) - self.x.max(other.x);
        let h = (self.y + self.h).min(other.y + other.h) - self.y.max(other.y);
        w.max(0.0) * h.max(0.0)
    }

    /// Whether `point` lies inside.
    pub fn holds(self, point: Point) -> bool {
        point.x >= self.x && point.x <= self.x + self.w && point.y >= self.y && point.y <= self.y + self.h
    }

    /// The part of the line `from`–`to` that lies inside, its ends as shares of the line (Liang, Barsky 1984).
    pub fn clip(self, from: Point, to: Point) -> Option<(f64, f64)> {
        let line = to - from;
        let sides = [
            (-line.x, from.x - self.x),
            (line.x, self.x + self.w - from.x),
            (-line.y, from.y - self.y),
            (line.y, self.y + self.h - from.y),
        ];
        let (mut first, mut last) = (0.0_f64, 1.0_f64);
        for (towards, room) in sides {
            if towards == 0.0 {
                // Along this side: in or out as a whole.
                if room < 0.0 {
                    return None;
                }
            } else if towards < 0.0 {
                first = first.max(room / towards);
            } else {
                last = last.min(room / towards);
            }
        }
        (first <= last).then_some((first, last))
    }

    /// The smallest that holds two points.
    pub fn between(a: Point, b: Point) -> Self {
        Self { x: a.x.min(b.x), y: a.y.min(b.y), w: (a.x - b.x).abs(), h: (a.y - b.y).abs() }
    }

    /// Mirrored at the diagonal: right becomes down.
    pub const fn turned(self) -> Self {
        Self { x: self.y, y: self.x, w: self.h, h: self.w }
    }

    /// The middle.
    pub fn centre(self) -> Point {
        Point::new(self.x + self.w / 2.0, self.y + self.h / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_clipped_at_a_rectangle() {
        let rect = Rect { x: 0.0, y: 0.0, w: 10.0, h: 10.0 };
        let clip = |a: (f64, f64), b: (f64, f64)| rect.clip(Point::new(a.0, a.1), Point::new(b.0, b.1));
        assert_eq!(clip((-10.0, 5.0), (30.0, 5.0)), Some((0.25, 0.5)));
        assert_eq!(clip((5.0, 30.0), (5.0, -10.0)), Some((0.5, 0.75)));
        assert_eq!(clip((2.0, 2.0), (4.0, 4.0)), Some((0.0, 1.0)));
        assert_eq!(clip((5.0, 5.0), (5.0, 5.0)), Some((0.0, 1.0)));
        assert_eq!(clip((-10.0, 12.0), (30.0, 12.0)), None);
        assert_eq!(clip((-4.0, 8.0), (4.0, 16.0)), None, "it passes the corner");
    }

    #[test]
    fn rectangles_meet_only_with_area() {
        let a = Rect { x: 0.0, y: 0.0, w: 10.0, h: 10.0 };
        assert!(!a.meets(Rect { x: 10.0, ..a }) && a.meets(Rect { x: 9.0, ..a }));
        assert_eq!(a.overlap(Rect { x: 9.0, ..a }), 10.0);
        assert_eq!(a.union(a.grow(2.0)), a.grow(2.0));
    }
}
