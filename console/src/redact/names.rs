//! Names of what is hidden, in words about what is not: a finding about one object may name another.

use weft_model::Diagnostic;

/// What stands for a name.
const ELSEWHERE: &str = "(in a namespace that you may not read)";

/// Takes out of a finding what it says of objects in namespaces that `hides` affirms.
pub fn finding(finding: &mut Diagnostic, hides: &mut dyn FnMut(&str) -> bool) {
    if let Some(message) = without(&finding.message, hides) {
        finding.message = message;
    }
    // A suggestion that may not be read whole is of no use.
    if finding.suggestion.as_ref().is_some_and(|text| mentions(text, hides)) {
        finding.suggestion = None;
    }
}

/// The text with other words for each `namespace/name` whose namespace `hides` affirms; `None` when there is none.
pub fn without(text: &str, hides: &mut dyn FnMut(&str) -> bool) -> Option<String> {
    let mut shown = String::with_capacity(text.len());
    let mut changed = false;
    for piece in text.split_inclusive(|c: char| !is_part(c)) {
        let name = piece.trim_end_matches(|c: char| !is_part(c));
        match name.split_once('/') {
            Some((namespace, name)) if is_label(namespace) && !name.is_empty() && hides(namespace) => {
                changed = true;
                shown.push_str(ELSEWHERE);
            }
            _ => shown.push_str(name),
        }
        shown.push_str(&piece[name.len()..]);
    }
    changed.then_some(shown)
}

/// Whether a text has a namespace in it that `hides` affirms, in whatever way: `vault/x`, `x.vault.svc`, `namespace vault`.
fn mentions(text: &str, hides: &mut dyn FnMut(&str) -> bool) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').any(|word| is_label(word) && hides(word))
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '.' | '/' | '_')
}

/// Whether it can be the name of a namespace.
fn is_label(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_hidden_namespaces_go_and_nothing_else() {
        let mut hides = |namespace: &str| namespace == "vault";
        let said = without("VirtualService vault/ledger is for shop/cart, too: \"vault/x.y\".", &mut hides);
        let wanted = format!("VirtualService {ELSEWHERE} is for shop/cart, too: \"{ELSEWHERE}\".");
        assert_eq!(said, Some(wanted));
        for kept in ["shop/cart", "vault", "of /vault/x", "networking.istio.io/v1", "90/10", "vault/", ""] {
            assert_eq!(without(kept, &mut hides), None, "{kept}");
        }
        for (text, hidden) in [
            ("did you mean \"pay.vault.svc.cluster.local\", in namespace vault?", true),
            ("write \"vault/gate\"", true),
            ("did you mean \"vaults\"?", false),
        ] {
            assert_eq!(mentions(text, &mut hides), hidden, "{text}");
        }
    }
}
