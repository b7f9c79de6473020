//! Questions that are asked again and again: one at a time, and once more when something changed meanwhile.

/// Whether a question is on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    asking: bool,
    again: bool,
}

impl Turns {
    /// Whether to ask now. If a question is on its way, another one follows it.
    pub fn begin(&mut self) -> bool {
        self.again = self.asking;
        !std::mem::replace(&mut self.asking, true)
    }

    /// An answer came: whether to ask once more.
    pub fn end(&mut self) -> bool {
        self.asking = std::mem::take(&mut self.again);
        self.asking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_meanwhile_is_asked_for_once() {
        let mut turns = Turns::default();
        assert!(turns.begin());
        assert!(!turns.begin() && !turns.begin(), "one is on its way");
        assert!(turns.end(), "it began before the last change");
        assert!(!turns.end());
        assert!(turns.begin(), "and from then on as at first");
        assert!(!turns.end());
    }
}
