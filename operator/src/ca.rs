//! The mesh's certificate authority: where its key comes from, leaf certificates, who may have one, and the gRPC service
//! over them.

pub mod accounts;
pub mod authority;
pub mod cluster;
pub mod cluster_tokens;
pub mod credentials;
pub mod describe;
pub mod ledger;
pub mod plugged;
pub mod renewal;
pub(crate) mod reviews;
pub mod root;
pub mod service;
pub mod state_dir;
pub mod tokens;

use std::sync::Arc;

pub use accounts::AccountTokens;
pub use authority::{Authority, Issued, SignError};
pub use cluster_tokens::ClusterTokens;
pub use credentials::{Credentials, JoinTokens};
pub use state_dir::StateDir;
pub use tokens::{JoinToken, TokenRecord, TokenStore};

/// The present authority; another one when the root or the issuer changes.
pub type AuthorityWatch = tokio::sync::watch::Receiver<Arc<Authority>>;

#[cfg(test)]
mod tests;
