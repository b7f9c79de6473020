//! Whole objects made, replaced and removed on a cluster, in the name of the user who asks.

use kube::api::{DeleteParams, PostParams, Preconditions};
use serde_json::{Value, json};
use weft_api::{Kind, ObjectKey, core::LAST_APPLIED};

use super::{
    ClusterError, Conflict, FIELD_MANAGER, GitOps, KubernetesStore, Live, diff, error, name, patch, read_live, render,
};
use crate::{
    cluster_store::{ClusterUndo, Credential},
    config_store::{StoreError, Undo, Way},
    draft::{Draft, text_revision},
    whole::{Stale, WholeApplied, WholeEdit, WholePreview, unified},
};

impl KubernetesStore {
    /// Works a change out without making it. With a token the API server itself says what would come of it, webhooks
    /// included; without one it is worked out here.
    pub async fn preview_whole(&self, user: Option<&Credential>, edit: &WholeEdit) -> Result<WholePreview, StoreError> {
        let drafted = edit.after()?;
        let key = edit.key().ok_or(StoreError::Elsewhere)?;
        let place = name(&key);
        match edit {
            WholeEdit::Create(draft) => {
                let after = match user {
                    Some(user) => Some(self.create(user, &key, &manifest(draft)?, true).await?.object),
                    None => drafted,
                };
                let text = format!("{}\n", draft.text().trim_end());
                let diff = unified(&place, "", &text);
                Ok(WholePreview { diff, place, before: None, after, owner: None })
            }
            WholeEdit::Update(_, draft, revision) => {
                let live = self.current(user, &key, revision).await?;
                let wanted = carried(&live.value, manifest(draft)?);
                let owner = GitOps::of(&live.value).map(|owner| owner.to_string());
                // What a GitOps tool owns is not written, so it is not tried either.
                let after = match user.filter(|_| owner.is_none()) {
                    Some(user) => self.change(user, &key, &live, &wanted, true).await?,
                    None => read_live(&key, wanted)?,
                };
                let diff = diff(&key, &live.value, &after.value);
                Ok(WholePreview { diff, place, before: Some(live.object), after: Some(after.object), owner })
            }
            WholeEdit::Delete(_, revision) => {
                let live = self.current(user, &key, revision).await?;
                let owner = GitOps::of(&live.value).map(|owner| owner.to_string());
                if let Some(user) = user.filter(|_| owner.is_none()) {
                    self.remove(user, &key, &live, true).await?;
                }
                let diff = unified(&place, &render::yaml(&live.value), "");
                Ok(WholePreview { diff, place, before: Some(live.object), after: None, owner })
            }
        }
    }

    /// Makes a change; the API server tries it before. What a GitOps tool owns is left alone.
    pub async fn apply_whole(&self, user: &Credential, edit: &WholeEdit) -> Result<WholeApplied, StoreError> {
        edit.after()?;
        let key = edit.key().ok_or(StoreError::Elsewhere)?;
        let managed = |live: &Live, then: String| match GitOps::of(&live.value) {
            Some(owner) => {
                let patch = unified(&name(&key), &render::yaml(&live.value), &then);
                Err(StoreError::from(ClusterError::Managed { owner, patch }))
            }
            None => Ok(()),
        };
        match edit {
            WholeEdit::Create(draft) => {
                let manifest = manifest(draft)?;
                self.create(user, &key, &manifest, true).await?;
                let after = self.create(user, &key, &manifest, false).await?;
                let undo = Undo { way: Way::Created(key, after.revision) };
                Ok(WholeApplied { after: Some(after.object), undo })
            }
            WholeEdit::Update(_, draft, revision) => {
                let live = self.current(Some(user), &key, revision).await?;
                let wanted = carried(&live.value, manifest(draft)?);
                managed(&live, render::yaml(&wanted))?;
                self.change(user, &key, &live, &wanted, true).await?;
                let after = self.change(user, &key, &live, &wanted, false).await?;
                let operations = json_patch::diff(&after.value, &carried(&after.value, live.value));
                let undo = ClusterUndo { key, revision: after.revision, operations };
                Ok(WholeApplied { after: Some(after.object), undo: Undo { way: Way::Cluster(undo) } })
            }
            WholeEdit::Delete(_, revision) => {
                let live = self.current(Some(user), &key, revision).await?;
                managed(&live, String::new())?;
                self.remove(user, &key, &live, true).await?;
                self.remove(user, &key, &live, false).await?;
                let undo = Undo { way: Way::Deleted(key, bare(live.value)) };
                Ok(WholeApplied { after: None, undo })
            }
        }
    }

    /// Takes a new object away again, unless it says something else by now.
    pub(super) async fn uncreate(
        &self,
        user: &Credential,
        key: &ObjectKey,
        revision: &str,
    ) -> Result<String, StoreError> {
        let live = self.live(Some(user), key).await?;
        if live.revision != revision {
            return Err(Conflict::since(key, &live.value, Vec::new()).into());
        }
        self.remove(user, key, &live, false).await?;
        Ok(String::new())
    }

    /// Brings an object back that was removed.
    pub(super) async fn recreate(
        &self,
        user: &Credential,
        key: &ObjectKey,
        manifest: &Value,
    ) -> Result<String, StoreError> {
        Ok(self.create(user, key, manifest, false).await?.revision)
    }

    /// The object now, if its text is the one that the edit starts from.
    async fn current(&self, user: Option<&Credential>, key: &ObjectKey, revision: &str) -> Result<Live, StoreError> {
        let stale = |theirs, by| StoreError::Stale(Box::new(Stale { key: key.clone(), theirs, by }));
        let live = match self.live(user, key).await {
            Err(StoreError::NotFound(_)) => return Err(stale(None, None)),
            other => other?,
        };
        let text = render::yaml(&live.value);
        if text_revision(&text) == revision {
            return Ok(live);
        }
        let last = Conflict::since(key, &live.value, Vec::new()).last;
        Err(stale(Some(text.trim_end().to_owned()), last.map(|last| last.to_string())))
    }

    /// Makes the object what it is to be, by operations that hold for this very version of it only.
    async fn change(
        &self,
        user: &Credential,
        key: &ObjectKey,
        live: &Live,
        wanted: &Value,
        dry_run: bool,
    ) -> Result<Live, StoreError> {
        let operations = patch::guarded(&live.value, &json_patch::diff(&live.value, wanted));
        match self.patch(user, key, live, &operations, dry_run).await {
            Err(StoreError::Cluster(error)) if matches!(*error, ClusterError::Conflict(_)) => {
                let now = self.live(Some(user), key).await?;
                let by = Conflict::since(key, &now.value, Vec::new()).last.map(|last| last.to_string());
                let theirs = Some(render::yaml(&now.value).trim_end().to_owned());
                Err(StoreError::Stale(Box::new(Stale { key: key.clone(), theirs, by })))
            }
            other => other,
        }
    }

    async fn create(
        &self,
        user: &Credential,
        key: &ObjectKey,
        manifest: &Value,
        dry_run: bool,
    ) -> Result<Live, StoreError> {
        let kind = Kind::of(&key.group, &key.kind).ok_or_else(|| StoreError::NotFound(key.clone()))?;
        let mut manifest = manifest.clone();
        if !kind.group().is_empty() {
            // The version of the address, whichever of a kind's the text names: they are one type.
            manifest["apiVersion"] = format!("{}/{}", kind.group(), self.version(kind).await?).into();
        }
        let parameters = PostParams { dry_run, field_manager: Some(FIELD_MANAGER.to_owned()) };
        let request = self
            .request(key)
            .await?
            .create(&parameters, manifest.to_string().into_bytes())
            .map_err(|error| ClusterError::Rejected { reason: error.to_string() })?;
        match self.call(Some(user), request).await {
            Ok(value) => read_live(key, value),
            Err(kube::Error::Api(status)) if status.code == 409 => Err(StoreError::Exists(key.clone())),
            // The namespace, not the object, is what is missing.
            Err(kube::Error::Api(status)) if status.code == 404 => {
                Err(ClusterError::Rejected { reason: status.message.clone() }.into())
            }
            Err(error) => Err(error::of(key, error)),
        }
    }

    async fn remove(&self, user: &Credential, key: &ObjectKey, live: &Live, dry_run: bool) -> Result<(), StoreError> {
        let text = |field: &str| live.value["metadata"][field].as_str().map(str::to_owned);
        let parameters = DeleteParams {
            dry_run,
            preconditions: Some(Preconditions { uid: text("uid"), resource_version: text("resourceVersion") }),
            ..DeleteParams::default()
        };
        let request = self
            .request(key)
            .await?
            .delete(&key.name, &parameters)
            .map_err(|error| ClusterError::Rejected { reason: error.to_string() })?;
        match self.call(Some(user), request).await {
            Ok(_) => Ok(()),
            Err(error) if error::status(&error) == Some(409) => {
                let now = self.live(Some(user), key).await?;
                let by = Conflict::since(key, &now.value, Vec::new()).last.map(|last| last.to_string());
                let theirs = Some(render::yaml(&now.value).trim_end().to_owned());
                Err(StoreError::Stale(Box::new(Stale { key: key.clone(), theirs, by })))
            }
            Err(error) => Err(error::of(key, error)),
        }
    }
}

fn manifest(draft: &Draft) -> Result<Value, StoreError> {
    draft.value().ok_or(StoreError::Elsewhere)
}

/// An object without what the API server put in.
fn bare(mut object: Value) -> Value {
    if let Value::Object(map) = &mut object {
        map.shift_remove("status");
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            metadata.retain(|field, _| !render::SERVER_METADATA.contains(&field.as_str()));
        }
    }
    object
}

/// What `content` says, with everything of `live` that is not shown to people and so cannot be in their text.
fn carried(live: &Value, content: Value) -> Value {
    let mut wanted = bare(content);
    wanted["apiVersion"] = live["apiVersion"].clone();
    if let Some(status) = live.get("status") {
        wanted["status"] = status.clone();
    }
    if !wanted["metadata"].is_object() {
        wanted["metadata"] = json!({});
    }
    for field in ["name", "namespace"].into_iter().chain(render::SERVER_METADATA) {
        if let Some(value) = live["metadata"].get(field) {
            wanted["metadata"][field] = value.clone();
        }
    }
    if let Some(applied) = live["metadata"]["annotations"].get(LAST_APPLIED) {
        if !wanted["metadata"]["annotations"].is_object() {
            wanted["metadata"]["annotations"] = json!({});
        }
        wanted["metadata"]["annotations"][LAST_APPLIED] = applied.clone();
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_do_not_see_stays() {
        let live = json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {
                "name": "a", "namespace": "b", "uid": "u", "resourceVersion": "7", "labels": {"old": "1"},
                "annotations": {LAST_APPLIED: "{}", "mine": "1"},
            },
            "spec": {"hosts": ["a"], "gone": true},
            "status": {"x": 1},
        });
        let text = json!({
            "apiVersion": "networking.istio.io/v1beta1",
            "kind": "VirtualService",
            "metadata": {"name": "a", "namespace": "b", "uid": "forged"},
            "spec": {"hosts": ["b"]},
        });
        let operations = json_patch::diff(&live, &carried(&live, text));
        let mut after = live.clone();
        json_patch::patch(&mut after, &operations).unwrap();
        assert_eq!(after["metadata"]["uid"], "u");
        assert_eq!(after["metadata"]["annotations"], json!({LAST_APPLIED: "{}"}));
        assert_eq!(after["metadata"].get("labels"), None);
        assert_eq!(after["spec"], json!({"hosts": ["b"]}));
        assert_eq!(after["status"], live["status"]);
        assert_eq!(after["apiVersion"], live["apiVersion"]);
    }
}
