//! Bearer tokens that were shown lately. Each costs the database a read, and the API server or the provider a question, so
//! whoever shows many that are not accepted waits.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use parking_lot::Mutex;

use super::limit::Limit;
use crate::http::ApiError;

/// For how long the same token is refused again without a question. It may be accepted later: keys change, and clocks differ.
const REFUSED_FOR: Duration = Duration::from_secs(5);
/// For how long an accepted one waits for nobody who shows bad ones from the same address. It is checked each time.
const ACCEPTED_FOR: Duration = Duration::from_secs(600);
/// Tokens remembered.
const TOKENS: usize = 10_000;

/// What became of tokens.
#[derive(Default)]
pub(super) struct Attempts {
    limit: Limit,
    lately: Mutex<HashMap<[u8; 32], (Instant, Outcome)>>,
}

enum Outcome {
    Accepted,
    Refused(ApiError),
}

/// What looking at a token took.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// Nothing: it was accepted lately.
    Free,
    /// One of this address' attempts, which it gets back unless the token is bad.
    Taken(IpAddr),
}

impl Attempts {
    /// Whether the token of this hash is looked at now: one that was refused a moment ago is not, and nothing more from an
    /// address that has used up its attempts. One that was accepted lately is looked at whatever others show from there.
    pub(super) fn begin(&self, token: &[u8; 32], from: IpAddr) -> Result<Attempt, ApiError> {
        self.begin_at(token, from, Instant::now())
    }

    fn begin_at(&self, token: &[u8; 32], from: IpAddr, now: Instant) -> Result<Attempt, ApiError> {
        if let Some((at, outcome)) = self.lately.lock().get(token) {
            let age = now.saturating_duration_since(*at);
            match outcome {
                Outcome::Accepted if age < ACCEPTED_FOR => return Ok(Attempt::Free),
                Outcome::Refused(error) if age < REFUSED_FOR => return Err(error.clone()),
                Outcome::Accepted | Outcome::Refused(_) => {}
            }
        }
        // Taken now, and not when it is known to be bad: whoever hangs up before has cost as much.
        self.limit.take_at(from, now).map(|()| Attempt::Taken(from)).map_err(|_| {
            ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-tokens",
                "Too many tokens from your address were not accepted.",
                "Wait a moment, and check the token that your programs send.",
            )
        })
    }

    /// It says who somebody is.
    pub(super) fn accepted(&self, token: [u8; 32], attempt: Attempt) {
        self.remember(token, Outcome::Accepted, Instant::now());
        self.undecided(attempt);
    }

    /// It says nothing.
    pub(super) fn refused(&self, token: [u8; 32], error: &ApiError) {
        self.remember(token, Outcome::Refused(error.clone()), Instant::now());
    }

    /// Nobody could say.
    pub(super) fn undecided(&self, attempt: Attempt) {
        if let Attempt::Taken(from) = attempt {
            self.limit.put_back(from);
        }
    }

    fn remember(&self, token: [u8; 32], outcome: Outcome, now: Instant) {
        let mut lately = self.lately.lock();
        if lately.len() >= TOKENS && !lately.contains_key(&token) {
            lately.retain(|_, (at, outcome)| {
                let kept = if matches!(outcome, Outcome::Accepted) { ACCEPTED_FOR } else { REFUSED_FOR };
                now.saturating_duration_since(*at) < kept
            });
            // Bad ones, however many are shown, take no good one's place.
            if lately.len() >= TOKENS && matches!(outcome, Outcome::Accepted) {
                lately.retain(|_, (_, outcome)| matches!(outcome, Outcome::Accepted));
            }
            if lately.len() >= TOKENS {
                return;
            }
        }
        lately.insert(token, (now, outcome));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad() -> ApiError {
        ApiError::new(StatusCode::UNAUTHORIZED, "bad-token", "The token is not accepted.", "Get a new one.")
    }

    fn name(n: u32) -> [u8; 32] {
        let mut name = [0; 32];
        name[..4].copy_from_slice(&n.to_be_bytes());
        name
    }

    #[test]
    fn whoever_shows_bad_tokens_waits_and_others_do_not() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        let [one, two]: [IpAddr; 2] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        // A good one costs its address nothing, however often it comes.
        for _ in 0..500 {
            let attempt = attempts.begin_at(&name(0), one, now).unwrap();
            attempts.accepted(name(0), attempt);
        }
        for n in 1..=100 {
            assert_eq!(attempts.begin_at(&name(n), one, now), Ok(Attempt::Taken(one)));
            attempts.remember(name(n), Outcome::Refused(bad()), now);
        }
        let waits = attempts.begin_at(&name(101), one, now).unwrap_err();
        assert_eq!(waits.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(attempts.begin_at(&name(7), one, now), Err(bad()), "it is told as before");
        assert_eq!(attempts.begin_at(&name(0), one, now), Ok(Attempt::Free), "it was accepted here");
        assert_eq!(attempts.begin_at(&name(101), two, now), Ok(Attempt::Taken(two)));
        let later = now + REFUSED_FOR;
        assert_eq!(attempts.begin_at(&name(7), one, later), Ok(Attempt::Taken(one)), "it is looked at again");
    }

    #[test]
    fn what_took_an_attempt_gives_it_back_unless_it_is_bad() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        let one: IpAddr = "10.0.0.1".parse().unwrap();
        // A page that opens asks many things at once, each with the same new token.
        let all: Vec<Attempt> = (0..100).map(|_| attempts.begin_at(&name(0), one, now).unwrap()).collect();
        attempts.begin_at(&name(1), one, now).unwrap_err();
        all.into_iter().for_each(|attempt| attempts.accepted(name(0), attempt));
        // Nobody can say whether these are good.
        for n in 1..=100 {
            let attempt = attempts.begin_at(&name(n), one, now).unwrap();
            attempts.undecided(attempt);
        }
        for n in 1..=100 {
            assert_eq!(attempts.begin_at(&name(n), one, now), Ok(Attempt::Taken(one)), "all is back");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for n in 0..30_000 {
            attempts.remember(name(n), Outcome::Refused(bad()), now);
        }
        assert!(attempts.lately.lock().len() <= TOKENS);
        attempts.remember(name(40_000), Outcome::Accepted, now);
        assert_eq!(attempts.lately.lock().len(), 1, "bad ones make room for a good one");
    }
}
