//! Edits that can be taken back, of whole objects and of weights: kept in the database, so that every console and the
//! next start know them, for whoever made them, sealed, and for ten minutes.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use weft_model::{ObjectRef, edit::Action};
use weft_runtime::Shutdown;
use weft_source::Undo;

use super::ObjectEditError;
use crate::{
    auth::{Seal, Verb},
    canary::edit::UNDO_FOR,
    clock::{millis, now_ms},
    db::{self, DbError, UndoRecord},
};

/// How often those that are too old are swept away: what they hold is nobody's any more.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// What an edit was of: what is sealed of one opens as nothing else.
const OBJECT: &str = "undo";
const WEIGHTS: &str = "undo of weights";

/// Keeps edits until they are taken back or are too old.
#[derive(Clone)]
pub struct Undos {
    db: db::Undos,
    seal: Arc<Seal>,
}

/// An edit that can be taken back.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done {
    /// What was edited.
    pub object: ObjectRef,
    /// What was done to it.
    action: Action,
    pub(super) undo: Undo,
}

impl Done {
    pub(super) fn new(object: ObjectRef, action: Action, undo: Undo) -> Self {
        Self { object, action, undo }
    }

    /// Which right taking it back takes.
    pub fn back(&self) -> Verb {
        match self.action {
            Action::Create => Verb::Delete,
            Action::Update => Verb::Update,
            Action::Delete => Verb::Create,
        }
    }
}

impl Undos {
    /// Keeps them in `db`, sealed with `seal`.
    pub fn new(db: db::Undos, seal: Arc<Seal>) -> Self {
        Self { db, seal }
    }

    /// Keeps an edit for whoever made it. `None` when it cannot be kept: the edit was made all the same.
    pub(super) async fn keep(&self, id: &str, owner: &str, at_ms: u64, done: &Done) -> Option<()> {
        self.put(OBJECT, id, owner, at_ms, done).await
    }

    /// Keeps how a move of weights is taken back exactly. Without it the weights alone are set back.
    pub async fn keep_weights(&self, id: &str, owner: &str, at_ms: u64, undo: &Undo) {
        // What kept it from being kept is in the log.
        let _ = self.put(WEIGHTS, id, owner, at_ms, undo).await;
    }

    /// How a move of weights that `owner` made is taken back exactly; `None` when that is not known (any more).
    pub async fn weights(&self, id: &str, owner: &str) -> Result<Option<Undo>, DbError> {
        Ok(self.db.get(id, owner).await?.and_then(|record| self.open(WEIGHTS, &record)))
    }

    async fn put<T: Serialize>(&self, of: &str, id: &str, owner: &str, at_ms: u64, done: &T) -> Option<()> {
        let plain = serde_json::to_vec(done).ok()?;
        let sealed = self.seal.seal(&purpose(of, id, owner), &plain)?;
        let record = UndoRecord { id: id.to_owned(), owner: owner.to_owned(), at_ms, sealed };
        match self.db.keep(&record).await {
            Ok(kept) => kept.then_some(()),
            Err(error) => {
                tracing::warn!(%error, id, "the database did not keep how an edit is taken back");
                None
            }
        }
    }

    /// An edit of `owner`; `None` when no such one is known.
    pub(super) async fn find(&self, id: &str, owner: &str) -> Result<Option<Done>, ObjectEditError> {
        let Some(record) = self.db.get(id, owner).await? else { return Ok(None) };
        if now_ms().saturating_sub(record.at_ms) > millis(UNDO_FOR) {
            return Err(ObjectEditError::TooLate);
        }
        Ok(self.open(OBJECT, &record))
    }

    /// `None` under another key, or by another version: nobody can take it back any more.
    fn open<T: DeserializeOwned>(&self, of: &str, record: &UndoRecord) -> Option<T> {
        let plain = self.seal.open(&purpose(of, &record.id, &record.owner), &record.sealed)?;
        serde_json::from_slice(&plain).ok()
    }

    /// An edit was taken back.
    pub async fn forget(&self, id: &str) {
        if let Err(error) = self.db.forget(id).await {
            // What it was of is another one by now, so it cannot be taken back again.
            tracing::warn!(%error, id, "an edit that was taken back is still kept");
        }
    }

    /// Sweeps away those that are too old, until shutdown.
    pub async fn tend(self, shutdown: Shutdown) {
        tokio::select! {
            () = self.sweep() => {}
            () = shutdown.wait() => {}
        }
    }

    async fn sweep(&self) {
        loop {
            tokio::time::sleep(SWEEP_EVERY).await;
            if let Err(error) = self.db.delete_older(now_ms().saturating_sub(millis(UNDO_FOR))).await {
                tracing::warn!(%error, "edits that cannot be taken back any more could not be swept away");
            }
        }
    }
}

/// What is sealed for one edit of one person opens as nothing else.
fn purpose(of: &str, id: &str, owner: &str) -> Vec<u8> {
    format!("{of} {id} {owner}").into_bytes()
}
