//! Lists in all the pages that it takes, and the one object that is meant.

use serde_json::Value;
use url::form_urlencoded;
use weft_model::ObjectRef;
use weft_runtime::StartupError;

use super::{
    ask::{Ask, Keep, List, Shape},
    place::Place,
};

/// Pages of one list that are read at most.
const MAX_PAGES: usize = 500;

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// What it is.
    pub shape: Shape,
    /// The API's answer; of a list that took several pages the first one, with the rows of all and the last one's `next`.
    pub value: Value,
    /// Whether there are rows that are not in it, although no cursor leads to them.
    pub cut: bool,
}

/// Asks for a view.
///
/// # Errors
/// When the console cannot be reached, refuses, or answers what is no list.
pub async fn whole(place: &mut Place, ask: &Ask) -> anyhow::Result<Answer> {
    let Some(list) = &ask.list else {
        let value = place.get(&ask.address(&[])).await?;
        return Ok(Answer { shape: ask.shape, value, cut: false });
    };
    let mut pages = Pages::new(list);
    while let Some((size, cursor)) = pages.wanted() {
        let size = size.to_string();
        let mut more = vec![("limit", size.as_str())];
        if !cursor.is_empty() {
            more.push(("cursor", cursor.as_str()));
        }
        let page = place.get(&ask.address(&more)).await?;
        if !pages.take(page) {
            return Err(unknown(&place.name()).into());
        }
    }
    let (value, cut) = pages.joined();
    Ok(Answer { shape: ask.shape, value, cut })
}

fn unknown(place: &str) -> StartupError {
    let remedy = "look whether it is a console of Weft, and of a version near this command's";
    StartupError::new(format!("cannot read the answer of {place}"), "it is not the list that was asked for", remedy)
}

/// A list while it is read.
struct Pages<'a> {
    list: &'a List,
    rows: Vec<Value>,
    first: Option<Value>,
    next: Option<String>,
    read: usize,
}

impl<'a> Pages<'a> {
    fn new(list: &'a List) -> Self {
        Self { list, rows: Vec::new(), first: None, next: Some(list.cursor.clone()), read: 0 }
    }

    /// How large the next page is to be and where it begins; nothing when enough was read.
    fn wanted(&self) -> Option<(usize, String)> {
        let missing = self.list.limit.saturating_sub(self.rows.len());
        let cursor = self.next.clone().filter(|_| missing > 0 && self.read < MAX_PAGES)?;
        // Of rows that are read only some may be kept.
        let size = if self.list.keep.all() { missing.min(self.list.page) } else { self.list.page };
        Some((size, cursor))
    }

    /// Takes a page in; false when it is none.
    fn take(&mut self, mut page: Value) -> bool {
        let Some(Value::Array(rows)) = page.get_mut(self.list.rows).map(Value::take) else { return false };
        self.read += 1;
        self.rows.extend(rows.into_iter().filter(|row| self.list.keep.fits(row)));
        self.next = page.get("next").and_then(Value::as_str).map(str::to_owned);
        self.first.get_or_insert(page);
        true
    }

    fn joined(mut self) -> (Value, bool) {
        let cut = self.rows.len() > self.list.limit;
        self.rows.truncate(self.list.limit);
        let mut value = self.first.unwrap_or_default();
        if let Value::Object(members) = &mut value {
            members.insert(self.list.rows.to_owned(), Value::Array(self.rows));
            match self.next.filter(|_| !cut) {
                Some(next) => members.insert("next".to_owned(), Value::String(next)),
                None => members.remove("next"),
            };
        }
        (value, cut)
    }
}

/// The object of a kind that `name` means, of those that `ask` lists.
///
/// # Errors
/// When there is none, or several.
pub async fn object(place: &mut Place, ask: &Ask, name: &str) -> anyhow::Result<Answer> {
    let mut all = ask.clone();
    let keep = ask.list.as_ref().map(|list| list.keep.clone()).unwrap_or_default();
    if let Some(list) = &mut all.list {
        // What is shown of the list does not say where the object may stand.
        (list.limit, list.cursor) = (usize::MAX, String::new());
    }
    let list = whole(place, &all).await?;
    let found = only(&list.value, name, &keep)?;
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("apiVersion", &found.api_version)
        .append_pair("kind", &found.kind)
        .append_pair("namespace", &found.namespace)
        .append_pair("name", &found.name)
        .finish();
    let value = place.get(&format!("/api/v1/config/object?{query}")).await?;
    Ok(Answer { shape: Shape::Object, value, cut: false })
}

fn only(list: &Value, name: &str, keep: &Keep) -> Result<ObjectRef, StartupError> {
    let (namespace, name) = name.split_once('/').map_or((None, name), |(namespace, name)| (Some(namespace), name));
    let rows = list.get("rows").and_then(Value::as_array).into_iter().flatten();
    let objects = rows.filter_map(|row| serde_json::from_value::<ObjectRef>(row.get("object")?.clone()).ok());
    let fits = |object: &ObjectRef| object.name == name && namespace.is_none_or(|space| space == object.namespace);
    let found: Vec<ObjectRef> = objects.filter(fits).collect();
    let kind = keep.kind.as_deref().unwrap_or("object");
    let what = format!("cannot show {kind} {name}");
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => {
            let remedy = format!("look for it with weft console config {kind}");
            Err(StartupError::new(what, "there is none of that name that you may see", remedy))
        }
        several => {
            let names: Vec<String> = several.iter().take(5).map(ToString::to_string).collect();
            let why = format!("there are {}: {}", several.len(), names.join(", "));
            Err(StartupError::new(what, why, format!("name its namespace with -n, or write NAMESPACE/{name}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list(limit: usize, namespaces: &[&str]) -> List {
        let namespaces = namespaces.iter().map(|name| (*name).to_owned()).collect();
        let keep = Keep { namespaces, ..Keep::default() };
        List { rows: "rows", page: 2, limit, cursor: String::new(), keep }
    }

    fn page(names: &[&str], next: Option<&str>) -> Value {
        let rows: Vec<Value> = names.iter().map(|name| json!({"namespace": name})).collect();
        json!({"atMs": 7, "rows": rows, "next": next})
    }

    #[test]
    fn pages_are_followed_until_there_are_enough_rows() {
        let list = list(3, &[]);
        let mut pages = Pages::new(&list);
        assert_eq!(pages.wanted(), Some((2, String::new())));
        assert!(pages.take(page(&["a", "b"], Some("two"))));
        assert_eq!(pages.wanted(), Some((1, "two".to_owned())));
        assert!(pages.take(page(&["c"], Some("three"))));
        assert_eq!(pages.wanted(), None);
        let (value, cut) = pages.joined();
        assert_eq!(value["rows"].as_array().map(Vec::len), Some(3));
        assert_eq!((&value["next"], &value["atMs"], cut), (&json!("three"), &json!(7), false));
    }

    #[test]
    fn the_last_page_ends_it_and_what_is_no_page_is_told() {
        let list = list(10, &[]);
        let mut pages = Pages::new(&list);
        assert!(pages.take(page(&["a"], None)));
        assert_eq!(pages.wanted(), None);
        assert!(pages.joined().0.get("next").is_none());
        assert!(!Pages::new(&list).take(json!({"rows": "none"})));
        assert!(!Pages::new(&list).take(json!([])));
    }

    #[test]
    fn of_what_is_kept_there_are_no_more_than_were_asked_for() {
        let list = list(1, &["b"]);
        let mut pages = Pages::new(&list);
        assert!(pages.take(page(&["a", "a"], Some("two"))));
        assert_eq!(pages.wanted(), Some((2, "two".to_owned())), "whole pages, of which some rows are kept");
        assert!(pages.take(page(&["b", "b"], Some("three"))));
        let (value, cut) = pages.joined();
        assert_eq!(value["rows"], json!([{"namespace": "b"}]));
        assert!(cut && value.get("next").is_none(), "the cursor would leave one out: {value}");
    }

    #[test]
    fn a_list_without_end_is_left() {
        let list = list(usize::MAX, &[]);
        let mut pages = Pages::new(&list);
        let mut read = 0;
        while pages.wanted().is_some() {
            assert!(pages.take(page(&[], Some("again"))));
            read += 1;
        }
        assert_eq!(read, MAX_PAGES);
    }

    #[test]
    fn one_object_is_meant_or_it_is_said_which_there_are() {
        let object = |namespace: &str| json!({"object": {"apiVersion": "v1", "kind": "Service", "namespace": namespace, "name": "till"}});
        let list = json!({"rows": [object("shop"), object("bank")]});
        let find = |name: &str| only(&list, name, &Keep::default()).map_err(|error| error.to_string());
        assert_eq!(find("bank/till").unwrap().namespace, "bank");
        assert!(find("till").unwrap_err().contains("there are 2: Service shop/till, Service bank/till"));
        assert!(find("cart").unwrap_err().contains("weft console config"));
    }
}
