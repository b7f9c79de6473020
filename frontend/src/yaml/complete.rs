//! What may stand where somebody writes, and what it means: from a kind's schema and the names that exist.

use weft_model::edit::{Schema, SchemaField};

use super::place::{Place, of_line, place};
use crate::order::Order;

/// More than this nobody reads; another letter leaves fewer.
const MAX_OFFERS: usize = 12;

/// Something that may stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What is shown.
    pub word: String,
    /// What is written in place of the word at the cursor.
    pub text: String,
    /// What it means; may be empty.
    pub about: String,
}

/// Fields of every object, which no kind's schema has.
const METADATA: [(&str, &str); 4] = [
    ("name", "The object's name, unique for its kind and namespace."),
    ("namespace", "The namespace that it is in."),
    ("labels", "Marks by which objects are selected."),
    ("annotations", "Marks for tools and people."),
];

/// What may stand at the cursor, and where that is.
pub fn offers(schema: &Schema, text: &str, cursor: usize) -> Option<(Place, Vec<Offer>)> {
    let place = place(text, cursor)?;
    let item = !place.value && place.path.last().is_some_and(|step| step == "[]");
    let field = find(schema, &place.path);
    let scalar = item && field.is_some_and(|field| field.shape != "object");
    let mut all = if place.value || scalar { values(schema, field, &place.path) } else { keys(schema, &place) };
    let wanted = place.word.to_lowercase();
    all.retain(|offer| offer.word.to_lowercase().contains(&wanted) && offer.word != place.word);
    all.order_by_key(|offer| !offer.word.to_lowercase().starts_with(&wanted));
    all.truncate(MAX_OFFERS);
    Some((place, all))
}

/// The field that a line writes, for help.
pub fn field<'a>(schema: &'a Schema, text: &str, line: usize) -> Option<&'a SchemaField> {
    find(schema, &of_line(text, line)?)
}

fn keys(schema: &Schema, place: &Place) -> Vec<Offer> {
    if place.path.first().is_some_and(|first| first == "metadata") {
        let own = METADATA.into_iter().filter(|_| place.path.len() == 1);
        return own
            .map(|(word, about)| Offer { word: word.into(), text: format!("{word}: "), about: about.into() })
            .collect();
    }
    let depth = place.path.len() + 1;
    let fields = schema.fields.iter().filter_map(|field| {
        let steps = steps(&field.path);
        let name = *steps.last()?;
        (steps.len() == depth && !matches!(name, "*" | "[]") && fits(&steps[..depth - 1], &place.path))
            .then_some((name, field))
    });
    let inner = " ".repeat(place.column + 2);
    let offer = |(name, field): (&str, &SchemaField)| Offer {
        word: name.to_owned(),
        text: match field.shape.as_str() {
            "object" => format!("{name}:\n{inner}"),
            "array" => format!("{name}:\n{inner}- "),
            _ => format!("{name}: "),
        },
        about: first_sentence(&field.doc),
    };
    fields.map(offer).collect()
}

fn values(schema: &Schema, field: Option<&SchemaField>, path: &[String]) -> Vec<Offer> {
    let plain = |word: &str| Offer { word: word.to_owned(), text: word.to_owned(), about: String::new() };
    if let Some(field) = field {
        if !field.words.is_empty() {
            return field.words.iter().map(|word| plain(word)).collect();
        }
        if field.shape == "boolean" {
            return vec![plain("true"), plain("false")];
        }
    }
    let name = path.iter().rev().find(|step| *step != "[]").map_or("", String::as_str);
    let names = match name {
        "host" | "hosts" => &schema.names.hosts,
        "subset" => &schema.names.subsets,
        "gateways" => &schema.names.gateways,
        "namespace" | "namespaces" | "sourceNamespace" | "exportTo" => &schema.names.namespaces,
        _ => return Vec::new(),
    };
    names.iter().map(|word| plain(word)).collect()
}

fn find<'a>(schema: &'a Schema, path: &[String]) -> Option<&'a SchemaField> {
    schema.fields.iter().find(|field| {
        let steps = steps(&field.path);
        steps.len() == path.len() && fits(&steps, path)
    })
}

/// `spec.http[].name` in steps: `spec`, `http`, `[]`, `name`.
fn steps(path: &str) -> Vec<&str> {
    let parts = path.split('.');
    parts
        .flat_map(|part| {
            let bare = part.trim_end_matches("[]");
            let items = (part.len() - bare.len()) / 2;
            std::iter::once(bare).chain(std::iter::repeat_n("[]", items))
        })
        .collect()
}

fn fits(steps: &[&str], path: &[String]) -> bool {
    steps.len() == path.len() && steps.iter().zip(path).all(|(step, name)| *step == "*" && name != "[]" || step == name)
}

fn first_sentence(doc: &str) -> String {
    let end = doc.find(". ").map_or(doc.len(), |end| end + 1);
    doc[..end].replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use weft_model::edit::Names;

    use super::*;

    fn schema() -> Schema {
        let field = |path: &str, shape: &str, words: &[&str]| SchemaField {
            path: path.into(),
            shape: shape.into(),
            doc: format!("About {path}. More."),
            words: words.iter().map(|word| (*word).to_owned()).collect(),
        };
        Schema {
            fields: vec![
                field("spec", "object", &[]),
                field("spec.hosts", "array", &[]),
                field("spec.hosts[]", "string", &[]),
                field("spec.http", "array", &[]),
                field("spec.http[]", "object", &[]),
                field("spec.http[].match", "array", &[]),
                field("spec.http[].timeout", "string", &[]),
                field("spec.http[].headers.*.exact", "string", &[]),
                field("spec.mode", "string", &["STRICT", "PERMISSIVE"]),
                field("spec.on", "boolean", &[]),
            ],
            names: Names { hosts: vec!["orders.shop".into(), "cart.shop".into()], ..Names::default() },
            ..Schema::default()
        }
    }

    fn words(text: &str) -> Vec<String> {
        let (_, offers) = offers(&schema(), text, text.encode_utf16().count()).unwrap();
        offers.into_iter().map(|offer| offer.word).collect()
    }

    #[test]
    fn keys_and_words_of_the_place_are_offered() {
        assert_eq!(words("spec:\n  "), ["hosts", "http", "mode", "on"]);
        assert_eq!(words("spec:\n  ho"), ["hosts"]);
        assert_eq!(words("spec:\n  http:\n  - "), ["match", "timeout"]);
        assert_eq!(words("spec:\n  http:\n  - match: []\n    ti"), ["timeout"]);
        assert_eq!(words("spec:\n  http:\n  - headers:\n      x-a:\n        e"), ["exact"]);
        assert_eq!(words("spec:\n  mode: per"), ["PERMISSIVE"]);
        assert_eq!(words("spec:\n  on: "), ["true", "false"]);
        assert_eq!(words("spec:\n  hosts:\n  - or"), ["orders.shop"]);
        assert_eq!(words("metadata:\n  n"), ["name", "namespace", "annotations"]);
        assert_eq!(words("spec:\n  mode: STRICT"), Vec::<String>::new());
    }

    #[test]
    fn what_is_taken_goes_on_where_one_writes() {
        let (_, offers) = offers(&schema(), "spec:\n  htt", 11).unwrap();
        assert_eq!((offers[0].text.as_str(), offers[0].about.as_str()), ("http:\n    - ", "About spec.http."));
        assert_eq!(field(&schema(), "spec:\n  http:\n  - timeout: 1s", 2).unwrap().path, "spec.http[].timeout");
        assert_eq!(field(&schema(), "spec:\n  nothing: 1", 1), None);
    }
}
