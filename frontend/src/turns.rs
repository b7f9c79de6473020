//! Questions that are asked again and again: one at a time, once more when something changed meanwhile, and once more after
//! a while when there was no answer. What was told to be new is not forgotten before it is known.

/// First and longest wait after a question without an answer, in milliseconds.
const WAIT_MS: (u32, u32) = (1_000, 30_000);
/// Waits for a console that is behind the one which told, in milliseconds. A list of several pages, whose tag is never what is
/// told, is asked for in vain as often, once.
const LAGS_MS: [u32; 2] = [1_000, 4_000];
/// Failures in a row that are told apart.
const MAX_FAILURES: u32 = 8;

/// What there is to do after an answer, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing, until something else is told.
    Rest,
    /// Ask again at once.
    Ask,
    /// Ask again after so many milliseconds.
    AskIn(u32),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Rest,
    /// A question is on its way.
    Asking,
    /// It had no answer, and the next one has to wait.
    Waiting,
}

/// Where the questions about one thing stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// Tells questions about what is chosen now from those about what was chosen before.
    turn: u64,
    stage: Stage,
    /// The version that was told last, for as long as it is not known.
    wanted: Option<String>,
    /// Whether it was told after the question began.
    again: bool,
    /// The tag of the newest answer.
    known: String,
    failures: u32,
    /// Whether a version is made from the content alone, so that every console which has it says the same.
    by_content: bool,
    /// Answers in a row that were not what was told, and for which it was waited.
    lags: usize,
}

impl Turns {
    /// About what has the same version at every console: an answer that is not what was told comes from one that is behind.
    pub fn by_content() -> Self {
        Self { by_content: true, ..Self::default() }
    }

    /// There is this version.
    pub fn told(&mut self, version: &str) {
        // What is on its way may be of before.
        if self.stage != Stage::Asking && is_of(&self.known, version) {
            self.wanted = None;
            return;
        }
        self.wanted = Some(version.to_owned());
        self.again = self.stage == Stage::Asking;
    }

    /// Something else is asked for from now on, or the same at the reader's wish: what is on its way no longer counts.
    pub fn anew(&mut self) {
        let by_content = self.by_content;
        *self = Self { turn: self.turn + 1, wanted: Some(String::new()), by_content, ..Self::default() };
    }

    /// Begins a question if there is anything to ask and none is on its way; the answer comes with its number.
    pub fn begin(&mut self) -> Option<u64> {
        if self.stage != Stage::Rest || self.wanted.is_none() {
            return None;
        }
        self.stage = Stage::Asking;
        self.again = false;
        Some(self.turn)
    }

    /// Whether this is the number of what is asked now.
    pub fn is_present(&self, turn: u64) -> bool {
        self.turn == turn
    }

    /// The answer came, with this tag, or none did, with this status (0 without any).
    pub fn came(&mut self, turn: u64, answer: Result<&str, u16>) -> Next {
        if !self.is_present(turn) {
            return Next::Rest;
        }
        match answer {
            Ok(tag) => {
                tag.clone_into(&mut self.known);
                self.failures = 0;
                self.stage = Stage::Rest;
                let Some(version) = self.wanted.take() else { return Next::Rest };
                if is_of(tag, &version) {
                    self.lags = 0;
                    return Next::Rest;
                }
                let next = if self.again { Next::Ask } else { self.lag(&version) };
                self.wanted = (next != Next::Rest).then_some(version);
                next
            }
            Err(status) if may_change(status) => {
                self.stage = Stage::Waiting;
                let wait = WAIT_MS.0.saturating_mul(1 << self.failures).min(WAIT_MS.1);
                self.failures = (self.failures + 1).min(MAX_FAILURES);
                Next::AskIn(wait)
            }
            // It would be refused again; whatever is told next asks once more.
            Err(_) => {
                self.stage = Stage::Rest;
                Next::Rest
            }
        }
    }

    /// What was told before the question began is in the answer, unless another console gave it than the one that told. Whatever
    /// is told meanwhile does not wait.
    fn lag(&mut self, version: &str) -> Next {
        match LAGS_MS.get(self.lags) {
            Some(wait) if self.by_content && !version.is_empty() => {
                self.lags += 1;
                Next::AskIn(*wait)
            }
            _ => Next::Rest,
        }
    }

    /// The answer came, but nothing may change now: it is asked for again later.
    pub fn held(&mut self, turn: u64) {
        if self.is_present(turn) {
            self.stage = Stage::Rest;
        }
    }

    /// The wait after a question without an answer is over.
    pub fn waited(&mut self, turn: u64) {
        if self.is_present(turn) && self.stage == Stage::Waiting {
            self.stage = Stage::Rest;
        }
    }
}

/// Whether an answer with this tag (an ETag) is of this version.
fn is_of(tag: &str, version: &str) -> bool {
    let tag = tag.trim_start_matches("W/").trim_matches('"');
    let rest = tag.strip_prefix(version);
    !version.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether another try may be answered otherwise.
fn may_change(status: u16) -> bool {
    matches!(status, 0 | 408 | 429 | 500..)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begun and answered once, as version 1.
    fn settled() -> Turns {
        let mut turns = Turns::default();
        turns.anew();
        let turn = turns.begin().unwrap();
        assert_eq!(turns.came(turn, Ok("W/\"1\"")), Next::Rest);
        turns
    }

    #[test]
    fn what_changes_meanwhile_is_asked_for_once() {
        let mut turns = settled();
        turns.told("2");
        let turn = turns.begin().unwrap();
        turns.told("3");
        turns.told("4");
        assert_eq!(turns.begin(), None, "one is on its way");
        assert_eq!(turns.came(turn, Ok("\"2\"")), Next::Ask, "it began before the last change");
        let turn = turns.begin().unwrap();
        assert_eq!(turns.came(turn, Ok("\"4\"")), Next::Rest);
        assert_eq!(turns.begin(), None);
    }

    #[test]
    fn what_is_known_is_not_asked_for() {
        let mut turns = settled();
        turns.told("1");
        assert_eq!(turns.begin(), None);
        // The page's first question, and the stream that says at once what there is.
        turns.anew();
        let turn = turns.begin().unwrap();
        turns.told("7-2");
        assert_eq!(turns.came(turn, Ok("\"7-2.c0ffee\"")), Next::Rest, "it is what was told meanwhile");
        assert!(!is_of("\"7-23\"", "7-2") && !is_of("", "") && !is_of("\"1\"", ""));
    }

    /// A question, and what is to be done after this answer.
    fn asked(turns: &mut Turns, tag: &str) -> Next {
        let turn = turns.begin().expect("there is something to ask");
        turns.came(turn, Ok(tag))
    }

    #[test]
    fn an_answer_of_a_console_that_is_behind_is_not_the_last_one() {
        let mut turns = Turns::by_content();
        turns.anew();
        assert_eq!(asked(&mut turns, "\"1\""), Next::Rest, "nothing was told yet");
        turns.told("2");
        assert_eq!(asked(&mut turns, "\"1\""), Next::AskIn(1_000));
        assert_eq!(asked(&mut turns, "\"2\""), Next::Rest, "the other one has it by now");
        assert_eq!(turns.begin(), None);
        // News do not wait for it, and it is asked for no more once it is over.
        turns.told("3");
        assert_eq!(asked(&mut turns, "\"2\""), Next::AskIn(1_000));
        turns.told("4");
        assert_eq!(asked(&mut turns, "\"4\""), Next::Rest);
        turns.told("5");
        assert_eq!(asked(&mut turns, "\"4\""), Next::AskIn(1_000));
        turns.told("4");
        assert_eq!(turns.begin(), None, "it was taken back");
    }

    #[test]
    fn what_never_is_what_was_told_is_waited_for_only_so_often() {
        let mut turns = Turns::by_content();
        turns.anew();
        assert_eq!(asked(&mut turns, "\"page 1\""), Next::Rest);
        turns.told("2");
        let waits = [(); 3].map(|()| asked(&mut turns, "\"page 2\""));
        assert_eq!(waits, [Next::AskIn(1_000), Next::AskIn(4_000), Next::Rest]);
        assert_eq!(turns.begin(), None);
        turns.told("3");
        assert_eq!(asked(&mut turns, "\"page 3\""), Next::Rest, "a long list is not asked for thrice at each change");
        // Where it is known again, it is worth waiting again.
        turns.told("4");
        assert_eq!(asked(&mut turns, "\"4\""), Next::Rest);
        turns.told("5");
        assert_eq!(asked(&mut turns, "\"4\""), Next::AskIn(1_000));
        // What each console counts for itself says nothing about who is behind.
        let mut graph = settled();
        graph.told("2");
        assert_eq!(asked(&mut graph, "\"1\""), Next::Rest);
    }

    #[test]
    fn what_is_taken_back_while_it_is_asked_for_is_asked_for_again() {
        let mut turns = settled();
        turns.told("2");
        let turn = turns.begin().unwrap();
        turns.told("1");
        assert_eq!(turns.came(turn, Ok("\"2\"")), Next::Ask);
        assert_eq!(asked(&mut turns, "\"1\""), Next::Rest);
    }

    #[test]
    fn what_had_no_answer_is_asked_for_again_ever_more_seldom() {
        let mut turns = settled();
        turns.told("2");
        let mut waits = Vec::new();
        for _ in 0..7 {
            let turn = turns.begin().unwrap();
            let Next::AskIn(wait) = turns.came(turn, Err(503)) else { panic!("it is given up") };
            waits.push(wait);
            assert_eq!(turns.begin(), None, "it waits");
            turns.told("2");
            assert_eq!(turns.begin(), None, "news do not hurry it");
            turns.waited(turn);
        }
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        let turn = turns.begin().unwrap();
        assert_eq!(turns.came(turn, Ok("\"2\"")), Next::Rest);
        turns.told("3");
        let turn = turns.begin().unwrap();
        assert_eq!(turns.came(turn, Err(403)), Next::Rest, "a refusal stays one");
        assert!(turns.begin().is_some(), "but it is not forgotten");
    }

    #[test]
    fn what_came_while_nothing_may_change_is_asked_for_later() {
        let mut turns = settled();
        turns.told("2");
        let turn = turns.begin().unwrap();
        turns.held(turn);
        assert!(turns.begin().is_some());
    }

    #[test]
    fn what_was_chosen_before_no_longer_counts() {
        let mut turns = settled();
        turns.told("2");
        let old = turns.begin().unwrap();
        turns.anew();
        let new = turns.begin().unwrap();
        assert_eq!(turns.came(old, Ok("\"2\"")), Next::Rest);
        assert!(!turns.is_present(old) && turns.is_present(new));
        assert_eq!(turns.begin(), None, "the new one is on its way");
        turns.waited(old);
        turns.held(old);
        assert_eq!(turns.begin(), None);
    }
}
