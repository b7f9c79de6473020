//! Tokens of service accounts: the API server says whose a token is (TokenReview), and the snapshot must know the pod that
//! it is bound to, on the node that the token names. Whatever is in doubt is refused.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::authentication::v1::TokenReviewStatus;
use kube::Client;
use tokio::time::timeout;
use weft_api::{Kind, ObjectKey, Spec};
use weft_install::names::TOKEN_AUDIENCE;
use weft_mesh::Snapshot;
use weft_model::SpiffeId;

use super::reviews::{REVIEW, Reviews, Terms, service_account};
use crate::ads::published::Watch;

/// How long a pod may be unknown while its event is on its way here.
const POD_ARRIVES: Duration = Duration::from_secs(5);

/// Whole nodes come at once. Answers count shortly: a deleted account must not get certificates for long.
const TERMS: Terms = Terms {
    at_once: 16,
    // A proxy waits for ten seconds, of which its pod may take five to be known.
    turn: Duration::from_secs(3),
    patience: REVIEW,
    remembered: 4096,
    accepted: Duration::from_secs(10),
    refused: Duration::from_secs(10),
    while_away: Duration::ZERO,
};

const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";
/// API servers before 1.30 do not say it.
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Namespace.
    pub namespace: String,
    /// Name of the service account.
    pub name: String,
    /// Name and UID of the pod that the token is bound to.
    pub pod: (String, String),
    /// The node that the pod was on when the token was made, where the API server says it.
    pub node: Option<String>,
}

/// Why a token is refused. None of these shows the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The API server does not accept it.
    #[error("the API server does not accept the token: {0}")]
    NotAuthentic(String),
    /// For somebody else.
    #[error("the token is not for the audience {0}")]
    Audience(&'static str),
    /// Not a service account's.
    #[error("{0:?} is no service account")]
    NotAnAccount(String),
    /// Somebody else's than who may read the debug pages.
    #[error("service account {0}/{1} is neither the operator's nor a console's")]
    NoReader(String, String),
    /// Not bound to a pod.
    #[error("the token is not bound to a pod: mount a projected service account token")]
    NoPod,
    /// The pod is not known, or no longer.
    #[error("there is no running pod {0}/{1} with the token's UID")]
    UnknownPod(String, String),
    /// The pod runs as somebody else.
    #[error("pod {0}/{1} does not run as service account {2}")]
    OtherAccount(String, String, String),
    /// The pod is elsewhere than the token says.
    #[error("pod {0}/{1} does not run on node {2}, for which the token is")]
    OtherNode(String, String, String),
    /// The API server could not be asked; worth another try.
    #[error("the API server cannot be asked about the token: {0}")]
    Away(String),
    /// So many ask that this one got no turn; worth another try.
    #[error("too many ask at once: the API server was not asked about the token")]
    Busy,
}

impl Refusal {
    /// Whether the same token may be accepted later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Busy | Self::UnknownPod(..))
    }
}

/// Reviews tokens.
pub struct AccountTokens {
    reviews: Arc<Reviews<Account>>,
    published: Watch,
}

impl AccountTokens {
    /// Asks through `client`, and looks pods up in what is published.
    pub fn new(client: Client, published: Watch) -> Self {
        Self { reviews: Arc::new(Reviews::new(client, TOKEN_AUDIENCE, verdict, TERMS)), published }
    }

    /// The identity that a token proves.
    pub async fn identify(&self, token: &str, trust_domain: &str) -> Result<SpiffeId, Refusal> {
        let account = self.reviews.of(token).await?;
        self.pod_is_known(&account).await?;
        Ok(SpiffeId::new(trust_domain, &account.namespace, &account.name))
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
    let (user, namespace, name) = service_account(status, TOKEN_AUDIENCE)?;
    let extra = |key: &str| match user.extra.as_ref().and_then(|extra| extra.get(key)).map(Vec::as_slice) {
        Some([one]) if !one.is_empty() => Ok(one.clone()),
        _ => Err(Refusal::NoPod),
    };
    let says_node = user.extra.as_ref().is_some_and(|extra| extra.contains_key(NODE_NAME));
    let node = if says_node { Some(extra(NODE_NAME)?) } else { None };
    Ok(Account { namespace: namespace.into(), name: name.into(), pod: (extra(POD_NAME)?, extra(POD_UID)?), node })
}

/// Whether the pod that a token is bound to is there, on the token's node, and runs as the token's account.
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
    match &account.node {
        // It runs, so it is on some node: the event that says so is on its way.
        Some(_) if pod.node_name.is_empty() => Err(Refusal::UnknownPod(account.namespace.clone(), name.clone())),
        Some(node) if *pod.node_name != **node => {
            Err(Refusal::OtherNode(account.namespace.clone(), name.clone(), node.clone()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
