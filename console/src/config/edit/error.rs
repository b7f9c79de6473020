use weft_source::StoreError;

use crate::{config::hypothetical::EffectsError, db::DbError};

/// Why an object was not edited.
#[derive(Debug, thiserror::Error)]
pub enum ObjectEditError {
    /// The kind is not written here.
    #[error("{0} objects are not edited here: the console writes the mesh's own kinds and Services")]
    Kind(String),
    /// The edit names no object.
    #[error("the edit does not say which object it changes")]
    NoObject,
    /// The text is no object.
    #[error("the text cannot be saved: {0}")]
    Draft(String),
    /// The file or the cluster did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Undo was offered for ten minutes.
    #[error("the edit was made more than ten minutes ago")]
    TooLate,
    /// The database does not say which edits can be taken back.
    #[error(transparent)]
    Db(#[from] DbError),
    /// What it would do is not known.
    #[error(transparent)]
    Effects(#[from] EffectsError),
    /// The console itself failed.
    #[error("the edit was interrupted: {0}")]
    Broken(#[from] tokio::task::JoinError),
}
