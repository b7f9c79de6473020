//! What signing in is made of, put together from the flags.

use std::{path::Path, sync::Arc};

use ipnet::IpNet;
use url::Url;
use weft_model::session::Method;
use weft_runtime::{Shutdown, StartupError};

use super::{
    args::AuthArgs,
    attempts::Attempts,
    cluster::Reviewer,
    limit::Limit,
    link::Link,
    policy_file::PolicyFile,
    provider::{self, Provider},
    proxy::TrustedProxies,
    seal::Seal,
    session::SessionKeeper,
};
use crate::{
    audit::AuditLog,
    db::{Logins, Sessions},
};

/// Everything about signing in.
pub struct Auth {
    pub(super) guards: bool,
    pub(super) public: Option<Url>,
    pub(super) sessions: Arc<SessionKeeper>,
    pub(super) logins: Logins,
    pub(super) provider: Option<Arc<Provider>>,
    pub(super) proxies: Option<TrustedProxies>,
    /// Proxies that tell an address and nothing else.
    pub(super) forwarders: Vec<IpNet>,
    pub(super) link: Option<Link>,
    pub(super) anonymous: bool,
    pub(super) impersonate: bool,
    pub(super) policy: PolicyFile,
    pub(super) reviewer: Option<Arc<Reviewer>>,
    pub(super) limit: Limit,
    pub(super) attempts: Attempts,
    pub(super) audit: AuditLog,
}

impl Auth {
    /// Checks the flags and gets everything ready. The provider may be away.
    pub fn open(
        args: &AuthArgs,
        data_dir: &Path,
        sessions: Sessions,
        logins: Logins,
        audit: AuditLog,
        reviewer: Option<Arc<Reviewer>>,
    ) -> Result<Self, StartupError> {
        let refuse = |why: String, remedy: &'static str| StartupError::new("cannot offer sign-in", why, remedy);
        if args.signs_in() {
            match &args.public_url {
                None => return Err(refuse("--public-url is missing".into(), "give the address as browsers write it")),
                Some(url) if url.scheme() != "https" && !(url.scheme() == "http" && provider::is_loopback(url)) => {
                    return Err(refuse(
                        format!("--public-url {url} is not https"),
                        "give an address that begins with https://",
                    ));
                }
                Some(url) if url.path() != "/" || url.query().is_some() || !url.username().is_empty() => {
                    return Err(refuse(
                        format!("--public-url {url} is more than a host"),
                        "give scheme, host and port only",
                    ));
                }
                Some(_) => {}
            }
        }
        if args.sign_in_link_file.is_some() && reviewer.is_some() {
            return Err(refuse("a sign-in link gives no rights on a cluster".into(), "leave out --sign-in-link-file"));
        }
        if let Some(all) = args.trusted_proxies.iter().find(|network| network.prefix_len() == 0) {
            return Err(refuse(
                format!("--trusted-proxies {all} lets everybody be whoever they like"),
                "name the proxies' own networks",
            ));
        }
        if args.impersonate && reviewer.is_none() {
            return Err(refuse("there is no cluster to act on".into(), "leave out --impersonate"));
        }
        let key = |error| refuse(format!("the session key cannot be used: {error}"), "check --session-key-file");
        let seal = match &args.session_key_file {
            Some(file) => Seal::read(file),
            None => Seal::read_or_make(&data_dir.join("session.key")),
        };
        let provider = match &args.public_url {
            Some(public) => Provider::new(&args.oidc, public)
                .map_err(|error| refuse(error.to_string(), "correct the flag"))?
                .map(Arc::new),
            None => None,
        };
        let link = match (&args.sign_in_link_file, &args.public_url) {
            (Some(file), Some(public)) => Some(Link::new(file.clone(), public.clone()).map_err(|error| {
                refuse(format!("{} cannot be written: {error}", file.display()), "choose another --sign-in-link-file")
            })?),
            _ => None,
        };
        let proxies = (!args.trusted_proxies.is_empty())
            .then(|| TrustedProxies::new(args.trusted_proxies.clone(), args.proxy_headers));
        let (seal, links) = (seal.map_err(key)?, link.is_some());
        let keeper = SessionKeeper::new(sessions, seal, provider.clone(), links, args.session_idle, args.session_max);
        Ok(Self {
            guards: args.guards(),
            public: args.public_url.clone(),
            sessions: Arc::new(keeper),
            logins,
            provider,
            proxies,
            forwarders: args.forwarded_for_from.clone(),
            link,
            anonymous: args.anonymous,
            impersonate: args.impersonate,
            policy: PolicyFile::open(args.roles_file.clone(), args.default_role.clone())?,
            reviewer,
            limit: Limit::default(),
            attempts: Attempts::default(),
            audit,
        })
    }

    /// Follows the role file and sweeps what has ended, until shutdown.
    pub fn tend(&self, shutdown: Shutdown) -> impl Future<Output = ()> + Send + 'static {
        let (policy, sessions, logins) = (self.policy.clone(), self.sessions.clone(), self.logins.clone());
        let audit = self.audit.clone();
        async move {
            tokio::select! {
                () = async { tokio::join!(policy.follow(), sessions.sweep(logins, audit)); } => {}
                () = shutdown.wait() => {}
            }
        }
    }

    /// Seals what is kept in the database for people.
    pub fn seal(&self) -> Arc<Seal> {
        Arc::clone(self.sessions.seal())
    }

    /// Whether anybody has to say who he is.
    pub fn guards(&self) -> bool {
        self.guards
    }

    /// The address that browsers write.
    pub fn public(&self) -> Option<&Url> {
        self.public.as_ref()
    }

    /// The ways to sign in.
    pub fn methods(&self) -> Vec<Method> {
        let mut methods = Vec::new();
        if let Some(provider) = &self.provider {
            let host = Url::parse(provider.issuer()).ok().and_then(|url| url.host_str().map(str::to_owned));
            methods.push(Method::Oidc { provider: host.unwrap_or_else(|| provider.issuer().to_owned()) });
        }
        if self.link.is_some() {
            methods.push(Method::Link);
        }
        if self.proxies.is_some() {
            methods.push(Method::Proxy);
        }
        if self.reviewer.is_some() {
            methods.push(Method::Token);
        }
        methods
    }

    /// Whether a session still holds.
    pub async fn holds(&self, session: &[u8; 32]) -> bool {
        self.sessions.holds(session).await.unwrap_or(false)
    }

    /// Who says what is allowed on a cluster; none elsewhere.
    pub fn reviewer(&self) -> Option<&Reviewer> {
        self.reviewer.as_deref()
    }
}
