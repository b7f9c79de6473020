//! In whose name an API server is asked.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::BearerToken;

/// What changes on a cluster are made with. It is always a person's right, and never our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The person's token.
    Token(BearerToken),
    /// Our right to impersonate: the API server judges and records the person.
    Impersonated(Impersonation),
}

/// A person in whose name we ask; never one of Kubernetes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impersonation {
    user: HeaderValue,
    groups: Vec<HeaderValue>,
}

/// Nobody may be impersonated under this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "nobody can be impersonated under that name: names of Kubernetes itself and those with control characters are refused"
)]
pub struct NotImpersonated;

/// Users and groups of Kubernetes itself.
const RESERVED: &str = "system:";
const USER: HeaderName = HeaderName::from_static("impersonate-user");
const GROUP: HeaderName = HeaderName::from_static("impersonate-group");

impl Impersonation {
    /// In the name of `user` with `groups`.
    ///
    /// # Errors
    /// When one of them is empty, reserved (`system:`) or not printable: a group that is left out silently could be the
    /// one that a rule denies.
    pub fn new(user: &str, groups: &[String]) -> Result<Self, NotImpersonated> {
        let name = |text: &str| {
            if text.is_empty() || text.starts_with(RESERVED) {
                return Err(NotImpersonated);
            }
            HeaderValue::from_str(text).map_err(|_| NotImpersonated)
        };
        Ok(Self { user: name(user)?, groups: groups.iter().map(|group| name(group)).collect::<Result<_, _>>()? })
    }
}

impl Credential {
    /// The token, where there is one.
    pub fn token(&self) -> Option<&BearerToken> {
        match self {
            Self::Token(token) => Some(token),
            Self::Impersonated(_) => None,
        }
    }

    /// Puts it into a request's headers.
    pub(crate) fn sign(&self, headers: &mut HeaderMap) {
        match self {
            Self::Token(token) => {
                headers.insert(header::AUTHORIZATION, token.header());
            }
            Self::Impersonated(person) => {
                headers.insert(USER, person.user.clone());
                for group in &person.groups {
                    headers.append(GROUP, group.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_of_kubernetes_itself_is_impersonated() {
        let groups = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (user, named) in [
            ("system:admin", &[][..]),
            ("system:serviceaccount:kube-system:default", &[]),
            ("", &[]),
            ("ada\r\nimpersonate-group: system:masters", &[]),
            ("ada", &["system:masters"]),
            ("ada", &["team", ""]),
            ("ada", &["a\nb"]),
        ] {
            assert_eq!(Impersonation::new(user, &groups(named)), Err(NotImpersonated), "{user:?} {named:?}");
        }
        let mut headers = HeaderMap::new();
        let ada = Impersonation::new("ada@example.org", &groups(&["team", "leads"])).unwrap();
        Credential::Impersonated(ada).sign(&mut headers);
        assert_eq!(headers["impersonate-user"], "ada@example.org");
        assert_eq!(headers.get_all("impersonate-group").iter().collect::<Vec<_>>(), ["team", "leads"]);
        assert!(!headers.contains_key("authorization"));
    }
}
