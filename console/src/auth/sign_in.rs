//! The ways in and out.

use std::{net::IpAddr, time::Duration};

use axum::http::{HeaderMap, HeaderValue};
use subtle::ConstantTimeEq;
use weft_model::audit::How;

use super::{
    Auth, cookie,
    identity::User,
    link::ISSUER as LINK,
    provider::{ProviderError, one_line},
    proxy::within,
    return_to,
    secret::{Secret, token_name},
    session::SessionError,
};
use crate::{
    clock::now_ms,
    db::{DbError, LoginRecord},
};

/// How long a sign-in may take from its begin to the answer.
pub(super) const LOGIN_WITHIN_MS: u64 = 600_000;
/// Purpose of a sealed PKCE verifier.
const VERIFIER: &[u8] = b"pkce verifier";
/// How long signing out waits for the provider to take its tokens back.
const REVOKE_WITHIN: Duration = Duration::from_secs(10);
/// The page after signing out here, while the provider could not be told.
const PROVIDER_OPEN: &str = "/signed-out?provider=open";
/// Sessions that a provider ends at once and that are written down one by one.
const MAX_ENDED_NAMED: usize = 20;

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

impl From<DbError> for SignInProblem {
    fn from(error: DbError) -> Self {
        Self::Session(error.into())
    }
}

impl Auth {
    /// Begins a sign-in at the provider.
    pub async fn begin(
        &self,
        headers: &HeaderMap,
        peer: IpAddr,
        wanted: Option<&str>,
    ) -> Result<Answer, SignInProblem> {
        let from = self.client(headers, peer);
        self.noted(from, self.try_begin(headers, from, wanted).await).await
    }

    async fn try_begin(
        &self,
        headers: &HeaderMap,
        from: IpAddr,
        wanted: Option<&str>,
    ) -> Result<Answer, SignInProblem> {
        let provider = self.provider.as_ref().ok_or(SignInProblem::NoSuchWay)?;
        self.limit.take(from).map_err(SignInProblem::TooMany)?;
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
        let from = self.client(headers, peer);
        self.noted(from, self.try_finish(headers, from, answer).await).await
    }

    async fn try_finish(
        &self,
        headers: &HeaderMap,
        from: IpAddr,
        answer: &CallbackQuery,
    ) -> Result<Answer, SignInProblem> {
        let provider = self.provider.as_ref().ok_or(SignInProblem::NoSuchWay)?;
        self.limit.take(from).map_err(SignInProblem::TooMany)?;
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
            return Err(ProviderError::Refused(one_line(words)).into());
        }
        let code = answer.code.clone().ok_or(SignInProblem::Request("the answer has no code"))?;
        let verifier =
            self.sessions.seal().open(VERIFIER, &login.verifier).and_then(|text| String::from_utf8(text).ok());
        let verifier = verifier.ok_or(SignInProblem::Unknown)?;
        let signed_in = provider.redeem(code, verifier, login.nonce).await?;
        self.forget(headers, from).await;
        let user = signed_in.user.clone();
        let secret = self.sessions.open(user.clone(), Some(signed_in)).await?;
        self.audit.signed_in(&user.name, How::Session, from, &format!("With {}.", provider.issuer())).await;
        Ok(self.welcome(&secret, login.return_to))
    }

    /// Signs in by a link.
    pub async fn by_link(&self, headers: &HeaderMap, peer: IpAddr, code: &str) -> Result<Answer, SignInProblem> {
        let from = self.client(headers, peer);
        self.noted(from, self.try_link(headers, from, code).await).await
    }

    async fn try_link(&self, headers: &HeaderMap, from: IpAddr, code: &str) -> Result<Answer, SignInProblem> {
        let link = self.link.as_ref().ok_or(SignInProblem::NoSuchWay)?;
        self.limit.take(from).map_err(SignInProblem::TooMany)?;
        if !link.spend(code) {
            return Err(SignInProblem::Link);
        }
        self.forget(headers, from).await;
        let user = User { issuer: LINK.into(), subject: "local".into(), name: "local admin".into(), ..User::default() };
        let secret = self.sessions.open(user.clone(), None).await?;
        self.audit.signed_in(&user.name, How::Session, from, "By a link that works once.").await;
        Ok(self.welcome(&secret, "/".to_owned()))
    }

    /// Ends the session of a request: here at once, and at the provider if it answers and has a page for that.
    pub async fn sign_out(&self, headers: &HeaderMap, peer: IpAddr) -> Result<Answer, SignInProblem> {
        let ended = match cookie::read(headers, cookie::SESSION) {
            Some(secret) => self.sessions.end(&secret.id()).await?,
            None => None,
        };
        if let Some((name, _)) = &ended {
            self.audit.signed_out(name, self.client(headers, peer), "").await;
        }
        let kept = ended.and_then(|(_, kept)| kept);
        // The browser carries it to the provider in an address, which is written down on the way. From there it must not
        // come back as a bearer token.
        if let Some(kept) = &kept
            && let Err(error) = self.logins.retire(&token_name(&kept.id_token), kept.id_token_ends_ms()).await
        {
            tracing::warn!(%error, "the ID token of a session that ended could not be taken out of use");
        }
        let mut location = "/signed-out".to_owned();
        if let (Some(provider), Some(public), Some(kept)) = (&self.provider, &self.public, kept) {
            if !provider.is_there().await {
                PROVIDER_OPEN.clone_into(&mut location);
            } else if let Ok(back) = public.join("signed-out")
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
    pub async fn sign_out_from_afar(
        &self,
        headers: &HeaderMap,
        peer: IpAddr,
        token: &str,
    ) -> Result<(), SignInProblem> {
        let from = self.client(headers, peer);
        let ended = self.end_by_token(token, from).await;
        match &ended {
            Ok(names) => {
                for name in names.iter().take(MAX_ENDED_NAMED) {
                    self.audit.signed_out(name, from, "The provider ended the session.").await;
                }
            }
            Err(problem) => {
                let why = format!("A logout token: {problem}");
                self.audit.sign_in_refused(How::Other, from, &why).await;
            }
        }
        ended.map(|_| ())
    }

    async fn end_by_token(&self, token: &str, from: IpAddr) -> Result<Vec<String>, SignInProblem> {
        let provider = self.provider.as_ref().ok_or(SignInProblem::NoSuchWay)?;
        let claims = provider.logout_token(token, from).await?;
        let ended = self.sessions.end_there(provider.issuer(), &claims).await?;
        ended.ok_or(SignInProblem::Request("the logout token was used already"))
    }

    /// A session that the browser brought along ends with the next sign-in.
    async fn forget(&self, headers: &HeaderMap, from: IpAddr) {
        let Some(old) = cookie::read(headers, cookie::SESSION) else { return };
        match self.sessions.end(&old.id()).await {
            Ok(Some((name, _))) => {
                self.audit.signed_out(&name, from, "Somebody signed in anew in the same browser.").await;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the session before could not be ended"),
        }
    }

    /// A sign-in that failed is in the audit.
    async fn noted(&self, from: IpAddr, result: Result<Answer, SignInProblem>) -> Result<Answer, SignInProblem> {
        if let Err(problem) = &result {
            self.audit.sign_in_refused(How::Session, from, &problem.to_string()).await;
        }
        result
    }

    fn welcome(&self, secret: &Secret, location: String) -> Answer {
        let session = cookie::set(cookie::SESSION, secret, self.sessions.longest_s());
        let cookies = session.into_iter().chain([cookie::remove(cookie::LOGIN)]).collect();
        Answer { location, cookies }
    }

    /// Who is counted and written down: the peer, or whom a proxy that is believed names last.
    pub(super) fn client(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        let signs_in = self.proxies.as_ref().is_some_and(|proxies| proxies.trusts(peer));
        if !signs_in && !within(&self.forwarders, peer) {
            return peer;
        }
        let last = headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
        last.and_then(|text| text.rsplit(',').next()).and_then(|text| text.trim().parse().ok()).unwrap_or(peer)
    }
}

/// What a provider adds to the address that it sends the browser back to.
#[derive(Clone, Debug, Default, serde::Deserialize, schemars::JsonSchema)]
pub struct CallbackQuery {
    /// The authorization code.
    code: Option<String>,
    /// What the sign-in began with.
    state: Option<String>,
    /// The provider that answers (RFC 9207).
    iss: Option<String>,
    /// Why there is no code.
    error: Option<String>,
    /// The same in words.
    error_description: Option<String>,
}
