//! `credentialName`: which Secret it means, and what of the Secret is taken. Whoever follows, sends, checks or shows
//! credentials reads them by these.

/// Ends the name of the Secret that has the roots, when the credential's own Secret has none.
const ROOTS_SUFFIX: &str = "-cacert";

/// Whether it can be a Secret's name, with room for that of its roots. Others, such as paths and URLs, must not reach a field
/// selector.
pub fn is_secret_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    !name.is_empty() && name.len() + ROOTS_SUFFIX.len() <= 253 && name.bytes().all(plain)
}

/// The Secret that has a credential's roots, when the credential's own has none.
pub fn roots_secret(credential: &str) -> String {
    format!("{credential}{ROOTS_SUFFIX}")
}

/// Certificate chain and private key by the keys of a Secret: those of a `kubernetes.io/tls` one, or of a generic one. A pair is
/// taken whole; what is empty is not there.
pub fn pair<'s>(value: impl Fn(&str) -> Option<&'s [u8]>) -> Option<(&'s [u8], &'s [u8])> {
    let filled = |key: &str| value(key).filter(|value| !value.is_empty());
    let both = |chain: &str, key: &str| Some((filled(chain)?, filled(key)?));
    both("tls.crt", "tls.key").or_else(|| both("cert", "key"))
}

/// The roots that belong to a credential: of the Secret itself, or of the one beside it. `value` is asked with a Secret's name and
/// a key.
pub fn roots<'s>(credential: &str, value: impl Fn(&str, &str) -> Option<&'s [u8]>) -> Option<&'s [u8]> {
    let beside = roots_secret(credential);
    let of = |secret: &str| {
        ["ca.crt", "cacert"].into_iter().find_map(|key| value(secret, key).filter(|value| !value.is_empty()))
    };
    of(credential).or_else(|| of(&beside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leaves_room_for_that_of_its_roots() {
        assert!(is_secret_name("web-tls.v2") && is_secret_name(&"a".repeat(246)));
        for name in ["", "../etc", "builtin://x", "Web", &"a".repeat(247)] {
            assert!(!is_secret_name(name), "{name}");
        }
        assert_eq!(roots_secret(&"a".repeat(246)).len(), 253);
    }

    #[test]
    fn a_pair_is_taken_whole() {
        let of = |keys: &'static [(&'static str, &'static str)]| {
            pair(|wanted| keys.iter().find(|(key, _)| *key == wanted).map(|(_, value)| value.as_bytes()))
        };
        assert_eq!(
            of(&[("tls.crt", "a"), ("tls.key", "b"), ("cert", "c"), ("key", "d")]),
            Some((&b"a"[..], &b"b"[..]))
        );
        assert_eq!(of(&[("tls.crt", "a"), ("tls.key", ""), ("cert", "c"), ("key", "d")]), Some((&b"c"[..], &b"d"[..])));
        assert_eq!(of(&[("tls.crt", "a"), ("key", "d")]), None);
    }

    #[test]
    fn roots_of_the_secret_itself_come_first() {
        let of = |all: &'static [(&'static str, &'static str, &'static str)]| {
            roots("bank", |secret, wanted| {
                let found = all.iter().find(|(of, key, _)| (*of, *key) == (secret, wanted));
                found.map(|(_, _, value)| value.as_bytes())
            })
        };
        assert_eq!(of(&[("bank-cacert", "ca.crt", "b"), ("bank", "cacert", "a")]), Some(&b"a"[..]));
        assert_eq!(of(&[("bank-cacert", "ca.crt", "b"), ("bank", "ca.crt", "")]), Some(&b"b"[..]));
        assert_eq!(of(&[("other-cacert", "ca.crt", "b")]), None);
    }
}
