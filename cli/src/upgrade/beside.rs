//! A second control plane beside the one that runs.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use weft_api::mesh::Profile;
use weft_install::{Capabilities, MeshInput};

use super::plan::{Action, Step};
use crate::cluster::meshes::{Installation, resource};

/// A Mesh of another revision with the settings of `base`, named as `weft install --revision` would name it beside a Mesh
/// called weft. Tags stay with `base`: a tag has one Mesh, and moving it moves workloads. So does the volume of its console:
/// most go to one node, and the second console would wait for it as long as the first one runs.
pub(super) fn step(base: &Installation, revision: &str, to: &str) -> Step {
    let name = format!("{}-{revision}", base.name);
    let mut spec = base.object.data.get("spec").cloned().filter(Value::is_object).unwrap_or_else(|| json!({}));
    spec["revision"] = revision.into();
    if let Some(fields) = spec.as_object_mut() {
        fields.remove("tags");
    }
    if let Some(console) = spec.pointer_mut("/components/console").and_then(Value::as_object_mut) {
        console.remove("persistentVolumeClaim");
    }
    if !spec["image"].is_object() {
        spec["image"] = json!({});
    }
    spec["image"]["tag"] = to.into();
    let kind = resource();
    Step {
        object: Some(json!({
            "apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, "spec": spec,
        })),
        revision: revision.to_owned(),
        action: Action::Create,
        from: String::new(),
        to: to.to_owned(),
        images: BTreeMap::new(),
        refused: unusable(&name, revision),
        mesh: name,
        note: None,
        tag: None,
        shows: if base.spec.profile() == Profile::Remote { String::new() } else { to.to_owned() },
    }
}

/// Why no Mesh can have that name and revision. Only these: the settings are those of a Mesh that is there.
fn unusable(name: &str, revision: &str) -> Option<String> {
    let kind = resource();
    let error = |name: &str| {
        let bare = json!({
            "apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, "spec": {"revision": revision},
        });
        MeshInput::from_json(&bare, "", Capabilities::default()).err()
    };
    // The revision's own rule first: a name that is made of it is wrong for the same reason.
    let error = error("weft").or_else(|| error(name))?;
    Some(format!("{error}: name another one, such as --revision v2"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::meshes::testing::installation;

    #[test]
    fn settings_are_taken_over_and_tags_are_not() {
        let spec = json!({"profile": "demo", "tags": ["prod"], "image": {"hub": "registry/weft", "tag": "0.1.0"}});
        let step = step(&installation(spec, json!({})), "v2", "0.2.0");
        assert_eq!((step.mesh.as_str(), step.action), ("main-v2", Action::Create));
        let expected = json!({"profile": "demo", "revision": "v2", "image": {"hub": "registry/weft", "tag": "0.2.0"}});
        assert_eq!(step.object.unwrap()["spec"], expected);
    }

    #[test]
    fn the_volume_of_a_console_stays_with_it() {
        let console = json!({"persistentVolumeClaim": "weft-console", "podLabels": {"team": "mesh"}});
        let step = super::step(&installation(json!({"components": {"console": console}}), json!({})), "v2", "0.2.0");
        assert_eq!(step.object.unwrap()["spec"]["components"], json!({"console": {"podLabels": {"team": "mesh"}}}));
        let key = json!({"name": "weft-console", "key": "it"});
        let console = json!({"database": key, "sessionKey": key});
        let step = super::step(&installation(json!({"components": {"console": console}}), json!({})), "v2", "0.2.0");
        assert_eq!(step.object.unwrap()["spec"]["components"]["console"], console, "these are shared");
    }

    #[test]
    fn a_revision_that_cannot_be_is_refused_before_anything_is_written() {
        let refused = |revision: &str| step(&installation(json!({}), json!({})), revision, "0.2.0").refused;
        assert_eq!(refused("v2"), None);
        for bad in ["V2_BAD", "2", "a.b", "v2-", &"v".repeat(41)] {
            let told = refused(bad).unwrap_or_default();
            assert!(
                told.contains(bad) && told.contains("lower-case letters") && told.contains("--revision v2"),
                "{told}"
            );
        }
    }
}
