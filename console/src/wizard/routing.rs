//! Which requests go where.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use weft_model::wizard::{Add, Control, FormRow, Part};

use super::{
    Change, Form,
    doc::{get, list, only, routes, set, text},
    field::{With as _, field, plain},
    scene::Scene,
};

/// Conditions of one rule; more than these are written as YAML.
const MOST: usize = 20;
/// What a condition may be about, and its words.
const PARTS: [(&str, &str); 4] =
    [("header", "Header"), ("path", "Path"), ("query", "Query parameter"), ("method", "Method")];

/// The form.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Routing {
    /// In the order in which they are tried; what takes every request comes after them and stays as it is.
    rules: Vec<Rule>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    /// The route that it is now; null for a new one.
    from: Option<usize>,
    /// All of these must hold.
    conditions: Vec<Condition>,
    /// `host` or `host|subset`.
    to: String,
}

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Condition {
    /// `header`, `path`, `query` or `method`.
    part: String,
    /// Name of the header or parameter.
    name: String,
    /// `exact`, `prefix`, `regex`, or `present` for a header.
    how: String,
    value: String,
}

/// What a route matches, when the form can show all of it.
fn conditions(route: &Value) -> Option<Vec<Condition>> {
    let [case] = list(route, &["match"]) else { return None };
    let simple = only(case, &["headers", "uri", "queryParams", "method", "name"]);
    let arms = list(route, &["route"]);
    if !simple
        || arms.len() != 1
        || !only(&arms[0], &["destination", "weight"])
        || !only(&arms[0]["destination"], &["host", "subset", "port"])
    {
        return None;
    }
    let one = |part: &str, name: &str, value: &Value| {
        let map = value.as_object()?;
        let mut condition =
            Condition { part: part.into(), name: name.into(), how: "present".into(), value: String::new() };
        match map.iter().next() {
            None if part == "header" || part == "query" => {}
            Some((how, value)) if map.len() == 1 && matches!(how.as_str(), "exact" | "prefix" | "regex") => {
                (condition.how, condition.value) = (how.clone(), value.as_str()?.to_owned());
            }
            _ => return None,
        }
        Some(condition)
    };
    let mut out = Vec::new();
    for (key, part) in [("uri", "path"), ("method", "method")] {
        if let Some(value) = case.get(key) {
            out.push(one(part, "", value)?);
        }
    }
    for (key, part) in [("headers", "header"), ("queryParams", "query")] {
        for (name, value) in get(case, &[key]).as_object().into_iter().flatten() {
            out.push(one(part, name, value)?);
        }
    }
    (out.len() <= MOST).then_some(out)
}

/// Where a route leads, as the form writes it.
fn place(route: &Value) -> String {
    let destination = &route["route"][0]["destination"];
    joined(&text(destination, &["host"]), &text(destination, &["subset"]))
}

fn joined(host: &str, subset: &str) -> String {
    if subset.is_empty() { host.to_owned() } else { format!("{host}|{subset}") }
}

fn takes_all(route: &Value) -> bool {
    list(route, &["match"]).is_empty()
}

impl Routing {
    fn places(scene: &Scene) -> Vec<(String, String)> {
        let host = scene.host_in(scene.routes.as_ref());
        let mut out = vec![(host.to_owned(), format!("{}, any version", scene.name))];
        out.extend(scene.versions_and_subsets().into_iter().map(|subset| {
            let made = if scene.subsets.contains(&subset) { "" } else { " (its subset is made, too)" };
            (joined(host, &subset), format!("{}, {subset}{made}", scene.name))
        }));
        let others = scene.places.iter().map(|(host, subset)| {
            (joined(host, subset), if subset.is_empty() { host.clone() } else { format!("{host}, {subset}") })
        });
        out.extend(others);
        out
    }

    fn blank(scene: &Scene) -> Value {
        let host = scene.host_in(scene.routes.as_ref());
        let versions = scene.versions_and_subsets();
        let to = versions.last().map_or_else(|| host.to_owned(), |last| joined(host, last));
        json!({ "conditions": [blank_condition()], "to": to })
    }

    /// Whether a rule is one that the form can show.
    fn is_simple(rule: &Rule, present: &[Value]) -> bool {
        rule.from.and_then(|index| present.get(index)).is_none_or(|route| conditions(route).is_some())
    }
}

fn blank_condition() -> Value {
    json!({ "part": "header", "name": "", "how": "exact", "value": "" })
}

impl Condition {
    fn named(&self) -> bool {
        matches!(self.part.as_str(), "header" | "query")
    }

    fn fault(&self) -> (Option<String>, Option<String>) {
        let letters = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b':' | b'=' | b'"'));
        let name = match (self.named(), self.name.as_str()) {
            (true, "") => Some("Write its name.".to_owned()),
            (true, name) if !letters(name) => Some("A name has letters, digits and dashes.".to_owned()),
            (true, name) if self.part == "header" && name != name.to_lowercase() => {
                Some("Write headers in lower case.".to_owned())
            }
            _ => None,
        };
        let value = match self.how.as_str() {
            "present" => None,
            _ if self.value.is_empty() => Some("Write what it must be.".to_owned()),
            _ if self.part == "path" && self.how != "regex" && !self.value.starts_with('/') => {
                Some("A path begins with a slash.".to_owned())
            }
            _ => None,
        };
        (name, value)
    }
}

impl Form for Routing {
    fn start(scene: &Scene) -> Self {
        let document = routes(scene);
        let all = list(&document, &["spec", "http"]).iter().enumerate();
        let rule = |(index, route): (usize, &Value)| Rule {
            from: Some(index),
            conditions: conditions(route).unwrap_or_default(),
            to: if conditions(route).is_some() { place(route) } else { String::new() },
        };
        Self { rules: all.filter(|(_, route)| !takes_all(route)).map(rule).collect() }
    }

    fn parts(&self, scene: &Scene) -> Vec<Part<Value>> {
        let document = routes(scene);
        let present = list(&document, &["spec", "http"]);
        let places = Self::places(scene);
        let mut parts = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let at = format!("/rules/{index}");
            let mut part = Part { title: format!("Rule {}", index + 1), remove: Some(at.clone()), ..Part::default() };
            if Self::is_simple(rule, present) {
                let row = |(number, condition): (usize, &Condition)| {
                    let at = |name: &str| format!("{at}/conditions/{number}/{name}");
                    let (name, value) = condition.fault();
                    let which = PARTS.map(|(value, words)| (value.to_owned(), words.to_owned()));
                    let mut fields = vec![field(at("part"), "Requests whose", Control::Choice).offers(which)];
                    if condition.named() {
                        fields.push(field(at("name"), "named", Control::Text).hint("x-canary").wrong(name));
                    }
                    let mut ways = plain(&["exact", "prefix", "regex"]);
                    for (way, words) in ways.iter_mut().zip(["is", "begins with", "is like"]) {
                        way.1 = words.to_owned();
                    }
                    if condition.named() {
                        ways.push(("present".to_owned(), "is there".to_owned()));
                    }
                    fields.push(field(at("how"), "value", Control::Choice).offers(ways));
                    if condition.how != "present" {
                        let hint = if condition.part == "path" { "/api/v2" } else { "true" };
                        fields.push(field(at("value"), "this", Control::Text).hint(hint).wrong(value));
                    }
                    let remove = (rule.conditions.len() > 1).then(|| format!("{}/conditions/{number}", at_of(index)));
                    FormRow { fields, remove }
                };
                part.rows = rule.conditions.iter().enumerate().map(row).collect();
                let known = places.iter().any(|(value, _)| *value == rule.to);
                let mut offers = places.clone();
                if !known && !rule.to.is_empty() {
                    offers.insert(0, (rule.to.clone(), rule.to.replace('|', ", ")));
                }
                let fault = rule.to.is_empty().then(|| "Choose where they go.".to_owned());
                let to = field(format!("{at}/to"), "go to", Control::Choice).offers(offers).wrong(fault);
                part.rows.push(FormRow { fields: vec![to], remove: None });
                if rule.conditions.len() < MOST {
                    part.adds.push(Add {
                        label: "And …".into(),
                        at: format!("{at}/conditions"),
                        item: blank_condition(),
                    });
                }
            } else {
                let words = rule.from.and_then(|index| scene.words.get(index));
                let words = words.map(|(who, outcome)| format!("{who} {outcome}. ")).unwrap_or_default();
                part.about =
                    format!("{words}This says more than the form can show, so it stays as it is; edit it as YAML.");
            }
            parts.push(part);
        }
        let last: Vec<String> = present
            .iter()
            .enumerate()
            .filter(|(_, route)| takes_all(route))
            .filter_map(|(index, _)| scene.words.get(index))
            .map(|(_, outcome)| format!("All other requests {outcome}."))
            .collect();
        let about = match (last.is_empty(), scene.routes.is_some()) {
            (false, _) => last.join(" "),
            (true, false) => format!("All other requests go to {}, any version.", scene.name),
            (true, true) => "Requests that no rule takes are answered with 404.".to_owned(),
        };
        let add = Add { label: "Add a rule".into(), at: "/rules".into(), item: Self::blank(scene) };
        parts.push(Part { title: "Otherwise".into(), about, adds: vec![add], ..Part::default() });
        parts
    }

    fn problems(&self, scene: &Scene) -> Vec<String> {
        let document = routes(scene);
        let present = list(&document, &["spec", "http"]);
        let mut out = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let number = index + 1;
            if rule.from.is_some_and(|from| {
                from >= present.len() || self.rules[..index].iter().any(|other| other.from == Some(from))
            }) {
                out.push(format!("Rule {number} stands for a route that is not there."));
            }
            if Self::is_simple(rule, present) && rule.conditions.is_empty() {
                out.push(format!("Rule {number} needs a condition; what takes every request comes last by itself."));
            }
            for (at, one) in rule.conditions.iter().enumerate() {
                if rule.conditions[..at].iter().any(|other| other.part == one.part && other.name == one.name) {
                    out.push(format!("Rule {number} asks twice for the same thing; make another rule for \"or\"."));
                }
                if !PARTS.iter().any(|(part, _)| *part == one.part)
                    || !["exact", "prefix", "regex", "present"].contains(&one.how.as_str())
                {
                    out.push(format!("Rule {number} has a condition of an unknown sort."));
                }
            }
        }
        out
    }

    fn notes(&self, scene: &Scene) -> Vec<String> {
        scene.usual_notes()
    }

    fn changes(&self, scene: &Scene) -> Vec<Change> {
        let mut document = routes(scene);
        let present = list(&document, &["spec", "http"]).to_vec();
        let mut http = Vec::new();
        let mut versions = Vec::new();
        for rule in &self.rules {
            let old = rule.from.and_then(|index| present.get(index));
            if !Self::is_simple(rule, &present) {
                http.extend(old.cloned());
                continue;
            }
            let mut route = old.cloned().unwrap_or_else(|| json!({}));
            let same = old.is_some_and(|old| place(old) == rule.to);
            let (host, subset) = rule.to.split_once('|').unwrap_or((&rule.to, ""));
            if scene.is_own(host) {
                versions.push(subset.to_owned());
            }
            let mut case = Map::new();
            if let Some(name) = old.and_then(|old| old["match"][0].get("name")) {
                case.insert("name".into(), name.clone());
            }
            let mut case = Value::Object(case);
            for one in &rule.conditions {
                let value = match one.how.as_str() {
                    "present" => json!({}),
                    how => json!({ how: one.value }),
                };
                match one.part.as_str() {
                    "path" => case["uri"] = value,
                    "method" => case["method"] = value,
                    "query" => case["queryParams"][one.name.as_str()] = value,
                    _ => case["headers"][one.name.as_str()] = value,
                }
            }
            route["match"] = json!([case]);
            if !same {
                let mut destination = json!({ "host": host });
                set(&mut destination, &["subset"], json!(subset));
                route["route"] = json!([{ "destination": destination }]);
            }
            http.push(route);
        }
        http.extend(present.iter().filter(|route| takes_all(route)).cloned());
        if scene.routes.is_none() && self.rules.is_empty() {
            return Vec::new();
        }
        set(&mut document, &["spec", "http"], Value::Array(http));
        scene.with_subset_step(&versions, Change { title: "Routes".into(), of: scene.routes.clone(), value: document })
    }
}

fn at_of(index: usize) -> String {
    format!("/rules/{index}")
}
