//! Who may use the console.

use schemars::JsonSchema;
use serde::Deserialize;

/// How people sign in to the console. With any of these the console listens on its pod's address, so that a Service or a
/// gateway may lead to it, and everybody has to say who they are; without, it listens on the pod's loopback.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct SignIn {
    /// The console's address as browsers write it, such as `https://weft.example.org`.
    pub public_url: Option<String>,
    /// The OpenID provider.
    pub oidc: Option<Oidc>,
    /// Networks (CIDR) of proxies that sign people in and say so in headers, as oauth2-proxy does.
    pub trusted_proxies: Vec<String>,
    /// Networks (CIDR) of proxies that end TLS before the console, such as the ingress gateway's pods. The last address of their
    /// `X-Forwarded-For` is whom the audit names and whose attempts to sign in are limited; nothing else of what they send is
    /// believed.
    pub forwarded_for_from: Vec<String>,
    /// Whoever does not sign in may read everything but the audit, and change nothing.
    pub anonymous: bool,
    /// Changes are made in the name of whoever signed in, by the console's right to impersonate, which the installation does
    /// not give: bind it as docs/sign-in.md says. Without it changes are made with the person's own token, which the API
    /// server has to know.
    pub impersonate: bool,
}

/// The OpenID provider.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Oidc {
    /// The issuer, exactly as the provider writes it.
    pub issuer: String,
    /// The console's name at the provider.
    pub client_id: String,
    /// The client's secret, in a Secret beside the console; without one the client is public.
    pub client_secret: Option<KeyOf>,
    /// Certificates to trust beside the system's, in a ConfigMap beside the console.
    pub ca: Option<KeyOf>,
    /// Scopes to ask for beside `openid`; none are `profile`, `email`, `groups`.
    pub scopes: Vec<String>,
    /// Claim with the name that rights are given to; none is `email`.
    pub username_claim: Option<String>,
    /// Put before each name, as the API server's flag.
    pub username_prefix: Option<String>,
    /// Claim with the groups; none is `groups`.
    pub groups_claim: Option<String>,
    /// Put before each group, as the API server's flag.
    pub groups_prefix: Option<String>,
}

/// A key of a Secret or ConfigMap in the namespace of the installation.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct KeyOf {
    /// Name of the object.
    pub name: String,
    /// Key in it.
    pub key: String,
}

impl SignIn {
    /// Whether there is a way to sign in.
    pub fn signs_in(&self) -> bool {
        self.oidc.is_some() || !self.trusted_proxies.is_empty()
    }

    /// Whether anybody has to say who they are, or may come as nobody.
    pub fn guards(&self) -> bool {
        self.signs_in() || self.anonymous
    }
}
