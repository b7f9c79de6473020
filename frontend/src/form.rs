//! Values of a form by their JSON pointers.

/// A pointer's steps, `~0` and `~1` taken back.
pub fn steps(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

/// Of `/arms/1/weight`: the list's pointer and the item's index.
pub fn item(pointer: &str) -> Option<(String, usize)> {
    let (parent, _) = pointer.rsplit_once('/')?;
    let (list, index) = parent.rsplit_once('/')?;
    Some((list.to_owned(), index.parse().ok()?))
}

/// Of `/rules/2`: the list's pointer and the index.
pub fn last(pointer: &str) -> Option<(String, usize)> {
    let (list, index) = pointer.rsplit_once('/')?;
    Some((list.to_owned(), index.parse().ok()?))
}

/// Words of a list that is written with commas.
pub fn words(text: &str) -> Vec<String> {
    text.split([',', '\n']).map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What a wizard is about: `namespace/name`, a namespace alone without a slash.
pub fn about(of: &str) -> (String, String) {
    let (namespace, name) = of.split_once('/').unwrap_or((of, ""));
    (namespace.trim().to_owned(), name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_lead_to_items() {
        assert_eq!(steps("/a~1b/0/c~0"), ["a/b", "0", "c~"]);
        assert_eq!(item("/arms/1/weight"), Some(("/arms".into(), 1)));
        assert_eq!(item("/route"), None);
        assert_eq!(last("/rules/2"), Some(("/rules".into(), 2)));
        assert_eq!(last("/rules/x"), None);
    }

    #[test]
    fn texts_become_words() {
        assert_eq!(words(" /a, /b,,\n/c "), ["/a", "/b", "/c"]);
        assert_eq!(about("shop/orders"), ("shop".into(), "orders".into()));
        assert_eq!(about("shop"), ("shop".into(), String::new()));
    }
}
