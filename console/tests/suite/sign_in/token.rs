//! Tokens that the test's provider makes: honest ones, which a lie then bends.

use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use time::OffsetDateTime;

/// A key that signs, and its name in the key set.
pub struct Key {
    pub kid: String,
    pub usage: &'static str,
    pair: KeyPair,
}

impl Key {
    pub fn new(kid: &str, usage: &'static str) -> Self {
        Self { kid: kid.to_owned(), usage, pair: KeyPair::generate(KeySize::Rsa2048).unwrap() }
    }

    /// As the key set has it.
    pub fn jwk(&self) -> Value {
        let public = self.pair.public_key();
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "kty": "RSA", "alg": "RS256", "use": self.usage, "kid": self.kid,
            "n": encode(public.modulus().big_endian_without_leading_zero()),
            "e": encode(public.exponent().big_endian_without_leading_zero()),
        })
    }

    /// Everything that somebody could take for "the key" who verifies an HMAC with it.
    pub fn public_bytes(&self) -> [Vec<u8>; 3] {
        let public = self.pair.public_key();
        let der = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(public).unwrap().as_ref().to_vec();
        let lines = base64::engine::general_purpose::STANDARD.encode(&der);
        let lines: Vec<&str> = lines.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
        [pem.into_bytes(), der, public.modulus().big_endian_without_leading_zero().to_vec()]
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        signature
    }
}

/// What a token is signed with.
pub enum Signer {
    /// The provider's key.
    Own,
    /// Somebody else's key.
    Stranger,
    /// The provider's key that is for encryption.
    Encryption,
    /// A secret.
    Hmac(Vec<u8>),
    /// Nothing.
    Nothing,
}

/// A token before it is signed.
pub struct Draft {
    pub header: Value,
    pub claims: Value,
    pub signer: Signer,
}

/// The provider's keys.
pub struct Keys {
    pub own: Key,
    pub stranger: Key,
    pub encryption: Key,
}

impl Keys {
    pub fn new() -> Self {
        Self {
            own: Key::new("first", "sig"),
            stranger: Key::new("stranger", "sig"),
            encryption: Key::new("wrap", "enc"),
        }
    }
}

impl Draft {
    /// An honest token: Ada's, for the client `weft`, from `issuer`.
    pub fn honest(keys: &Keys, issuer: &str) -> Self {
        let now = now();
        Self {
            header: json!({"alg": "RS256", "typ": "JWT", "kid": keys.own.kid}),
            claims: json!({
                "iss": issuer, "sub": "ada", "aud": "weft", "iat": now, "exp": now + 600, "sid": "sid-1",
                "email": "ada@example.org", "email_verified": true,
            }),
            signer: Signer::Own,
        }
    }

    /// Takes a claim away.
    pub fn without(&mut self, claim: &str) {
        self.claims.as_object_mut().unwrap().remove(claim);
    }

    /// Signs it.
    pub fn signed(&self, keys: &Keys) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&self.header), part(&self.claims));
        let signature = match &self.signer {
            Signer::Own => keys.own.sign(&text),
            Signer::Stranger => keys.stranger.sign(&text),
            Signer::Encryption => keys.encryption.sign(&text),
            Signer::Hmac(secret) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes()).as_ref().to_vec()
            }
            Signer::Nothing => Vec::new(),
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Seconds since the epoch.
pub fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}
