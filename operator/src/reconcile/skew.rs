//! Which versions may meet: control planes and proxies at most one minor version apart, as Istio has it.

use std::{collections::BTreeMap, fmt};

/// A version's major and minor number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Minor(u64, u64);

impl Minor {
    /// Reads `1.2.3`, `v1.2.3-rc.1`; a tag that says no version gives nothing, and then nothing can be checked.
    fn of(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix('v').unwrap_or(text).split(['.', '-', '+']);
        Some(Self(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }

    fn meets(self, other: Self) -> bool {
        self.0 == other.0 && self.1.abs_diff(other.1) <= 1
    }
}

/// Proxies of one version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// How many.
    pub count: usize,
    /// The pod of one of them, `namespace/name`; empty where none is known.
    pub pod: String,
}

impl Proxies {
    fn example(&self) -> String {
        match (self.pod.as_str(), self.count) {
            ("", _) => String::new(),
            (pod, 1) => format!(" ({pod})"),
            (pod, _) => format!(" (such as {pod})"),
        }
    }
}

impl fmt::Display for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            1 => f.write_str("1 proxy has"),
            count => write!(f, "{count} proxies have"),
        }
    }
}

/// Why a version is not installed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkewError {
    /// The operator cannot know what it would install.
    #[error(
        "version {wanted} is newer than this operator ({operator}): upgrade the operator first (the weft command of that \
         version with weft upgrade; helm upgrade where Helm installed it), or ask for {operator}"
    )]
    NewerThanOperator {
        /// Asked for.
        wanted: String,
        /// Ours.
        operator: String,
    },
    /// Too old for this operator.
    #[error(
        "version {wanted} is more than one minor version older than this operator ({operator}): ask for a version \
         that is nearer, or install an older operator"
    )]
    TooOld {
        /// Asked for.
        wanted: String,
        /// Ours.
        operator: String,
    },
    /// More than one step from what runs.
    #[error(
        "version {wanted} is more than one minor version from the running {installed}: go through each minor version in \
         turn, or install it beside this one under another spec.revision"
    )]
    Leap {
        /// Asked for.
        wanted: String,
        /// In force.
        installed: String,
    },
    /// Proxies would be left behind.
    #[error(
        "{proxies} version {version}{}, more than one minor version from {wanted}: restart their pods first (kubectl rollout \
         restart), so that they get the present proxy; pods whose annotation sidecar.istio.io/proxyImage asks for it have to \
         ask for another one",
        proxies.example()
    )]
    Proxies {
        /// Asked for.
        wanted: String,
        /// Theirs.
        version: String,
        /// Who they are.
        proxies: Proxies,
    },
}

/// Whether a control plane of tag `running` (none: there is none) comes to another minor version with `wanted`. Tags that are
/// no versions move nowhere.
pub fn moves(running: Option<&str>, wanted: &str) -> bool {
    Minor::of(wanted).is_some_and(|new| running.and_then(Minor::of) != Some(new))
}

/// Whether `wanted` may be installed: by this operator, over `installed` (empty when nothing is), with these proxies
/// connected. Tags that are no versions pass.
pub fn check(
    operator: &str,
    installed: &str,
    wanted: &str,
    proxies: &BTreeMap<String, Proxies>,
) -> Result<(), SkewError> {
    let (Some(ours), Some(new)) = (Minor::of(operator), Minor::of(wanted)) else { return Ok(()) };
    if new > ours {
        return Err(SkewError::NewerThanOperator { wanted: wanted.into(), operator: operator.into() });
    }
    if !new.meets(ours) {
        return Err(SkewError::TooOld { wanted: wanted.into(), operator: operator.into() });
    }
    if Minor::of(installed).is_some_and(|old| !old.meets(new)) {
        return Err(SkewError::Leap { wanted: wanted.into(), installed: installed.into() });
    }
    let behind = proxies.iter().find(|(version, _)| Minor::of(version).is_some_and(|proxy| !proxy.meets(new)));
    match behind {
        Some((version, proxies)) => {
            Err(SkewError::Proxies { wanted: wanted.into(), version: version.clone(), proxies: proxies.clone() })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_minor_version_is_the_window() {
        let none = BTreeMap::new();
        assert_eq!(check("1.4.2", "", "1.4.0", &none), Ok(()));
        assert_eq!(check("1.4.2", "1.3.9", "1.4.0", &none), Ok(()));
        assert_eq!(check("1.4.2", "1.4.0", "1.3.1", &none), Ok(()), "back again");
        assert_eq!(check("1.4.2", "", "canary-a1b2", &none), Ok(()), "no version, nothing to check");
        assert!(matches!(check("1.4.2", "", "1.5.0", &none), Err(SkewError::NewerThanOperator { .. })));
        let newer = check("1.4.2", "", "1.5.0", &none).unwrap_err().to_string();
        assert!(newer.contains("weft upgrade") && newer.contains("helm upgrade"), "{newer}");
        assert!(matches!(check("1.4.2", "", "2.0.0", &none), Err(SkewError::NewerThanOperator { .. })));
        assert!(matches!(check("1.4.2", "", "v1.2.9", &none), Err(SkewError::TooOld { .. })));
        assert!(matches!(check("1.4.2", "1.2.0", "1.4.2", &none), Err(SkewError::Leap { .. })));
    }

    #[test]
    fn a_change_of_the_minor_version_is_a_move() {
        assert!(moves(None, "1.4.0") && moves(Some("1.3.9"), "1.4.0") && moves(Some("canary"), "1.4.0"));
        assert!(!moves(Some("1.4.9"), "v1.4.0") && !moves(None, "canary"));
    }

    #[test]
    fn proxies_that_would_be_left_behind_keep_a_version_away() {
        let of = |count| Proxies { count, pod: "shop/web".into() };
        let proxies =
            BTreeMap::from([("1.3.0".to_owned(), of(40)), ("1.2.0".to_owned(), of(2)), ("dev".to_owned(), of(1))]);
        let refused = check("1.4.0", "1.3.0", "1.4.0", &proxies).unwrap_err();
        assert_eq!(refused, SkewError::Proxies { wanted: "1.4.0".into(), version: "1.2.0".into(), proxies: of(2) });
        let words = refused.to_string();
        assert!(words.starts_with("2 proxies have version 1.2.0 (such as shop/web), more"), "{words}");
        assert!(words.contains("rollout restart"), "{words}");
        assert_eq!(check("1.4.0", "1.3.0", "1.3.0", &proxies), Ok(()));
    }
}
