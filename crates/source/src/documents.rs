//! One way to read and edit objects, wherever they are kept.

use std::{io, sync::Arc};

use weft_api::ObjectKey;

use crate::{
    cluster_store::{ClusterError, Credential, KubernetesStore},
    config_store::{Applied, ConfigDocument, ConfigStore, FieldEdit, Preview, StoreError, Undo},
    index::Index,
    whole::{WholeApplied, WholeEdit, WholePreview},
};

/// Where objects are kept that can be edited.
#[derive(Clone)]
pub enum Documents {
    /// In the files of a directory.
    Files(Arc<ConfigStore>),
    /// In a cluster.
    Cluster(Arc<KubernetesStore>),
}

/// On whose behalf, and what is known of the place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Access<'a> {
    /// Where the objects of a directory stand.
    pub index: Option<&'a Index>,
    /// The user's credential, which a cluster wants for every change.
    pub credential: Option<&'a Credential>,
}

impl Documents {
    /// The object as it is now.
    pub async fn read(&self, access: Access<'_>, key: &ObjectKey) -> Result<ConfigDocument, StoreError> {
        match self {
            Self::Files(store) => {
                let (store, index, key) = (Arc::clone(store), access.files(key)?, key.clone());
                blocking(move || store.read(&index, &key)).await
            }
            Self::Cluster(store) => store.read(access.credential, key).await,
        }
    }

    /// Works an edit out without making it.
    pub async fn preview(
        &self,
        access: Access<'_>,
        key: &ObjectKey,
        revision: &str,
        edits: &[FieldEdit],
    ) -> Result<Preview, StoreError> {
        match self {
            Self::Files(store) => {
                let (store, index, key) = (Arc::clone(store), access.files(key)?, key.clone());
                let (revision, edits) = (revision.to_owned(), edits.to_vec());
                blocking(move || store.preview(&index, &key, &revision, &edits)).await
            }
            Self::Cluster(store) => store.preview(access.credential, key, revision, edits).await,
        }
    }

    /// Makes an edit.
    pub async fn apply(
        &self,
        access: Access<'_>,
        key: &ObjectKey,
        revision: &str,
        edits: &[FieldEdit],
    ) -> Result<Applied, StoreError> {
        match self {
            Self::Files(store) => {
                let (store, index, key) = (Arc::clone(store), access.files(key)?, key.clone());
                let (revision, edits) = (revision.to_owned(), edits.to_vec());
                blocking(move || store.apply(&index, &key, &revision, &edits)).await
            }
            Self::Cluster(store) => {
                store.apply(access.credential.ok_or(ClusterError::NoToken)?, key, revision, edits).await
            }
        }
    }

    /// Works a change of a whole object out without making it.
    pub async fn preview_whole(&self, access: Access<'_>, edit: &WholeEdit) -> Result<WholePreview, StoreError> {
        match self {
            Self::Files(store) => {
                let (store, index, edit) = (Arc::clone(store), access.index.cloned().unwrap_or_default(), edit.clone());
                blocking(move || store.preview_whole(&index, &edit)).await
            }
            Self::Cluster(store) => store.preview_whole(access.credential, edit).await,
        }
    }

    /// Makes, replaces or removes a whole object.
    pub async fn apply_whole(&self, access: Access<'_>, edit: &WholeEdit) -> Result<WholeApplied, StoreError> {
        match self {
            Self::Files(store) => {
                let (store, index, edit) = (Arc::clone(store), access.index.cloned().unwrap_or_default(), edit.clone());
                blocking(move || store.apply_whole(&index, &edit)).await
            }
            Self::Cluster(store) => store.apply_whole(access.credential.ok_or(ClusterError::NoToken)?, edit).await,
        }
    }

    /// Takes an edit back; gives the revision then.
    pub async fn undo(&self, access: Access<'_>, undo: &Undo) -> Result<String, StoreError> {
        match self {
            Self::Files(store) => {
                let (store, undo) = (Arc::clone(store), undo.clone());
                blocking(move || store.undo(&undo)).await
            }
            Self::Cluster(store) => store.undo(access.credential.ok_or(ClusterError::NoToken)?, undo).await,
        }
    }
}

impl Access<'_> {
    fn files(&self, key: &ObjectKey) -> Result<Index, StoreError> {
        self.index.cloned().ok_or_else(|| StoreError::NotFound(key.clone()))
    }
}

/// Files are read and written beside the runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let io = |source| StoreError::Io { file: "the file".to_owned(), source };
    tokio::task::spawn_blocking(work).await.map_err(|error| io(io::Error::other(error)))?
}
