//! Shares of requests.

/// `numerator` of `denominator` (`FractionalPercent`); the denominator is 100, 10,000 or 1,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    /// Wanted.
    pub numerator: u32,
    /// Of.
    pub denominator: u32,
}

impl Fraction {
    /// Every request.
    pub const ALL: Self = Self { numerator: 100, denominator: 100 };

    /// Whether this request is among them; `random` is uniform.
    pub fn hits(self, random: u64) -> bool {
        self.numerator >= self.denominator || random % u64::from(self.denominator.max(1)) < u64::from(self.numerator)
    }
}
