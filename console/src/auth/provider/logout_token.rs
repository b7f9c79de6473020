//! Logout tokens (OpenID Connect Back-Channel Logout 1.0, 2.4 to 2.6).

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::{
    Provider, ProviderError, innermost,
    signed::{Signed, newer_keys_may_help},
    tokens::check_times,
};
use crate::db::EndedThere;

/// The claim in `events` that makes a token one of these.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Its type is `logout+jwt` where providers follow the recommendation, and never another token's.
const TYPES: [&str; 2] = ["jwt", "logout+jwt"];
/// Older tokens say nothing about now, in seconds.
const OLDEST_S: i64 = 300;

/// Whom a provider signs out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutClaims {
    /// What ended there.
    pub ended: EndedThere,
    /// Names the token, which counts once.
    pub jti: String,
    /// From then on it is too old in any case, in milliseconds since the epoch.
    pub until_ms: u64,
}

impl Provider {
    /// Checks a logout token that came from `from`. Nothing else that the provider signs passes for one.
    pub async fn logout_token(&self, text: &str, from: IpAddr) -> Result<LogoutClaims, ProviderError> {
        let wrong = |why: &str| ProviderError::Token(why.to_owned());
        let token = Signed::read(text, &TYPES).map_err(wrong)?;
        // Before its signature: what is wrong whoever signed it is no reason to ask for newer keys.
        check_times(&token.claims)?;
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        let claims = read(&token.claims, self.issuer(), self.client_id(), now).map_err(wrong)?;
        let known = self.known().await?;
        let verified = match token.verify(known.keys.keys()) {
            Err(error) if newer_keys_may_help(&error) => {
                token.verify(self.newer(&known, Some(from)).await?.keys.keys())
            }
            other => other,
        };
        verified.map_err(|error| ProviderError::Token(innermost(&error)))?;
        Ok(claims)
    }
}

/// What a token says, if all of it is as it must be at `now_s`. An error says what is not.
fn read(claims: &Map<String, Value>, issuer: &str, client: &str, now_s: i64) -> Result<LogoutClaims, &'static str> {
    let text = |claim: &str| match claims.get(claim) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(()),
    };
    let number = |claim: &str| claims.get(claim).and_then(Value::as_f64);
    if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err("it comes from another issuer");
    }
    let ours = |audience: &Value| audience.as_str() == Some(client);
    let for_us = claims.get("aud").is_some_and(|audience| match audience {
        Value::Array(audiences) => !audiences.is_empty() && audiences.iter().all(ours),
        one => ours(one),
    });
    if !for_us || !claims.get("azp").is_none_or(ours) {
        return Err("it is for another client");
    }
    let now = now_s as f64;
    if !number("exp").is_some_and(|end| end > now) {
        return Err("it has expired, or no end");
    }
    if !number("iat").is_some_and(|begun| (now - begun).abs() <= OLDEST_S as f64) {
        return Err("it is too old");
    }
    if !claims.get("events").and_then(|events| events.get(EVENT)).is_some_and(Value::is_object) {
        return Err("it does not end a session");
    }
    if claims.contains_key("nonce") {
        return Err("a logout token has no nonce");
    }
    let subject = text("sub").map_err(|()| "its subject is no name")?;
    let sid = text("sid").map_err(|()| "its session is no name")?;
    let ended = match (subject, sid) {
        (Some(subject), None) => EndedThere::Person { subject },
        (None, Some(sid)) => EndedThere::Session { sid },
        (Some(subject), Some(sid)) => EndedThere::SessionOf { subject, sid },
        (None, None) => return Err("it names nobody and no session"),
    };
    let jti = text("jti").ok().flatten().ok_or("it has no jti")?;
    Ok(LogoutClaims { ended, jti, until_ms: u64::try_from(now_s + 2 * OLDEST_S).unwrap_or_default() * 1000 })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn honest() -> Value {
        json!({
            "iss": "https://id.example", "aud": "weft", "iat": NOW, "exp": NOW + 60, "jti": "one",
            "events": {EVENT: {}}, "sub": "ada",
        })
    }

    fn ended(change: Value) -> Result<EndedThere, &'static str> {
        let mut claims = honest().as_object().unwrap().clone();
        for (claim, value) in change.as_object().unwrap() {
            // `null` takes a claim away; what is `null` in the token is a case of its own.
            if value.is_null() {
                claims.remove(claim)
            } else {
                claims.insert(claim.clone(), value.clone())
            };
        }
        read(&claims, "https://id.example", "weft", NOW).map(|claims| claims.ended)
    }

    #[test]
    fn a_person_a_session_or_both_are_named() {
        let (subject, sid) = ("ada".to_owned(), "s".to_owned());
        assert_eq!(ended(json!({})), Ok(EndedThere::Person { subject: subject.clone() }));
        assert_eq!(ended(json!({"sub": null, "sid": "s"})), Ok(EndedThere::Session { sid: sid.clone() }));
        assert_eq!(ended(json!({"sid": "s", "aud": ["weft"]})), Ok(EndedThere::SessionOf { subject, sid }));
        ended(json!({"sub": null})).unwrap_err();
        let mut claims = honest().as_object().unwrap().clone();
        claims.insert("sid".to_owned(), Value::Null);
        read(&claims, "https://id.example", "weft", NOW).unwrap_err();
    }

    #[test]
    fn what_is_not_as_it_must_be_ends_nothing() {
        for bad in [
            json!({"sub": 7, "sid": "s"}),
            json!({"sub": "", "sid": "s"}),
            json!({"sid": ["s"]}),
            json!({"iss": "https://id.example/"}),
            json!({"iss": null}),
            json!({"aud": []}),
            json!({"aud": ["weft", "another"]}),
            json!({"aud": ["weft", 7]}),
            json!({"aud": null}),
            json!({"azp": "another"}),
            json!({"exp": NOW}),
            json!({"exp": "tomorrow"}),
            json!({"exp": null}),
            json!({"iat": NOW - OLDEST_S - 1}),
            json!({"iat": null}),
            json!({"nonce": "n"}),
            json!({"events": {}}),
            json!({"events": null}),
            json!({"jti": 7}),
            json!({"jti": null}),
        ] {
            assert!(ended(bad.clone()).is_err(), "{bad}");
        }
    }
}
