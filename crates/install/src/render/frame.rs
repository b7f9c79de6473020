//! What all objects of one installation share: labels, owner, revision.

use serde_json::{Map, Value, json};

use crate::{MeshInput, names, profile::Settings};

/// One rendering.
pub(super) struct Frame<'a> {
    pub(super) input: &'a MeshInput,
    pub(super) settings: Settings,
}

impl<'a> Frame<'a> {
    pub(super) fn new(input: &'a MeshInput) -> Self {
        Self { input, settings: Settings::of(input) }
    }

    /// `name` with the revision behind it, but for the default one.
    pub(super) fn name(&self, name: &str) -> String {
        self.input.mesh.revisioned(name)
    }

    /// Labels of an object that belongs to `component`.
    pub(super) fn labels(&self, component: &str) -> Map<String, Value> {
        let mut labels = Map::new();
        for (key, value) in [
            ("app.kubernetes.io/managed-by", names::FIELD_MANAGER),
            ("app.kubernetes.io/part-of", "weft"),
            ("app.kubernetes.io/name", component),
            (names::COMPONENT_LABEL, component),
            (names::MESH_LABEL, &self.input.name),
            (names::REVISION_LABEL, self.input.mesh.revision_label()),
        ] {
            labels.insert(key.to_owned(), value.into());
        }
        labels
    }

    /// What tells a component's pods from all others. It never changes, because a Deployment's selector cannot.
    pub(super) fn selector(&self, component: &str) -> Value {
        json!({names::COMPONENT_LABEL: component, names::REVISION_LABEL: self.input.mesh.revision_label()})
    }

    /// Metadata of a cluster-scoped object.
    pub(super) fn cluster_meta(&self, component: &str, name: &str) -> Value {
        let mut meta = json!({"name": name, "labels": self.labels(component)});
        if let Some(uid) = &self.input.uid {
            meta["ownerReferences"] = json!([{
                "apiVersion": "weft.dev/v1alpha1",
                "kind": "Mesh",
                "name": self.input.name,
                "uid": uid,
                "controller": true,
                "blockOwnerDeletion": true,
            }]);
        }
        meta
    }

    /// Metadata of an object in the namespace of the installation.
    pub(super) fn meta(&self, component: &str, name: &str) -> Value {
        let mut meta = self.cluster_meta(component, name);
        meta["namespace"] = self.input.namespace.as_str().into();
        meta
    }

    /// A ServiceAccount of this name.
    pub(super) fn service_account(&self, component: &str, name: &str) -> Value {
        let mut account = json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": self.meta(component, name),
        });
        let secrets = &self.input.mesh.image.pull_secrets;
        if !secrets.is_empty() {
            account["imagePullSecrets"] = secrets.iter().map(|name| json!({"name": name})).collect();
        }
        account
    }
}
