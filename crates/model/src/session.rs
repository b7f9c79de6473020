//! Who looks at the page (`GET /api/v1/session`).

use serde::{Deserialize, Serialize};

/// Answer of `GET /api/v1/session`, which asks for no sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SessionInfo {
    /// Whether this console asks people who they are.
    pub guarded: bool,
    /// Whoever asks; `None` when they have to sign in first.
    pub person: Option<Person>,
    /// The ways to sign in.
    pub methods: Vec<Method>,
    /// Whether a cluster's API server says who may what; elsewhere the role file does.
    #[serde(default)]
    pub by_cluster: bool,
}

/// Somebody who may come in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// The name that rights are given to.
    pub name: String,
    /// E-mail address, where it is known.
    pub email: Option<String>,
    /// Groups.
    pub groups: Vec<String>,
    /// Roles; empty on a cluster, where the API server decides.
    pub roles: Vec<String>,
    /// `local`, `anonymous`, `session`, `proxy` or `token`.
    pub how: String,
    /// Whether they administrate the console.
    pub admin: bool,
    /// Whether they see every namespace.
    pub sees_all: bool,
    /// Whether they see anything.
    pub sees_any: bool,
    /// When the session ends, milliseconds since the Unix epoch.
    pub expires_ms: Option<u64>,
    /// Whether there is a session that can be ended.
    pub can_sign_out: bool,
}

/// A way to sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Method {
    /// At an OpenID provider (`/auth/login`).
    Oidc {
        /// Its host, for people.
        provider: String,
    },
    /// By the link that was printed when the mesh was started.
    Link,
    /// Through the proxy in front of the console.
    Proxy,
    /// With a token of the cluster.
    Token,
}
