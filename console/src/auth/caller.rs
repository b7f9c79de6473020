use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};
use weft_model::ObjectRef;
use weft_source::BearerToken;

use super::Verb;
use crate::{app::App, http::ApiError};

/// Whoever makes a request, with their rights.
#[derive(Clone, Debug)]
pub struct Caller {
    name: String,
    token: Option<BearerToken>,
}

impl Caller {
    /// The name to write down, such as `ada@example.org`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether they may read what is in a namespace; "" is the mesh as a whole.
    pub fn sees(&self, _namespace: &str) -> bool {
        true
    }

    /// Whether they administrate the console.
    pub fn is_admin(&self) -> bool {
        true
    }

    /// Refuses what they may not do.
    pub async fn require(&self, _verb: Verb, _object: &ObjectRef) -> Result<(), ApiError> {
        Ok(())
    }

    /// What changes on a cluster are made with.
    pub fn token(&self) -> Option<&BearerToken> {
        self.token.as_ref()
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, ApiError> {
        let token = crate::http::bearer(&parts.headers)?;
        Ok(Self { name: "local".to_owned(), token })
    }
}
