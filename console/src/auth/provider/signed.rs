//! Signed tokens of the provider that are no ID tokens. openidconnect checks signatures for anybody, but its type for
//! tokens wants claims that others may leave out.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{
    JsonWebKey, SignatureVerificationError,
    core::{CoreJsonWebKey, CoreJwsSigningAlgorithm},
};
use serde_json::{Map, Value};

use super::ALGORITHMS;

/// A token taken apart (RFC 7515, 7.1). Nothing that it says is true before [`Signed::verify`].
#[derive(Debug)]
pub(super) struct Signed<'t> {
    algorithm: CoreJwsSigningAlgorithm,
    kid: Option<String>,
    /// What the signature is over.
    text: &'t str,
    signature: Vec<u8>,
    /// What it says.
    pub(super) claims: Map<String, Value>,
}

impl<'t> Signed<'t> {
    /// Takes a token apart whose type (`typ`, without `application/`) is one of `types` or not named. An error says what
    /// it is instead.
    pub(super) fn read(token: &'t str, types: &[&str]) -> Result<Self, &'static str> {
        let parts = token.rsplit_once('.').and_then(|(text, signature)| Some((text, text.split_once('.')?, signature)));
        let (text, (header, claims), signature) = parts.ok_or("it is no token")?;
        let header = object(header).ok_or("its header cannot be read")?;
        let named = match header.get("typ") {
            None => None,
            Some(name) => Some(name.as_str().ok_or("its type is no text")?.to_ascii_lowercase()),
        };
        if named.is_some_and(|name| !types.contains(&name.strip_prefix("application/").unwrap_or(&name))) {
            return Err("it is a token of another type");
        }
        // What must be understood and is not (RFC 7515, 4.1.11), and a token within it.
        if header.contains_key("crit") || header.contains_key("cty") {
            return Err("its header asks for more than is known here");
        }
        let algorithm = header.get("alg").and_then(|name| serde_json::from_value(name.clone()).ok());
        let algorithm = algorithm.filter(|algorithm| ALGORITHMS.contains(algorithm));
        let kid = match header.get("kid") {
            None => None,
            Some(name) => Some(name.as_str().ok_or("the name of its key is no text")?.to_owned()),
        };
        Ok(Self {
            algorithm: algorithm.ok_or("it is not signed with a public key")?,
            kid,
            text,
            signature: URL_SAFE_NO_PAD.decode(signature).map_err(|_| "its signature cannot be read")?,
            claims: object(claims).ok_or("its claims cannot be read")?,
        })
    }

    /// Whether one of these keys signed it: the one that it names, if it names one.
    pub(super) fn verify(&self, keys: &[CoreJsonWebKey]) -> Result<(), SignatureVerificationError> {
        let mut why = SignatureVerificationError::NoMatchingKey;
        for key in keys.iter().filter(|key| self.kid.is_none() || self.kid.as_ref() == key.key_id().map(|id| &**id)) {
            match key.verify_signature(&self.algorithm, self.text.as_bytes(), &self.signature) {
                Ok(()) => return Ok(()),
                // A key for another algorithm, or for encryption.
                Err(SignatureVerificationError::InvalidKey(_)) => {}
                Err(error) => why = error,
            }
        }
        Err(why)
    }
}

/// Whether a provider that has changed its keys since could have signed it all the same. Whatever else is wrong stays so.
pub(super) fn newer_keys_may_help(error: &SignatureVerificationError) -> bool {
    matches!(error, SignatureVerificationError::NoMatchingKey | SignatureVerificationError::CryptoError(_))
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(header: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", part(header), part(&json!({"iss": "x"})))
    }

    #[test]
    fn only_signed_tokens_of_the_type_are_taken_apart() {
        let read = |header: &Value| Signed::read(&token(header), &["jwt", "logout+jwt"]).map(|token| token.kid);
        assert_eq!(read(&json!({"alg": "RS256"})), Ok(None));
        assert_eq!(read(&json!({"alg": "ES256", "kid": "one", "typ": "JWT"})), Ok(Some("one".to_owned())));
        assert_eq!(read(&json!({"alg": "EdDSA", "typ": "application/Logout+JWT"})), Ok(None));
        for bad in [
            json!({}),
            json!({"alg": "none"}),
            json!({"alg": "HS256"}),
            json!({"alg": ["RS256"]}),
            json!({"alg": "A128GCM"}),
            json!({"alg": "RS256", "typ": "at+jwt"}),
            json!({"alg": "RS256", "typ": 7}),
            json!({"alg": "RS256", "kid": 7}),
            json!({"alg": "RS256", "cty": "JWT"}),
            json!({"alg": "RS256", "crit": []}),
            json!("RS256"),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
        for bad in ["", "..", "a.b.c", "a.b", &format!("{}.c", token(&json!({"alg": "RS256"})))] {
            assert!(Signed::read(bad, &["jwt"]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_fits_by_its_name_and_use() {
        let jwk = |kid: &str, usage: &str| -> CoreJsonWebKey {
            let key =
                json!({"kty": "RSA", "kid": kid, "use": usage, "alg": "RS256", "e": "AQAB", "n": "wR".repeat(172)});
            serde_json::from_value(key).unwrap()
        };
        let text = token(&json!({"alg": "RS256", "kid": "one"}));
        let read = Signed::read(&text, &[]).unwrap();
        let other = read.verify(&[jwk("two", "sig"), jwk("one", "enc")]).unwrap_err();
        assert_eq!(other, SignatureVerificationError::NoMatchingKey);
        let wrong = read.verify(&[jwk("one", "sig")]).unwrap_err();
        assert!(matches!(wrong, SignatureVerificationError::CryptoError(_)), "{wrong}");
        assert!(newer_keys_may_help(&other) && newer_keys_may_help(&wrong));
        let hopeless = SignatureVerificationError::UnsupportedAlg("ES512".to_owned());
        assert!(!newer_keys_may_help(&hopeless));
    }
}
