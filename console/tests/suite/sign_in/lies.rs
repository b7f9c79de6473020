//! The ways in which a token lies.

use serde_json::json;

use super::{Bend, CLIENT_SECRET, Draft, Keys, Signer, now};

/// A lie by its name.
pub struct Lie(pub &'static str, pub Bend);

/// What the specification calls a logout token (OpenID Connect Back-Channel Logout 1.0, 2.4).
pub fn logout(draft: &mut Draft, _: &Keys, _: &str) {
    draft.header["typ"] = "JWT".into();
    draft.claims["jti"] = format!("jti-{}", draft.claims["iat"]).into();
    draft.claims["events"] = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    draft.without("sid");
}

/// Whatever the token is for.
pub const EVERYWHERE: &[Lie] = &[
    Lie("alg none", |draft, _, _| {
        draft.header["alg"] = "none".into();
        draft.signer = Signer::Nothing;
    }),
    Lie("alg none in another case", |draft, _, _| {
        draft.header["alg"] = "nOnE".into();
        draft.signer = Signer::Nothing;
    }),
    Lie("no signature", |draft, _, _| draft.signer = Signer::Nothing),
    Lie("HS256 with the public key as PEM", |draft, keys, _| hmac(draft, keys.own.public_bytes()[0].clone())),
    Lie("HS256 with the public key as DER", |draft, keys, _| hmac(draft, keys.own.public_bytes()[1].clone())),
    Lie("HS256 with the modulus", |draft, keys, _| hmac(draft, keys.own.public_bytes()[2].clone())),
    Lie("HS256 with the client's secret", |draft, _, _| hmac(draft, CLIENT_SECRET.into())),
    Lie("another's signature", |draft, _, _| draft.signer = Signer::Stranger),
    Lie("an unknown key", |draft, keys, _| {
        draft.header["kid"] = keys.stranger.kid.clone().into();
        draft.signer = Signer::Stranger;
    }),
    Lie("a key that it brings along", |draft, keys, _| {
        draft.header["jwk"] = keys.stranger.jwk();
        draft.header["jku"] = "http://evil.example/keys".into();
        draft.signer = Signer::Stranger;
    }),
    Lie("a key for encryption", |draft, keys, _| {
        draft.header["kid"] = keys.encryption.kid.clone().into();
        draft.signer = Signer::Encryption;
    }),
    Lie("an extension that must be understood", |draft, _, _| {
        draft.header["crit"] = json!(["b64"]);
        draft.header["b64"] = false.into();
    }),
    Lie("an access token", |draft, _, _| draft.header["typ"] = "at+jwt".into()),
    Lie("for another client", |draft, _, _| draft.claims["aud"] = "another".into()),
    Lie("for nobody", |draft, _, _| draft.without("aud")),
    Lie("for none of several", |draft, _, _| draft.claims["aud"] = json!([])),
    Lie("for several, without a party", |draft, _, _| draft.claims["aud"] = json!(["weft", "another"])),
    Lie("for several, of another party", |draft, _, _| {
        draft.claims["aud"] = json!(["weft", "another"]);
        draft.claims["azp"] = "another".into();
    }),
    Lie("of another party", |draft, _, _| draft.claims["azp"] = "another".into()),
    Lie("from another issuer", |draft, _, _| draft.claims["iss"] = "https://evil.example".into()),
    Lie("from an issuer with a slash more", |draft, _, issuer| draft.claims["iss"] = format!("{issuer}/").into()),
    Lie("from nobody", |draft, _, _| draft.without("iss")),
    Lie("expired", |draft, _, _| draft.claims["exp"] = (now() - 10).into()),
    Lie("without an end", |draft, _, _| draft.without("exp")),
    Lie("with words for an end", |draft, _, _| draft.claims["exp"] = "tomorrow".into()),
    Lie("issued in the future", |draft, _, _| {
        draft.claims["iat"] = (now() + 100_000).into();
        draft.claims["exp"] = (now() + 200_000).into();
    }),
    Lie("issued never", |draft, _, _| draft.without("iat")),
    Lie("not yet valid", |draft, _, _| draft.claims["nbf"] = (now() + 100_000).into()),
    Lie("valid from a word", |draft, _, _| draft.claims["nbf"] = "tomorrow".into()),
    Lie("about nobody", |draft, _, _| draft.without("sub")),
    Lie("about a number", |draft, _, _| draft.claims["sub"] = 7.into()),
];

/// What only signing in looks at.
pub const ABOUT_SIGN_IN: &[Lie] = &[
    Lie("without the nonce", |draft, _, _| draft.without("nonce")),
    Lie("with another nonce", |draft, _, _| draft.claims["nonce"] = "another".into()),
    Lie("about an empty name", |draft, _, _| draft.claims["sub"] = "".into()),
    Lie("a logout token", logout),
    Lie("an address that is not verified", |draft, _, _| draft.claims["email_verified"] = false.into()),
    Lie("a name of Kubernetes", |draft, _, _| draft.claims["email"] = "system:admin".into()),
    Lie("a name of several lines", |draft, _, _| draft.claims["email"] = "ada\nFORGED".into()),
    Lie("a name without an end", |draft, _, _| draft.claims["email"] = "<script>".repeat(20_000).into()),
];

/// What only signing out looks at.
pub const ABOUT_LOGOUT: &[Lie] = &[
    Lie("without events", |draft, _, _| draft.without("events")),
    Lie("another event", |draft, _, _| draft.claims["events"] = json!({"http://evil.example": {}})),
    Lie("an event that is none", |draft, _, _| {
        draft.claims["events"] = json!({"http://schemas.openid.net/event/backchannel-logout": true});
    }),
    Lie("events as a list", |draft, _, _| {
        draft.claims["events"] = json!(["http://schemas.openid.net/event/backchannel-logout"]);
    }),
    Lie("with a nonce", |draft, _, _| draft.claims["nonce"] = "x".into()),
    Lie("without a name", |draft, _, _| draft.without("jti")),
    Lie("about a session without a name", |draft, _, _| draft.claims["sid"] = "".into()),
    Lie("about a session that is a number", |draft, _, _| draft.claims["sid"] = 1.into()),
    Lie("about somebody and no session", |draft, _, _| draft.claims["sid"] = json!(null)),
    Lie("of yesterday", |draft, _, _| draft.claims["iat"] = (now() - 86_400).into()),
];

fn hmac(draft: &mut Draft, secret: Vec<u8>) {
    draft.header["alg"] = "HS256".into();
    draft.header.as_object_mut().unwrap().remove("kid");
    draft.signer = Signer::Hmac(secret);
}
