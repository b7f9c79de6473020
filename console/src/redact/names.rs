//! Names of what is hidden, in words about what is not: a finding about one object may name another.

use weft_model::Diagnostic;

/// What stands for a name.
const ELSEWHERE: &str = "(in a namespace that you may not read)";
/// What stands for the name of a namespace.
const HIDDEN: &str = "(a namespace that you may not read)";

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

/// Where the next word of a sentence stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where a namespace would be named, as lint says it: `namespace a`, `proxies in a, b and c`, `exported to a and b`.
    Name,
    /// Behind such a name: another may follow.
    Listed,
    /// Anywhere else. A word here is no name, whatever namespaces are called.
    Other,
}

impl Place {
    /// What `word`, which stands in this place behind `last` and before the sign `sign`, makes of it.
    fn after(self, last: &str, word: &str, sign: &str) -> Self {
        match (last, word) {
            (_, "namespace" | "namespaces") | ("proxies", "in") | ("exported", "to") | ("namespaces", "than") => {
                Self::Name
            }
            (_, "and" | "or") if self == Self::Listed => Self::Name,
            (_, "") if matches!(sign, " " | "\"") => self,
            (_, "") if self == Self::Listed && sign == "," => Self::Name,
            (_, "") => Self::Other,
            _ if self == Self::Name && sign == "," => Self::Name,
            _ if self == Self::Name && matches!(sign, "" | " " | "\"") => Self::Listed,
            _ => Self::Other,
        }
    }
}

/// The text with other words for each `namespace/name` whose namespace `hides` affirms, and for each such namespace that
/// is named by itself; `None` when there is none.
fn without(text: &str, hides: &mut dyn FnMut(&str) -> bool) -> Option<String> {
    let mut shown = String::with_capacity(text.len());
    let (mut changed, mut place, mut last) = (false, Place::Other, "");
    for piece in text.split_inclusive(|c: char| !is_part(c)) {
        let word = piece.trim_end_matches(|c: char| !is_part(c));
        let sign = &piece[word.len()..];
        let name = word.trim_end_matches('.');
        let other = match name.split_once('/') {
            Some((namespace, object)) if !object.is_empty() => hidden(namespace, hides).then_some(ELSEWHERE),
            None if place == Place::Name => hidden(name, hides).then_some(HIDDEN),
            _ => None,
        };
        changed |= other.is_some();
        shown.push_str(other.unwrap_or(name));
        shown.push_str(&piece[name.len()..]);
        place = place.after(last, word, sign);
        if !word.is_empty() {
            last = word;
        }
    }
    changed.then_some(shown)
}

fn hidden(word: &str, hides: &mut dyn FnMut(&str) -> bool) -> bool {
    is_label(word) && hides(word)
}

/// Whether a text has a namespace in it that `hides` affirms, in whatever way: `vault/x`, `x.vault.svc`, `namespace vault`.
fn mentions(text: &str, hides: &mut dyn FnMut(&str) -> bool) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').any(|word| hidden(word, hides))
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
    fn namespaces_go_that_are_named_by_themselves() {
        // Ordinary words, and yet some team's namespaces.
        let mut hides = |word: &str| ["vault", "app", "default", "alone", "host", "weights"].contains(&word);
        for (said, shown) in [
            ("proxies in app, shop and vault do not see the host", "proxies in {}, shop and {} do not see the host"),
            ("Service shop/cart is exported to default alone", "Service shop/cart is exported to {} alone"),
            (
                "all in other namespaces than \"app\", \"shop\" or \"vault\".",
                "all in other namespaces than \"{}\", \"shop\" or \"{}\".",
            ),
            ("there is no Gateway \"gate\" in namespace vault.", "there is no Gateway \"gate\" in namespace {}."),
        ] {
            assert_eq!(without(said, &mut hides), Some(shown.replace("{}", HIDDEN)), "{said}");
        }
        for kept in [
            "the weights add up to 90, not 100, in this app",
            "the subset \"app\" of \"default\" is not defined",
            "Service shop/cart is exported to every namespace: set it to default",
            "proxies in shop alone, default or not",
        ] {
            assert_eq!(without(kept, &mut hides), None, "{kept}");
        }
    }

    #[test]
    fn what_lint_says_of_visibility_names_no_hidden_namespace() {
        let networking = "networking.istio.io/v1";
        let host = "cart.shop.svc.cluster.local";
        let objects = [
            serde_json::json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart", "namespace": "shop"},
                "spec": {"ports": [{"name": "http", "port": 80}]}}),
            serde_json::json!({"apiVersion": networking, "kind": "DestinationRule",
                "metadata": {"name": "keys", "namespace": "vault"},
                "spec": {"host": host, "exportTo": [".", "ledger"], "subsets": [{"name": "v1", "labels": {}}]}}),
            serde_json::json!({"apiVersion": networking, "kind": "VirtualService",
                "metadata": {"name": "cart", "namespace": "shop"},
                "spec": {"hosts": [host], "exportTo": [".", "cashier"],
                    "http": [{"route": [{"destination": {"host": host, "subset": "v1"}}]}]}}),
        ];
        let mut store = weft_mesh::Store::new(weft_mesh::Settings::default());
        let put = |one| weft_api::Change::Put(weft_api::parse(one, "default").unwrap().object.into());
        store.apply(objects.iter().map(put).collect());
        let names = ["vault", "ledger", "cashier"];
        let mut found = weft_lint::analyze(&store.snapshot(), &weft_lint::Options::default());
        found.retain(|finding| finding.object.as_ref().is_some_and(|object| object.namespace == "shop"));
        let text = |found: &[Diagnostic]| found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(names.iter().all(|name| text(&found).contains(name)), "{}", text(&found));
        found.iter_mut().for_each(|one| finding(one, &mut |word: &str| names.contains(&word)));
        assert!(!names.iter().any(|name| text(&found).contains(name)), "{}", text(&found));
    }

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
