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
/// Reviews at once.
const REVIEWS_AT_ONCE: usize = 16;
/// Answers that are remembered.
const MAX_REMEMBERED: usize = 4096;

/// Reviews of tokens for one audience. `T` is what an accepted token comes to.
pub(crate) struct Reviews<T> {
    api: Api<TokenReview>,
    audience: &'static str,
    verdict: fn(&TokenReviewStatus) -> Result<T, Refusal>,
    counts: Duration,
    turns: Semaphore,
    remembered: Mutex<Remembered<Result<T, Refusal>>>,
}

impl<T: Clone> Reviews<T> {
    /// Asks through `client`; `verdict` reads the answers, each of which counts for a while: a deleted account is let in for
    /// as long.
    pub(crate) fn new(
        client: Client,
        audience: &'static str,
        verdict: fn(&TokenReviewStatus) -> Result<T, Refusal>,
        counts: Duration,
    ) -> Self {
        let turns = Semaphore::new(REVIEWS_AT_ONCE);
        Self { api: Api::all(client), audience, verdict, counts, turns, remembered: Mutex::default() }
    }

    /// What a token comes to, by the API server's word or what it said a moment ago.
    pub(crate) async fn of(&self, token: &str) -> Result<T, Refusal> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        if let Some(known) = self.remembered.lock().get(&digest, self.counts, Instant::now()) {
            return known;
        }
        let answer = match timeout(REVIEW, self.ask(token)).await {
            Ok(Ok(status)) => (self.verdict)(&status),
            Ok(Err(error)) => Err(Refusal::Away(error.to_string())),
            Err(_) => Err(Refusal::Away("it did not answer in time".into())),
        };
        if !matches!(answer, Err(Refusal::Away(_))) {
            self.remembered.lock().put(digest, answer.clone(), Instant::now());
        }
        answer
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

/// Answers by the token's hash, oldest first out.
struct Remembered<A> {
    answers: HashMap<[u8; 32], (Instant, A)>,
    order: VecDeque<[u8; 32]>,
}

impl<A> Default for Remembered<A> {
    fn default() -> Self {
        Self { answers: HashMap::new(), order: VecDeque::new() }
    }
}

impl<A: Clone> Remembered<A> {
    fn get(&self, digest: &[u8; 32], counts: Duration, now: Instant) -> Option<A> {
        let (since, answer) = self.answers.get(digest)?;
        (now.saturating_duration_since(*since) < counts).then(|| answer.clone())
    }

    fn put(&mut self, digest: [u8; 32], answer: A, now: Instant) {
        if self.answers.insert(digest, (now, answer)).is_none() {
            self.order.push_back(digest);
        }
        while self.order.len() > MAX_REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.answers.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_remembered_briefly_and_boundedly() {
        let mut remembered = Remembered::default();
        let (now, counts) = (Instant::now(), Duration::from_secs(10));
        remembered.put([1; 32], Ok("web"), now);
        assert_eq!(remembered.get(&[1; 32], counts, now), Some(Ok("web")));
        assert_eq!(remembered.get(&[1; 32], counts, now + counts), None);
        for n in 0..=MAX_REMEMBERED {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&(n as u64).to_be_bytes());
            remembered.put(digest, Err(Refusal::NoPod), now);
        }
        assert_eq!((remembered.answers.len(), remembered.order.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
        assert_eq!(remembered.get(&[1; 32], counts, now), None);
    }
}
