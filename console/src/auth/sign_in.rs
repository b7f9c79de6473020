use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use subtle::ConstantTimeEq;
use url::Url;
use weft_model::session::Method;
use weft_runtime::{Shutdown, StartupError};
use weft_source::BearerToken;

use super::{
    args::AuthArgs,
    caller::{Caller, How, Rights, Sight},
    cluster::{Reviewer, Whose},
    cookie,
    identity::User,
    limit::Limit,
    link::Link,
    policy_file::PolicyFile,
    provider::{self, Provider, ProviderError},
    proxy::TrustedProxies,
    return_to,
    roles::{self, Grants},
    seal::Seal,
    secret::{Secret, hash},
    session::{SessionError, SessionKeeper, now_ms},
};
use crate::{
    db::{LoginRecord, Logins, Sessions},
    http::{ApiError, bearer},
};

/// How long a sign-in may take from its begin to the answer.
const LOGIN_WITHIN_MS: u64 = 600_000;
/// Purpose of a sealed PKCE verifier.
const VERIFIER: &[u8] = b"pkce verifier";
/// The issuer of whoever came by a link.
const LINK: &str = "link";
/// How long signing out waits for the provider to take its tokens back.
const REVOKE_WITHIN: Duration = Duration::from_secs(10);

/// Everything about signing in.
pub struct Auth {
    guards: bool,
    public: Option<Url>,
    sessions: Arc<SessionKeeper>,
    logins: Logins,
    provider: Option<Arc<Provider>>,
    proxies: Option<TrustedProxies>,
    link: Option<Link>,
    anonymous: bool,
    policy: PolicyFile,
    reviewer: Option<Arc<Reviewer>>,
    limit: Limit,
}

/// Where the browser goes next, and the cookies it gets.
pub struct Answer {
    /// An address.
    pub location: String,
    /// Values of Set-Cookie.
    pub cookies: Vec<HeaderValue>,
}

/// Why a sign-in failed, for the person: a page says it in words.
#[derive(Debug, thiserror::Error)]
pub enum SignInProblem {
    /// There is no such way to sign in here.
    #[error("this console has no such way to sign in")]
    NoSuchWay,
    /// Too many attempts.
    #[error("there were too many attempts; wait {} s", .0.as_secs() + 1)]
    TooMany(Duration),
    /// It took too long, was answered already, or began in another browser.
    #[error("the sign-in is not known: it took too long, was finished already, or began in another browser")]
    Unknown,
    /// The link was used or is wrong.
    #[error("the link does not work, or no longer")]
    Link,
    /// The provider refused, or is away.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// Storage failed.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The request is none.
    #[error("{0}")]
    Request(&'static str),
}

impl SignInProblem {
    /// The code that the page and the log share.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSuchWay => "no-such-way",
            Self::TooMany(_) => "too-many",
            Self::Unknown => "unknown",
            Self::Link => "link",
            Self::Provider(ProviderError::Unusable { .. }) => "provider-away",
            Self::Provider(ProviderError::Refused(_)) => "refused",
            Self::Provider(ProviderError::Identity(_)) => "nobody",
            Self::Provider(_) => "token",
            Self::Session(_) => "storage",
            Self::Request(_) => "request",
        }
    }
}

impl From<crate::db::DbError> for SignInProblem {
    fn from(error: crate::db::DbError) -> Self {
        Self::Session(error.into())
    }
}

impl Auth {
    /// Checks the flags and gets everything ready. The provider may be away.
    pub fn open(
        args: &AuthArgs,
        data_dir: &Path,
        sessions: Sessions,
        logins: Logins,
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
        let keeper =
            SessionKeeper::new(sessions, seal.map_err(key)?, provider.clone(), args.session_idle, args.session_max);
        Ok(Self {
            guards: args.guards(),
            public: args.public_url.clone(),
            sessions: Arc::new(keeper),
            logins,
            provider,
            proxies,
            link,
            anonymous: args.anonymous,
            policy: PolicyFile::open(args.roles_file.clone(), args.default_role.clone())?,
            reviewer,
            limit: Limit::default(),
        })
    }

    /// Follows the role file and sweeps sessions, until shutdown.
    pub fn tend(&self, shutdown: Shutdown) -> impl Future<Output = ()> + Send + 'static {
        let (policy, sessions) = (self.policy.clone(), self.sessions.clone());
        async move {
            tokio::select! {
                () = async { tokio::join!(policy.follow(), sessions.sweep()); } => {}
                () = shutdown.wait() => {}
            }
        }
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

    /// Whoever makes a request.
    pub async fn caller(
        &self,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
        namespaces: &BTreeSet<String>,
    ) -> Result<Caller, ApiError> {
        if !self.guards {
            return self.local(bearer(headers)?).await;
        }
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        if let Some(proxies) = &self.proxies {
            let named = proxies.user(peer, headers).map_err(|error| {
                ApiError::new(
                    StatusCode::FORBIDDEN,
                    "bad-proxy-headers",
                    format!("The proxy names nobody: {error}."),
                    "Check how the proxy sets its headers.",
                )
            })?;
            if let Some(user) = named {
                let token = bearer(headers).ok().flatten();
                return self.admit(user, How::Proxy, token, None, namespaces).await;
            }
        }
        if let Some(secret) = cookie::read(headers, cookie::SESSION) {
            let session = self.sessions.find(&secret).await.map_err(|error| storage(&error))?;
            if let Some(session) = session {
                let token = session.id_token.as_deref().and_then(|token| BearerToken::new(token).ok());
                return self
                    .admit(session.user, How::Session, token, Some((session.id, session.expires_ms)), namespaces)
                    .await;
            }
        }
        if let Some(token) = bearer(headers)? {
            return self.by_token(token, namespaces).await;
        }
        if self.anonymous {
            let grants = self.policy.present().role(roles::VIEWER);
            return Ok(Caller {
                user: User { name: "anonymous".to_owned(), ..User::default() },
                how: How::Anonymous,
                sight: Sight::All,
                rights: Rights::Roles(grants),
                admin: false,
                token: None,
                session: None,
                expires_ms: None,
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
    async fn local(&self, token: Option<BearerToken>) -> Result<Caller, ApiError> {
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
            token,
            session: None,
            expires_ms: None,
        })
    }

    async fn by_token(&self, token: BearerToken, namespaces: &BTreeSet<String>) -> Result<Caller, ApiError> {
        let bad = |why: String| {
            ApiError::new(
                StatusCode::UNAUTHORIZED,
                "bad-token",
                format!("The token is not accepted: {why}."),
                "Get a new one.",
            )
        };
        if let Some(reviewer) = &self.reviewer {
            let user = reviewer.owner(&token).await.map_err(cluster)?;
            return self.admit(user, How::Token, Some(token), None, namespaces).await;
        }
        let Some(provider) = &self.provider else { return Err(bad("this console takes none".to_owned())) };
        let header = token.header();
        let text = header.to_str().unwrap_or_default().trim_start_matches("Bearer ");
        let user = provider.bearer(text).await.map_err(|error| bad(error.to_string()))?;
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
                let seen = reviewer.sight(&whose, namespaces).await.map_err(cluster)?;
                let admin = reviewer.is_admin(&whose).await.map_err(cluster)?;
                let sight = if seen.contains("") { Sight::All } else { Sight::Only(seen) };
                (Rights::Cluster(reviewer.clone(), whose), sight, admin)
            }
            None => {
                let policy = self.policy.present();
                let grants = if user.issuer == LINK { policy.role(roles::ADMIN) } else { policy.grants(&user) };
                let (sight, admin) = (sight(&grants, namespaces), grants.is_admin());
                (Rights::Roles(grants), sight, admin)
            }
        };
        let (session, expires_ms) = session.unzip();
        Ok(Caller { user, how, rights, sight, admin, token, session, expires_ms })
    }

    /// Begins a sign-in at the provider.
    pub async fn begin(
        &self,
        headers: &HeaderMap,
        peer: IpAddr,
        wanted: Option<&str>,
    ) -> Result<Answer, SignInProblem> {
        let provider = self.provider.as_ref().ok_or(SignInProblem::NoSuchWay)?;
        self.limit.take(self.client(headers, peer)).map_err(SignInProblem::TooMany)?;
        let state = Secret::new().map_err(SessionError::from)?;
        // Two tabs of one browser sign in side by side.
        let browser = match cookie::read(headers, cookie::LOGIN) {
            Some(browser) => browser,
            None => Secret::new().map_err(SessionError::from)?,
        };
        let begun = provider.begin(state.expose().to_owned()).await?;
        let verifier = self.sessions.seal().seal(VERIFIER, begun.verifier.as_bytes()).ok_or(SessionError::Seal)?;
        let record = LoginRecord {
            state_hash: state.id(),
            created_ms: now_ms(),
            browser_hash: browser.id(),
            nonce: begun.nonce,
            verifier,
            return_to: return_to::checked(wanted),
            issuer: provider.issuer().to_owned(),
        };
        self.logins.begin(&record).await?;
        let cookies = cookie::set(cookie::LOGIN, &browser, LOGIN_WITHIN_MS / 1000).into_iter().collect();
        Ok(Answer { location: begun.url.into(), cookies })
    }

    /// Finishes a sign-in with the provider's answer.
    pub async fn finish(
        &self,
        headers: &HeaderMap,
        peer: IpAddr,
        answer: &CallbackQuery,
    ) -> Result<Answer, SignInProblem> {
        let provider = self.provider.as_ref().ok_or(SignInProblem::NoSuchWay)?;
        self.limit.take(self.client(headers, peer)).map_err(SignInProblem::TooMany)?;
        let state = answer.state.as_deref().and_then(Secret::read).ok_or(SignInProblem::Unknown)?;
        let browser = cookie::read(headers, cookie::LOGIN).ok_or(SignInProblem::Unknown)?;
        // Taken out whatever comes next: an answer counts once.
        let login = self.logins.take(&state.id()).await?.ok_or(SignInProblem::Unknown)?;
        let same_browser = bool::from(login.browser_hash.ct_eq(&browser.id()));
        let in_time = login.created_ms + LOGIN_WITHIN_MS > now_ms();
        if !same_browser || !in_time || login.issuer != provider.issuer() {
            return Err(SignInProblem::Unknown);
        }
        provider.check_issuer(answer.iss.as_deref()).await?;
        if let Some(error) = &answer.error {
            let words = answer.error_description.as_deref().unwrap_or(error);
            return Err(ProviderError::Refused(words.chars().filter(|c| !c.is_control()).take(200).collect()).into());
        }
        let code = answer.code.clone().ok_or(SignInProblem::Request("the answer has no code"))?;
        let verifier =
            self.sessions.seal().open(VERIFIER, &login.verifier).and_then(|text| String::from_utf8(text).ok());
        let verifier = verifier.ok_or(SignInProblem::Unknown)?;
        let signed_in = provider.redeem(code, verifier, login.nonce).await?;
        self.forget(headers).await;
        let secret = self.sessions.open(signed_in.user.clone(), Some(signed_in)).await?;
        Ok(self.welcome(&secret, login.return_to))
    }

    /// Signs in by a link.
    pub async fn by_link(&self, headers: &HeaderMap, peer: IpAddr, code: &str) -> Result<Answer, SignInProblem> {
        let link = self.link.as_ref().ok_or(SignInProblem::NoSuchWay)?;
        self.limit.take(self.client(headers, peer)).map_err(SignInProblem::TooMany)?;
        if !link.spend(code) {
            return Err(SignInProblem::Link);
        }
        self.forget(headers).await;
        let user = User { issuer: LINK.into(), subject: "local".into(), name: "local admin".into(), ..User::default() };
        let secret = self.sessions.open(user, None).await?;
        Ok(self.welcome(&secret, "/".to_owned()))
    }

    /// Ends the session of a request: here at once, and at the provider if it has a page for that.
    pub async fn sign_out(&self, headers: &HeaderMap) -> Result<Answer, SignInProblem> {
        let kept = match cookie::read(headers, cookie::SESSION) {
            Some(secret) => self.sessions.end(&secret.id()).await?,
            None => None,
        };
        let mut location = "/signed-out".to_owned();
        if let (Some(provider), Some(public), Some(kept)) = (&self.provider, &self.public, kept) {
            if let Ok(back) = public.join("signed-out")
                && let Some(url) = provider.sign_out_url(Some(&kept.id_token), &back).await
            {
                location = url.into();
            }
            let provider = provider.clone();
            tokio::spawn(async move {
                let _ = tokio::time::timeout(REVOKE_WITHIN, provider.revoke(&kept)).await;
            });
        }
        Ok(Answer { location, cookies: vec![cookie::remove(cookie::SESSION), cookie::remove(cookie::LOGIN)] })
    }

    /// Ends what the provider ended, as its token says.
    pub async fn sign_out_from_afar(&self, token: &str) -> Result<(), SignInProblem> {
        let provider = self.provider.as_ref().ok_or(SignInProblem::NoSuchWay)?;
        let claims = provider.logout_token(token).await?;
        let name = hash(format!("{}\n{}", provider.issuer(), claims.jti).as_bytes());
        if !self.logins.spend(&name, claims.expires_ms.max(now_ms() + LOGIN_WITHIN_MS)).await? {
            return Err(SignInProblem::Request("the logout token was used already"));
        }
        self.sessions.end_from_afar(provider.issuer(), &claims.subject, claims.sid.as_deref()).await?;
        Ok(())
    }

    /// A session that the browser brought along ends with the next sign-in.
    async fn forget(&self, headers: &HeaderMap) {
        if let Some(old) = cookie::read(headers, cookie::SESSION)
            && let Err(error) = self.sessions.end(&old.id()).await
        {
            tracing::warn!(%error, "the session before could not be ended");
        }
    }

    fn welcome(&self, secret: &Secret, location: String) -> Answer {
        let session = cookie::set(cookie::SESSION, secret, self.sessions.longest_s());
        let cookies = session.into_iter().chain([cookie::remove(cookie::LOGIN)]).collect();
        Answer { location, cookies }
    }

    /// Who is counted: the peer, or whom a trusted proxy names last.
    fn client(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        if !self.proxies.as_ref().is_some_and(|proxies| proxies.trusts(peer)) {
            return peer;
        }
        let last = headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
        last.and_then(|text| text.rsplit(',').next()).and_then(|text| text.trim().parse().ok()).unwrap_or(peer)
    }
}

/// What a provider adds to the address that it sends the browser back to.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct CallbackQuery {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

fn sight(grants: &Grants, namespaces: &BTreeSet<String>) -> Sight {
    if grants.sees_all() {
        return Sight::All;
    }
    let mesh = String::new();
    Sight::Only(namespaces.iter().chain([&mesh]).filter(|namespace| grants.sees(namespace)).cloned().collect())
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

fn cluster(error: weft_source::ClusterError) -> ApiError {
    ApiError::from(crate::canary::edit::EditError::Store(error.into()))
}
