//! Who may do what, from a file in the CSV shape that Argo CD reads:
//!
//! ```text
//! p, role:shop, virtualservices, *, shop/*, allow
//! g, shop-team, role:shop
//! g, ada@example.org, role:admin
//! ```
//!
//! `p, SUBJECT, RESOURCE, ACTION, NAMESPACE/NAME, allow|deny`: a subject is a user, a group or a role; a resource is a
//! kind's plural (`virtualservices`, or with its group `virtualservices.networking.istio.io`), an action a verb of
//! Kubernetes' RBAC; `*` stands for any text in each of the three. `g, SUBJECT, ROLE` gives a role. A deny wins over
//! every allow. A namespace is seen by whoever may `get` the resource `namespaces` in it.

mod built_in;
mod parse;

use std::collections::{HashMap, HashSet};

use weft_api::Kind;
use weft_model::ObjectRef;

pub use self::parse::PolicyError;
use super::{Verb, identity::User};

/// May do everything.
pub const ADMIN: &str = "role:admin";
/// May read everything.
pub const VIEWER: &str = "role:viewer";

/// Stands for any namespace: no namespace has such a name, so only what is about all of them fits it.
const ANY: &str = "\u{1}";

/// What a role file and the built-in roles (`role:viewer`, `role:operator`, `role:admin`) say together.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    rules: Vec<Rule>,
    /// Roles by user, group or role.
    given: HashMap<String, Vec<String>>,
    default_role: Option<String>,
}

/// One line that begins with `p`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    subject: String,
    resource: String,
    action: String,
    object: String,
    allow: bool,
}

/// What one person may: the rules that are about them.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    rules: Vec<Rule>,
    roles: Vec<String>,
}

impl Policy {
    /// Reads a role file. `default_role` is what everybody has who signed in.
    pub fn new(text: &str, default_role: Option<&str>) -> Result<Self, PolicyError> {
        let mut policy = parse::parse(text)?;
        policy.rules.extend(built_in::rules());
        if let Some(role) = default_role {
            parse::known_role(&policy, role)?;
            policy.default_role = Some(role.to_owned());
        }
        Ok(policy)
    }

    /// What a user may, by name and by groups.
    pub fn grants(&self, user: &User) -> Grants {
        let mut held: HashSet<&str> = HashSet::new();
        let groups = user.groups.iter().map(String::as_str);
        // A name that somebody chose at the provider must not become a role.
        let mut next: Vec<&str> =
            groups.chain([user.name.as_str()]).filter(|name| !name.starts_with("role:")).collect();
        next.extend(self.default_role.as_deref());
        while let Some(subject) = next.pop() {
            if held.insert(subject) {
                next.extend(self.given.get(subject).into_iter().flatten().map(String::as_str));
            }
        }
        let rules = self.rules.iter().filter(|rule| held.contains(rule.subject.as_str())).cloned().collect();
        let mut roles: Vec<String> =
            held.iter().filter(|name| name.starts_with("role:")).map(|name| (*name).to_owned()).collect();
        roles.sort();
        Grants { rules, roles }
    }

    /// What a role may by itself.
    pub fn role(&self, role: &str) -> Grants {
        let rules = self.rules.iter().filter(|rule| rule.subject == role).cloned().collect();
        Grants { rules, roles: vec![role.to_owned()] }
    }
}

impl Grants {
    /// Roles held, ordered.
    pub fn roles(&self) -> &[String] {
        &self.roles
    }

    /// Whether an action on an object is allowed.
    pub fn may(&self, verb: Verb, object: &ObjectRef) -> bool {
        let group = object.group();
        let plural = Kind::of(group, &object.kind)
            .map_or_else(|| object.kind.to_lowercase() + "s", |kind| kind.plural().to_owned());
        self.decide(&plural, group, verb.as_str(), &object.namespace, &object.name)
    }

    /// Whether what is in a namespace may be seen; "" is the mesh as a whole.
    pub fn sees(&self, namespace: &str) -> bool {
        self.decide("namespaces", "", "get", namespace, namespace)
    }

    /// Whether every namespace is seen, those included that nobody knows of yet.
    pub fn sees_all(&self) -> bool {
        self.sees(ANY) && self.rules.iter().all(|rule| rule.allow)
    }

    /// Whether the console itself may be administrated: the whole audit, other people's sessions.
    pub fn is_admin(&self) -> bool {
        self.decide("console", "weft.dev", "admin", "", "console")
    }

    fn decide(&self, plural: &str, group: &str, action: &str, namespace: &str, name: &str) -> bool {
        let qualified = format!("{plural}.{group}");
        let object = format!("{namespace}/{name}");
        let mut matching = self.rules.iter().filter(|rule| {
            (glob(&rule.resource, plural) || (!group.is_empty() && glob(&rule.resource, &qualified)))
                && glob(&rule.action, action)
                && glob(&rule.object, &object)
        });
        let mut allowed = false;
        matching.all(|rule| {
            allowed |= rule.allow;
            rule.allow
        }) && allowed
    }
}

/// Whether `text` fits `pattern`, where `*` is any text. Linear but for the last `*`, so no pattern is slow.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            p = at + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests;
