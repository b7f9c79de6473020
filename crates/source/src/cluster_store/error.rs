//! Why a cluster did not take an edit.

use weft_api::{Kind, ObjectKey};

use super::{Conflict, GitOps};
use crate::config_store::StoreError;

/// Why an object on a cluster could not be read or edited.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Writing takes a token, and none was given.
    #[error("no token was given: sign in with one that may change this object, as `kubectl create token` prints it")]
    NoToken,
    /// The token is not accepted.
    #[error("the API server does not accept the token: it may have run out; give a new one")]
    Unauthorized,
    /// The user may not do this.
    #[error("you may not do this: {reason}")]
    Forbidden {
        /// The API server's words, which name the user, the verb and the resource.
        reason: String,
    },
    /// The object is another one than the edit starts from.
    #[error("{0}")]
    Conflict(Box<Conflict>),
    /// A GitOps tool owns the object and would take the edit back.
    #[error("{owner} owns this object and would take the edit back: commit the change to its repository instead")]
    Managed {
        /// Who.
        owner: GitOps,
        /// The edit as a unified diff of the object's YAML, to commit.
        patch: String,
    },
    /// The object was made by someone else, so that it is not written as a whole.
    #[error("{key} was not made here: edit single fields of it, or write it with the tool that made it")]
    NotOurs {
        /// The object.
        key: ObjectKey,
    },
    /// The API server or a webhook refuses the object.
    #[error("the cluster refuses the edit: {reason}")]
    Rejected {
        /// Its words.
        reason: String,
    },
    /// The kind is not served.
    #[error("the cluster does not serve {kind}: its CustomResourceDefinition is missing")]
    NotServed {
        /// The kind.
        kind: Kind,
    },
    /// The API server is away or busy.
    #[error("the API server does not answer as it should ({reason}): try again in a moment")]
    Unavailable {
        /// What it said, or why nothing was heard of it.
        reason: String,
    },
}

impl From<ClusterError> for StoreError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(Box::new(error))
    }
}

/// The HTTP status of a refusal.
pub(super) fn status(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

/// What a call's failure means, conflicts aside.
pub(super) fn of(key: &ObjectKey, error: kube::Error) -> StoreError {
    let kube::Error::Api(status) = &error else {
        let mut innermost: &dyn std::error::Error = &error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        return ClusterError::Unavailable { reason: innermost.to_string() }.into();
    };
    let reason = status.message.clone();
    match status.code {
        401 => ClusterError::Unauthorized.into(),
        // A webhook's refusal is a 403 too, and no matter of rights.
        403 if reason.contains("admission webhook") => ClusterError::Rejected { reason }.into(),
        403 => ClusterError::Forbidden { reason }.into(),
        404 => StoreError::NotFound(key.clone()),
        400 | 405..=422 => ClusterError::Rejected { reason }.into(),
        code => ClusterError::Unavailable { reason: format!("{code} {reason}") }.into(),
    }
}
