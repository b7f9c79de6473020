//! People whom a proxy in front of the console signed in (oauth2-proxy and its like).

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use super::{
    args::ProxyHeaders,
    identity::{self, IdentityError, User},
};

/// Proxies that are believed.
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    headers: [HeaderName; 4],
}

impl TrustedProxies {
    /// Believes what comes from these networks.
    pub fn new(networks: Vec<IpNet>, family: ProxyHeaders) -> Self {
        let prefix = match family {
            ProxyHeaders::Forwarded => {
                ["x-forwarded-user", "x-forwarded-preferred-username", "x-forwarded-email", "x-forwarded-groups"]
            }
            ProxyHeaders::AuthRequest => [
                "x-auth-request-user",
                "x-auth-request-preferred-username",
                "x-auth-request-email",
                "x-auth-request-groups",
            ],
        };
        Self { networks, headers: prefix.map(HeaderName::from_static) }
    }

    /// Whether an address is a proxy's.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        within(&self.networks, peer)
    }

    /// Whom the proxy at `peer` signed in; `None` when the request does not come from a proxy or it names nobody. The
    /// same headers from anywhere else are a stranger's words.
    pub fn user(&self, peer: IpAddr, headers: &HeaderMap) -> Result<Option<User>, IdentityError> {
        if !self.trusts(peer) {
            return Ok(None);
        }
        let [user, preferred, email, groups] = &self.headers;
        let once = |name: &HeaderName| {
            let mut values = headers.get_all(name).iter();
            let first = values.next().map(|value| value.to_str().map_err(|_| IdentityError::Strange)).transpose()?;
            // A second one was added on the way by somebody whom the proxy did not stop.
            if values.next().is_some() { Err(IdentityError::Strange) } else { Ok(first) }
        };
        let (user, preferred, email) = (once(user)?, once(preferred)?, once(email)?);
        let Some(subject) = user.or(email) else { return Ok(None) };
        let groups = once(groups)?.unwrap_or_default().split(',').map(|group| group.trim().to_owned());
        identity::user("proxy", subject, email.or(preferred).unwrap_or(subject), email, groups).map(Some)
    }
}

/// Whether an address is in one of these networks, however it was listened for.
pub fn within(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        pairs.collect()
    }

    #[test]
    fn a_proxy_names_people_and_strangers_do_not() {
        let proxies = TrustedProxies::new(vec!["10.1.0.0/16".parse().unwrap()], ProxyHeaders::Forwarded);
        let told = headers(&[
            ("x-forwarded-user", "17"),
            ("x-forwarded-email", "ada@example.org"),
            ("x-forwarded-groups", "team, leads,system:masters"),
        ]);
        let ada = proxies.user("10.1.2.3".parse().unwrap(), &told).unwrap().unwrap();
        assert_eq!((ada.name.as_str(), ada.subject.as_str()), ("ada@example.org", "17"));
        assert_eq!(ada.groups, ["leads", "team"]);
        assert!(proxies.user("::ffff:10.1.2.3".parse().unwrap(), &told).unwrap().is_some());
        for stranger in ["10.2.0.1", "127.0.0.1", "::1"] {
            assert!(proxies.user(stranger.parse().unwrap(), &told).unwrap().is_none(), "{stranger}");
        }
    }

    #[test]
    fn doubled_and_reserved_names_are_refused() {
        let proxies = TrustedProxies::new(vec!["10.1.0.0/16".parse().unwrap()], ProxyHeaders::AuthRequest);
        let peer = "10.1.2.3".parse().unwrap();
        let doubled = headers(&[("x-auth-request-user", "a"), ("x-auth-request-user", "b")]);
        let mut twice = doubled.clone();
        twice.append("x-auth-request-user", "c".parse().unwrap());
        assert_eq!(proxies.user(peer, &twice), Err(IdentityError::Strange));
        let reserved = headers(&[("x-auth-request-user", "system:admin")]);
        assert!(proxies.user(peer, &reserved).is_err());
        assert!(proxies.user(peer, &headers(&[("x-forwarded-user", "a")])).unwrap().is_none());
    }
}
