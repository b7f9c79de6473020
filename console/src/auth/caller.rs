use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{StatusCode, request::Parts},
};
use kube::Client;
use weft_api::Kind;
use weft_model::{ObjectRef, audit::How};
use weft_source::{
    ClusterError, Credential,
    kubernetes::{Clients, ConnectError},
};

use super::{
    Verb,
    cluster::{Reviewer, Whose},
    identity::User,
    roles::Grants,
};
use crate::{app::App, audit::AuditLog, http::ApiError};

/// Namespaces that somebody sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// All, and what belongs to none.
    All,
    /// These; "" is what belongs to none.
    Only(BTreeSet<String>),
}

/// Who decides.
#[derive(Clone)]
pub(super) enum Rights {
    /// Whoever reaches the console may.
    Open,
    /// Roles.
    Roles(Grants),
    /// The API server.
    Cluster(Arc<Reviewer>, Whose),
}

/// Why a cluster is not read for somebody.
#[derive(Debug, thiserror::Error)]
pub enum NotNamed {
    /// The API server would not know them.
    #[error(
        "logs and proxies of pods are read in your name, and the API server does not know you: let it use the same \
         provider, or set signIn.impersonate in the Mesh"
    )]
    Unknown,
    /// There is no client.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

/// Whoever makes a request, with their rights.
#[derive(Clone)]
pub struct Caller {
    pub(super) user: User,
    pub(super) how: How,
    pub(super) rights: Rights,
    pub(super) sight: Sight,
    pub(super) admin: bool,
    pub(super) credential: Option<Credential>,
    pub(super) session: Option<[u8; 32]>,
    pub(super) expires_ms: Option<u64>,
    pub(super) unconfirmed: bool,
    pub(super) address: Option<IpAddr>,
    pub(super) audit: Option<AuditLog>,
}

impl Sight {
    /// Whether a namespace is seen.
    pub fn sees(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(namespaces) => namespaces.contains(namespace),
        }
    }
}

impl Caller {
    /// The name to write down, such as `ada@example.org`.
    pub fn name(&self) -> &str {
        &self.user.name
    }

    /// Who it is.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// How they came in.
    pub fn how(&self) -> How {
        self.how
    }

    /// The address that they call from.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The session they have, if they have one.
    pub fn session(&self) -> Option<[u8; 32]> {
        self.session
    }

    /// When the session ends, in milliseconds since the epoch.
    pub fn expires_ms(&self) -> Option<u64> {
        self.expires_ms
    }

    /// Roles held; empty where the API server decides.
    pub fn roles(&self) -> &[String] {
        match &self.rights {
            Rights::Roles(grants) => grants.roles(),
            Rights::Open | Rights::Cluster(..) => &[],
        }
    }

    /// Whether they may read what is in a namespace; "" is the mesh as a whole.
    pub fn sees(&self, namespace: &str) -> bool {
        self.sight.sees(namespace)
    }

    /// What they see.
    pub fn sight(&self) -> &Sight {
        &self.sight
    }

    /// Whether they administrate the console.
    pub fn is_admin(&self) -> bool {
        self.admin
    }

    /// What changes on a cluster are made with.
    pub fn credential(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }

    /// The client of a cluster that reads in their name what the console's own account may not. Where nobody signs in and
    /// no token is given it is the console's account: on a machine of one's own, one's own.
    pub fn client(&self, clients: &Clients) -> Result<Client, NotNamed> {
        match (&self.credential, &self.rights) {
            (Some(credential), _) => Ok(clients.named(credential)?),
            (None, Rights::Open) => Ok(clients.own().clone()),
            (None, Rights::Roles(_) | Rights::Cluster(..)) => Err(NotNamed::Unknown),
        }
    }

    /// Whether they may do something.
    pub async fn may(&self, verb: Verb, object: &ObjectRef) -> Result<bool, ClusterError> {
        match &self.rights {
            Rights::Open => Ok(true),
            Rights::Roles(grants) => Ok(grants.may(verb, object)),
            Rights::Cluster(reviewer, whose) => reviewer.may(whose, verb, object).await,
        }
    }

    /// Refuses what they may not do: 403, with the line or command that tells why, and an entry in the audit. When the
    /// API server cannot be asked it is refused too.
    pub async fn require(&self, verb: Verb, object: &ObjectRef) -> Result<(), ApiError> {
        match self.may(verb, object).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let title = format!("{} may not {verb} {object}.", self.name());
                if let Some(audit) = &self.audit {
                    audit.denied(self, Some(object), &title).await;
                }
                Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", title, self.remedy(verb, object)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses whoever may change nothing at all, whatever their rights are. `what` says in a sentence what they wanted.
    ///
    /// # Errors
    /// 403 for whoever came as nobody, 503 while a provider does not confirm whoever it signed in; the audit has both.
    pub async fn may_change(&self, what: &str) -> Result<(), ApiError> {
        self.require_name(what).await?;
        self.require_confirmed(what).await
    }

    async fn require_name(&self, what: &str) -> Result<(), ApiError> {
        if self.how != How::Anonymous {
            return Ok(());
        }
        if let Some(audit) = &self.audit {
            audit.denied(self, None, what).await;
        }
        let title = "Whoever has not signed in only reads here.";
        Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", title, "Sign in, then do it again."))
    }

    async fn require_confirmed(&self, what: &str) -> Result<(), ApiError> {
        if !self.unconfirmed {
            return Ok(());
        }
        let title = "The provider that signed you in has not confirmed you lately, so nothing is changed.";
        if let Some(audit) = &self.audit {
            audit.denied(self, None, &format!("{title} {what}")).await;
        }
        let remedy = "Try again once it answers, or sign in anew. Until then you only read.";
        Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "provider-away", title, remedy))
    }

    fn remedy(&self, verb: Verb, object: &ObjectRef) -> String {
        let plural = Kind::of(object.group(), &object.kind).map_or("*", Kind::plural);
        match &self.rights {
            Rights::Cluster(..) => {
                let group = object.group();
                let resource = if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") };
                let place =
                    if object.namespace.is_empty() { String::new() } else { format!(" -n {}", object.namespace) };
                format!(
                    "Ask for the right that kubectl auth can-i {verb} {resource}/{}{place} asks about.",
                    object.name
                )
            }
            Rights::Open | Rights::Roles(_) => format!(
                "Ask an administrator for a role with a line such as: p, role:NAME, {plural}, {verb}, {}/*, allow",
                object.namespace
            ),
        }
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        // Once for a request, however many ask.
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        let namespaces = &app.view().estate.namespaces;
        let caller = app.auth.caller(&parts.headers, peer, namespaces).await?;
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}
