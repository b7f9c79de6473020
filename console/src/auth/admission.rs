//! Whose a request is, and with which rights.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use axum::http::{HeaderMap, StatusCode};
use weft_model::audit::How;
use weft_source::{BearerToken, ClusterError, Credential, Impersonation};

use super::{
    Auth, Caller, Sight,
    caller::Rights,
    cluster::{Reviewer, Whose},
    cookie,
    identity::User,
    link::ISSUER as LINK,
    provider::ProviderError,
    roles::{self, Grants},
    secret::{hash, token_name},
    session::{Found, SessionError},
};
use crate::http::{ApiError, bearer};

impl Auth {
    /// Whoever makes a request. Who comes anew with a proof of their own, and whose proof does not hold, is in the audit.
    pub async fn caller(
        &self,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
        namespaces: &BTreeSet<String>,
    ) -> Result<Caller, ApiError> {
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let from = self.client(headers, peer);
        let caller =
            if self.guards { self.known(headers, peer, from, namespaces).await? } else { self.local(headers).await? };
        Ok(Caller { address: Some(from), audit: Some(self.audit.clone()), ..caller })
    }

    async fn known(
        &self,
        headers: &HeaderMap,
        peer: IpAddr,
        from: IpAddr,
        namespaces: &BTreeSet<String>,
    ) -> Result<Caller, ApiError> {
        if let Some(proxies) = &self.proxies {
            let named = match proxies.user(peer, headers) {
                Ok(named) => named,
                Err(error) => {
                    let title = format!("The proxy names nobody: {error}.");
                    self.audit.sign_in_refused(How::Proxy, from, &title).await;
                    let remedy = "Check how the proxy sets its headers.";
                    return Err(ApiError::new(StatusCode::FORBIDDEN, "bad-proxy-headers", title, remedy));
                }
            };
            if let Some(user) = named {
                self.audit.arrived(&user.name, How::Proxy, from).await;
                let token = bearer(headers).ok().flatten();
                return self.admit(user, How::Proxy, token, None, namespaces).await;
            }
        }
        if let Some(secret) = cookie::read(headers, cookie::SESSION) {
            match self.sessions.find(&secret).await.map_err(|error| storage(&error))? {
                Found::Holds(session) => {
                    let token = session.id_token.as_deref().and_then(|token| BearerToken::new(token).ok());
                    let (unconfirmed, named) = (session.unconfirmed, Some((session.id, session.expires_ms)));
                    let caller = self.admit(session.user, How::Session, token, named, namespaces).await?;
                    return Ok(Caller { unconfirmed, ..caller });
                }
                Found::TakenBack(name) => {
                    self.audit.signed_out(&name, from, "The provider did not renew the session.").await;
                }
                Found::Lapsed(name, why) => self.audit.signed_out(&name, from, &why).await,
                Found::Ended => {}
            }
        }
        if let Some(token) = bearer(headers)? {
            let name = hash(token.header().as_bytes());
            let admitted = match self.attempts.begin(&name, from) {
                Ok(attempt) => {
                    let admitted = self.by_token(token, from, namespaces).await;
                    match &admitted {
                        Ok(_) => self.attempts.accepted(name, attempt),
                        Err(error) if error.status() == StatusCode::UNAUTHORIZED => self.attempts.refused(name, error),
                        Err(_) => self.attempts.undecided(attempt),
                    }
                    admitted
                }
                Err(error) => Err(error),
            };
            match &admitted {
                Ok(caller) => self.audit.arrived(caller.name(), How::Token, from).await,
                Err(error) if error.status() == StatusCode::UNAUTHORIZED => {
                    self.audit.sign_in_refused(How::Token, from, error.title()).await;
                }
                Err(_) => {}
            }
            return admitted;
        }
        if self.anonymous {
            let user = User { name: "anonymous".to_owned(), ..User::default() };
            let grants = self.grants(&user, How::Anonymous);
            return Ok(Caller {
                user,
                how: How::Anonymous,
                sight: sight(&grants, namespaces),
                rights: Rights::Roles(grants),
                admin: false,
                credential: None,
                session: None,
                expires_ms: None,
                unconfirmed: false,
                address: None,
                audit: None,
            });
        }
        Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "sign-in",
            "Sign in to see this.",
            "Open the console's page, or send a bearer token.",
        ))
    }

    /// Where nobody signs in: whoever reaches the console reads all, and changes a cluster with a token of their own.
    async fn local(&self, headers: &HeaderMap) -> Result<Caller, ApiError> {
        let token = bearer(headers)?;
        let user = match (&self.reviewer, &token) {
            (Some(reviewer), Some(token)) => reviewer.owner(token).await.ok(),
            _ => None,
        };
        Ok(Caller {
            user: user.unwrap_or_else(|| User { name: "local".to_owned(), ..User::default() }),
            how: if token.is_some() { How::Token } else { How::Local },
            // A cluster judges the token itself, and refuses every change without one.
            rights: Rights::Open,
            sight: Sight::All,
            admin: true,
            credential: token.map(Credential::Token),
            session: None,
            expires_ms: None,
            unconfirmed: false,
            address: None,
            audit: None,
        })
    }

    async fn by_token(
        &self,
        token: BearerToken,
        from: IpAddr,
        namespaces: &BTreeSet<String>,
    ) -> Result<Caller, ApiError> {
        let bad = |why: String| {
            ApiError::new(
                StatusCode::UNAUTHORIZED,
                "bad-token",
                format!("The token is not accepted: {why}."),
                "Get a new one.",
            )
        };
        let header = token.header();
        let text = header.to_str().unwrap_or_default().trim_start_matches("Bearer ");
        let retired = self.logins.retired(&token_name(text)).await;
        if retired.map_err(|error| storage(&SessionError::from(error)))? {
            return Err(bad("its owner has signed out".to_owned()));
        }
        if let Some(reviewer) = &self.reviewer {
            let user = reviewer.owner(&token).await.map_err(undecided)?;
            return self.admit(user, How::Token, Some(token), None, namespaces).await;
        }
        let Some(provider) = &self.provider else { return Err(bad("this console takes none".to_owned())) };
        let user = provider.bearer(text, from).await.map_err(|error| match error {
            // A token is not bad because nobody can say that it is good.
            ProviderError::Unusable { .. } => away("provider-away", format!("The token cannot be checked: {error}.")),
            _ => bad(error.to_string()),
        })?;
        self.admit(user, How::Token, None, None, namespaces).await
    }

    async fn admit(
        &self,
        user: User,
        how: How,
        token: Option<BearerToken>,
        session: Option<([u8; 32], u64)>,
        namespaces: &BTreeSet<String>,
    ) -> Result<Caller, ApiError> {
        let (rights, sight, admin) = match &self.reviewer {
            Some(reviewer) => {
                let whose = match (&token, how) {
                    (Some(token), How::Token) => Whose::Token(token.clone()),
                    _ => Whose::User(user.clone()),
                };
                let sight = reviewed(reviewer, &whose, namespaces).await.map_err(undecided)?;
                let admin = reviewer.is_admin(&whose).await.map_err(undecided)?;
                (Rights::Cluster(reviewer.clone(), whose), sight, admin)
            }
            None => {
                let grants = self.grants(&user, how);
                let (sight, admin) = (sight(&grants, namespaces), grants.is_admin());
                (Rights::Roles(grants), sight, admin)
            }
        };
        let (session, expires_ms) = session.unzip();
        let credential = self.credential(&user, how, token);
        Ok(Caller {
            user,
            how,
            rights,
            sight,
            admin,
            credential,
            session,
            expires_ms,
            unconfirmed: false,
            address: None,
            audit: None,
        })
    }
}

impl Auth {
    /// Whether somebody who came a while ago sees now what they saw then: for streams that stay open. In doubt they do
    /// not, and have to come anew.
    pub async fn sees_the_same(&self, caller: &Caller, namespaces: &BTreeSet<String>) -> bool {
        let now = match &caller.rights {
            Rights::Open => return true,
            Rights::Roles(_) => sight(&self.grants(&caller.user, caller.how), namespaces),
            Rights::Cluster(reviewer, whose) => match reviewed(reviewer, whose, namespaces).await {
                Ok(sight) => sight,
                Err(_) => return false,
            },
        };
        now == caller.sight
    }

    /// What somebody may by roles, as the file says now.
    fn grants(&self, user: &User, how: How) -> Grants {
        let policy = self.policy.present();
        match how {
            How::Anonymous => policy.role(roles::VIEWER),
            _ if user.issuer == LINK => policy.role(roles::ADMIN),
            _ => policy.grants(user),
        }
    }

    /// What somebody's changes are made with. Whoever came with a token of their own is judged by it.
    fn credential(&self, user: &User, how: How, token: Option<BearerToken>) -> Option<Credential> {
        if self.impersonate && how != How::Token && self.reviewer.is_some() {
            let person = Impersonation::new(&user.name, &user.groups);
            return person.ok().map(Credential::Impersonated);
        }
        token.map(Credential::Token)
    }
}

async fn reviewed(reviewer: &Reviewer, whose: &Whose, namespaces: &BTreeSet<String>) -> Result<Sight, ClusterError> {
    let seen = reviewer.sight(whose, namespaces).await?;
    Ok(if seen.contains("") { Sight::All } else { Sight::Only(seen) })
}

fn sight(grants: &Grants, namespaces: &BTreeSet<String>) -> Sight {
    if grants.sees_all() {
        return Sight::All;
    }
    let mesh = String::new();
    Sight::Only(namespaces.iter().chain([&mesh]).filter(|namespace| grants.sees(namespace)).cloned().collect())
}

/// Who somebody is, or what they may, cannot be told now.
fn away(kind: &str, title: String) -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        kind,
        title,
        "Try again in a moment; it is not known that anything is wrong with how you came.",
    )
}

/// What an API server says of somebody who comes: one that does not answer refuses nobody.
fn undecided(error: ClusterError) -> ApiError {
    match error {
        ClusterError::Unavailable { reason } => {
            tracing::warn!(reason, "somebody who came cannot be checked");
            away("cluster-away", "The API server, which says who may come in, does not answer.".to_owned())
        }
        other => other.into(),
    }
}

fn storage(error: &SessionError) -> ApiError {
    tracing::error!(%error, "a session could not be read");
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "storage",
        "The console cannot read its sessions.",
        "Try again in a moment. If it stays, look at the console's log and its database.",
    )
}

#[cfg(test)]
mod tests;
