//! The two cookies: one for a session, one that binds a sign-in to the browser that began it. Both are `__Host-`
//! cookies (RFC 6265bis, 4.1.3.2): no other host or path can set or see them. Browsers take them over plain HTTP from
//! loopback addresses too.

use axum::http::{HeaderMap, HeaderValue, header};

use super::secret::Secret;

/// Holds a session.
pub const SESSION: &str = "__Host-weft-session";
/// Binds a sign-in that is under way to its browser.
pub const LOGIN: &str = "__Host-weft-login";

/// The cookie's secret. Sent twice it is refused: then somebody else set one of them.
pub fn read(headers: &HeaderMap, name: &str) -> Option<Secret> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut values = pairs.flat_map(|text| text.split(';')).filter_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    });
    let first = values.next()?;
    if values.next().is_some() {
        return None;
    }
    Secret::read(&first)
}

/// Gives the browser a secret for `seconds`. `Lax`, because the way back from the provider is a navigation that another
/// site began, and a link to the console in a chat should find its reader signed in; writes are guarded by more.
pub fn set(name: &str, secret: &Secret, seconds: u64) -> Option<HeaderValue> {
    let text = format!("{name}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}", secret.expose());
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Takes a cookie away.
pub fn remove(name: &str) -> HeaderValue {
    let text = format!("{name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookies: &[&str]) -> HeaderMap {
        cookies.iter().map(|text| (header::COOKIE, HeaderValue::from_str(text).unwrap())).collect()
    }

    #[test]
    fn one_cookie_is_read_and_two_are_none() {
        let secret = Secret::new().unwrap();
        let pair = format!("{SESSION}={}", secret.expose());
        assert_eq!(read(&headers(&[&format!("a=b; {pair}; c=d")]), SESSION).unwrap(), secret);
        assert_eq!(read(&headers(&["a=b", &pair]), SESSION).unwrap(), secret);
        assert!(read(&headers(&[&pair, &pair]), SESSION).is_none());
        assert!(read(&headers(&[&format!("{pair}; {pair}")]), SESSION).is_none());
        assert!(read(&headers(&["weft-session=abc", "x"]), SESSION).is_none());
        assert!(read(&headers(&[]), SESSION).is_none());
    }

    #[test]
    fn a_cookie_is_for_this_host_alone() {
        let secret = Secret::new().unwrap();
        let value = set(SESSION, &secret, 60).unwrap();
        assert!(value.is_sensitive());
        let text = value.to_str().unwrap();
        for part in ["__Host-", "Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=60"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("Domain"));
        assert!(remove(SESSION).to_str().unwrap().contains("Max-Age=0"));
    }
}
