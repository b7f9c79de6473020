//! A user's token.

use std::fmt;

use http::HeaderValue;

/// A bearer token that a user gave for a request. It is never shown: not by `Debug`, and not in traces of the request.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(HeaderValue);

/// What was given cannot be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("that is not a bearer token: give what `kubectl create token` prints")]
pub struct BadToken;

impl BearerToken {
    /// Takes a token, with or without `Bearer ` before it.
    pub fn new(token: &str) -> Result<Self, BadToken> {
        let token = token.trim();
        let bare = token.strip_prefix("Bearer").filter(|rest| rest.is_empty() || rest.starts_with(' '));
        let token = bare.unwrap_or(token).trim();
        // RFC 6750's alphabet.
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
        if token.is_empty() || token.len() > 16 * 1024 || !token.bytes().all(fits) {
            return Err(BadToken);
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| BadToken)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// The value of `authorization`, marked as sensitive.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(..)")
    }
}
