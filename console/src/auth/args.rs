//! Flags of sign-in.

use std::{path::PathBuf, time::Duration};

use ipnet::IpNet;
use url::Url;

use super::identity::Mapping;

/// Who may use the console. With none of these it answers this machine alone, and whoever reaches it is trusted.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct AuthArgs {
    /// The console's address as browsers write it, such as https://weft.example.org. Required for sign-in; plain http
    /// only for loopback addresses.
    #[arg(long, env = "WEFT_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<Url>,
    /// The OpenID provider.
    #[command(flatten)]
    pub oidc: OidcArgs,
    /// Networks of proxies that sign people in and say so in headers, as oauth2-proxy does. Nobody else may reach the
    /// console from there.
    #[arg(long, env = "WEFT_TRUSTED_PROXIES", value_name = "CIDR", value_delimiter = ',')]
    pub trusted_proxies: Vec<IpNet>,
    /// Networks of proxies whose X-Forwarded-For tells from which address somebody comes, for the audit and the limits of
    /// sign-in. Whatever else they pass on is the client's word, so this is for those that only end TLS.
    #[arg(long, env = "WEFT_FORWARDED_FOR_FROM", value_name = "CIDR", value_delimiter = ',')]
    pub forwarded_for_from: Vec<IpNet>,
    /// Which headers trusted proxies set: X-Forwarded-User and its like, or X-Auth-Request-User and its like.
    #[arg(long, env = "WEFT_PROXY_HEADERS", value_enum, default_value_t, value_name = "FAMILY")]
    pub proxy_headers: ProxyHeaders,
    /// Whoever does not sign in may read everything but the audit, and change nothing.
    #[arg(long, env = "WEFT_ANONYMOUS")]
    pub anonymous: bool,
    /// On a cluster, changes are made in the name of whoever signed in, by the console's right to impersonate, instead of
    /// with their own token. For clusters whose API server does not know the provider.
    #[arg(long, env = "WEFT_IMPERSONATE")]
    pub impersonate: bool,
    /// A link that signs its first reader in as an administrator is written to this file, and a new one each time that
    /// one is used. For trying things on one machine.
    #[arg(long, env = "WEFT_SIGN_IN_LINK_FILE", value_name = "FILE")]
    pub sign_in_link_file: Option<PathBuf>,
    /// Who may do what, in Argo CD's CSV shape. It is read again when it changes.
    #[arg(long, env = "WEFT_ROLES_FILE", value_name = "FILE")]
    pub roles_file: Option<PathBuf>,
    /// Role of everybody who signed in, such as role:viewer. By default they have what the file gives.
    #[arg(long, env = "WEFT_DEFAULT_ROLE", value_name = "ROLE")]
    pub default_role: Option<String>,
    /// A session that nobody used for this long ends.
    #[arg(long, env = "WEFT_SESSION_IDLE", default_value = "2h", value_parser = duration, value_name = "DURATION")]
    pub session_idle: Duration,
    /// A session ends after this, used or not.
    #[arg(long, env = "WEFT_SESSION_MAX", default_value = "12h", value_parser = duration, value_name = "DURATION")]
    pub session_max: Duration,
    /// File with the 32 bytes that encrypt what is kept of sessions; made in --data-dir when it is not named. Several
    /// consoles on one database share one.
    #[arg(long, env = "WEFT_SESSION_KEY_FILE", value_name = "FILE")]
    pub session_key_file: Option<PathBuf>,
}

/// The OpenID provider.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct OidcArgs {
    /// The provider's issuer, exactly as it writes it.
    #[arg(long, env = "WEFT_OIDC_ISSUER", value_name = "URL", requires = "oidc_client_id")]
    pub oidc_issuer: Option<String>,
    /// The console's name at the provider.
    #[arg(long, env = "WEFT_OIDC_CLIENT_ID", value_name = "ID")]
    pub oidc_client_id: Option<String>,
    /// File with the client's secret; without one the client is public.
    #[arg(long, env = "WEFT_OIDC_CLIENT_SECRET_FILE", value_name = "FILE")]
    pub oidc_client_secret_file: Option<PathBuf>,
    /// File with certificates to trust beside the system's.
    #[arg(long, env = "WEFT_OIDC_CA_FILE", value_name = "FILE")]
    pub oidc_ca_file: Option<PathBuf>,
    /// Scopes to ask for beside openid. offline_access lets a session outlast the provider's tokens.
    #[arg(long, env = "WEFT_OIDC_SCOPES", default_value = "profile,email,groups", value_delimiter = ',')]
    pub oidc_scopes: Vec<String>,
    /// Claim with the name that rights are given to.
    #[arg(long, env = "WEFT_OIDC_USERNAME_CLAIM", default_value = "email", value_name = "CLAIM")]
    pub oidc_username_claim: String,
    /// Put before each name, as the API server's flag.
    #[arg(long, env = "WEFT_OIDC_USERNAME_PREFIX", default_value = "", value_name = "TEXT")]
    pub oidc_username_prefix: String,
    /// Claim with the groups.
    #[arg(long, env = "WEFT_OIDC_GROUPS_CLAIM", default_value = "groups", value_name = "CLAIM")]
    pub oidc_groups_claim: String,
    /// Put before each group, as the API server's flag.
    #[arg(long, env = "WEFT_OIDC_GROUPS_PREFIX", default_value = "", value_name = "TEXT")]
    pub oidc_groups_prefix: String,
}

/// The header families of oauth2-proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ProxyHeaders {
    /// X-Forwarded-User, -Email, -Groups, -Preferred-Username.
    #[default]
    Forwarded,
    /// X-Auth-Request-User, -Email, -Groups, -Preferred-Username.
    AuthRequest,
}

impl AuthArgs {
    /// Whether anybody has to say who he is, or may come as nobody.
    pub fn guards(&self) -> bool {
        self.signs_in() || self.anonymous
    }

    /// Whether there is a way to sign in.
    pub fn signs_in(&self) -> bool {
        self.oidc.oidc_issuer.is_some() || !self.trusted_proxies.is_empty() || self.sign_in_link_file.is_some()
    }
}

impl OidcArgs {
    /// How names are made of claims.
    pub fn mapping(&self) -> Mapping {
        Mapping {
            username_claim: self.oidc_username_claim.clone(),
            username_prefix: self.oidc_username_prefix.clone(),
            groups_claim: self.oidc_groups_claim.clone(),
            groups_prefix: self.oidc_groups_prefix.clone(),
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| format!("{error}; write 2h or 30m"))?;
    if duration < Duration::from_secs(60) || duration > Duration::from_secs(30 * 24 * 3600) {
        return Err("choose between 1m and 30d".to_owned());
    }
    Ok(duration)
}
