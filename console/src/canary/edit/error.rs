use weft_model::ObjectRef;
use weft_source::StoreError;

use crate::{config::hypothetical::EffectsError, db::DbError};

/// Why an edit was not made.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// No such weighted route is configured.
    #[error("{object} has no weighted route with the index {route_index}")]
    NoSuchRoute {
        /// The VirtualService.
        object: ObjectRef,
        /// See [`weft_model::canary::place`].
        route_index: usize,
    },
    /// The weights do not fit the route.
    #[error("{0}")]
    Weights(String),
    /// The weights are no percentages.
    #[error("the weights add up to {0}, not to 100")]
    Sum(u64),
    /// The file did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No edit has this id.
    #[error("there is no edit {0}")]
    NoSuchEdit(String),
    /// Undo was offered for ten minutes.
    #[error("the edit was made more than ten minutes ago")]
    TooLate,
    /// It was taken back before.
    #[error("the edit was taken back already")]
    Undone,
    /// The weights are others by now.
    #[error("the weights were changed again since the edit")]
    Moved,
    /// The weights were written, and nothing else worked.
    #[error("the weights were written, but the edit could not be recorded, so it cannot be undone: {0}")]
    Unrecorded(#[source] DbError),
    /// The database failed before anything was written.
    #[error(transparent)]
    Db(#[from] DbError),
    /// What it would do is not known.
    #[error(transparent)]
    Effects(#[from] EffectsError),
}
