//! Who may call what.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use weft_api::security::authorization_policy::Source;
use weft_model::wizard::{Add, Control, Field, FormRow, Part};

use super::{
    Change, Form,
    doc::{list, new, only, set, strings, text},
    field::{With as _, field, line, plain},
    scene::{Document, Scene},
};

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// The form.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Authorization {
    /// Name of the policy that is changed; empty for a new one, absent for the first that is there.
    policy: Option<String>,
    /// `ALLOW` or `DENY`.
    action: String,
    /// Any of these must fit; absent for those of the policy.
    rules: Option<Vec<Rule>>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    /// The rule that it is now; null for a new one.
    from: Option<usize>,
    principals: Vec<String>,
    namespaces: Vec<String>,
    methods: Vec<String>,
    paths: Vec<String>,
    ports: Vec<String>,
}

/// Lists of a rule: their names in the form, and where they stand in the object.
const LISTS: [(&str, &str, &str); 5] = [
    ("principals", "from", "source"),
    ("namespaces", "from", "source"),
    ("methods", "to", "operation"),
    ("paths", "to", "operation"),
    ("ports", "to", "operation"),
];

impl Rule {
    /// A rule as the form shows it; `None` when it says more than that.
    fn read(index: usize, rule: &Value) -> Option<Self> {
        let side = |name: &str, inner: &str, keys: &[&str]| {
            let items = list(rule, &[name]);
            items.len() <= 1 && items.iter().all(|item| only(item, &[inner]) && only(&item[inner], keys))
        };
        let simple = only(rule, &["from", "to"])
            && side("from", "source", &["principals", "namespaces"])
            && side("to", "operation", &["methods", "paths", "ports"]);
        let of = |(name, side, inner): (&str, &str, &str)| strings(&rule[side][0], &[inner, name]);
        simple.then(|| {
            let [principals, namespaces, methods, paths, ports] = LISTS.map(of);
            Self { from: Some(index), principals, namespaces, methods, paths, ports }
        })
    }

    fn lists(&self) -> [&Vec<String>; 5] {
        [&self.principals, &self.namespaces, &self.methods, &self.paths, &self.ports]
    }

    fn is_empty(&self) -> bool {
        self.lists().into_iter().all(Vec::is_empty)
    }

    /// Whom it is about; all lists of a source must fit.
    fn source(&self) -> Source {
        Source { principals: self.principals.clone(), namespaces: self.namespaces.clone(), ..Source::default() }
    }

    fn write(&self) -> Value {
        let mut out = json!({});
        for ((name, side, inner), values) in LISTS.into_iter().zip(self.lists()) {
            if values.is_empty() {
                continue;
            }
            if !out[side].is_array() {
                out[side] = json!([{ inner: {} }]);
            }
            out[side][0][inner][name] = json!(values);
        }
        out
    }
}

impl Authorization {
    fn policy(&self) -> &str {
        self.policy.as_deref().unwrap_or_default()
    }

    fn document<'a>(&self, scene: &'a Scene) -> Option<&'a Document> {
        scene.policies.iter().find(|document| document.object.name == self.policy())
    }

    fn present<'a>(&self, scene: &'a Scene) -> &'a [Value] {
        self.document(scene).map_or(&[], |document| list(&document.value, &["spec", "rules"]))
    }

    fn rules(&self) -> &[Rule] {
        self.rules.as_deref().unwrap_or_default()
    }

    /// Whether the form shows all of a rule.
    fn is_shown(&self, rule: &Rule, present: &[Value]) -> bool {
        rule.from.and_then(|index| present.get(index)).is_none_or(|rule| Rule::read(0, rule).is_some())
    }

    /// A name that none of the workloads' policies has.
    fn new_name(scene: &Scene, action: &str) -> String {
        let base = match (scene.name.as_str(), action) {
            ("", "DENY") => "deny".to_owned(),
            ("", _) => "allow".to_owned(),
            (name, "DENY") => format!("{name}-deny"),
            (name, _) => name.to_owned(),
        };
        let taken = |name: &str| scene.policies.iter().any(|document| document.object.name == name);
        let more = (2..).map(|number| format!("{base}-{number}"));
        std::iter::once(base.clone()).chain(more.take(100)).find(|name| !taken(name)).unwrap_or(base)
    }
}

/// `cluster.local/ns/shop/sa/cart` as `shop/cart`; anything else as it is.
fn short(word: &str) -> String {
    let account = word.split_once("/ns/").and_then(|(_, rest)| rest.split_once("/sa/"));
    account.map_or_else(|| word.to_owned(), |(namespace, account)| format!("{namespace}/{account}"))
}

impl Form for Authorization {
    fn start(_: &Scene) -> Self {
        Self::default()
    }

    fn fill(&mut self, scene: &Scene) {
        if self.policy.is_none() {
            let first = scene.policies.first().map(|document| document.object.name.clone());
            self.policy = Some(first.unwrap_or_default());
        }
        if self.action.is_empty() {
            let action = self.document(scene).map(|document| text(&document.value, &["spec", "action"]));
            self.action = action.filter(|action| !action.is_empty()).unwrap_or_else(|| "ALLOW".to_owned());
        }
        if self.rules.is_none() {
            let shown =
                |(index, rule)| Rule::read(index, rule).unwrap_or(Rule { from: Some(index), ..Rule::default() });
            self.rules = Some(self.present(scene).iter().enumerate().map(shown).collect());
        }
    }

    fn parts(&self, scene: &Scene) -> Vec<Part<Value>> {
        let policies =
            scene.policies.iter().map(|document| (document.object.name.clone(), document.object.name.clone()));
        let known = self.policy().is_empty() || self.document(scene).is_some();
        let fault = (!known).then(|| "There is no such policy for these workloads.".to_owned());
        let policy = field("/policy", "Policy", Control::Choice)
            .offers(policies.chain([(String::new(), "A new one".to_owned())]))
            .resets()
            .wrong(fault);
        let actions = [("ALLOW", "ALLOW: only what fits comes in"), ("DENY", "DENY: what fits is kept out")];
        let mut actions: Vec<(String, String)> =
            actions.map(|(value, words)| (value.to_owned(), words.to_owned())).into();
        if !["ALLOW", "DENY"].contains(&self.action.as_str()) {
            actions.push((self.action.clone(), self.action.clone()));
        }
        let fault = (!["ALLOW", "DENY", "AUDIT", "CUSTOM"].contains(&self.action.as_str()))
            .then(|| "Choose what a match means.".to_owned());
        let action = field("/action", "Action", Control::Choice).offers(actions).wrong(fault);
        let whom = match (scene.name.as_str(), scene.root) {
            ("", true) => "Every workload of the mesh.".to_owned(),
            ("", false) => format!("Every workload of {}.", scene.namespace),
            (name, _) => format!("The workloads of {name}."),
        };
        let mut parts =
            vec![Part { title: "For".into(), about: whom, rows: vec![line([policy, action])], ..Part::default() }];
        let present = self.present(scene);
        for (index, rule) in self.rules().iter().enumerate() {
            let at = format!("/rules/{index}");
            let mut part = Part { title: format!("Rule {}", index + 1), remove: Some(at.clone()), ..Part::default() };
            if self.is_shown(rule, present) {
                let (whoever, wherever) = (
                    if rule.namespaces.is_empty() { "anybody" } else { "anybody in the namespaces below" },
                    if rule.principals.is_empty() { "any" } else { "any; who calls is restricted above" },
                );
                let many = |name: &str, label: &str, known: &[String], own: &[String]| -> Field {
                    let gone = own.iter().filter(|own| !known.contains(own));
                    let words = known.iter().chain(gone).map(|word| (word.clone(), short(word)));
                    field(format!("{at}/{name}"), label, Control::Many).offers(words)
                };
                let methods = METHODS.map(str::to_owned);
                let ports: Vec<String> = scene.ports.iter().map(u16::to_string).collect();
                let path_fault = rule.paths.iter().find(|path| !path.starts_with(['/', '*']));
                let path_fault = path_fault.map(|path| format!("{path} begins with neither a slash nor a star."));
                let fields = vec![
                    vec![many("principals", "From", &scene.principals, &rule.principals).hint(whoever)],
                    vec![many("namespaces", "And from namespaces", &scene.namespaces, &rule.namespaces).hint(wherever)],
                    vec![many("methods", "Methods", &methods, &rule.methods).hint("any")],
                    vec![
                        field(format!("{at}/paths"), "Paths", Control::Words)
                            .hint("any; such as /api/*, /healthz")
                            .wrong(path_fault),
                        field(format!("{at}/ports"), "Ports", Control::Words)
                            .hint("any")
                            .offers(plain(&ports.iter().map(String::as_str).collect::<Vec<_>>())),
                    ],
                ];
                part.rows = fields.into_iter().map(|fields| FormRow { fields, remove: None }).collect();
                if rule.is_empty() {
                    part.about = "It fits every request.".into();
                } else if !rule.principals.is_empty() && !rule.namespaces.is_empty() {
                    part.about = "Both must fit: who calls, and the namespace. For either of them, add a rule.".into();
                }
            } else {
                part.about = "This says more than the form can show, so it stays as it is; edit it as YAML.".into();
            }
            parts.push(part);
        }
        let about = if self.rules().is_empty() && self.action == "ALLOW" && !self.policy().is_empty() {
            "Without a rule nobody comes in."
        } else {
            ""
        };
        let add = Add { label: "Add a rule".into(), at: "/rules".into(), item: json!({}) };
        parts.push(Part {
            title: "Any of the rules must fit".into(),
            about: about.into(),
            adds: vec![add],
            ..Part::default()
        });
        parts
    }

    fn problems(&self, scene: &Scene) -> Vec<String> {
        let present = self.present(scene);
        let mut out = Vec::new();
        for (index, rule) in self.rules().iter().enumerate() {
            if rule.from.is_some_and(|from| {
                from >= present.len() || self.rules()[..index].iter().any(|other| other.from == Some(from))
            }) {
                out.push(format!("Rule {} stands for a rule that is not there.", index + 1));
            }
            if self.is_shown(rule, present) && rule.source().is_nobody() {
                out.push(format!(
                    "Rule {}: nobody fits both lists, for none of the chosen namespaces has {}. Choose from one of the two, or \
                     add a rule for the other.",
                    index + 1,
                    rule.principals.iter().map(|word| short(word)).collect::<Vec<_>>().join(", ")
                ));
            }
        }
        if self.policy().is_empty() && self.rules().is_empty() {
            out.push("Add a rule that says who may call, or what. A policy without one is written as YAML.".to_owned());
        }
        if self.policy().is_empty() && self.action == "DENY" && self.rules().iter().any(Rule::is_empty) {
            out.push("A rule without anything in it denies every request. Say whom or what it is about.".to_owned());
        }
        out
    }

    fn notes(&self, _: &Scene) -> Vec<String> {
        let mut out = Vec::new();
        if self.action == "ALLOW" && self.policy().is_empty() {
            out.push(
                "As soon as one ALLOW policy holds for a workload, whatever none of them fits is kept out with 403."
                    .to_owned(),
            );
        }
        for (index, rule) in self.rules().iter().enumerate() {
            let source = rule.source();
            let strangers: Vec<String> = source.strangers().into_iter().map(short).collect();
            if !strangers.is_empty() && !source.is_nobody() {
                let names = strangers.join(", ");
                out.push(format!("Rule {}: none of the chosen namespaces has {names}.", index + 1));
            }
        }
        out
    }

    fn changes(&self, scene: &Scene) -> Vec<Change> {
        let document = self.document(scene);
        let mut value = document.map_or_else(
            || {
                let mut spec = json!({});
                set(&mut spec, &["selector", "matchLabels"], json!(scene.selector));
                new("AuthorizationPolicy", &scene.namespace, &Self::new_name(scene, &self.action), spec)
            },
            |document| document.value.clone(),
        );
        let present = self.present(scene);
        let rule = |rule: &Rule| match rule.from.and_then(|index| present.get(index)) {
            Some(old) if !self.is_shown(rule, present) => old.clone(),
            Some(old) if Rule::read(0, old).is_some_and(|read| read.lists() == rule.lists()) => old.clone(),
            _ => rule.write(),
        };
        let rules: Vec<Value> = self.rules().iter().map(rule).collect();
        if text(&value, &["spec", "action"]) != self.action
            && !(self.action == "ALLOW" && document.is_some() && value["spec"]["action"].is_null())
        {
            value["spec"]["action"] = json!(self.action);
        }
        // No rules at all is said by leaving them out.
        set(&mut value, &["spec", "rules"], Value::Array(rules));
        vec![Change { title: "Authorization policy".into(), of: document.cloned(), value }]
    }
}
