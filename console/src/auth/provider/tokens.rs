//! The code flow with PKCE (RFC 6749, RFC 7636, OpenID Connect Core 1.0), and what comes of it.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{
    AccessToken, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, ClientId, CsrfToken, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RefreshToken, RequestTokenError, Scope, TokenResponse,
    core::{CoreErrorResponseType, CoreIdToken, CoreResponseType, CoreRevocableToken, CoreTokenResponse},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::{Known, Provider, ProviderError, innermost, one_line, redacted, signed::newer_keys_may_help, without};
use crate::auth::identity::User;

/// Clocks of a provider and a console differ by no more, in seconds.
const SKEW_S: i64 = 120;

/// A provider's tokens as they are kept, sealed, for a session.
#[derive(Clone, Serialize, Deserialize)]
pub struct Kept {
    /// Shown to the API server for writes, and to the provider when signing out.
    pub id_token: String,
    /// Revoked at the end.
    pub access_token: String,
    /// Gets new tokens, where the provider gives one.
    pub refresh_token: Option<String>,
}

impl Kept {
    /// When the ID token runs out, in milliseconds since the epoch.
    pub fn id_token_ends_ms(&self) -> u64 {
        let ends = claims(&self.id_token).ok().and_then(|claims| claims.get("exp").and_then(Value::as_f64));
        ends.map_or(0, |seconds| (seconds * 1000.0) as u64)
    }
}

/// What a sign-in or a refresh gives.
pub struct SignedIn {
    /// Who it is.
    pub user: User,
    /// The provider's own session, which it may end from its side.
    pub sid: Option<String>,
    /// The tokens.
    pub kept: Kept,
    /// When the ID token runs out, in milliseconds since the epoch.
    pub expires_ms: u64,
}

/// What begins a sign-in.
pub struct Begun {
    /// Where the browser goes.
    pub url: Url,
    /// Ties the token to this sign-in.
    pub nonce: String,
    /// Proves that whoever redeems the code began the flow.
    pub verifier: String,
}

impl Provider {
    /// Begins a sign-in.
    pub async fn begin(&self, state: String) -> Result<Begun, ProviderError> {
        let known = self.known().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let mut request = known.client.authorize_url(flow, move || CsrfToken::new(state), Nonce::new_random);
        for scope in &self.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, _, nonce) = request.set_pkce_challenge(challenge).url();
        Ok(Begun { url, nonce: nonce.secret().clone(), verifier: verifier.into_secret() })
    }

    /// Checks the issuer that the answer names (RFC 9207): with several providers in play, a code of one must not be
    /// redeemed at another.
    pub async fn check_issuer(&self, named: Option<&str>) -> Result<(), ProviderError> {
        let known = self.known().await?;
        match named {
            Some(issuer) if issuer == self.issuer() => Ok(()),
            Some(other) => {
                let other = one_line(other);
                Err(ProviderError::Refused(format!("the answer came from {other}, and not from {}", self.issuer())))
            }
            None if known.extra.authorization_response_iss_parameter_supported => {
                Err(ProviderError::Refused("the answer does not say from which provider it came".to_owned()))
            }
            None => Ok(()),
        }
    }

    /// Redeems a code.
    pub async fn redeem(&self, code: String, verifier: String, nonce: String) -> Result<SignedIn, ProviderError> {
        let known = self.known().await?;
        let request = known.client.exchange_code(AuthorizationCode::new(code.clone()));
        let request = request.map_err(|error| self.unusable(&error))?;
        let answer = request.set_pkce_verifier(PkceCodeVerifier::new(verifier.clone())).request_async(&self.http).await;
        let answer = answer.map_err(|error| self.refusal(&error, &[&code, &verifier]))?;
        let token = answer.id_token().ok_or_else(|| ProviderError::Token("there is no ID token".to_owned()))?;
        let nonce = Nonce::new(nonce);
        let (user, sid, expires_ms) = self.check(known, token, Expect::Nonce(&nonce)).await?;
        Ok(SignedIn { user, sid, kept: keep(&answer, token, None), expires_ms })
    }

    /// Gets new tokens. `Ok(None)` when the answer has no ID token, which OpenID Connect Core 12.2 allows.
    pub async fn refresh(&self, kept: &Kept, subject: &str) -> Result<Option<SignedIn>, ProviderError> {
        let Some(refresh) = kept.refresh_token.clone() else { return Ok(None) };
        let known = self.known().await?;
        let refresh = RefreshToken::new(refresh);
        let request = known.client.exchange_refresh_token(&refresh).map_err(|error| self.unusable(&error))?;
        let answer = request.request_async(&self.http).await;
        let answer = answer.map_err(|error| self.refusal(&error, &[refresh.secret()]))?;
        let Some(token) = answer.id_token() else { return Ok(None) };
        let (user, sid, expires_ms) = self.check(known, token, Expect::Refreshed).await?;
        if user.subject != subject {
            return Err(ProviderError::Token("it is about somebody else".to_owned()));
        }
        Ok(Some(SignedIn { user, sid, kept: keep(&answer, token, kept.refresh_token.clone()), expires_ms }))
    }

    /// Whose ID token it is, when somebody at `from` shows one as a bearer token.
    pub async fn bearer(&self, token: &str, from: IpAddr) -> Result<User, ProviderError> {
        let token: CoreIdToken = token.parse().map_err(|_| ProviderError::Token("it is no ID token".to_owned()))?;
        let known = self.known().await?;
        Ok(self.check(known, &token, Expect::Anything(from)).await?.0)
    }

    /// Gives tokens back (RFC 7009), as far as the provider takes them.
    pub async fn revoke(&self, kept: &Kept) {
        let Ok(known) = self.known().await else { return };
        let Some(url) = known.extra.revocation_endpoint.clone() else { return };
        let client = known.client.as_ref().clone().set_revocation_url(url);
        let refresh = kept.refresh_token.clone().map(|token| CoreRevocableToken::from(RefreshToken::new(token)));
        let access = CoreRevocableToken::from(AccessToken::new(kept.access_token.clone()));
        for token in refresh.into_iter().chain([access]) {
            if let Ok(request) = client.revoke_token(token)
                && let Err(error) = request.request_async(&self.http).await
            {
                tracing::warn!(error = innermost(&error), "the OpenID provider did not take a token back");
            }
        }
    }

    /// Checks a token; when it is signed with a key that is not known, the provider is asked for its keys once.
    async fn check(
        &self,
        known: Known,
        token: &CoreIdToken,
        expect: Expect<'_>,
    ) -> Result<(User, Option<String>, u64), ProviderError> {
        let verify = |known: &Known| {
            let verifier = Self::verifier(known);
            let claims = match expect {
                Expect::Nonce(nonce) => token.claims(&verifier, nonce),
                Expect::Refreshed | Expect::Anything(_) => token.claims(&verifier, |_: Option<&Nonce>| Ok(())),
            };
            claims.map(|claims| (claims.authorized_party().cloned(), claims.audiences().len(), claims.expiration()))
        };
        let verified = match verify(&known) {
            Err(ClaimsVerificationError::SignatureVerification(error)) if newer_keys_may_help(&error) => {
                let from = match expect {
                    Expect::Anything(from) => Some(from),
                    Expect::Nonce(_) | Expect::Refreshed => None,
                };
                verify(&self.newer(&known, from).await?)
            }
            other => other,
        };
        let (azp, audiences, expires) = verified.map_err(|error| ProviderError::Token(innermost(&error)))?;
        self.check_party(azp.as_ref(), audiences)?;
        let claims = claims(&token.to_string())?;
        check_times(&claims)?;
        // The same provider signs them for the same audience, and they say who it is as well.
        if claims.contains_key("events") {
            return Err(ProviderError::Token("it is a logout token".to_owned()));
        }
        let sid = claims.get("sid").and_then(Value::as_str).map(str::to_owned);
        let user = self.mapping.user(self.issuer(), &claims)?;
        Ok((user, sid, u64::try_from(expires.timestamp_millis()).unwrap_or_default()))
    }

    /// Whether a token is for this client alone (OpenID Connect Core 3.1.3.7, 4 and 5).
    fn check_party(&self, azp: Option<&ClientId>, audiences: usize) -> Result<(), ProviderError> {
        match azp {
            Some(party) if *party != self.client_id => {
                Err(ProviderError::Token(format!("it was made for {}", one_line(party.as_str()))))
            }
            None if audiences > 1 => Err(ProviderError::Token("it names no authorized party".to_owned())),
            _ => Ok(()),
        }
    }

    fn refusal<E: std::error::Error + 'static>(
        &self,
        error: &RequestTokenError<E, openidconnect::StandardErrorResponse<CoreErrorResponseType>>,
        sent: &[&str],
    ) -> ProviderError {
        let client = self.client_secret.as_ref().map_or("", |secret| secret.secret().as_str());
        let secrets: Vec<&str> = sent.iter().copied().chain([client]).collect();
        match error {
            RequestTokenError::ServerResponse(answer) => ProviderError::Refused(without(&answer.to_string(), &secrets)),
            other => ProviderError::Unusable { issuer: self.issuer.to_string(), why: redacted(other, &secrets) },
        }
    }
}

/// What a token must show of where it comes from.
#[derive(Clone, Copy)]
enum Expect<'a> {
    /// The sign-in that was begun here.
    Nonce(&'a Nonce),
    /// A refresh token that was ours.
    Refreshed,
    /// Nothing: whoever holds it, at this address, says who he is.
    Anything(IpAddr),
}

fn keep(answer: &CoreTokenResponse, token: &CoreIdToken, refresh: Option<String>) -> Kept {
    Kept {
        id_token: token.to_string(),
        access_token: answer.access_token().secret().clone(),
        // A provider that does not rotate refresh tokens does not repeat them.
        refresh_token: answer.refresh_token().map(|token| token.secret().clone()).or(refresh),
    }
}

/// Refuses what is of a time that has not come (RFC 7519, 4.1.5 and 4.1.6).
pub(super) fn check_times(claims: &Map<String, Value>) -> Result<(), ProviderError> {
    let latest = (time::OffsetDateTime::now_utc().unix_timestamp() + SKEW_S) as f64;
    for claim in ["iat", "nbf"] {
        let begun = claims.get(claim).is_none_or(|at| at.as_f64().is_some_and(|at| at <= latest));
        if !begun {
            return Err(ProviderError::Token(format!("its time ({claim}) has not come")));
        }
    }
    Ok(())
}

/// All claims of a token whose signature was checked.
fn claims(token: &str) -> Result<Map<String, Value>, ProviderError> {
    let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    payload
        .and_then(|payload| serde_json::from_slice(&payload).ok())
        .ok_or_else(|| ProviderError::Token("its claims cannot be read".to_owned()))
}
