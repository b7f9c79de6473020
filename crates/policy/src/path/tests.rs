use proptest::prelude::*;

use super::*;

const BASE: PathNormalization =
    PathNormalization { dot_segments: true, merge_slashes: false, escaped_slashes: EscapedSlashes::Keep };
const MERGE: PathNormalization = PathNormalization { merge_slashes: true, ..BASE };
const DECODE: PathNormalization = PathNormalization { escaped_slashes: EscapedSlashes::Unescape, ..MERGE };

fn path(input: &str, how: PathNormalization) -> Result<String, BadPath> {
    normalize_path(input, how).map(|n| match n {
        Normalized::Path(path) => path.into_owned(),
        Normalized::Redirect(to) => format!("-> {to}"),
    })
}

#[test]
fn base() {
    for (from, to) in [
        ("/", "/"),
        ("/a/b?x=/../y", "/a/b?x=/../y"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/..", "/"),
        ("/../../a", "/a"),
        ("/a/%2e%2E/admin", "/admin"),
        ("/%61dmin", "/admin"),
        ("/a\\b\\..\\c", "/a/c"),
        ("\\a", "/a"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a//b", "/a//b"),
        ("/a//../b", "/a/b"),
        ("/a b", "/a b"),
        ("/.hidden/...", "/.hidden/..."),
        ("*", "*"),
        ("/caf\u{e9}/./x", "/caf\u{e9}/x"),
        ("/a%20b%7e", "/a%20b~"),
    ] {
        assert_eq!(path(from, BASE).as_deref(), Ok(to), "{from}");
    }
}

#[test]
fn malformed_paths_are_refused() {
    for (from, why) in [
        ("a", BadPath::NotAbsolute),
        ("", BadPath::NotAbsolute),
        ("http://x/", BadPath::NotAbsolute),
        ("/a#b", BadPath::Fragment),
        ("/%", BadPath::Escape),
        ("/%2", BadPath::Escape),
        ("/%2%65", BadPath::Escape),
        ("/%zz", BadPath::Escape),
        ("/%00", BadPath::Control),
        ("/a\u{1}", BadPath::Control),
    ] {
        assert_eq!(path(from, BASE), Err(why), "{from}");
    }
    let reject = PathNormalization { escaped_slashes: EscapedSlashes::Reject, ..BASE };
    assert_eq!(path("/a%2fb", reject), Err(BadPath::EscapedSlash));
    assert_eq!(path("/a%5Cb", reject), Err(BadPath::EscapedSlash));
}

#[test]
fn merging_and_decoding() {
    assert_eq!(path("/a///b//", MERGE).unwrap(), "/a/b/");
    assert_eq!(path("/a%2f..%2Fadmin", DECODE).unwrap(), "/admin");
    assert_eq!(path("/a%5c%5Cb", DECODE).unwrap(), "/a/b");
    let redirect = PathNormalization { escaped_slashes: EscapedSlashes::UnescapeAndRedirect, ..MERGE };
    assert_eq!(path("/a%2Fb?q", redirect).unwrap(), "-> /a/b?q");
    assert_eq!(path("/a/./b", redirect).unwrap(), "/a/b");
    assert_eq!(path("/%zz//..", PathNormalization::default()).unwrap(), "/%zz//..");
}

#[test]
fn normal_paths_are_borrowed() {
    let Ok(Normalized::Path(Cow::Borrowed(_))) = normalize_path("/api/v1/orders?x=%zz", DECODE) else { panic!() };
}

fn how() -> impl Strategy<Value = PathNormalization> {
    let slashes = prop_oneof![
        Just(EscapedSlashes::Keep),
        Just(EscapedSlashes::Reject),
        Just(EscapedSlashes::Unescape),
        Just(EscapedSlashes::UnescapeAndRedirect)
    ];
    (any::<bool>(), any::<bool>(), slashes).prop_map(|(dot_segments, merge_slashes, escaped_slashes)| {
        PathNormalization { dot_segments, merge_slashes, escaped_slashes }
    })
}

proptest! {
    #[test]
    fn idempotent(tail in "[./\\\\%25eEfFaA0c?#~é ]{0,24}", how in how()) {
        if let Ok(Normalized::Path(once)) = normalize_path(&format!("/{tail}"), how) {
            prop_assert_eq!(normalize_path(&once, how), Ok(Normalized::Path(Cow::Borrowed(&*once))));
        }
    }

    #[test]
    fn nothing_to_climb_with_is_left(tail in "[./\\\\%25eEfFaA0c?]{0,24}", merge in any::<bool>()) {
        let how = PathNormalization { merge_slashes: merge, ..BASE };
        if let Ok(Normalized::Path(path)) = normalize_path(&format!("/{tail}"), how) {
            let only = path.split('?').next().unwrap();
            prop_assert!(only.starts_with('/') && !only.contains('\\'));
            prop_assert!(only.split('/').all(|s| s != "." && s != ".."), "{only}");
            prop_assert!(!only.to_ascii_lowercase().contains("%2e"));
            prop_assert!(!merge || !only.contains("//"));
        }
    }

    #[test]
    fn never_panics(path in ".{0,64}", how in how()) {
        let _ = normalize_path(&path, how);
    }
}
