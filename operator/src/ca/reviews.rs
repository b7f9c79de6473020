//! Asks the API server whose a token is (TokenReview), and remembers its answers for a moment.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus, UserInfo};
use kube::{Api, Client, Error, api::PostParams};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
    time::timeout,
};

use super::accounts::Refusal;

/// Time for one review, once it has its turn.
pub(crate) const REVIEW: Duration = Duration::from_secs(5);

/// How much is asked and remembered for one audience. Each has its own, so that whoever throws tokens at one port takes
/// nothing from the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Reviews at once.
    pub at_once: usize,
    /// How long a token waits for its turn.
    pub turn: Duration,
    /// How long who asks waits for the review, once it has its turn; it goes on, and whoever asks next has its answer.
    pub patience: Duration,
    /// Answers that are remembered, of accepted tokens and of refused ones each.
    pub remembered: usize,
    /// How long an accepted token counts: a deleted account is let in for as long.
    pub accepted: Duration,
    /// How long a refused one does.
    pub refused: Duration,
    /// How long an accepted token counts while the API server does not answer.
    pub while_away: Duration,
}

/// Reads the API server's answer about a token.
type Verdict<T> = dyn Fn(&TokenReviewStatus) -> Result<T, Refusal> + Send + Sync;

/// Reviews of tokens for one audience. `T` is what an accepted token comes to.
pub(crate) struct Reviews<T> {
    api: Api<TokenReview>,
    audience: &'static str,
    verdict: Box<Verdict<T>>,
    turns: Arc<Semaphore>,
    turn: Duration,
    patience: Duration,
    /// Whether the newest review had no answer, or none in time.
    away: AtomicBool,
    remembered: Mutex<Remembered<T>>,
}

impl<T: Clone + Send + 'static> Reviews<T> {
    /// Asks through `client`; `verdict` reads the answers. It refuses whoever is of no use here by himself: what it accepts
    /// takes the place of another accepted token.
    pub(crate) fn new(
        client: Client,
        audience: &'static str,
        verdict: impl Fn(&TokenReviewStatus) -> Result<T, Refusal> + Send + Sync + 'static,
        terms: Terms,
    ) -> Self {
        Self {
            api: Api::all(client),
            audience,
            verdict: Box::new(verdict),
            turns: Arc::new(Semaphore::new(terms.at_once)),
            turn: terms.turn,
            patience: terms.patience,
            away: AtomicBool::new(false),
            remembered: Mutex::new(Remembered::new(terms)),
        }
    }

    /// What a token comes to, by the API server's word or what it said a moment ago.
    pub(crate) async fn of(self: &Arc<Self>, token: &str) -> Result<T, Refusal> {
        self.of_at(token, Instant::now()).await
    }

    /// The same as of a moment.
    pub(crate) async fn of_at(self: &Arc<Self>, token: &str, now: Instant) -> Result<T, Refusal> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        if let Some(known) = self.remembered.lock().get(&digest, now) {
            return known;
        }
        let turn = self.turn().await;
        // Pages of one reader are asked for together: who was before may have asked about the same token.
        if let Some(known) = self.remembered.lock().get(&digest, now) {
            return known;
        }
        let refusal = match turn {
            Ok(turn) => match timeout(self.patience, self.review(turn, token, digest, now)).await {
                Ok(Ok(said)) => return said,
                Ok(Err(error)) => Refusal::Away(error.to_string()),
                Err(_) => {
                    self.away.store(true, Ordering::Relaxed);
                    late()
                }
            },
            Err(refusal) => refusal,
        };
        self.remembered.lock().take(digest, Err(refusal), now)
    }

    /// Waits for a turn. Who does so in vain hears that the API server is away only if those before him were not answered:
    /// anybody can make a queue, and nobody is to be let in for longer by one.
    async fn turn(&self) -> Result<Option<OwnedSemaphorePermit>, Refusal> {
        match timeout(self.turn, Arc::clone(&self.turns).acquire_owned()).await {
            // Never closed; and when it were, reviewing without a turn harms nobody.
            Ok(turn) => Ok(turn.ok()),
            Err(_) if self.away.load(Ordering::Relaxed) => Err(Refusal::Away("it did not answer others".into())),
            Err(_) => Err(Refusal::Busy),
        }
    }

    /// Asks and remembers, whether or not somebody still waits for it: there are only as many of these as there are turns.
    fn review(
        self: &Arc<Self>,
        turn: Option<OwnedSemaphorePermit>,
        token: &str,
        digest: [u8; 32],
        now: Instant,
    ) -> JoinHandle<Result<T, Refusal>> {
        let (reviews, token) = (Arc::clone(self), token.to_owned());
        tokio::spawn(async move {
            let answer = reviews.answer(&token).await;
            drop(turn);
            reviews.remembered.lock().take(digest, answer, now)
        })
    }

    /// The API server's word.
    async fn answer(&self, token: &str) -> Result<T, Refusal> {
        let answer = timeout(REVIEW, self.ask(token)).await;
        // What it refuses to review, it has read.
        let answered = matches!(&answer, Ok(Ok(_))) || matches!(&answer, Ok(Err(Error::Api(no))) if no.code < 500);
        self.away.store(!answered, Ordering::Relaxed);
        match answer {
            Ok(Ok(status)) => (self.verdict)(&status),
            Ok(Err(error)) => Err(Refusal::Away(error.to_string())),
            Err(_) => Err(late()),
        }
    }

    async fn ask(&self, token: &str) -> kube::Result<TokenReviewStatus> {
        let review = TokenReview {
            spec: TokenReviewSpec { token: Some(token.to_owned()), audiences: Some(vec![self.audience.to_owned()]) },
            ..TokenReview::default()
        };
        let answer = self.api.create(&PostParams::default(), &review).await?;
        Ok(answer.status.unwrap_or_default())
    }
}

fn late() -> Refusal {
    Refusal::Away("it did not answer in time".into())
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
            // Nothing was said: neither does what was said before count for longer, nor is it forgotten.
            Err(Refusal::Busy) => Err(Refusal::Busy),
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
    use std::{convert::Infallible, future::pending, sync::atomic::AtomicUsize};

    use kube::client::Body;

    use super::*;

    const TERMS: Terms = Terms {
        at_once: 2,
        turn: Duration::from_millis(50),
        patience: Duration::from_millis(50),
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

    fn away() -> Refusal {
        Refusal::Away("away".into())
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
        assert_eq!(remembered.take(web, Err(away()), at(59)), Ok("web"));
        assert_eq!(remembered.take(web, Err(away()), at(60)), Err(away()));
        assert_eq!(remembered.take(web, Err(Refusal::NoPod), at(20)), Err(Refusal::NoPod));
        assert_eq!(remembered.take(web, Err(away()), at(23)), Err(away()));
    }

    /// Whoever makes a queue of made-up tokens lets nobody in for longer.
    #[tokio::test]
    async fn who_gets_no_turn_is_let_in_no_longer_unless_nobody_is_answered() {
        // An API server that takes its time.
        let slow = tower::service_fn(|_: http::Request<Body>| pending::<Result<http::Response<Body>, Infallible>>());
        let reviews = Arc::new(Reviews::new(Client::new(slow, "default"), "test", |_| Ok("web"), TERMS));
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let digest: [u8; 32] = Sha256::digest("token").into();
        reviews.remembered.lock().take(digest, Ok("web"), start).unwrap();
        let _others = reviews.turns.acquire_many(2).await.unwrap();
        assert_eq!(reviews.of_at("token", at(9)).await, Ok("web"));
        assert_eq!(reviews.of_at("token", at(10)).await, Err(Refusal::Busy));
        assert_eq!(reviews.of_at("another", at(10)).await, Err(Refusal::Busy));
        // They have no answer either: what was said counts on.
        reviews.away.store(true, Ordering::Relaxed);
        assert_eq!(reviews.of_at("token", at(59)).await, Ok("web"));
        assert!(matches!(reviews.of_at("token", at(60)).await, Err(Refusal::Away(_))));
    }

    #[tokio::test]
    async fn who_waited_for_a_turn_has_what_was_learned_meanwhile() {
        let slow = tower::service_fn(|_: http::Request<Body>| pending::<Result<http::Response<Body>, Infallible>>());
        let reviews = Arc::new(Reviews::new(Client::new(slow, "default"), "test", |_| Ok("web"), TERMS));
        let _others = reviews.turns.acquire_many(2).await.unwrap();
        let digest: [u8; 32] = Sha256::digest("token").into();
        let learns = async { reviews.remembered.lock().take(digest, Ok("web"), Instant::now()) };
        let (heard, learned) = tokio::join!(reviews.of("token"), learns);
        assert_eq!((heard, learned), (Ok("web"), Ok("web")));
    }

    /// Else nobody would be let in where the API server takes longer than whoever asks waits.
    #[tokio::test]
    async fn an_answer_that_comes_late_is_the_next_ones() {
        let (say, said) = tokio::sync::watch::channel(false);
        let asked = AtomicUsize::new(0);
        // The first review is answered when the test says so, and no other one is.
        let slow = tower::service_fn(move |_: http::Request<Body>| {
            let (first, mut said) = (asked.fetch_add(1, Ordering::Relaxed) == 0, said.clone());
            async move {
                if !first || said.wait_for(|said| *said).await.is_err() {
                    pending::<()>().await;
                }
                let review = Body::from(serde_json::to_vec(&TokenReview::default()).unwrap());
                Ok::<_, Infallible>(http::Response::builder().status(201).body(review).unwrap())
            }
        });
        let reviews = Arc::new(Reviews::new(Client::new(slow, "default"), "test", |_| Ok("web"), TERMS));
        assert_eq!(reviews.of("token").await, Err(late()));
        say.send(true).unwrap();
        let heard = async { while reviews.of("token").await.is_err() {} };
        timeout(REVIEW, heard).await.expect("the answer is remembered");
    }

    #[tokio::test]
    async fn who_is_refused_a_review_was_heard_and_who_is_not_answered_was_not() {
        for (code, away) in [(400_u16, false), (429, false), (500, true), (503, true)] {
            let refuses = tower::service_fn(move |_: http::Request<Body>| async move {
                Ok::<_, Infallible>(http::Response::builder().status(code).body(Body::empty()).unwrap())
            });
            let reviews = Arc::new(Reviews::new(Client::new(refuses, "default"), "test", |_| Ok("web"), TERMS));
            assert!(matches!(reviews.of("token").await, Err(Refusal::Away(_))), "{code}");
            assert_eq!(reviews.away.load(Ordering::Relaxed), away, "{code}");
        }
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
