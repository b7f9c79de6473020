//! Reading a NACK: which resources of a response were refused, and why.

use weft_model::xds::NACK_CUT;

/// The resources among `names` that `message` refuses, with the reason given for each. Our proxy writes one line
/// `type name: reason` for each; Envoy writes `Error adding/updating listener(s) name: reason, name: reason`. Empty when
/// the message names none of them, which means that the whole response was refused.
pub fn refused<'n>(message: &str, names: impl Iterator<Item = &'n str>) -> Vec<(&'n str, String)> {
    names.filter_map(|name| Some((name, reason(message, name)?))).collect()
}

/// Whether our proxy's list was too long and ends without naming everything that it refuses.
pub fn cut(message: &str) -> bool {
    message.lines().next_back().is_some_and(|line| line.starts_with(NACK_CUT))
}

fn reason(message: &str, name: &str) -> Option<String> {
    if name.is_empty() {
        return None;
    }
    let start = message.match_indices(name).find_map(|(at, _)| {
        let alone = message[..at].chars().next_back().is_none_or(|before| before.is_whitespace());
        let rest = &message[at + name.len()..];
        (alone && rest.starts_with(": ")).then(|| at + name.len() + 2)
    })?;
    let line = message[start..].lines().next().unwrap_or_default();
    Some(line.chars().take(512).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_named_resource() {
        let message = "Cluster outbound|80||a.b: no endpoints\nCluster outbound|81||a: bad name";
        let names = ["outbound|80||a", "outbound|80||a.b", "outbound|81||a", "a"];
        assert_eq!(
            refused(message, names.into_iter()),
            [("outbound|80||a.b", "no endpoints".to_owned()), ("outbound|81||a", "bad name".to_owned())]
        );
    }

    #[test]
    fn reads_envoys_words() {
        let message = "Error adding/updating listener(s) 127.0.0.1_80: cannot bind: in use, 127.0.0.1_81: no chain";
        let found = refused(message, ["127.0.0.1_80", "127.0.0.1_81", "127.0.0.1_8"].into_iter());
        assert_eq!(found.len(), 2);
        assert_eq!(found[1], ("127.0.0.1_81", "no chain".to_owned()));
    }

    #[test]
    fn a_cut_list_says_so() {
        assert!(cut(&format!("Cluster a: bad\n{NACK_CUT}7 more")));
        assert!(!cut(&format!("Cluster a: {NACK_CUT}\nCluster b: bad")) && !cut(""));
    }

    #[test]
    fn names_nothing_when_nothing_is_named() {
        assert!(refused("internal error", ["a", "", "error"].into_iter()).is_empty());
    }
}
