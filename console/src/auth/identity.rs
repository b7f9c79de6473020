//! Who somebody is, from what a provider or a proxy says of them.

use serde_json::{Map, Value};

/// Groups of one person that are kept; a provider that names more names a directory.
const MAX_GROUPS: usize = 500;
/// Longest name of a user or group, in bytes.
const MAX_NAME: usize = 256;
/// Users and groups of Kubernetes itself. No provider and no proxy may name one.
const RESERVED: &str = "system:";

/// Somebody who signed in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct User {
    /// Who said so: the provider's issuer, `proxy`, `link`, `cluster`.
    pub issuer: String,
    /// The person's id there.
    pub subject: String,
    /// The name that rights are given to.
    pub name: String,
    /// For people to read.
    pub email: Option<String>,
    /// Groups, ordered, without repetition.
    pub groups: Vec<String>,
}

/// How names are made of claims, as the API server's flags of the same names.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Claim with the user's name.
    pub username_claim: String,
    /// Put before it.
    pub username_prefix: String,
    /// Claim with the groups.
    pub groups_claim: String,
    /// Put before each.
    pub groups_prefix: String,
}

/// Why claims name nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The claim is missing or no text.
    #[error(
        "the provider did not say the claim {0}; choose another one with --oidc-username-claim, or ask for it with --oidc-scopes"
    )]
    NoName(String),
    /// The address was not verified by the provider, so it may be anybody's.
    #[error("the provider has not verified the e-mail address")]
    Unverified,
    /// The name belongs to Kubernetes.
    #[error("the name {0} is reserved for Kubernetes itself")]
    Reserved(String),
    /// Longer than any name, or with control characters.
    #[error("the name that the provider gave is no name")]
    Strange,
}

impl Mapping {
    /// The user of verified claims.
    pub fn user(&self, issuer: &str, claims: &Map<String, Value>) -> Result<User, IdentityError> {
        let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
        let name = text(&self.username_claim).ok_or_else(|| IdentityError::NoName(self.username_claim.clone()))?;
        // As the API server has it: an address that says of itself that it is not verified names nobody.
        if self.username_claim == "email" && claims.get("email_verified").is_some_and(|verified| *verified != true) {
            return Err(IdentityError::Unverified);
        }
        let groups = match claims.get(&self.groups_claim) {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let groups = groups.into_iter().map(|group| format!("{}{group}", self.groups_prefix));
        user(issuer, text("sub").unwrap_or(name), &format!("{}{name}", self.username_prefix), text("email"), groups)
    }
}

/// Puts a user together. Reserved and impossible groups are left out, since they only could give rights.
pub fn user(
    issuer: &str,
    subject: &str,
    name: &str,
    email: Option<&str>,
    groups: impl Iterator<Item = String>,
) -> Result<User, IdentityError> {
    if !is_name(name) || !is_name(subject) {
        return Err(IdentityError::Strange);
    }
    if name.starts_with(RESERVED) {
        return Err(IdentityError::Reserved(name.to_owned()));
    }
    let mut groups: Vec<String> =
        groups.filter(|group| is_name(group) && !group.starts_with(RESERVED)).take(MAX_GROUPS).collect();
    groups.sort();
    groups.dedup();
    let email = email.filter(|email| is_name(email)).map(str::to_owned);
    Ok(User { issuer: issuer.to_owned(), subject: subject.to_owned(), name: name.to_owned(), email, groups })
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MAX_NAME && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(claims: &Value) -> Result<User, IdentityError> {
        let mapping = Mapping {
            username_claim: "email".into(),
            username_prefix: String::new(),
            groups_claim: "groups".into(),
            groups_prefix: "oidc:".into(),
        };
        mapping.user("https://id.example.org", claims.as_object().unwrap())
    }

    #[test]
    fn claims_name_a_user() {
        let claims = json!({"sub": "1", "email": "ada@example.org", "email_verified": true, "groups": ["b", "a", "b"]});
        let ada = read(&claims).unwrap();
        assert_eq!((ada.name.as_str(), ada.subject.as_str()), ("ada@example.org", "1"));
        assert_eq!(ada.groups, ["oidc:a", "oidc:b"]);
        assert_eq!(read(&json!({"sub": "1", "email": "a@b", "groups": "one"})).unwrap().groups, ["oidc:one"]);
        assert!(read(&json!({"sub": "1", "email": "a@b", "groups": {"x": 1}})).unwrap().groups.is_empty());
    }

    #[test]
    fn claims_that_name_nobody_are_refused() {
        assert_eq!(read(&json!({"sub": "1"})), Err(IdentityError::NoName("email".into())));
        assert_eq!(read(&json!({"sub": "1", "email": 7})), Err(IdentityError::NoName("email".into())));
        for verified in [json!(false), json!("false"), json!(null)] {
            let claims = json!({"sub": "1", "email": "a@b", "email_verified": verified});
            assert_eq!(read(&claims), Err(IdentityError::Unverified));
        }
        for name in ["system:admin", "system:serviceaccount:a:b"] {
            assert_eq!(read(&json!({"sub": "1", "email": name})), Err(IdentityError::Reserved(name.into())));
        }
        for name in [" ", "a\nb", &"x".repeat(300)] {
            assert_eq!(read(&json!({"sub": "1", "email": name})), Err(IdentityError::Strange));
        }
    }

    #[test]
    fn groups_of_kubernetes_are_left_out() {
        let groups = ["system:masters", "team", "a\u{0}b", ""].map(str::to_owned);
        assert_eq!(user("x", "1", "ada", None, groups.into_iter()).unwrap().groups, ["team"]);
        let many = (0..2000).map(|n| format!("g{n}"));
        assert_eq!(user("x", "1", "ada", None, many).unwrap().groups.len(), MAX_GROUPS);
    }
}
