//! How far two versions may be from each other.

/// Whether a proxy's version is further from its control plane's than one minor version, the window that upgrades keep to.
/// What says no version is not judged.
pub fn skewed(proxy: &str, control_plane: &str) -> bool {
    let (Some(proxy), Some(control_plane)) = (numbers(proxy), numbers(control_plane)) else { return false };
    proxy.0 != control_plane.0 || proxy.1.abs_diff(control_plane.1) > 1
}

/// Major and minor number of `1.2.3`, `v1.2` or `1.2.0-rc.1`.
fn numbers(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.strip_prefix('v').unwrap_or(text).split(['.', '-', '+']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_minor_version_is_allowed() {
        for (proxy, plane, expected) in [
            ("0.1.0", "0.2.3", false),
            ("0.1.0", "0.3.0", true),
            ("v1.4", "1.5.0-rc.1", false),
            ("1.0.0", "2.0.0", true),
            ("", "1.0.0", false),
            ("dev", "1.0.0", false),
        ] {
            assert_eq!(skewed(proxy, plane), expected, "{proxy} {plane}");
        }
    }
}
