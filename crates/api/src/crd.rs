//! CustomResourceDefinitions: our own from the Rust types, and those of Istio's kinds for clusters that lack them.

mod foreign;
mod structural;

use serde_json::{Value, json};

use crate::Kind;

pub(crate) use structural::structural;

/// Annotation of our own definitions: the version of Weft that wrote them. One without it is from before there was any.
pub const VERSION_ANNOTATION: &str = "weft.dev/version";

/// One CustomResourceDefinition.
#[derive(Clone, Debug, PartialEq)]
pub struct Crd {
    /// `<plural>.<group>`.
    pub name: String,
    /// Whether it is another project's: created only when absent, never replaced and never deleted, because deleting a
    /// CRD deletes its users' objects.
    pub foreign: bool,
    /// The object.
    pub definition: Value,
}

/// Every CRD, our own first.
pub fn all() -> Vec<Crd> {
    let mut all = vec![mesh()];
    all.extend(foreign::all());
    all
}

fn mesh() -> Crd {
    let kind = Kind::Mesh;
    let name = format!("{}.{}", kind.plural(), kind.group());
    let column = |name: &str, kind: &str, path: &str, description: &str| json!({"name": name, "type": kind, "jsonPath": path, "description": description});
    let mut reason =
        column("Reason", "string", ".status.conditions[?(@.type==\"Ready\")].reason", "Why it is ready or not");
    reason["priority"] = json!(1);
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": name,
            "labels": {"app.kubernetes.io/part-of": "weft"},
            "annotations": {VERSION_ANNOTATION: env!("CARGO_PKG_VERSION")},
        },
        "spec": {
            "group": kind.group(),
            "scope": "Cluster",
            "names": {
                "kind": kind.name(),
                "listKind": "MeshList",
                "plural": kind.plural(),
                "singular": "mesh",
                "categories": ["weft"],
            },
            "versions": [{
                "name": kind.versions()[0],
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": crate::mesh::schema()},
                "subresources": {"status": {}},
                "additionalPrinterColumns": [
                    column("Profile", "string", ".spec.profile", "What is installed"),
                    column("Revision", "string", ".status.revision", "Name of this control plane beside others"),
                    column(
                        "Ready",
                        "string",
                        ".status.conditions[?(@.type==\"Ready\")].status",
                        "Whether everything of it runs",
                    ),
                    reason,
                    column("Version", "string", ".status.version", "Version of the control plane"),
                    column("Proxies", "integer", ".status.connectedProxies", "Proxies that are connected"),
                    column("Age", "date", ".metadata.creationTimestamp", "Since when it is there"),
                ],
            }],
        },
    });
    Crd { name, foreign: false, definition }
}

#[cfg(test)]
mod tests;
