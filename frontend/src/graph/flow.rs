//! Particles: how fast and how dense they travel, and which of them are errors.

/// How the particles of one edge travel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow {
    /// Pixels per second: the slower the answers, the slower the particles.
    pub speed: f64,
    /// Pixels between two particles: the more requests, the closer.
    pub gap: f64,
    /// Share that is drawn as errors, 0 to 1.
    pub errors: f64,
}

impl Flow {
    /// For a rate per second and a median latency in milliseconds. `None` when nothing flows.
    pub fn of(rate: f64, latency_ms: Option<f64>, errors: Option<f64>) -> Option<Self> {
        if !rate.is_finite() || rate <= 0.0 {
            return None;
        }
        // 1 ms or less: 150 px/s; each tenfold takes 40 px/s away; from 1 s on 30 px/s.
        let latency = latency_ms.filter(|ms| ms.is_finite()).unwrap_or(10.0).clamp(1.0, 1000.0);
        let speed = 150.0 - 40.0 * latency.log10();
        // 0.1/s or less: 240 px apart; each tenfold halves it, from 1000/s on 15 px.
        let gap = 240.0 / (rate.clamp(0.1, 1000.0).log10() + 1.0).exp2();
        Some(Self { speed, gap, errors: errors.unwrap_or(0.0).clamp(0.0, 1.0) })
    }

    /// Distances from the start of a path of `length`, and whether each is an error, after `travelled` pixels.
    pub fn particles(&self, length: f64, travelled: f64) -> impl Iterator<Item = (f64, bool)> + '_ {
        let first = (travelled / self.gap).floor();
        let head = travelled - first * self.gap;
        let count = if length > head { ((length - head) / self.gap).floor() as u64 + 1 } else { 0 };
        (0..count).map(move |index| (head + index as f64 * self.gap, self.is_error(first as i64 - index as i64)))
    }

    /// Whether the particle with this number is an error: the same one always is, and the share is right in the long run.
    fn is_error(&self, number: i64) -> bool {
        let mut hash = (number as u64).wrapping_add(0x9E37_79B9_7F4A_7C15);
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((hash ^ (hash >> 31)) >> 11) as f64 / ((1u64 << 53) as f64) < self.errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_answers_are_slow_and_many_are_dense() {
        let slow = Flow::of(1.0, Some(800.0), None).unwrap();
        let fast = Flow::of(100.0, Some(2.0), None).unwrap();
        assert!(slow.speed < fast.speed && slow.gap > fast.gap);
        assert!(Flow::of(0.0, None, None).is_none() && Flow::of(f64::NAN, None, None).is_none());
    }

    #[test]
    fn a_particle_keeps_its_colour_on_its_way() {
        let flow = Flow { speed: 100.0, gap: 30.0, errors: 0.5 };
        let before: Vec<_> = flow.particles(300.0, 100.0).collect();
        let after: Vec<_> = flow.particles(300.0, 110.0).collect();
        for (place, error) in &before {
            let same = after.iter().find(|(other, _)| (other - place - 10.0).abs() < 1e-9);
            assert!(same.is_none_or(|(_, other)| other == error));
        }
        assert!(before.iter().all(|(place, _)| (0.0..=300.0).contains(place)));
    }

    #[test]
    fn the_share_of_errors_is_right() {
        let flow = Flow { speed: 100.0, gap: 1.0, errors: 0.1 };
        let red = flow.particles(20_000.0, 20_000.0).filter(|(_, error)| *error).count();
        assert!((1800..2200).contains(&red), "{red}");
        let none = Flow { errors: 0.0, ..flow };
        assert!(none.particles(1000.0, 5.0).all(|(_, error)| !error));
    }
}
