//! By what a caller without a certificate proves who it is.

use std::sync::Arc;

use time::OffsetDateTime;

use super::{
    AccountTokens, Authority, ClusterTokens, TokenStore,
    tokens::{PREFIX, RedeemError, TokenRecord},
};

/// Everything that a caller may show.
#[derive(Clone)]
pub struct Credentials {
    /// Join tokens.
    pub join: JoinTokens,
    /// Tokens of service accounts; only on a cluster.
    pub accounts: Option<Arc<AccountTokens>>,
}

/// Where the records of join tokens are.
#[derive(Clone)]
pub enum JoinTokens {
    /// In the state directory.
    Directory(TokenStore),
    /// In a Secret.
    Cluster(ClusterTokens),
}

/// Whether a bearer token is a join token; anything else is a service account's.
pub fn is_join_token(token: &str) -> bool {
    token.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with('.'))
}

impl JoinTokens {
    /// Takes one use of a token and tells whom it speaks for.
    pub async fn redeem(&self, token: String, authority: Arc<Authority>) -> Result<TokenRecord, RedeemError> {
        let now = OffsetDateTime::now_utc();
        match self {
            Self::Cluster(tokens) => tokens.redeem(&token, |hash| authority.trusts_root_hash(hash), now).await,
            Self::Directory(store) => {
                let store = store.clone();
                let redeemed = tokio::task::spawn_blocking(move || {
                    store.redeem(&token, |hash| authority.trusts_root_hash(hash), now)
                });
                redeemed.await.unwrap_or_else(|error| Err(RedeemError::Io(std::io::Error::other(error))))
            }
        }
    }

    /// Removes expired records, where that is not done on the way.
    pub async fn sweep(&self) {
        let Self::Directory(store) = self else { return };
        let store = store.clone();
        let swept = tokio::task::spawn_blocking(move || store.list(OffsetDateTime::now_utc())).await;
        if let Ok(Err(error)) = swept {
            tracing::warn!(%error, "cannot remove expired join tokens");
        }
    }
}
