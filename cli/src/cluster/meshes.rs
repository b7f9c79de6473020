//! The installations of a cluster, as their `Mesh` objects tell.

use kube::{
    Api, Error,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};
use serde::Deserialize;
use serde_json::Value;
use weft_api::mesh::{MeshSpec, MeshStatus};

use super::{Cluster, explain};

/// One installation.
pub struct Installation {
    /// Name of its Mesh.
    pub name: String,
    /// What is wanted.
    pub spec: MeshSpec,
    /// What there is.
    pub status: MeshStatus,
    /// `metadata.generation`.
    pub generation: i64,
    /// Whether it is being removed.
    pub leaving: bool,
    /// The object as the API server has it.
    pub object: DynamicObject,
}

/// The kind, for requests.
pub fn resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("weft.dev", "v1alpha1", "Mesh"), "meshes")
}

impl Cluster {
    /// Every installation; `None` when the cluster does not know the kind.
    pub async fn meshes(&self) -> anyhow::Result<Option<Vec<Installation>>> {
        let meshes: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource());
        match meshes.list(&ListParams::default()).await {
            Ok(list) => Ok(Some(list.items.into_iter().map(read).collect())),
            Err(Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(explain("list meshes", &error).into()),
        }
    }
}

fn read(object: DynamicObject) -> Installation {
    // A Mesh of a newer version may say what we do not know; what we do know is still worth telling.
    let part = |key: &str| object.data.get(key).cloned().unwrap_or_default();
    Installation {
        name: object.metadata.name.clone().unwrap_or_default(),
        spec: MeshSpec::deserialize(part("spec")).unwrap_or_else(|_| names(&part("spec"))),
        status: MeshStatus::deserialize(part("status")).unwrap_or_default(),
        generation: object.metadata.generation.unwrap_or_default(),
        leaving: object.metadata.deletion_timestamp.is_some(),
        object,
    }
}

/// What a Mesh answers to, whatever else it says.
fn names(spec: &Value) -> MeshSpec {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let tags = spec["tags"].as_array().into_iter().flatten().map(text).collect();
    MeshSpec { revision: text(&spec["revision"]), tags, ..MeshSpec::default() }
}

#[cfg(test)]
pub mod testing {
    use serde_json::json;

    use super::*;

    /// An installation from its JSON.
    pub fn installation(spec: Value, status: Value) -> Installation {
        let mut object = DynamicObject::new("main", &resource());
        object.data = json!({"spec": spec, "status": status});
        object.metadata.generation = Some(3);
        read(object)
    }

    #[test]
    fn a_mesh_is_read_as_far_as_it_is_known() {
        let one = installation(json!({"profile": "demo"}), json!({"observedGeneration": 2, "version": "0.1.0"}));
        assert_eq!((one.spec.profile().as_str(), one.status.version.as_str()), ("demo", "0.1.0"));
        let odd = installation(json!({"profile": "unheard-of", "revision": "v2", "tags": ["prod"]}), Value::Null);
        assert_eq!((odd.spec.revision_label(), odd.spec.tags.as_slice()), ("v2", &["prod".to_owned()][..]));
        assert_eq!((odd.name.as_str(), odd.status.observed_generation), ("main", 0));
    }
}
