//! Who did what (`GET /api/v1/audit`), and the history of a route's weights (`GET /api/v1/canaries/history`).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::ObjectRef;

/// How somebody was known to the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Signed in with a provider.
    Session,
    /// By a bearer token.
    Token,
    /// A trusted proxy in front of the console said so.
    Proxy,
    /// Without sign-in: whoever reaches the page on this machine.
    Local,
    /// Without signing in.
    Anonymous,
    /// In a way that this version does not know.
    #[serde(other)]
    Other,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// An object was made.
    Create,
    /// An object was changed.
    Update,
    /// An object was removed.
    Delete,
    /// A route's weights were moved.
    Weights,
    /// A move of weights was taken back.
    Undo,
    /// Somebody signed in.
    SignIn,
    /// Somebody signed out, or was signed out.
    SignOut,
    /// Somebody could not sign in, or was not known.
    SignInRefused,
    /// Something was refused to somebody who is known.
    Denied,
    /// Something that this version does not know.
    #[serde(other)]
    Other,
}

impl How {
    /// As it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Token => "token",
            Self::Proxy => "proxy",
            Self::Local => "local",
            Self::Anonymous => "anonymous",
            Self::Other => "other",
        }
    }
}

impl Action {
    /// All that this version knows, in the order in which a list offers them.
    pub const ALL: [Self; 9] = [
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Weights,
        Self::Undo,
        Self::SignIn,
        Self::SignOut,
        Self::SignInRefused,
        Self::Denied,
    ];

    /// As it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Weights => "weights",
            Self::Undo => "undo",
            Self::SignIn => "sign-in",
            Self::SignOut => "sign-out",
            Self::SignInRefused => "sign-in-refused",
            Self::Denied => "denied",
            Self::Other => "other",
        }
    }
}

impl FromStr for How {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::Session, Self::Token, Self::Proxy, Self::Local, Self::Anonymous];
        Ok(known.into_iter().find(|how| how.as_str() == text).unwrap_or(Self::Other))
    }
}

impl FromStr for Action {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::ALL.into_iter().find(|action| action.as_str() == text).unwrap_or(Self::Other))
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that somebody did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Counts up; a newer entry has a larger one.
    pub id: u64,
    /// When, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Who, such as `ada@example.org`; empty where nobody is known.
    pub who: String,
    /// How the console knew, or was to know.
    pub how: How,
    /// From which IP address, where that was written down, for who administrates the console.
    #[serde(default)]
    pub address: Option<String>,
    /// What.
    pub action: Action,
    /// To which object; none for a sign-in.
    pub object: Option<ObjectRef>,
    /// The change as a unified diff; may be empty.
    pub diff: String,
    /// The rest in a sentence, such as `http[0]: 90/10 → 50/50`; may be empty.
    pub detail: String,
}

/// An object that changed while the console watched, without an entry of the audit that says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Outside {
    /// The object.
    pub object: ObjectRef,
    /// When, milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// Answer of `GET /api/v1/audit`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditList {
    /// Newest first.
    pub entries: Vec<AuditEntry>,
    /// Where the next page begins (`cursor`), if there is one.
    pub next: Option<String>,
    /// Objects that changed in that time outside of this console, newest first: with `about` and no other filter than the
    /// time, on the first page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outside: Vec<Outside>,
}

/// One change of a route's weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WeightChange {
    /// Names the edit.
    pub id: String,
    /// When, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Who; empty where it was not written down.
    pub by: String,
    /// Weights before, in the order in which the destinations are written.
    pub from: Vec<u32>,
    /// Weights after.
    pub to: Vec<u32>,
    /// The edit that this one took back.
    pub undoes: Option<String>,
}

/// Answer of `GET /api/v1/canaries/history`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WeightHistory {
    /// Newest first.
    pub changes: Vec<WeightChange>,
    /// Whether older ones exist that are not in it.
    pub more: bool,
}
