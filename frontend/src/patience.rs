//! How long to wait before asking again what was refused.

/// The longest wait, in questions that are left out.
const LONGEST: u32 = 11;

/// Which of the regular questions are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    /// Questions to leave out before the next.
    left: u32,
    /// How often in a row it was not there.
    missed: u32,
    /// Whether none is asked any more.
    over: bool,
}

impl Patience {
    /// What an answer means for the next questions; 0 is one that was no refusal.
    pub fn settle(&mut self, status: u16) {
        *self = match status {
            // Who may not see something sees it as somebody else, or once they look again because they were given rights.
            403 => Self { over: true, ..Self::default() },
            // It may appear soon, as the spans of a request do, or never.
            404 => {
                let left = ((1_u32 << self.missed.min(8)) - 1).min(LONGEST);
                Self { left, missed: self.missed + 1, over: false }
            }
            _ => Self::default(),
        };
    }

    /// Whether it is time to ask.
    pub fn is_due(&mut self) -> bool {
        if self.over {
            return false;
        }
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(patience: &mut Patience, times: u32) -> usize {
        (0..times).filter(|_| patience.is_due()).count()
    }

    #[test]
    fn what_is_forbidden_is_not_asked_again() {
        let mut patience = Patience::default();
        assert!(patience.is_due());
        patience.settle(403);
        assert_eq!(asked(&mut patience, 100), 0);
        patience.settle(0);
        assert!(patience.is_due(), "until an answer came otherwise");
    }

    #[test]
    fn what_is_not_there_is_asked_for_ever_less_often() {
        let mut patience = Patience::default();
        let mut gaps = Vec::new();
        for _ in 0..6 {
            patience.settle(404);
            gaps.push((1..).find(|_| patience.is_due()).unwrap());
        }
        assert_eq!(gaps, [1, 2, 4, 8, 12, 12]);
        patience.settle(500);
        assert!(patience.is_due(), "other failures pass by themselves");
    }
}
