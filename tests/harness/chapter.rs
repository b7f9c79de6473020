//! The customer's document, taken as it stands.

use crate::process::root;

/// The chapter's text; `None`, said out loud, where it does not lie beside the checkout. In CI that is a failure, unless
/// WEFT_WITHOUT_CHAPTER says that it is known.
pub fn text() -> Option<String> {
    let path = root().join("../shared/chapter.txt");
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) => {
            let known = ["CI", "WEFT_WITHOUT_CHAPTER"].map(|name| std::env::var_os(name).is_some()) != [true, false];
            assert!(known, "{}: {error}", path.display());
            eprintln!("SKIPPED: {} is not there ({error}); the chapter's YAML was not tried", path.display());
            None
        }
    }
}

/// Each run of YAML documents, from `apiVersion:` to the next blank line or heading.
pub fn yaml_blocks(text: &str) -> Vec<String> {
    blocks(text, |line| line.starts_with("apiVersion:"))
}

/// The PromQL of the error rate.
pub fn error_rate_query(text: &str) -> String {
    let mut found = blocks(text, |line| line.starts_with("sum(rate("));
    assert_eq!(found.len(), 1, "the chapter has one PromQL block");
    found.remove(0)
}

fn blocks(text: &str, begins: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        match &mut block {
            Some(open) if line.trim().is_empty() => {
                found.push(std::mem::take(open));
                block = None;
            }
            Some(open) => {
                open.push_str(line);
                open.push('\n');
            }
            None if begins(line) => block = Some(format!("{line}\n")),
            None => {}
        }
    }
    found.extend(block);
    found
}

/// The block that holds a document of this kind and name.
pub fn block(text: &str, kind: &str, name: &str) -> String {
    yaml_blocks(text)
        .into_iter()
        .find(|block| block.contains(&format!("kind: {kind}\n")) && block.contains(&format!("name: {name}\n")))
        .unwrap_or_else(|| panic!("the chapter has no {kind} {name}"))
}
