//! Tokens of service accounts: the API server says whose a token is (TokenReview), and the snapshot must know the pod that
//! it is bound to. Whatever is in doubt is refused.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::{Api, Client, api::PostParams};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::{sync::Semaphore, time::timeout};
use weft_api::{Kind, ObjectKey, Spec};
use weft_install::names::TOKEN_AUDIENCE;
use weft_mesh::Snapshot;
use weft_model::SpiffeId;

use crate::ads::published::Watch;

/// Time for one review, waiting for a turn included.
const REVIEW: Duration = Duration::from_secs(5);
/// Reviews at once.
const REVIEWS_AT_ONCE: usize = 16;
/// How long an answer counts for the same token. Short: a deleted account must not get certificates for long.
const REMEMBERED: Duration = Duration::from_secs(10);
/// Answers that are remembered.
const MAX_REMEMBERED: usize = 4096;
/// How long a pod may be unknown while its event is on its way here.
const POD_ARRIVES: Duration = Duration::from_secs(5);

const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Namespace.
    pub namespace: String,
    /// Name of the service account.
    pub name: String,
    /// Name and UID of the pod that the token is bound to.
    pub pod: (String, String),
}

/// Why a token is refused. None of these shows the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The API server does not accept it.
    #[error("the API server does not accept the token: {0}")]
    NotAuthentic(String),
    /// For somebody else.
    #[error("the token is not for the audience {TOKEN_AUDIENCE}")]
    Audience,
    /// Not a service account's.
    #[error("{0:?} is no service account")]
    NotAnAccount(String),
    /// Not bound to a pod.
    #[error("the token is not bound to a pod: mount a projected service account token")]
    NoPod,
    /// The pod is not known, or no longer.
    #[error("there is no running pod {0}/{1} with the token's UID")]
    UnknownPod(String, String),
    /// The pod runs as somebody else.
    #[error("pod {0}/{1} does not run as service account {2}")]
    OtherAccount(String, String, String),
    /// The API server could not be asked; worth another try.
    #[error("the API server cannot be asked about the token: {0}")]
    Away(String),
}

impl Refusal {
    /// Whether the same token may be accepted later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Away(_) | Self::UnknownPod(..))
    }
}

/// Reviews tokens.
pub struct AccountTokens {
    reviews: Api<TokenReview>,
    published: Watch,
    turns: Semaphore,
    remembered: Mutex<Remembered>,
}

impl AccountTokens {
    /// Asks through `client`, and looks pods up in what is published.
    pub fn new(client: Client, published: Watch) -> Self {
        let turns = Semaphore::new(REVIEWS_AT_ONCE);
        Self { reviews: Api::all(client), published, turns, remembered: Mutex::default() }
    }

    /// The identity that a token proves.
    pub async fn identify(&self, token: &str, trust_domain: &str) -> Result<SpiffeId, Refusal> {
        let account = self.account(token).await?;
        self.pod_is_known(&account).await?;
        Ok(SpiffeId::new(trust_domain, &account.namespace, &account.name))
    }

    async fn account(&self, token: &str) -> Result<Account, Refusal> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        if let Some(known) = self.remembered.lock().get(&digest, Instant::now()) {
            return known;
        }
        let answer = match timeout(REVIEW, self.review(token)).await {
            Ok(Ok(status)) => verdict(&status),
            Ok(Err(error)) => Err(Refusal::Away(error.to_string())),
            Err(_) => Err(Refusal::Away("it did not answer in time".into())),
        };
        if !matches!(answer, Err(Refusal::Away(_))) {
            self.remembered.lock().put(digest, answer.clone(), Instant::now());
        }
        answer
    }

    async fn review(&self, token: &str) -> kube::Result<TokenReviewStatus> {
        // Never closed; and when it were, reviewing without a turn harms nobody.
        let _turn = self.turns.acquire().await.ok();
        let review = TokenReview {
            spec: TokenReviewSpec { token: Some(token.to_owned()), audiences: Some(vec![TOKEN_AUDIENCE.to_owned()]) },
            ..TokenReview::default()
        };
        let answer = self.reviews.create(&PostParams::default(), &review).await?;
        Ok(answer.status.unwrap_or_default())
    }

    /// A pod may ask before the event of its creation has arrived: waits a little for that.
    async fn pod_is_known(&self, account: &Account) -> Result<(), Refusal> {
        let mut published = self.published.clone();
        let known = async {
            loop {
                let snapshot = Arc::clone(&published.borrow_and_update().snapshot);
                match pod_of(&snapshot, account) {
                    Err(Refusal::UnknownPod(..)) => {}
                    decided => return decided,
                }
                if published.changed().await.is_err() {
                    return Err(Refusal::Away("the operator is stopping".into()));
                }
            }
        };
        let unknown = || Refusal::UnknownPod(account.namespace.clone(), account.pod.0.clone());
        timeout(POD_ARRIVES, known).await.unwrap_or_else(|_| Err(unknown()))
    }
}

/// Whose the token is, by the API server's answer.
pub fn verdict(status: &TokenReviewStatus) -> Result<Account, Refusal> {
    if status.authenticated != Some(true) {
        let why = status.error.as_deref().filter(|why| !why.is_empty()).unwrap_or("not authenticated");
        return Err(Refusal::NotAuthentic(why.chars().take(300).collect()));
    }
    // A server that knows nothing of audiences leaves them out: it would accept a token meant for anybody.
    if !status.audiences.as_ref().is_some_and(|audiences| audiences.iter().any(|a| a == TOKEN_AUDIENCE)) {
        return Err(Refusal::Audience);
    }
    let user = status.user.as_ref().ok_or_else(|| Refusal::NotAnAccount(String::new()))?;
    let username = user.username.as_deref().unwrap_or_default();
    let parts: Vec<_> = username.split(':').collect();
    let ["system", "serviceaccount", namespace, name] = parts[..] else {
        return Err(Refusal::NotAnAccount(username.chars().take(300).collect()));
    };
    if namespace.is_empty() || name.is_empty() {
        return Err(Refusal::NotAnAccount(username.to_owned()));
    }
    let extra = |key: &str| match user.extra.as_ref().and_then(|extra| extra.get(key)).map(Vec::as_slice) {
        Some([one]) if !one.is_empty() => Ok(one.clone()),
        _ => Err(Refusal::NoPod),
    };
    Ok(Account { namespace: namespace.into(), name: name.into(), pod: (extra(POD_NAME)?, extra(POD_UID)?) })
}

/// Whether the pod that a token is bound to is there and runs as the token's account.
pub fn pod_of(snapshot: &Snapshot, account: &Account) -> Result<(), Refusal> {
    let (name, uid) = &account.pod;
    let found = snapshot.object(&ObjectKey::new(Kind::Pod, &account.namespace, name));
    let pod = found.filter(|object| object.meta.uid.as_ref() == Some(uid)).and_then(|object| match &object.spec {
        Spec::Pod(pod) => Some(pod),
        _ => None,
    });
    let Some(pod) = pod else {
        return Err(Refusal::UnknownPod(account.namespace.clone(), name.clone()));
    };
    if *pod.service_account != *account.name {
        return Err(Refusal::OtherAccount(account.namespace.clone(), name.clone(), account.name.clone()));
    }
    Ok(())
}

type Answer = Result<Account, Refusal>;

/// Answers by the token's hash, oldest first out.
#[derive(Default)]
struct Remembered {
    answers: HashMap<[u8; 32], (Instant, Answer)>,
    order: VecDeque<[u8; 32]>,
}

impl Remembered {
    fn get(&self, digest: &[u8; 32], now: Instant) -> Option<Answer> {
        let (since, answer) = self.answers.get(digest)?;
        (now.saturating_duration_since(*since) < REMEMBERED).then(|| answer.clone())
    }

    fn put(&mut self, digest: [u8; 32], answer: Answer, now: Instant) {
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
mod tests;
