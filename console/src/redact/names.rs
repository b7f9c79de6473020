//! Names of what is hidden, in words about what is not: a finding about one object may name another.

use weft_model::Diagnostic;

/// What stands for a name.
const ELSEWHERE: &str = "(in a namespace that you may not read)";

/// Takes out of a finding what it says of objects in namespaces that `hides` affirms.
pub fn finding(finding: &mut Diagnostic, hides: &mut dyn FnMut(&str) -> bool) {
    let message = message(&finding.message, hides);
    let guesses = |text: &str| text.starts_with("did you mean");
    let about_hidden = |text: &String| (message.is_some() && guesses(text)) || mentions(text, hides);
    // A suggestion that may not be read whole is of no use, and a guess is one of the names that are hidden.
    if finding.suggestion.as_ref().is_some_and(about_hidden) {
        finding.suggestion = None;
    }
    if let Some(message) = message {
        finding.message = message;
    }
}

/// What a finding says, without what it says of objects in namespaces that `hides` affirms; `None` when that is nothing.
pub fn message(text: &str, hides: &mut dyn FnMut(&str) -> bool) -> Option<String> {
    let said = without(text, hides)?;
    // The subsets that a rule defines are hidden with it.
    let defines = format!("{ELSEWHERE} defines ");
    let cut = said.split_once(&defines).map(|(before, _)| format!("{before}{defines}others"));
    Some(cut.unwrap_or(said))
}

/// The text with other words for each `namespace/name` whose namespace `hides` affirms; `None` when there is none.
fn without(text: &str, hides: &mut dyn FnMut(&str) -> bool) -> Option<String> {
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
        let mut about = Diagnostic {
            code: "WEFT0002".to_owned(),
            aliases: Vec::new(),
            severity: weft_model::Severity::Error,
            message: "the subset \"v9\" of \"cart\" is not defined: DestinationRule vault/keys defines \"gold\""
                .to_owned(),
            object: None,
            field: String::new(),
            file: None,
            line: None,
            column: None,
            suggestion: Some("did you mean \"gold\"?".to_owned()),
        };
        finding(&mut about, &mut hides);
        assert!(about.message.ends_with(&format!("DestinationRule {ELSEWHERE} defines others")), "{}", about.message);
        assert_eq!(about.suggestion, None);
        for (text, hidden) in [
            ("did you mean \"pay.vault.svc.cluster.local\", in namespace vault?", true),
            ("write \"vault/gate\"", true),
            ("did you mean \"vaults\"?", false),
        ] {
            assert_eq!(mentions(text, &mut hides), hidden, "{text}");
        }
    }
}
