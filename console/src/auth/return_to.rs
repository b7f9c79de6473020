use url::Url;

/// Longest path to come back to.
const LONGEST: usize = 2048;

/// Where somebody goes after signing in: a path of this console, or its first page. Anything that a browser could take
/// for another site's address is the first page.
pub(super) fn checked(wanted: Option<&str>) -> String {
    let first = || "/".to_owned();
    let Some(wanted) = wanted.filter(|path| path.len() <= LONGEST) else { return first() };
    let odd = |c: char| c.is_control() || c == '\\';
    if !wanted.starts_with('/') || wanted.starts_with("//") || wanted.chars().any(odd) {
        return first();
    }
    // Read as a browser does, it must stay where it is.
    let Ok(base) = Url::parse("http://weft.invalid/") else { return first() };
    match base.join(wanted) {
        Ok(url)
            if url.origin() == base.origin() && !url.path().starts_with("/auth/") && !url.path().starts_with("//") =>
        {
            let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
            // The page keeps its view behind the hash.
            let fragment = url.fragment().map(|fragment| format!("#{fragment}")).unwrap_or_default();
            format!("{}{query}{fragment}", url.path())
        }
        _ => first(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_console_are_gone_to() {
        for (wanted, path) in [
            ("/#/graph?ns=shop", "/#/graph?ns=shop"),
            ("/canaries?ns=shop", "/canaries?ns=shop"),
            ("/", "/"),
            ("/a/../b", "/b"),
            ("/a%2f", "/a%2f"),
        ] {
            assert_eq!(checked(Some(wanted)), path);
        }
        for bad in [
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/a/..//evil.example",
            "javascript:alert(1)",
            "evil",
            "",
            "/auth/login?return_to=/",
            "/auth/../auth/logout",
            &format!("/{}", "x".repeat(3000)),
        ] {
            assert_eq!(checked(Some(bad)), "/", "{bad}");
        }
        assert_eq!(checked(None), "/");
    }
}
