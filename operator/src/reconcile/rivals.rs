//! Several Meshes in one cluster: a revision, and a tag, belongs to one of them. The older one has it.

use std::{collections::BTreeSet, sync::Arc};

use kube::{
    ResourceExt,
    api::{DynamicObject, ListParams},
    runtime::reflector::ObjectRef,
};
use serde_json::Value;
use weft_api::mesh::{DEFAULT_REVISION, MeshSpec};
use weft_install::names;

use super::{
    cluster::{Cluster, mesh_resource},
    problem::{Problem, Reason},
    status,
};

/// What a Mesh answers to.
struct Names {
    mesh: String,
    revision: String,
    tags: Vec<String>,
}

impl Names {
    /// As written: a Mesh that is wrong in other ways has its names all the same.
    fn of(mesh: &DynamicObject) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            mesh: mesh.name_any(),
            revision: revision(mesh),
            tags: mesh.data["spec"]["tags"].as_array().into_iter().flatten().map(text).collect(),
        }
    }
}

/// The revision of a Mesh, as written.
pub fn revision(mesh: &DynamicObject) -> String {
    let written = mesh.data["spec"]["revision"].as_str().filter(|written| !written.is_empty());
    written.unwrap_or(DEFAULT_REVISION).to_owned()
}

/// Revisions and tags of the Meshes that are installed and not going.
pub fn installed(all: &[Arc<DynamicObject>]) -> BTreeSet<String> {
    let stays = |mesh: &&Arc<DynamicObject>| {
        mesh.metadata.deletion_timestamp.is_none() && mesh.finalizers().iter().any(|one| one == names::FINALIZER)
    };
    let names = all.iter().filter(stays).map(|mesh| Names::of(mesh));
    names.flat_map(|Names { revision, tags, .. }| std::iter::once(revision).chain(tags)).collect()
}

/// Those of `all` that were refused for a name of another Mesh, and may have it now that `changed` is another or gone.
pub fn waiting(all: &[Arc<DynamicObject>], changed: &DynamicObject) -> Vec<ObjectRef<DynamicObject>> {
    let taken = [Reason::RevisionTaken, Reason::TagTaken].map(Reason::as_str);
    let refused = |mesh: &DynamicObject| {
        status::of(mesh).conditions.iter().any(|condition| taken.contains(&condition.reason.as_str()))
    };
    let waits = all.iter().filter(|mesh| mesh.uid() != changed.uid() && refused(mesh));
    waits.map(|mesh| ObjectRef::new_with(&mesh.name_any(), mesh_resource())).collect()
}

/// As [`check`], by the Meshes that are `known`. Before one is refused the API server is asked: what a watch knows may be a
/// moment old, and who has just moved a tag from one Mesh to another would wait for the next try.
pub async fn ask(
    cluster: &Cluster,
    known: Vec<Arc<DynamicObject>>,
    mesh: &DynamicObject,
    spec: &MeshSpec,
) -> Result<(), Problem> {
    if check(known, mesh, spec).is_ok() {
        return Ok(());
    }
    let api = cluster.api(&mesh_resource(), "");
    let all = cluster.ask("list Meshes", api.list(&ListParams::default())).await?;
    check(all.items.into_iter().map(Arc::new).collect(), mesh, spec)
}

/// Which of Meshes comes first: the eldest has a name that several have.
pub fn age(mesh: &DynamicObject) -> impl Ord + use<> {
    (mesh.creation_timestamp().map(|time| time.0), mesh.name_any())
}

/// Refuses a Mesh that would answer to a name of an older one among `all`.
pub fn check(mut all: Vec<Arc<DynamicObject>>, mesh: &DynamicObject, spec: &MeshSpec) -> Result<(), Problem> {
    all.retain(|other| other.uid() != mesh.uid() && age(other) <= age(mesh));
    all.sort_by_key(|other| age(other));
    let older = answering(all.iter().map(|other| Names::of(other)).collect());
    older.iter().find_map(|other| clash(spec, other)).map_or(Ok(()), Err)
}

/// Of Meshes from the eldest on, those that answer to anything. One whose revision an older one has never was installed; one
/// that is refused for a tag may have been, and runs on.
fn answering(mut all: Vec<Names>) -> Vec<Names> {
    let mut revisions = BTreeSet::new();
    all.retain(|names| revisions.insert(names.revision.clone()));
    all
}

/// What keeps a Mesh from being installed beside an older one.
fn clash(spec: &MeshSpec, older: &Names) -> Option<Problem> {
    let Names { mesh, revision, tags } = older;
    let ours = spec.revision_label();
    if ours == revision {
        let message = format!(
            "Mesh {mesh} has revision {revision:?} already: give this one another spec.revision, or delete one of them"
        );
        return Some(Problem::new(Reason::RevisionTaken, message));
    }
    let taken = std::iter::once(revision).chain(tags).find(|name| spec.tags.contains(name) || *name == ours)?;
    let message =
        format!("Mesh {mesh} answers to {taken:?} already: move the tag by taking it from the one Mesh first");
    Some(Problem::new(Reason::TagTaken, message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::reconcile::fake::FakeApi;

    fn spec(revision: &str, tags: &[&str]) -> MeshSpec {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        MeshSpec { revision: revision.into(), tags, ..MeshSpec::default() }
    }

    /// Mesh `name`, created in the given second.
    fn mesh(name: &str, second: u32, revision: &str, tags: &[&str]) -> DynamicObject {
        serde_json::from_value(json!({
            "metadata": {"name": name, "uid": name, "creationTimestamp": format!("2026-01-01T00:00:{second:02}Z")},
            "spec": {"revision": revision, "tags": tags},
        }))
        .unwrap()
    }

    #[test]
    fn who_is_not_installed_or_goes_answers_to_nothing() {
        let installed = |metadata: Value| {
            let spec = json!({"revision": "v2", "tags": ["prod"]});
            let mesh = serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap();
            super::installed(&[Arc::new(mesh)]).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(installed(json!({"name": "a", "finalizers": [names::FINALIZER]})), ["prod", "v2"]);
        assert!(installed(json!({"name": "a"})).is_empty());
        let going = json!({"name": "a", "finalizers": [names::FINALIZER], "deletionTimestamp": "2026-01-01T00:00:00Z"});
        assert!(installed(going).is_empty());
    }

    #[test]
    fn who_was_refused_for_another_waits_for_it() {
        let refused = |name: &str, reason: &str| {
            let mut mesh = mesh(name, 0, name, &[]);
            mesh.data["status"] = json!({"conditions": [{"type": "Ready", "status": "False", "reason": reason,
                "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
            Arc::new(mesh)
        };
        let all = [refused("a", "RevisionTaken"), refused("b", "TagTaken"), refused("c", "ComponentsNotReady")];
        let told = |changed: &DynamicObject| -> Vec<String> {
            waiting(&all, changed).into_iter().map(|mesh| mesh.name).collect()
        };
        assert_eq!(told(&mesh("gone", 0, "v1", &[])), ["a", "b"]);
        assert_eq!(told(&all[0]), ["b"], "what a Mesh says of itself wakes it not");
    }

    #[tokio::test]
    async fn a_refusal_is_not_made_from_what_a_watch_knew_before() {
        let api = FakeApi::default();
        let cluster = Cluster { client: api.client() };
        let (old, new) = (mesh("old", 0, "v1", &["prod"]), mesh("new", 1, "v2", &["prod"]));
        let known = || vec![Arc::new(old.clone()), Arc::new(new.clone())];
        let wish = spec("v2", &["prod"]);
        let list = |items: &[&DynamicObject]| json!({"apiVersion": "weft.dev/v1alpha1", "kind": "MeshList", "metadata": {}, "items": items});
        api.answer("GET /apis/weft.dev/v1alpha1/meshes", list(&[&old, &new]));
        assert_eq!(ask(&cluster, known(), &new, &wish).await.unwrap_err().reason, Reason::TagTaken);
        api.answer("GET /apis/weft.dev/v1alpha1/meshes", list(&[&mesh("old", 0, "v1", &[]), &new]));
        assert_eq!(ask(&cluster, known(), &new, &wish).await, Ok(()));
    }

    #[test]
    fn one_name_has_one_mesh() {
        let old = Names::of(&mesh("old", 0, "v1", &["prod"]));
        let beside = |spec: &MeshSpec| clash(spec, &old).map(|problem| problem.reason);
        assert_eq!(beside(&spec("v1", &[])), Some(Reason::RevisionTaken));
        assert_eq!(beside(&spec("v2", &["prod"])), Some(Reason::TagTaken));
        assert_eq!(beside(&spec("v2", &["v1"])), Some(Reason::TagTaken));
        assert_eq!(beside(&spec("prod", &[])), Some(Reason::TagTaken));
        assert_eq!(beside(&spec("v2", &["canary"])), None);
        let default = Names::of(&mesh("old", 0, "", &[]));
        assert_eq!(clash(&spec("", &[]), &default).map(|p| p.reason), Some(Reason::RevisionTaken));
    }

    #[test]
    fn what_is_refused_for_its_revision_claims_no_tag() {
        let all = || {
            vec![
                Arc::new(mesh("third", 2, "v3", &["prod"])),
                Arc::new(mesh("twin", 1, "v1", &["prod"])),
                Arc::new(mesh("first", 0, "v1", &[])),
            ]
        };
        let refused = |name: &str| {
            let mesh = all().into_iter().find(|mesh| mesh.name_any() == name).unwrap();
            let Names { revision, tags, .. } = Names::of(&mesh);
            let spec = MeshSpec { revision, tags, ..MeshSpec::default() };
            check(all(), &mesh, &spec).err().map(|problem| problem.reason)
        };
        assert_eq!((refused("first"), refused("third")), (None, None));
        assert_eq!(refused("twin"), Some(Reason::RevisionTaken));
    }
}
