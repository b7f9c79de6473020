//! Which of two versions is the older one.

use std::cmp::Ordering;

/// Major, minor and patch number, and whether it is a release: `1.2.0-rc.1` comes before `1.2.0`.
type Numbers = (u64, u64, u64, bool);

/// Reads `1.2.3`, `v1.2`, `1.2.3-rc.1+build`; what says no version gives nothing.
fn numbers(text: &str) -> Option<Numbers> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let text = text.split('+').next().unwrap_or_default();
    let (numbers, pre) = text.split_once('-').map_or((text, ""), |(numbers, pre)| (numbers, pre));
    let mut parts = numbers.split('.');
    let (major, minor) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let patch = parts.next().map_or(Some(0), |patch| patch.parse().ok())?;
    parts.next().is_none().then_some((major, minor, patch, pre.is_empty()))
}

/// Whether a text says a version, as `0.1.1` and `v1.2.0-rc.1` do.
pub fn is_version(text: &str) -> bool {
    numbers(text).is_some()
}

/// The tag of an image; empty where it has none.
pub fn tag_of(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or_default();
    name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or("", |(_, tag)| tag)
}

/// How `left` stands to `right`; nothing when one of them says no version, or both are candidates of one release.
pub fn compare(left: &str, right: &str) -> Option<Ordering> {
    let (left_numbers, right_numbers) = (numbers(left)?, numbers(right)?);
    match left_numbers.cmp(&right_numbers) {
        Ordering::Equal if !left_numbers.3 && left != right => None,
        order => Some(order),
    }
}

/// Whether a definition of our own that a cluster has is to be brought up to `ours`. `present` is what its
/// [`weft_api::crd::VERSION_ANNOTATION`] says: without one it is older than any, and one that cannot be read is left alone.
pub fn is_outdated(present: Option<&str>, ours: &str) -> bool {
    present.is_none_or(|present| compare(present, ours) == Some(Ordering::Less))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        use Ordering::{Equal, Greater, Less};
        for (left, right, expected) in [
            ("0.1.0", "0.1.0", Some(Equal)),
            ("0.9.0", "0.10.0", Some(Less)),
            ("v1.0", "0.10.7", Some(Greater)),
            ("1.2.0-rc.1", "1.2.0", Some(Less)),
            ("1.2.0-rc.1", "1.1.9", Some(Greater)),
            ("1.2.0-rc.1", "1.2.0-rc.2", None),
            ("1.2.0+a", "1.2.0+b", Some(Equal)),
            ("dev", "1.2.0", None),
            ("1.2.3.4", "1.2.0", None),
        ] {
            assert_eq!(compare(left, right), expected, "{left} and {right}");
        }
    }

    #[test]
    fn a_word_is_no_version() {
        assert!(["0.1.1", "v1.2", "1.2.0-rc.1"].into_iter().all(is_version));
        assert!(!["banana", "", "1", "0.1.banana", "canary-1a2b"].into_iter().any(is_version));
    }

    #[test]
    fn a_tag_is_neither_a_port_nor_a_digest() {
        assert_eq!(tag_of("registry:5000/weft/operator:0.1.0"), "0.1.0");
        assert_eq!(tag_of("weft/operator:0.1.0@sha256:00"), "0.1.0");
        assert_eq!((tag_of("registry:5000/operator"), tag_of("weft/operator@sha256:00")), ("", ""));
    }

    #[test]
    fn only_what_is_known_to_be_older_is_brought_up() {
        assert!(is_outdated(None, "0.1.0") && is_outdated(Some("0.0.9"), "0.1.0"));
        for present in ["0.1.0", "0.2.0", "main"] {
            assert!(!is_outdated(Some(present), "0.1.0"), "{present}");
        }
    }
}
