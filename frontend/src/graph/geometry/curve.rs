//! Curves of cubic Bézier pieces.

use super::{Point, Rect};
use crate::order::Order;

/// One cubic Bézier piece.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cubic {
    /// Start.
    pub from: Point,
    /// First control point.
    pub a: Point,
    /// Second control point.
    pub b: Point,
    /// End.
    pub to: Point,
}

impl Cubic {
    /// The point at `t` of 0 to 1.
    pub fn at(&self, t: f64) -> Point {
        let u = 1.0 - t;
        self.from * (u * u * u) + self.a * (3.0 * u * u * t) + self.b * (3.0 * u * t * t) + self.to * (t * t * t)
    }

    /// A rectangle that holds it: that of its control points.
    pub fn hull(&self) -> Rect {
        Rect::between(self.from, self.to).union(Rect::between(self.a, self.b))
    }

    /// Whether it is a line along an axis.
    pub fn is_straight(&self) -> bool {
        let ends = [self.from, self.a, self.b, self.to];
        ends.iter().all(|point| point.y == self.from.y) || ends.iter().all(|point| point.x == self.from.x)
    }
}

/// Two parts of a way with less than this between them are one, in pixels.
const TOUCH: f64 = 0.5;
/// A line has no area, but it is seen.
const MEETS: f64 = 6.0;
/// Samples for each piece of a curve: enough that particles do not visibly cut corners.
const SAMPLES: usize = 24;

/// What a pen does on its way along a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Goes somewhere without drawing.
    Move(Point),
    /// Draws a line along an axis, from and to.
    Line(Point, Point),
    /// Draws a piece from where it stands.
    Bend(Cubic),
}

/// A curve of cubic pieces that can be walked at even speed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// The pieces, each starting where the one before it ends.
    pub pieces: Vec<Cubic>,
    /// Points along the curve with their distance from its start.
    walk: Vec<(f64, Point)>,
}

impl Curve {
    /// Measures the pieces.
    pub fn new(pieces: Vec<Cubic>) -> Self {
        let mut walk: Vec<(f64, Point)> = Vec::with_capacity(pieces.len() * SAMPLES + 1);
        for piece in &pieces {
            for step in 0..=SAMPLES {
                let point = piece.at(step as f64 / SAMPLES as f64);
                let distance = walk.last().map_or(0.0, |(distance, last)| distance + last.distance(point));
                if step > 0 || walk.is_empty() {
                    walk.push((distance, point));
                }
            }
        }
        Self { pieces, walk }
    }

    /// Mirrored at the diagonal: right becomes down.
    pub fn turned(self) -> Self {
        let turn = |piece: Cubic| Cubic {
            from: piece.from.turned(),
            a: piece.a.turned(),
            b: piece.b.turned(),
            to: piece.to.turned(),
        };
        Self::new(self.pieces.into_iter().map(turn).collect())
    }

    /// Through all `points`, level at each of them, as an edge that goes left to right.
    pub fn level(points: &[Point]) -> Self {
        let pieces = points.windows(2).map(|pair| {
            let (from, to) = (pair[0], pair[1]);
            let reach = ((to.x - from.x) * 0.5).max(24.0);
            Cubic { from, a: Point::new(from.x + reach, from.y), b: Point::new(to.x - reach, to.y), to }
        });
        Self::new(pieces.collect())
    }

    /// Its parts within `window`, as few as there are: what lies outside is left out, and lines along an axis that go on
    /// are one.
    pub fn steps(&self, window: Rect) -> Vec<Step> {
        let mut out = Vec::new();
        let mut stands = None;
        for piece in self.pieces.iter().filter(|piece| piece.hull().grow(MEETS).meets(window)) {
            if stands != Some(piece.from) {
                out.push(Step::Move(piece.from));
            }
            stands = Some(piece.to);
            if !piece.is_straight() {
                out.push(Step::Bend(*piece));
                continue;
            }
            let from = match out.last_mut() {
                Some(Step::Line(from, to)) if (from.y == piece.to.y) || (from.x == piece.to.x) => {
                    *to = piece.to;
                    continue;
                }
                _ => piece.from,
            };
            out.push(Step::Line(from, piece.to));
        }
        out
    }

    /// Length in pixels.
    pub fn length(&self) -> f64 {
        self.walk.last().map_or(0.0, |(distance, _)| *distance)
    }

    /// The point at `distance` from the start, held to the ends.
    pub fn at(&self, distance: f64) -> Point {
        let index = self.walk.partition_point(|(walked, _)| *walked < distance);
        let Some(&(end, to)) = self.walk.get(index) else {
            return self.walk.last().map(|(_, point)| *point).unwrap_or_default();
        };
        let Some(&(start, from)) = index.checked_sub(1).and_then(|before| self.walk.get(before)) else { return to };
        let part = if end > start { (distance - start) / (end - start) } else { 0.0 };
        from + (to - from) * part
    }

    /// How far `point` is from the curve.
    pub fn distance(&self, point: Point) -> f64 {
        self.walk
            .windows(2)
            .map(|pair| {
                let (from, to) = (pair[0].1, pair[1].1);
                let (line, length) = (to - from, from.distance(to).powi(2).max(f64::MIN_POSITIVE));
                let t = (((point.x - from.x) * line.x + (point.y - from.y) * line.y) / length).clamp(0.0, 1.0);
                point.distance(from + line * t)
            })
            .fold(f64::INFINITY, f64::min)
    }

    /// The parts of the way, from and to in pixels from the start, that lie in rectangles. `near` gives those that may
    /// meet an area; more of them, or one twice, does no harm.
    pub fn parts<I: IntoIterator<Item = Rect>>(&self, near: impl Fn(Rect) -> I) -> Vec<(f64, f64)> {
        let mut out: Vec<(f64, f64)> = Vec::new();
        for pair in self.walk.windows(2) {
            let ((start, from), (end, to)) = (pair[0], pair[1]);
            let inside = near(Rect::between(from, to)).into_iter().filter_map(|rect| rect.clip(from, to));
            let mut inside: Vec<(f64, f64)> =
                inside.map(|(first, last)| (start + first * (end - start), start + last * (end - start))).collect();
            inside.order(|a, b| a.0.total_cmp(&b.0));
            for (first, last) in inside {
                match out.last_mut() {
                    Some(open) if first <= open.1 + TOUCH => open.1 = open.1.max(last),
                    _ => out.push((first, last)),
                }
            }
        }
        out
    }

    /// Whether the curve passes through a rectangle.
    pub fn meets(&self, rect: Rect) -> bool {
        self.walk.windows(2).any(|pair| rect.clip(pair[0].1, pair[1].1).is_some())
    }

    /// The smallest rectangle that holds the sampled curve.
    pub fn bounds(&self) -> Option<Rect> {
        let rects = self.walk.iter().map(|(_, point)| Rect { x: point.x, y: point.y, w: 0.0, h: 0.0 });
        rects.reduce(Rect::union)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_curve_is_walked_evenly() {
        let curve = Curve::level(&[Point::new(0.0, 5.0), Point::new(100.0, 5.0), Point::new(200.0, 5.0)]);
        assert!((curve.length() - 200.0).abs() < 1e-6);
        assert!((curve.at(50.0).x - 50.0).abs() < 1e-6);
        assert_eq!(curve.at(-3.0), Point::new(0.0, 5.0));
        assert_eq!(curve.at(900.0), Point::new(200.0, 5.0));
        assert!((curve.distance(Point::new(100.0, 9.0)) - 4.0).abs() < 1e-6);
    }

    #[test]
    fn what_is_seen_of_a_curve_takes_few_steps() {
        let level = [0.0, 100.0, 200.0, 300.0].map(|x| Point::new(x, 5.0));
        let everything = Rect { x: -1e4, y: -1e4, w: 2e4, h: 2e4 };
        assert_eq!(
            Curve::level(&level).steps(everything),
            [Step::Move(level[0]), Step::Line(level[0], level[3])],
            "lines that go on are one"
        );
        let turns = Curve::level(&[level[0], level[1], Point::new(200.0, 80.0), Point::new(300.0, 80.0)]);
        let (bend, last) = (turns.pieces[1], turns.pieces[2]);
        assert_eq!(
            turns.steps(everything),
            [Step::Move(level[0]), Step::Line(level[0], level[1]), Step::Bend(bend), Step::Line(last.from, last.to)]
        );
        let end = Rect { x: 250.0, y: 70.0, w: 20.0, h: 20.0 };
        assert_eq!(turns.steps(end), [Step::Move(last.from), Step::Line(last.from, last.to)]);
        assert!(turns.steps(Rect { y: 500.0, ..end }).is_empty());
    }

    #[test]
    fn an_empty_curve_is_harmless() {
        let curve = Curve::level(&[]);
        assert_eq!((curve.length(), curve.at(1.0), curve.bounds()), (0.0, Point::default(), None));
        assert_eq!(curve.distance(Point::default()), f64::INFINITY);
    }

    #[test]
    fn a_rectangle_between_two_samples_of_a_long_curve_is_found() {
        // 2,400 pixels in one piece: its samples are 75 or more apart, and a label is 18 high.
        let curve = Curve::level(&[Point::new(0.0, 0.0), Point::new(2400.0, 0.0)]);
        let middle = curve.at(1200.0);
        let between = curve.at(1200.0 + 40.0);
        let label = Rect::around(between, 18.0, 18.0);
        assert!(!label.holds(middle) && curve.meets(label));
        let parts = curve.parts(|_| [label]);
        assert_eq!(parts.len(), 1, "{parts:?}");
        assert!((parts[0].1 - parts[0].0 - 18.0).abs() < 1e-6, "{parts:?}");
        assert!(parts[0].0 < 1240.0 && 1240.0 < parts[0].1, "{parts:?}");
        // Two that overlap are one part, one beside the line is none.
        let far = Rect { y: 40.0, ..label };
        let parts = curve.parts(|_| [label, Rect { x: label.x + 9.0, ..label }, far]);
        assert_eq!(parts.len(), 1, "{parts:?}");
        assert!((parts[0].1 - parts[0].0 - 27.0).abs() < 1e-6, "{parts:?}");
        assert!(!curve.meets(far) && curve.parts(|_| [far]).is_empty());
    }
}
