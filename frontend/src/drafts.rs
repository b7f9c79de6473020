//! Unfinished edits: what was typed and neither applied nor discarded is kept for as long as the tab lives, and at most
//! for a week.

use serde_json::Value;
use weft_model::session::Person;

use crate::order::Order;

#[cfg(target_arch = "wasm32")]
mod store;

#[cfg(target_arch = "wasm32")]
pub use store::{belong_to, clear, forget, keep, recall, whose};

/// How many are kept; the oldest make room.
pub const MOST: usize = 20;
/// How many bytes one may take; what is larger is not kept.
pub const LARGEST: usize = 256 * 1024;

/// How long one is kept, in milliseconds.
pub const LONGEST_MS: f64 = 7.0 * 86_400_000.0;

/// Parts of the names of headers and parameters whose values let somebody in.
const CREDENTIALS: [&str; 15] = [
    "authorization",
    "x-auth",
    "cookie",
    "token",
    "jwt",
    "bearer",
    "secret",
    "credential",
    "password",
    "passwd",
    "api-key",
    "apikey",
    "api_key",
    "session",
    "signature",
];

/// One unfinished edit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// When it was last changed, milliseconds since the Unix epoch.
    pub at_ms: f64,
    /// The revision that it began from.
    pub revision: String,
    /// The text that it began from.
    pub base: String,
    /// The text by then.
    pub text: String,
}

impl Kept {
    /// As it is stored; `None` for what is too large, or cannot be told from its neighbours.
    pub fn write(&self) -> Option<String> {
        let Self { at_ms, revision, base, text } = self;
        let written = format!("{at_ms}\n{revision}\n{}\n{base}{text}", base.len());
        (written.len() <= LARGEST && !revision.contains('\n')).then_some(written)
    }

    /// What [`Kept::write`] wrote; `None` for anything else.
    pub fn read(written: &str) -> Option<Self> {
        let mut parts = written.splitn(4, '\n');
        let (at, revision, length) = (parts.next()?, parts.next()?, parts.next()?);
        let (base, text) = parts.next()?.split_at_checked(length.parse().ok()?)?;
        let at_ms = at.parse::<f64>().ok().filter(|at| at.is_finite())?;
        Some(Self { at_ms, revision: revision.to_owned(), base: base.to_owned(), text: text.to_owned() })
    }

    /// Whether it is from so long ago that nobody goes on with it. A clock that was put back makes none old.
    pub fn is_old(&self, now_ms: f64) -> bool {
        now_ms - self.at_ms > LONGEST_MS
    }
}

/// The name of a header or parameter in a form whose value nobody else may read, such as `authorization`, or `token` in
/// the path `/cart?token=…`: a form with such a value is not kept.
pub fn credential(form: &Value) -> Option<&str> {
    match form {
        Value::Object(map) => {
            let text = |key: &str| map.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
            let own = text("value").and(text("name")).filter(|name| lets_in(name));
            own.or_else(|| map.values().find_map(credential))
        }
        Value::Array(items) => items.iter().find_map(credential),
        Value::String(text) => in_query(text),
        _ => None,
    }
}

fn lets_in(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    CREDENTIALS.iter().any(|part| name.contains(part))
}

/// The name of a parameter with such a value in the query of a path or an address.
fn in_query(text: &str) -> Option<&str> {
    let (_, query) = text.split_once('?')?;
    let pairs = query.split(['&', ';']).filter_map(|pair| pair.split_once('='));
    pairs.filter(|(_, value)| !value.is_empty()).map(|(name, _)| name).find(|name| lets_in(name))
}

/// Whom drafts belong to: a person by their name; empty for nobody in particular.
pub fn owner(person: Option<&Person>) -> &str {
    person.filter(|person| person.how != "anonymous").map_or("", |person| person.name.as_str())
}

/// Whether what `owner` typed is not for `person` to read; `None` when it is not known whose it is. What nobody in
/// particular typed goes on with whoever signs in to apply it.
pub fn is_anothers(owner: Option<&str>, person: &str) -> bool {
    owner.is_none_or(|owner| !owner.is_empty() && owner != person)
}

/// Those of the `others` that make room for one more: the oldest, and what cannot be read.
pub fn surplus(mut others: Vec<(String, Option<f64>)>) -> Vec<String> {
    others.order(|a, b| a.1.unwrap_or(f64::NEG_INFINITY).total_cmp(&b.1.unwrap_or(f64::NEG_INFINITY)));
    let many = (others.len() + 1).saturating_sub(MOST);
    others.into_iter().take(many).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        for (base, text) in [("", ""), ("a: 1\n", "a: 2\n\nb: ü\n"), ("ü\n\n", ""), ("", "3\n1\n")] {
            let kept = Kept { at_ms: 1.5e12, revision: "r1".into(), base: base.into(), text: text.into() };
            assert_eq!(Kept::read(&kept.write().unwrap()), Some(kept));
        }
    }

    #[test]
    fn what_somebody_else_wrote_is_no_draft() {
        for text in ["", "1\nr\n", "1\nr\n9\nshort", "x\nr\n0\n", "1\nr\n-1\na", "NaN\nr\n0\n", "1\nr\n1\nü"] {
            assert_eq!(Kept::read(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_draft_has_a_bound() {
        let kept = |size| Kept { text: "x".repeat(size), ..Kept::default() };
        assert!(kept(LARGEST - 100).write().is_some());
        assert_eq!(kept(LARGEST).write(), None);
        assert_eq!(Kept { revision: "a\nb".into(), ..Kept::default() }.write(), None);
    }

    #[test]
    fn a_draft_has_an_age() {
        let kept = Kept { at_ms: 1.5e12, ..Kept::default() };
        assert!(!kept.is_old(1.5e12 + LONGEST_MS) && kept.is_old(1.5e12 + LONGEST_MS + 1.0));
        assert!(!kept.is_old(0.0));
    }

    #[test]
    fn values_of_credentials_are_found() {
        let form = |name: &str, value: &str| {
            serde_json::json!({"rules": [{"to": "orders|v2", "conditions": [
                {"part": "header", "name": "x-canary", "how": "exact", "value": "true"},
                {"part": "header", "name": name, "how": "exact", "value": value},
            ]}]})
        };
        for name in [
            "Authorization",
            "proxy-authorization",
            "cookie",
            "X-API-Key",
            "access_token",
            "x-session-id",
            "X-Auth",
            "x-jwt",
            "bearer",
            "user-credential",
            "passwd",
            "X-Amz-Signature",
        ] {
            assert_eq!(credential(&form(name, "s3cret")), Some(name));
        }
        let path = |value: &str| serde_json::json!({"conditions": [{"part": "path", "name": "", "value": value}]});
        assert_eq!(credential(&path("/cart?id=1&access_token=s3cret")), Some("access_token"));
        for harmless in ["/cart?id=1", "/token", "/cart?token=", "/token=1"] {
            assert_eq!(credential(&path(harmless)), None, "{harmless}");
        }
        assert_eq!(credential(&form("authorization", "")), None, "that it is there is no secret");
        assert_eq!(credential(&form("x-user", "ada")), None);
        assert_eq!(credential(&serde_json::json!({"mode": "STRICT", "ports": [{"port": 8080.0}]})), None);
    }

    #[test]
    fn drafts_are_for_whoever_typed_them() {
        let person = |name: &str, how: &str| Person { name: name.into(), how: how.into(), ..Person::default() };
        assert_eq!(owner(Some(&person("ada", "session"))), "ada");
        assert_eq!(owner(Some(&person("guest", "anonymous"))), "");
        assert_eq!(owner(None), "");
        assert!(!is_anothers(Some("ada"), "ada"));
        assert!(is_anothers(Some("ada"), "bo"));
        assert!(is_anothers(Some("ada"), ""), "nor for whoever has not signed in");
        assert!(is_anothers(None, "ada"), "nor is what nobody knows anything of");
        assert!(!is_anothers(Some(""), "ada"), "whoever filled in a form and then signs in goes on with it");
    }

    #[test]
    fn the_oldest_make_room() {
        let others = |count: u32| -> Vec<_> { (0..count).map(|n| (n.to_string(), Some(f64::from(100 - n)))).collect() };
        assert!(surplus(others(19)).is_empty());
        assert_eq!(surplus(others(21)), ["20", "19"]);
        let mut broken = others(19);
        broken.push(("broken".into(), None));
        assert_eq!(surplus(broken), ["broken"]);
    }
}
