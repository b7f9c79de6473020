//! Which namespaces the mesh looks at: `discoverySelectors` of the mesh config.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};
use serde_json::Value;
use weft_api::Labels;

/// The namespaces that are looked at.
#[derive(Debug, Default)]
pub(super) struct Scope {
    root: String,
    /// Any of them lets a namespace in; none at all lets every one in.
    selectors: Vec<Selector>,
    written: Vec<Value>,
    namespaces: HashMap<Box<str>, BTreeMap<String, String>>,
}

impl Scope {
    pub(super) fn new(root: &str) -> Self {
        Self { root: root.to_owned(), ..Self::default() }
    }

    /// Whether objects of a namespace are looked at. The root namespace always is, and cluster-scoped ones too.
    pub(super) fn shows(&self, namespace: &str) -> bool {
        if self.selectors.is_empty() || namespace.is_empty() || namespace == self.root {
            return true;
        }
        let labels = self.namespaces.get(namespace);
        labels.is_some_and(|labels| self.selectors.iter().any(|selector| selector.matches(labels)))
    }

    /// Takes the selectors as they are written; says whether they are others than before. One that makes no sense lets
    /// nothing in; when none makes sense, everything stays in sight.
    pub(super) fn select(&mut self, written: &[Value]) -> bool {
        if self.written == written {
            return false;
        }
        self.written = written.to_vec();
        self.selectors = written
            .iter()
            .filter_map(|value| {
                let selector: LabelSelector = serde_json::from_value(value.clone()).ok()?;
                Selector::try_from(selector).ok()
            })
            .collect();
        true
    }

    /// Takes a namespace's labels; says whether it came into sight or went out of it.
    pub(super) fn namespace(&mut self, name: &str, labels: Option<&Labels>) -> bool {
        let before = self.shows(name);
        match labels {
            Some(labels) => {
                // As selectors take them.
                let labels = labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
                self.namespaces.insert(name.into(), labels.collect());
            }
            None => drop(self.namespaces.remove(name)),
        }
        self.shows(name) != before
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn namespaces_come_into_sight_by_label() {
        let labels = |value: &str| Labels::from_iter([("mesh", value)]);
        let mut scope = Scope::new("istio-system");
        assert!(scope.shows("shop"));
        assert!(!scope.namespace("shop", Some(&labels("on"))));
        assert!(scope.select(&[
            json!({"matchLabels": {"mesh": "on"}}),
            json!({"matchExpressions": [
            {"key": "mesh", "operator": "In", "values": ["also"]}]})
        ]));
        assert!(scope.shows("shop") && scope.shows("") && scope.shows("istio-system") && !scope.shows("other"));
        assert!(scope.namespace("shop", Some(&labels("off"))));
        assert!(!scope.shows("shop"));
        assert!(scope.namespace("shop", Some(&labels("also"))));
        assert!(scope.namespace("shop", None));
        assert!(!scope.select(&[
            json!({"matchLabels": {"mesh": "on"}}),
            json!({"matchExpressions": [
            {"key": "mesh", "operator": "In", "values": ["also"]}]})
        ]));
        assert!(scope.select(&[]));
        assert!(scope.shows("shop"));
    }
}
