//! Which fields are ours alone, and what stands there beyond what was applied.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Value, json};
use weft_install::names;

/// The keys of a map, at the end of a path.
const KEYS: &str = "*";
/// Follows a field below which others may write where nothing of it is applied.
const IF_APPLIED: char = '?';

/// What a probe or a hook does: it has one of these.
const HANDLERS: [&str; 5] = ["exec", "grpc", "httpGet", "sleep", "tcpSocket"];

/// Lists whose items say in one of several fields where they come from: where others chose another one, what is applied makes
/// two, which the API server refuses.
const ONE_SOURCE: [&str; 2] = ["env", "volumes"];

/// Of pods: what runs there, and on whose behalf. Where they run (selectors, tolerations) is not ours alone.
const POD: &[&str] = &[
    "containers",
    "initContainers",
    "volumes",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "shareProcessNamespace",
    "hostAliases",
    "securityContext.sysctls",
    "securityContext.supplementalGroups",
    "containers.command",
    "containers.args",
    "containers.workingDir",
    "containers.env",
    "containers.envFrom",
    "containers.ports",
    "containers.ports.hostPort",
    "containers.ports.hostIP",
    "containers.volumeMounts",
    "containers.volumeDevices",
    "containers.lifecycle",
    "containers.lifecycle.postStart",
    "containers.lifecycle.preStop",
    "containers.livenessProbe",
    "containers.readinessProbe",
    "containers.startupProbe",
    "containers.securityContext.capabilities.add",
    "containers.stdin",
    "containers.tty",
];

/// A prefix, and below it the fields that are ours alone. A field that is not applied goes; of a list whose items have keys, the
/// items that are not applied; of a map, where the path ends in `*`, the keys. Lists without keys, such as rules and subjects of RBAC
/// or a webhook's rules, are of one piece and replaced by applying already.
fn ours(kind: &str) -> (&'static str, &'static [&'static str]) {
    match kind {
        "Deployment" => ("spec.template.spec.", POD),
        // External addresses are given by controllers of the cluster as well.
        "Service" => ("spec.", &["ports", "publishNotReadyAddresses"]),
        "ConfigMap" => ("", &["data.*", "binaryData.*"]),
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => {
            // Clusters that are managed for people keep webhooks out of namespaces of their own: where we say nothing of
            // namespaces, they may.
            (
                "",
                &[
                    "webhooks",
                    "webhooks.matchConditions",
                    "webhooks.namespaceSelector?.matchLabels",
                    "webhooks.namespaceSelector?.matchExpressions",
                    "webhooks.objectSelector?.matchLabels",
                    "webhooks.objectSelector?.matchExpressions",
                ],
            )
        }
        "ClusterRole" => ("", &["aggregationRule"]),
        _ => ("", &[]),
    }
}

/// A field, as people write it and as `managedFields` does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    text: String,
    steps: Vec<String>,
}

impl Place {
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a Mesh has a field for it.
    pub(super) fn is_settable(&self) -> bool {
        self.text.contains("].env[") || self.text.starts_with("spec.ports[")
    }

    fn field(&self, name: &str) -> Self {
        let text = if self.text.is_empty() { name.to_owned() } else { format!("{}.{name}", self.text) };
        Self { text, steps: self.with(format!("f:{name}")) }
    }

    fn item(&self, key: &Value) -> Self {
        let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let words: Vec<String> = key.as_object().into_iter().flatten().map(|(_, value)| word(value)).collect();
        Self { text: format!("{}[{}]", self.text, words.join("/")), steps: self.with(format!("k:{key}")) }
    }

    fn with(&self, step: String) -> Vec<String> {
        self.steps.iter().cloned().chain([step]).collect()
    }
}

/// Takes out of `found` what is more than `wanted` in the fields that are ours alone; gives what that was.
pub(super) fn take_away(wanted: &Value, found: &mut Value) -> Vec<Place> {
    let (parent, paths) = ours(wanted["kind"].as_str().unwrap_or_default());
    let mut gone = Vec::new();
    for path in paths {
        let path = format!("{parent}{path}");
        let path: Vec<&str> = path.split('.').collect();
        walk(wanted, found, &path, &Place::default(), &mut gone);
    }
    gone
}

fn walk(wanted: &Value, found: &mut Value, path: &[&str], place: &Place, gone: &mut Vec<Place>) {
    let [name, rest @ ..] = path else { return };
    if *name == KEYS {
        if let Value::Object(map) = found {
            map.retain(|key, _| keep(wanted.get(key).is_some(), || place.field(key), gone));
        }
        return;
    }
    let field = name.trim_end_matches(IF_APPLIED);
    let (place, wanted) = (place.field(field), &wanted[field]);
    if wanted.is_null() && field.len() < name.len() {
        return;
    }
    let name = &field;
    if rest.is_empty() && wanted.is_null() {
        if let Value::Object(map) = found {
            map.retain(|key, value| key != name || keep(is_empty(value), || place.clone(), gone));
        }
        return;
    }
    match found.get_mut(*name) {
        Some(Value::Array(items)) if rest.is_empty() => {
            let own = wanted.as_array().into_iter().flatten();
            let mut known: Vec<(Value, &Value)> = own.filter_map(|item| Some((key(item)?, item))).collect();
            items.retain_mut(|item| {
                let Some(key) = key(item) else { return true };
                let Some(index) = known.iter().position(|(known, _)| *known == key) else {
                    gone.push(place.item(&key));
                    return false;
                };
                let (_, own) = known.remove(index);
                if ONE_SOURCE.contains(name) && has_more(item, own) {
                    *item = own.clone();
                    gone.push(place.item(&key));
                }
                true
            });
        }
        Some(Value::Array(items)) => {
            for item in items {
                let Some(key) = key(item) else { continue };
                let is_it = |one: &&Value| self::key(one).as_ref() == Some(&key);
                if let Some(wanted) = wanted.as_array().and_then(|all| all.iter().find(is_it)) {
                    walk(wanted, item, rest, &place.item(&key), gone);
                }
            }
        }
        // With another handler than ours there would be two, which the API server refuses.
        Some(inner) if rest.is_empty() => {
            let added = |handler: &&str| inner.get(handler).is_some() && wanted.get(handler).is_none();
            if wanted.is_object() && HANDLERS.iter().any(added) {
                *inner = wanted.clone();
                gone.push(place);
            }
        }
        Some(inner) => walk(wanted, inner, rest, &place, gone),
        None => {}
    }
}

/// Whether an object has fields that another one has not.
fn has_more(found: &Value, wanted: &Value) -> bool {
    found.as_object().is_some_and(|fields| fields.keys().any(|field| wanted.get(field).is_none()))
}

fn keep(stays: bool, place: impl FnOnce() -> Place, gone: &mut Vec<Place>) -> bool {
    if !stays {
        gone.push(place());
    }
    stays
}

/// What tells an item of a list from the others, as the API has it; nothing for lists that are of one piece.
fn key(item: &Value) -> Option<Value> {
    for port in ["containerPort", "port"] {
        if let Some(number) = item.get(port).filter(|number| number.is_number()) {
            let protocol = item.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
            return Some(json!({port: number, "protocol": protocol}));
        }
    }
    let of = |field: &str| item.get(field).filter(|value| value.is_string()).map(|value| json!({field: value}));
    of("mountPath").or_else(|| of("devicePath")).or_else(|| of("name"))
}

/// Whether a field says no more than if it were not there.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// Who wrote any of `places`, as far as the API server knows.
pub(super) fn writers(managed: &[ManagedFieldsEntry], places: &[Place]) -> BTreeSet<String> {
    let wrote_any = |entry: &&ManagedFieldsEntry| places.iter().any(|place| wrote(entry, place));
    let name = |entry: &ManagedFieldsEntry| entry.manager.clone();
    managed.iter().filter(wrote_any).filter_map(name).filter(|name| name != names::FIELD_MANAGER).collect()
}

/// Whether a field is its writer's, by itself or as part of one that is of one piece.
fn wrote(entry: &ManagedFieldsEntry, place: &Place) -> bool {
    let mut at = entry.fields_v1.as_ref().map(|fields| &fields.0);
    for step in &place.steps {
        at = at.and_then(|fields| fields.get(step));
        if at.and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
            return true;
        }
    }
    at.is_some()
}

/// What applying `wanted` made another in `before`: `after` is the answer.
pub(super) fn changed(wanted: &Value, before: &Value, after: &Value) -> Vec<Place> {
    let mut places = Vec::new();
    for (name, wanted) in wanted.as_object().into_iter().flatten() {
        compare(wanted, before.get(name), after.get(name), &Place::default().field(name), &mut places);
    }
    places
}

fn compare(wanted: &Value, before: Option<&Value>, after: Option<&Value>, place: &Place, places: &mut Vec<Place>) {
    let (Some(before), Some(after)) = (before, after) else {
        // An empty one is not stored.
        if before.is_some() != after.is_some() {
            places.push(place.clone());
        }
        return;
    };
    match (wanted, before, after) {
        (Value::Object(fields), Value::Object(old), Value::Object(new)) => {
            // Where more was there, it is of one piece; elsewhere that stays.
            if old.keys().any(|name| !new.contains_key(name)) {
                places.push(place.clone());
                return;
            }
            for (name, wanted) in fields {
                compare(wanted, before.get(name), after.get(name), &place.field(name), places);
            }
        }
        (Value::Array(items), Value::Array(old), Value::Array(new)) if items.iter().all(|item| key(item).is_some()) => {
            let find = |list: &[Value], sought: &Value| list.iter().find(|item| key(item) == key(sought)).cloned();
            if old.iter().any(|item| find(new, item).is_none()) {
                places.push(place.clone());
                return;
            }
            for wanted in items {
                let place = place.item(&key(wanted).unwrap_or_default());
                compare(wanted, find(old, wanted).as_ref(), find(new, wanted).as_ref(), &place, places);
            }
        }
        _ if before != after => places.push(place.clone()),
        _ => {}
    }
}
