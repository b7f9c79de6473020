//! The Mesh's schema, as a CustomResourceDefinition wants it.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::{MeshSpec, MeshStatus};
use crate::crd::structural;

/// What is read more forgivingly, and checked more deeply, than a schema can: the webhook does.
pub(super) fn as_written(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// The structural schema of a Mesh, with defaults and rules.
pub(crate) fn schema() -> Value {
    let mut spec = structural::<MeshSpec>();
    // The API server holds a default against the rules before it fills in the fields' own.
    spec["default"] = json!({"profile": "default", "revision": ""});
    let field = &mut spec["properties"]["profile"];
    field["default"] = json!("default");
    let field = &mut spec["properties"]["revision"];
    field["default"] = json!("");
    field["maxLength"] = json!(40);
    field["x-kubernetes-validations"] = json!([
        {
            "rule": "self == '' || self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "message": "a revision is a DNS label: lower-case letters, digits and '-', beginning with a letter",
        },
        {"rule": "self == oldSelf", "message": "the revision cannot change: create a second Mesh and move workloads over"},
    ]);
    let field = &mut spec["properties"]["tags"];
    field["maxItems"] = json!(16);
    field["x-kubernetes-list-type"] = json!("set");
    field["items"]["maxLength"] = json!(40);
    field["items"]["pattern"] = json!("^[a-z]([-a-z0-9]*[a-z0-9])?$");
    spec["x-kubernetes-validations"] = json!([
        {
            "rule": "self.profile == 'remote' ? has(self.remote) && has(self.remote.controlPlane) : !has(self.remote)",
            "message": "remote.controlPlane goes with profile remote, and profile remote with it",
        },
        {
            "rule": "!has(self.tags) || !self.tags.exists(tag, tag == self.revision)",
            "message": "a tag is another name than the revision's own",
        },
    ]);
    for component in ["controlPlane", "ingressGateway", "console"] {
        let component = &mut spec["properties"]["components"]["properties"][component];
        component["x-kubernetes-validations"] = json!([{
            "rule": "!(has(self.replicas) && has(self.autoscaling))",
            "message": "replicas and autoscaling exclude each other",
        }]);
        component["properties"]["replicas"]["minimum"] = json!(1);
        let scaling = &mut component["properties"]["autoscaling"];
        scaling["required"] = json!(["minReplicas", "maxReplicas"]);
        scaling["properties"]["minReplicas"]["minimum"] = json!(1);
        scaling["x-kubernetes-validations"] = json!([{
            "rule": "self.minReplicas <= self.maxReplicas",
            "message": "minReplicas is at most maxReplicas",
        }]);
        let ports = &mut component["properties"]["servicePorts"];
        ports["maxItems"] = json!(64);
        ports["items"]["required"] = json!(["name", "port"]);
        for (port, least) in [("port", 1), ("targetPort", 1024), ("nodePort", 1)] {
            ports["items"]["properties"][port]["minimum"] = json!(least);
            ports["items"]["properties"][port]["maximum"] = json!(65535);
        }
    }
    let console = &mut spec["properties"]["components"]["properties"]["console"];
    if let Some(rules) = console["x-kubernetes-validations"].as_array_mut() {
        rules.push(json!({
            "rule": "!((has(self.replicas) && self.replicas > 1) || \
                     (has(self.autoscaling) && self.autoscaling.maxReplicas > 1)) || \
                     (has(self.database) && has(self.sessionKey))",
            "message": "several consoles share a Postgres and a session key: write database and sessionKey, or have one",
        }));
    }
    json!({
        "type": "object",
        "description": "One installation of Weft with its mesh-wide settings.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": structural::<MeshStatus>(),
        },
    })
}
