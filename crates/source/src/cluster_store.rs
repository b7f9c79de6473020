//! The way back to an API server: edits as JSON patches that say what they start from, in the name of the user who asks.

mod conflict;
mod credential;
mod error;
mod gitops;
mod patch;
mod render;
mod served;
mod token;
mod whole;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kube::{
    Client, Config,
    api::{GetParams, Patch, PatchParams, ValidationDirective},
    config::AuthInfo,
    core::Request,
};
use serde_json::Value;
use weft_api::{Kind, Object, ObjectKey, ObjectMeta, Scope};

use self::served::Served;
pub use self::{
    conflict::{Changer, Conflict, FieldChange},
    credential::{Credential, Impersonation, NotImpersonated},
    error::ClusterError,
    gitops::GitOps,
    token::{BadToken, BearerToken},
};
use crate::{
    config_store::{Applied, ConfigDocument, FieldEdit, Preview, StoreError, Undo, Way},
    kubernetes::{ConnectError, client},
    reading::{self, Reading},
    whole::unified,
};

/// Our name in an object's `managedFields`.
pub const FIELD_MANAGER: &str = "weft-console";
/// How long one call may take.
const CALL_WITHIN: Duration = Duration::from_secs(10);

/// Reads and edits objects through the API server. Reading may be done with our own rights; whatever is written is
/// written with the user's token or in the user's name, and the store has no right of its own to use instead.
pub struct KubernetesStore {
    /// Reads, and acts in the name of people where they are impersonated.
    own: Client,
    /// Has no credentials: each call brings the user's.
    users: Client,
    served: Served,
}

/// Takes an edit of an object on a cluster back, as long as it says what the edit left.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct ClusterUndo {
    key: ObjectKey,
    revision: String,
    operations: json_patch::Patch,
}

/// An object as the API server has it now.
struct Live {
    value: Value,
    object: Arc<Object>,
    revision: String,
}

/// What an edit of an object starts from: it is another one after every change of what the object says, and the same
/// whatever happens to its status and metadata.
pub fn revision(meta: &ObjectMeta) -> String {
    let version = meta.resource_version.as_deref().unwrap_or_default();
    match (&meta.uid, meta.generation) {
        (Some(uid), Some(generation)) if generation > 0 => format!("{uid}/{generation}"),
        (Some(uid), _) => format!("{uid}@{version}"),
        (None, _) => version.to_owned(),
    }
}

impl KubernetesStore {
    /// A store that reads with the rights of `config` and writes with those of users.
    pub fn new(config: Config) -> Result<Self, ConnectError> {
        let mut anonymous = config.clone();
        anonymous.auth_info = AuthInfo::default();
        Ok(Self { own: client(config)?, users: client(anonymous)?, served: Served::default() })
    }

    /// The object as the API server has it now.
    pub async fn read(&self, user: Option<&Credential>, key: &ObjectKey) -> Result<ConfigDocument, StoreError> {
        let live = self.live(user, key).await?;
        Ok(document(key, &live))
    }

    /// Works an edit out without making it. With a token the API server itself says what would come of it, webhooks
    /// included; without one it is worked out here.
    pub async fn preview(
        &self,
        user: Option<&Credential>,
        key: &ObjectKey,
        revision: &str,
        edits: &[FieldEdit],
    ) -> Result<Preview, StoreError> {
        let live = self.live(user, key).await?;
        let plan = plan(&live, revision, edits)?;
        let after = match user {
            Some(user) => self.patch(user, key, &live, &plan.forward, true).await?,
            None => {
                let mut value = live.value.clone();
                json_patch::patch(&mut value, &plan.forward)
                    .map_err(|error| ClusterError::Rejected { reason: error.to_string() })?;
                read_live(key, value)?
            }
        };
        let owner = GitOps::of(&live.value).map(|owner| owner.to_string());
        Ok(Preview { diff: diff(key, &live.value, &after.value), before: live.object, after: after.object, owner })
    }

    /// Makes an edit. An object that a GitOps tool owns is left alone: the tool would take the edit back.
    pub async fn apply(
        &self,
        user: &Credential,
        key: &ObjectKey,
        revision: &str,
        edits: &[FieldEdit],
    ) -> Result<Applied, StoreError> {
        let live = self.live(Some(user), key).await?;
        let plan = plan(&live, revision, edits)?;
        if let Some(owner) = GitOps::of(&live.value) {
            let mut value = live.value.clone();
            json_patch::patch(&mut value, &plan.forward)
                .map_err(|error| ClusterError::Rejected { reason: error.to_string() })?;
            return Err(ClusterError::Managed { owner, patch: diff(key, &live.value, &value) }.into());
        }
        let after = self.patch(user, key, &live, &plan.forward, false).await?;
        let undo = ClusterUndo { key: key.clone(), revision: after.revision.clone(), operations: plan.back };
        Ok(Applied { revision: after.revision, object: after.object, undo: Undo { way: Way::Cluster(undo) } })
    }

    /// Takes an edit back; gives the revision of the object then.
    pub async fn undo(&self, user: &Credential, undo: &Undo) -> Result<String, StoreError> {
        let undo = match &undo.way {
            Way::Cluster(undo) => undo,
            Way::Created(key, revision) => return self.uncreate(user, key, revision).await,
            Way::Deleted(key, manifest) => return self.recreate(user, key, manifest).await,
            Way::File(_) => return Err(StoreError::Elsewhere),
        };
        let live = self.live(Some(user), &undo.key).await?;
        if live.revision != undo.revision {
            return Err(Conflict::since(&undo.key, &live.value, Vec::new()).into());
        }
        let after = self.patch(user, &undo.key, &live, &patch::guarded(&live.value, &undo.operations), false).await?;
        Ok(after.revision)
    }

    /// Writes a whole object by server-side apply: a new one, or one that was made this way before. Any other is
    /// refused, because applying it would take fields from whoever owns them.
    pub async fn put(&self, user: &Credential, manifest: &Value) -> Result<ConfigDocument, StoreError> {
        let Reading { object, errors, .. } = reading::read(manifest, true);
        if let Some((error, _)) = errors.into_iter().next() {
            return Err(StoreError::Invalid(Box::new(error)));
        }
        let Some(key) = object.map(|object| object.key()) else { return Err(StoreError::Elsewhere) };
        match self.live(Some(user), &key).await {
            Ok(live) if !conflict::created_by(&live.value, FIELD_MANAGER) => {
                return Err(ClusterError::NotOurs { key }.into());
            }
            Ok(live) => {
                if let Some(owner) = GitOps::of(&live.value) {
                    return Err(ClusterError::Managed { owner, patch: diff(&key, &live.value, manifest) }.into());
                }
            }
            Err(StoreError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        let parameters =
            PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::apply(FIELD_MANAGER) };
        let request = self
            .request(&key)
            .await?
            .patch(&key.name, &parameters, &Patch::Apply(manifest))
            .map_err(|error| ClusterError::Rejected { reason: error.to_string() })?;
        match self.call(Some(user), request).await {
            Ok(value) => Ok(document(&key, &read_live(&key, value)?)),
            Err(error) => Err(match error::status(&error) {
                Some(409) => Conflict::of_apply(&key, &error).into(),
                _ => error::of(&key, error),
            }),
        }
    }

    async fn live(&self, user: Option<&Credential>, key: &ObjectKey) -> Result<Live, StoreError> {
        let request = self
            .request(key)
            .await?
            .get(&key.name, &GetParams::default())
            .map_err(|error| ClusterError::Rejected { reason: error.to_string() })?;
        let value = self.call(user, request).await.map_err(|error| error::of(key, error))?;
        read_live(key, value)
    }

    /// Sends operations that say what they start from. Whatever the API server's words, a patch whose tests fail is a
    /// conflict, and any other refusal is not.
    async fn patch(
        &self,
        user: &Credential,
        key: &ObjectKey,
        live: &Live,
        operations: &json_patch::Patch,
        dry_run: bool,
    ) -> Result<Live, StoreError> {
        let parameters =
            PatchParams { dry_run, field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let request = self
            .request(key)
            .await?
            .patch(&key.name, &parameters, &Patch::<()>::Json(operations.clone()))
            .map_err(|error| ClusterError::Rejected { reason: error.to_string() })?;
        match self.call(Some(user), request).await {
            Ok(value) => read_live(key, value),
            Err(error) if matches!(error::status(&error), Some(409 | 422)) => {
                let now = self.live(Some(user), key).await?;
                let version = |value: &Value| value.pointer("/metadata/resourceVersion").cloned();
                if version(&now.value) == version(&live.value) {
                    return Err(error::of(key, error));
                }
                Err(Conflict::since(key, &now.value, patch::differences(&now.value, operations)).into())
            }
            Err(error) => Err(error::of(key, error)),
        }
    }

    /// The URL of an object's kind and namespace, in a version that is served.
    async fn request(&self, key: &ObjectKey) -> Result<Request, StoreError> {
        let kind = Kind::of(&key.group, &key.kind).ok_or_else(|| StoreError::NotFound(key.clone()))?;
        let prefix = if kind.group().is_empty() {
            format!("/api/{}", kind.versions()[0])
        } else {
            format!("/apis/{}/{}", kind.group(), self.version(kind).await?)
        };
        Ok(Request::new(match kind.scope() {
            Scope::Cluster => format!("{prefix}/{}", kind.plural()),
            Scope::Namespaced => format!("{prefix}/namespaces/{}/{}", key.namespace, kind.plural()),
        }))
    }

    async fn version(&self, kind: Kind) -> Result<&'static str, StoreError> {
        let best = |served: &[String]| {
            kind.versions().iter().copied().find(|version| served.iter().any(|known| known == version))
        };
        if let Some(version) = self.served.get(kind.group()).as_deref().and_then(best) {
            return Ok(version);
        }
        let groups = tokio::time::timeout(CALL_WITHIN, self.own.list_api_groups())
            .await
            .map_err(|_| ClusterError::Unavailable { reason: "no answer in time".to_owned() })?
            .map_err(|error| ClusterError::Unavailable { reason: error.to_string() })?;
        let groups: BTreeMap<_, Vec<_>> = groups
            .groups
            .into_iter()
            .map(|group| (group.name, group.versions.into_iter().map(|version| version.version).collect()))
            .collect();
        let version = groups.get(kind.group()).and_then(|served| best(served));
        self.served.set(groups);
        version.ok_or_else(|| ClusterError::NotServed { kind }.into())
    }

    async fn call(&self, user: Option<&Credential>, mut request: http::Request<Vec<u8>>) -> kube::Result<Value> {
        if let Some(user) = user {
            user.sign(request.headers_mut());
        }
        let client = match user {
            Some(Credential::Token(_)) => &self.users,
            Some(Credential::Impersonated(_)) | None => &self.own,
        };
        match tokio::time::timeout(CALL_WITHIN, client.request(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(kube::Error::Service("no answer in time".into())),
        }
    }
}

fn plan(live: &Live, expected: &str, edits: &[FieldEdit]) -> Result<patch::Plan, StoreError> {
    let key = live.object.key();
    let (plan, changed) = patch::plan(&live.value, edits)?;
    if live.revision != expected || !changed.is_empty() {
        return Err(Conflict::since(&key, &live.value, changed).into());
    }
    Ok(plan)
}

fn read_live(key: &ObjectKey, value: Value) -> Result<Live, StoreError> {
    let Reading { object, errors, .. } = reading::read(&value, true);
    if let Some((error, _)) = errors.into_iter().next() {
        return Err(StoreError::Invalid(Box::new(error)));
    }
    let object = object.ok_or_else(|| StoreError::NotFound(key.clone()))?;
    Ok(Live { revision: revision(&object.meta), object: Arc::new(object), value })
}

fn document(key: &ObjectKey, live: &Live) -> ConfigDocument {
    ConfigDocument {
        object: Arc::clone(&live.object),
        file: key.to_string(),
        first_line: 1,
        text: render::yaml(&live.value),
        revision: live.revision.clone(),
    }
}

/// What is different for people: as it would be in a file.
fn diff(key: &ObjectKey, before: &Value, after: &Value) -> String {
    unified(&name(key), &render::yaml(before), &render::yaml(after))
}

/// The file that an object would have in a repository.
fn name(key: &ObjectKey) -> String {
    match key.namespace.is_empty() {
        true => format!("{}/{}.yaml", key.kind, key.name),
        false => format!("{}/{}/{}.yaml", key.namespace, key.kind, key.name),
    }
}

#[cfg(test)]
mod tests;
