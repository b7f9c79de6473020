//! Asks the API server whose a token is (TokenReview), and remembers its answers for a moment.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus, UserInfo};
use kube::{Api, Client, api::PostParams};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::{sync::Semaphore, time::timeout};

use super::accounts::Refusal;

/// Time for one review, waiting for a turn included.
const REVIEW: Duration = Duration::from_secs(5);

/// How much is asked and remembered for one audience. Each has its own, so that whoever throws tokens at one port takes
/// nothing from the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Reviews at once.
    pub at_once: usize,
    /// Answers that are remembered, of accepted tokens and of refused ones each.
    pub remembered: usize,
    /// How long an accepted token counts: a deleted account is let in for as long.
    pub accepted: Duration,
    /// How long a refused one does.
    pub refused: Duration,
    /// How long an accepted token counts while the API server does not answer.
    pub while_away: Duration,
}

/// Reviews of tokens for one audience. `T` is what an accepted token comes to.
pub(crate) struct Reviews<T> {
    api: Api<TokenReview>,
    audience: &'static str,
    verdict: fn(&TokenReviewStatus) -> Result<T, Refusal>,
    turns: Semaphore,
    remembered: Mutex<Remembered<T>>,
}

impl<T: Clone> Reviews<T> {
    /// Asks through `client`; `verdict` reads the answers.
    pub(crate) fn new(
        client: Client,
        audience: &'static str,
        verdict: fn(&TokenReviewStatus) -> Result<T, Refusal>,
        terms: Terms,
    ) -> Self {
        let turns = Semaphore::new(terms.at_once);
        let remembered = Mutex::new(Remembered::new(terms));
        Self { api: Api::all(client), audience, verdict, turns, remembered }
    }

    /// What a token comes to, by the API server's word or what it said a moment ago.
    pub(crate) async fn of(&self, token: &str) -> Result<T, Refusal> {
        self.of_at(token, Instant::now()).await
    }

    /// The same as of a moment.
    pub(crate) async fn of_at(&self, token: &str, now: Instant) -> Result<T, Refusal> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        if let Some(known) = self.remembered.lock().get(&digest, now) {
            return known;
        }
        let answer = match timeout(REVIEW, self.ask(token)).await {
            Ok(Ok(status)) => (self.verdict)(&status),
            Ok(Err(error)) => Err(Refusal::Away(error.to_string())),
            Err(_) => Err(Refusal::Away("it did not answer in time".into())),
        };
        self.remembered.lock().take(digest, answer, now)
    }

    async fn ask(&self, token: &str) -> kube::Result<TokenReviewStatus> {
        // Never closed; and when it were, reviewing without a turn harms nobody.
        let _turn = self.turns.acquire().await.ok();
        let review = TokenReview {
            spec: TokenReviewSpec { token: Some(token.to_owned()), audiences: Some(vec![self.audience.to_owned()]) },
            ..TokenReview::default()
        };
        let answer = self.api.create(&PostParams::default(), &review).await?;
        Ok(answer.status.unwrap_or_default())
    }
}

/// The service account that a token for `audience` is of, by the API server's answer: what it says of it, its namespace
/// and its name.
pub(crate) fn service_account<'s>(
    status: &'s TokenReviewStatus,
    audience: &'static str,
) -> Result<(&'s UserInfo, &'s str, &'s str), Refusal> {
    if status.authenticated != Some(true) {
        let why = status.error.as_deref().filter(|why| !why.is_empty()).unwrap_or("not authenticated");
        return Err(Refusal::NotAuthentic(why.chars().take(300).collect()));
    }
    // A server that knows nothing of audiences leaves them out: it would accept a token meant for anybody.
    if !status.audiences.as_ref().is_some_and(|audiences| audiences.iter().any(|a| a == audience)) {
        return Err(Refusal::Audience(audience));
    }
    let user = status.user.as_ref().ok_or_else(|| Refusal::NotAnAccount(String::new()))?;
    let username = user.username.as_deref().unwrap_or_default();
    let parts: Vec<_> = username.split(':').collect();
    match parts[..] {
        ["system", "serviceaccount", namespace, name] if !namespace.is_empty() && !name.is_empty() => {
            Ok((user, namespace, name))
        }
        _ => Err(Refusal::NotAnAccount(username.chars().take(300).collect())),
    }
}

/// What the API server said of tokens. Refusals are kept by themselves: anybody can make as many as he likes.
struct Remembered<T> {
    terms: Terms,
    accepted: Answers<T>,
    refused: Answers<Refusal>,
}

impl<T: Clone> Remembered<T> {
    fn new(terms: Terms) -> Self {
        Self { terms, accepted: Answers::new(terms.remembered), refused: Answers::new(terms.remembered) }
    }

    fn get(&self, digest: &[u8; 32], now: Instant) -> Option<Result<T, Refusal>> {
        let accepted = self.accepted.get(digest, self.terms.accepted, now).map(Ok);
        accepted.or_else(|| self.refused.get(digest, self.terms.refused, now).map(Err))
    }

    /// Remembers an answer; says what counts, which is what was said before while there is no new one.
    fn take(&mut self, digest: [u8; 32], answer: Result<T, Refusal>, now: Instant) -> Result<T, Refusal> {
        match answer {
            Ok(accepted) => {
                self.refused.remove(&digest);
                self.accepted.put(digest, accepted.clone(), now);
                Ok(accepted)
            }
            Err(Refusal::Away(why)) => self.accepted.get(&digest, self.terms.while_away, now).ok_or(Refusal::Away(why)),
            Err(refusal) => {
                self.accepted.remove(&digest);
                self.refused.put(digest, refusal.clone(), now);
                Err(refusal)
            }
        }
    }
}

/// Answers by the token's hash, oldest first out.
struct Answers<A> {
    answers: HashMap<[u8; 32], (Instant, A)>,
    order: VecDeque<[u8; 32]>,
    most: usize,
}

impl<A: Clone> Answers<A> {
    fn new(most: usize) -> Self {
        Self { answers: HashMap::new(), order: VecDeque::new(), most }
    }

    fn get(&self, digest: &[u8; 32], counts: Duration, now: Instant) -> Option<A> {
        let (since, answer) = self.answers.get(digest)?;
        (now.saturating_duration_since(*since) < counts).then(|| answer.clone())
    }

    fn put(&mut self, digest: [u8; 32], answer: A, now: Instant) {
        self.remove(&digest);
        self.answers.insert(digest, (now, answer));
        self.order.push_back(digest);
        while self.order.len() > self.most {
            if let Some(oldest) = self.order.pop_front() {
                self.answers.remove(&oldest);
            }
        }
    }

    fn remove(&mut self, digest: &[u8; 32]) {
        if self.answers.remove(digest).is_some() {
            self.order.retain(|known| known != digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        at_once: 2,
        remembered: 8,
        accepted: Duration::from_secs(10),
        refused: Duration::from_secs(2),
        while_away: Duration::from_secs(60),
    };

    fn numbered(n: u64) -> [u8; 32] {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&n.to_be_bytes());
        digest
    }

    #[test]
    fn answers_are_remembered_briefly() {
        let mut remembered = Remembered::new(TERMS);
        let (start, web, other) = (Instant::now(), numbered(1), numbered(2));
        assert_eq!(remembered.take(web, Ok("web"), start), Ok("web"));
        assert_eq!(remembered.take(other, Err(Refusal::NoPod), start), Err(Refusal::NoPod));
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        assert_eq!(remembered.get(&web, at(9)), Some(Ok("web")));
        assert_eq!(remembered.get(&web, at(10)), None);
        assert_eq!((remembered.get(&other, at(1)), remembered.get(&other, at(2))), (Some(Err(Refusal::NoPod)), None));

        // While nobody answers the last word counts, for a while; a refusal is one.
        let away = || Err(Refusal::Away("away".into()));
        assert_eq!(remembered.take(web, away(), at(59)), Ok("web"));
        assert_eq!(remembered.take(web, away(), at(60)), away());
        assert_eq!(remembered.take(web, Err(Refusal::NoPod), at(20)), Err(Refusal::NoPod));
        assert_eq!(remembered.take(web, away(), at(23)), away());
    }

    #[test]
    fn refusals_are_bounded_and_push_out_nobody_who_was_accepted() {
        let mut remembered = Remembered::new(TERMS);
        let now = Instant::now();
        remembered.take(numbered(0), Ok("web"), now).unwrap();
        for n in 1..100 {
            remembered.take(numbered(n), Err(Refusal::NoPod), now).unwrap_err();
        }
        assert_eq!(remembered.get(&numbered(0), now), Some(Ok("web")));
        assert_eq!((remembered.refused.answers.len(), remembered.refused.order.len()), (8, 8));
        // Who comes again stays.
        for n in 100..200 {
            remembered.take(numbered(n), Ok("other"), now).unwrap();
            remembered.take(numbered(0), Ok("web"), now).unwrap();
        }
        assert_eq!(remembered.get(&numbered(0), now), Some(Ok("web")));
        assert_eq!((remembered.accepted.answers.len(), remembered.accepted.order.len()), (8, 8));
    }
}
