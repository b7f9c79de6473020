//! Secrets that the console makes: what a browser holds is random, what is kept is only its hash.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// 256 random bits that a browser holds, in base64url without padding (43 characters).
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// The system gives no random bytes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

impl Secret {
    /// A new one.
    pub fn new() -> Result<Self, NoRandomness> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Reads what a browser sent. Anything that this type does not write is refused, so that a lookup costs nothing for
    /// garbage.
    pub fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == 32).then(|| Self(text.to_owned()))
    }

    /// The text, for the browser alone.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept: SHA-256 of the text. 256 random bits need no salt and no slow hash.
    pub fn id(&self) -> [u8; 32] {
        hash(self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// SHA-256.
pub fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Names a signed token by what is signed: its signature can be written in more than one way.
pub fn token_name(token: &str) -> [u8; 32] {
    let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
    hash(format!("token\n{signed}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_back_and_shows_nothing() {
        let secret = Secret::new().unwrap();
        assert_eq!(secret.expose().len(), 43);
        assert_eq!(Secret::read(secret.expose()).unwrap().id(), secret.id());
        assert_ne!(Secret::new().unwrap(), secret);
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        for bad in ["", "abc", "A", &"A".repeat(44), &format!("{}=", secret.expose()), &"/".repeat(43)] {
            assert!(Secret::read(bad).is_none(), "{bad}");
        }
    }
}
