//! Logout tokens (OpenID Connect Back-Channel Logout 1.0, 2.4 to 2.6).

use openidconnect::{JsonWebTokenType, Nonce, core::CoreIdToken};
use serde_json::Value;

use super::{
    Provider, ProviderError, innermost,
    tokens::{check_times, claims},
};

/// The claim in `events` that makes a token one of these.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Older tokens say nothing about now, in seconds.
const OLDEST_S: i64 = 300;

/// Whom a provider signs out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutClaims {
    /// Of all their sessions, unless `sid` names one.
    pub subject: String,
    /// One session of the provider.
    pub sid: Option<String>,
    /// Names the token, which counts once.
    pub jti: String,
    /// Until when it must not count again, in milliseconds since the epoch.
    pub expires_ms: u64,
}

impl Provider {
    /// Checks a logout token. Nothing else that the provider signs passes for one.
    pub async fn logout_token(&self, text: &str) -> Result<LogoutClaims, ProviderError> {
        let wrong = |what: &str| ProviderError::Token(what.to_owned());
        let token: CoreIdToken = text.parse().map_err(|_| wrong("it is no logout token"))?;
        let known = self.known(None).await?;
        let no_nonce = |nonce: Option<&Nonce>| match nonce {
            None => Ok(()),
            Some(_) => Err("a logout token has no nonce".to_owned()),
        };
        let verify = |known: &super::Known| {
            // Its type is logout+jwt where providers follow the recommendation, and never another token's.
            let types = ["JWT", "logout+jwt"].map(|name| JsonWebTokenType::new(name.to_owned()).normalize());
            let verifier = Self::verifier(known).set_allowed_jose_types(types.into_iter().flatten());
            token.claims(&verifier, no_nonce).map(|claims| {
                let party = (claims.authorized_party().cloned(), claims.audiences().len());
                (claims.issue_time(), claims.expiration(), party)
            })
        };
        let verified = match verify(&known) {
            Err(_) => verify(&self.known(Some(known.at)).await?),
            verified => verified,
        };
        let (issued, expires, (azp, audiences)) = verified.map_err(|error| ProviderError::Token(innermost(&error)))?;
        self.check_party(azp.as_ref(), audiences)?;
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        if (now - issued.timestamp()).abs() > OLDEST_S {
            return Err(wrong("it is too old"));
        }
        let claims = claims(text)?;
        check_times(&claims)?;
        if !claims.get("events").and_then(|events| events.get(EVENT)).is_some_and(Value::is_object) {
            return Err(wrong("it does not end a session"));
        }
        let name = |claim: &str| claims.get(claim).and_then(Value::as_str).map(str::to_owned);
        Ok(LogoutClaims {
            subject: name("sub").ok_or_else(|| wrong("it names nobody"))?,
            sid: name("sid"),
            jti: name("jti").ok_or_else(|| wrong("it has no jti"))?,
            expires_ms: u64::try_from(expires.timestamp_millis()).unwrap_or_default(),
        })
    }
}
