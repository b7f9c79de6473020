//! Hostnames as Istio reads them: short names expand by namespace, `*.` prefixes match by suffix.

use std::{borrow::Borrow, fmt};

use serde::{Deserialize, Serialize};

/// A lower-case DNS name, `*`, or a `*.`-prefixed wildcard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hostname(String);

impl Hostname {
    /// Takes a name that is already fully qualified.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(name.as_ref().trim_end_matches('.').to_ascii_lowercase())
    }

    /// Resolves a name found in an object of `namespace`: a name without dots is a Service there
    /// (`reviews` → `reviews.<namespace>.svc.<domain>`), anything else is taken as written. This is Istio's rule;
    /// `reviews.shop` is *not* completed.
    pub fn resolve(name: &str, namespace: &str, domain: &str) -> Self {
        if name.contains('.') || name.contains('*') || name.is_empty() {
            Self::new(name)
        } else {
            Self::new(format!("{name}.{namespace}.svc.{domain}"))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `*` or starts with `*.`.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with('*')
    }

    /// Whether this name, taken as a pattern, covers `other` (which may itself be a wildcard).
    pub fn covers(&self, other: &Hostname) -> bool {
        match self.0.strip_prefix('*') {
            Some("") => true,
            Some(suffix) => other.0.trim_start_matches('*').ends_with(suffix) && other.0.len() >= self.0.len(),
            None => self == other,
        }
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Hostname {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Hostname {
    fn from(s: &str) -> Self {
        Self::new(s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_expand_in_their_namespace_only() {
        assert_eq!(Hostname::resolve("reviews", "shop", "cluster.local").as_str(), "reviews.shop.svc.cluster.local");
        assert_eq!(Hostname::resolve("Api.Example.com", "shop", "cluster.local").as_str(), "api.example.com");
    }

    #[test]
    fn wildcards_cover_by_suffix() {
        let star = Hostname::new("*.example.com");
        assert!(star.covers(&"api.example.com".into()));
        assert!(star.covers(&"*.example.com".into()));
        assert!(!star.covers(&"example.com".into()));
        assert!(!star.covers(&"badexample.com".into()));
        assert!(Hostname::new("*").covers(&star));
    }
}
