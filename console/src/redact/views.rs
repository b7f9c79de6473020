//! Views that somebody shared: whoever does not see the namespaces that one is of is not told of it.

use std::collections::BTreeSet;

use crate::{auth::Sight, db::ViewRecord};

/// Whether a view's address names only what somebody sees. `known` are the namespaces that there are: any part of the
/// address that is one of these counts as its name.
pub fn shows(location: &str, known: &BTreeSet<String>, sight: &Sight) -> bool {
    if *sight == Sight::All {
        return true;
    }
    let hidden = |text: &str| {
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        words.any(|word| known.contains(word) && !sight.sees(word))
    };
    let (path, query) = location.split_once('?').unwrap_or((location, ""));
    // The room comes first, `#/graph`, and then what is open in it.
    let mut open = path.split('/').skip(2).flat_map(|part| url::form_urlencoded::parse(part.as_bytes()));
    let mut chosen = url::form_urlencoded::parse(query.as_bytes());
    !open.any(|(part, _)| hidden(&part))
        && !chosen.any(|(name, value)| {
            // Namespaces of the scope count also when they are gone.
            hidden(&value) || (name == "ns" && value.split(',').any(|one| !one.is_empty() && !sight.sees(one)))
        })
}

/// Whose a view is, for others: a name without the rest of its address, or of its account.
pub fn owner(view: &ViewRecord) -> &str {
    let name = view.owner.rsplit(':').next().unwrap_or_default();
    name.split('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_of_something_hidden_is_not_told() {
        let known: BTreeSet<String> = ["bank", "graph", "shop"].map(str::to_owned).into();
        let shop = Sight::Only(["shop".to_owned()].into());
        for shown in ["#/graph", "#/graph?ns=shop&window=300", "#/services/shop/cart", "#/graph?find=shop/bank-note"] {
            assert!(shows(shown, &known, &shop), "{shown}");
        }
        for hidden in [
            "#/graph?ns=shop,bank",
            "#/graph?ns=gone",
            "#/graph?select=node%3Abank%2Ftill",
            "#/graph?select=node:bank/till",
            "#/traces?workload=bank/till",
            "#/namespaces/bank",
            "#/services/b%61nk/till",
            "#/graph?find=till.bank.svc",
        ] {
            assert!(!shows(hidden, &known, &shop), "{hidden}");
            assert!(shows(hidden, &known, &Sight::All), "{hidden}");
        }
    }

    #[test]
    fn an_owners_address_is_not_told() {
        let told = |name: &str| {
            let view = ViewRecord {
                id: String::new(),
                owner: name.to_owned(),
                name: String::new(),
                location: String::new(),
                shared: true,
                created_ms: 0,
            };
            owner(&view).to_owned()
        };
        assert_eq!(told("ada@example.org"), "ada");
        assert_eq!(told("oidc:ada@example.org"), "ada");
        assert_eq!(told("system:serviceaccount:bank:robot"), "robot");
        assert_eq!(told("local"), "local");
    }
}
