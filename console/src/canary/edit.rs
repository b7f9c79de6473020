//! Moving weights: what an edit would do, making it, and taking it back.

mod error;
mod plan;

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use weft_api::Change;
use weft_model::canary::{EditPreview, EditResult, WeightEdit};
use weft_source::{Access, Applied, ClusterError, Credential, Documents, StoreError, Undo};

pub use self::error::EditError;
use self::plan::Plan;
use super::CanaryService;
use crate::{
    audit::AuditLog,
    auth::Caller,
    clock::{millis, now_ms},
    config::{self, View, edit::Undos, hypothetical},
    db::{Edit, Edits},
    metrics::Metrics,
};

/// For how long an edit can be taken back.
pub const UNDO_FOR: Duration = Duration::from_secs(600);
/// How long an answer waits for the view to show the edit; files are noticed after some 50 ms, a cluster's objects within
/// a second.
const VISIBLE_WITHIN: Duration = Duration::from_secs(2);

/// Makes edits, one after the other.
pub struct Editor {
    views: watch::Receiver<Arc<View>>,
    documents: Documents,
    edits: Edits,
    canaries: Arc<CanaryService>,
    metrics: Arc<Metrics>,
    /// How the newest ones are taken back exactly; others are by their values.
    undos: Undos,
    audit: AuditLog,
    one_at_a_time: tokio::sync::Mutex<()>,
}

impl Editor {
    /// An editor of what `views` shows.
    pub fn new(
        views: watch::Receiver<Arc<View>>,
        documents: Documents,
        edits: Edits,
        undos: Undos,
        canaries: Arc<CanaryService>,
        metrics: Arc<Metrics>,
        audit: AuditLog,
    ) -> Self {
        let one_at_a_time = tokio::sync::Mutex::default();
        Self { views, documents, edits, canaries, metrics, undos, audit, one_at_a_time }
    }

    /// What an edit would do. Writes nothing.
    pub async fn preview(&self, edit: &WeightEdit, credential: Option<&Credential>) -> Result<EditPreview, EditError> {
        let view = self.views.borrow().clone();
        let plan = Plan::new(&view, edit)?;
        let moved_rate = self.canaries.rate(&plan.key, edit.route_index).map(|rate| plan.moved_share() * rate);
        let access = Access { index: Some(&view.index), credential };
        let [numbers, words] = plan.forms();
        let preview = match self.documents.preview(access, &plan.key, &edit.revision, &numbers).await {
            Err(StoreError::Patch(first)) => {
                let again = self.documents.preview(access, &plan.key, &edit.revision, &words).await;
                again.map_err(|_| StoreError::Patch(first))?
            }
            other => other?,
        };
        // What the owner would take back is not worth copying.
        let command = if preview.owner.is_none() { plan.command() } else { String::new() };
        let diff = preview.diff;
        let effects = hypothetical::effects(view, Change::Put(preview.after)).await?;
        let (new_findings, mended_findings) = (effects.new, effects.mended);
        Ok(EditPreview { diff, new_findings, mended_findings, moved_rate, command, refusal: None })
    }

    /// Makes an edit with the user's token where one is needed, writes it down, and waits shortly until it shows.
    pub async fn apply(&self, edit: &WeightEdit, caller: &Caller) -> Result<EditResult, EditError> {
        let _turn = self.one_at_a_time.lock().await;
        let view = self.views.borrow().clone();
        let plan = Plan::new(&view, edit)?;
        whole(edit)?;
        let intended = self.intend(edit, caller.name(), plan.before.clone(), None).await?;
        let applied = self.write(&view, &plan, &edit.revision, caller.credential()).await;
        let applied = self.unless_failed(&intended, applied).await?;
        self.finish(intended, caller, applied.revision, Some(applied.undo)).await
    }

    /// Writes down what is about to be done, so that nothing is done that cannot be written down.
    async fn intend(
        &self,
        edit: &WeightEdit,
        by: &str,
        weights_before: Vec<u32>,
        undoes: Option<&str>,
    ) -> Result<Edit, EditError> {
        let intended = Edit {
            id: format!("{:016x}", rand::random::<u64>()),
            at_ms: now_ms(),
            by: by.to_owned(),
            object: edit.object.clone(),
            route_index: edit.route_index,
            weights_before,
            weights_after: edit.weights.clone(),
            revision_before: edit.revision.clone(),
            revision_after: String::new(),
            undoes: undoes.map(str::to_owned),
        };
        match self.edits.intend(&intended).await {
            Err(error) if error.is_refused() => Err(EditError::Undone),
            other => Ok(other.map(|()| intended)?),
        }
    }

    /// Withdraws an intention that came to nothing.
    async fn unless_failed<T>(&self, intended: &Edit, done: Result<T, EditError>) -> Result<T, EditError> {
        if done.is_err()
            && let Err(error) = self.edits.withdraw(&intended.id).await
        {
            // It shows nowhere, and the same can be intended again after a while.
            tracing::warn!(%error, edit = intended.id, "an edit that failed is still noted as intended");
        }
        done
    }

    async fn write(
        &self,
        view: &View,
        plan: &Plan,
        revision: &str,
        credential: Option<&Credential>,
    ) -> Result<Applied, EditError> {
        let access = Access { index: Some(&view.index), credential };
        let [numbers, words] = plan.forms();
        match self.documents.apply(access, &plan.key, revision, &numbers).await {
            Err(StoreError::Patch(first)) => {
                let again = self.documents.apply(access, &plan.key, revision, &words).await;
                Ok(again.map_err(|_| StoreError::Patch(first))?)
            }
            other => Ok(other?),
        }
    }

    /// Takes an edit back: exactly, when what was edited is still as the edit left it, and otherwise only the weights, if
    /// they are still those that the edit set.
    pub async fn undo(&self, id: &str, caller: &Caller) -> Result<EditResult, EditError> {
        let (by, credential) = (caller.name(), caller.credential());
        let _turn = self.one_at_a_time.lock().await;
        let done = self.edits.get(id).await?.ok_or_else(|| EditError::NoSuchEdit(id.to_owned()))?;
        let age = now_ms().saturating_sub(done.at_ms);
        if age > millis(UNDO_FOR) {
            return Err(EditError::TooLate);
        }
        if self.edits.undone(id).await? {
            return Err(EditError::Undone);
        }
        let kept = self.undos.weights(id, &done.by).await?;
        let back = WeightEdit {
            object: done.object.clone(),
            route_index: done.route_index,
            weights: done.weights_before.clone(),
            revision: String::new(),
        };
        if let Some(kept) = kept {
            let intended = self.intend(&back, by, done.weights_after.clone(), Some(id)).await?;
            let undone = self.documents.undo(Access { index: None, credential }, &kept).await;
            match self.unless_failed(&intended, undone.map_err(EditError::Store)).await {
                Ok(revision) => {
                    self.undos.forget(id).await;
                    return self.finish(intended, caller, revision, None).await;
                }
                // Something else in it changed, or it is not where it was: the file has another name by now, or the edit
                // was made by a console whose files lie elsewhere. The weights may still be the edit's own.
                Err(EditError::Store(StoreError::Conflict { .. } | StoreError::Elsewhere | StoreError::Io { .. })) => {}
                Err(EditError::Store(StoreError::Cluster(error))) if matches!(*error, ClusterError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let view = self.views.borrow().clone();
        let back = WeightEdit { revision: view.revision(&done.object), ..back };
        let plan = Plan::new(&view, &back)?;
        if plan.before != done.weights_after {
            return Err(EditError::Moved);
        }
        let intended = self.intend(&back, by, done.weights_after, Some(id)).await?;
        let applied = self.write(&view, &plan, &back.revision, credential).await;
        let applied = self.unless_failed(&intended, applied).await?;
        self.finish(intended, caller, applied.revision, Some(applied.undo)).await
    }

    /// Records what was written and waits until it shows.
    async fn finish(
        &self,
        edit: Edit,
        caller: &Caller,
        revision: String,
        undo: Option<Undo>,
    ) -> Result<EditResult, EditError> {
        self.audit.moved(caller, &edit).await;
        let Edit { id, at_ms, by, object, route_index, weights_before, weights_after, .. } = edit;
        tracing::info!(by, %object, route = route_index, from = ?weights_before, to = ?weights_after, "weights moved");
        let wanted = (object.clone(), revision.clone());
        self.metrics.edited(move |snapshot, index| config::revision_in(snapshot, index, &wanted.0) == wanted.1);
        if let Some(undo) = undo {
            self.undos.keep_weights(&id, &by, at_ms, &undo).await;
        }
        self.edits.complete(&id, &revision).await.map_err(EditError::Unrecorded)?;
        let mut views = self.views.clone();
        let shows = views.wait_for(|view| view.revision(&object) == revision);
        // The edit is made either way; a page that is told a moment too early is told again by an event.
        let _ = tokio::time::timeout(VISIBLE_WITHIN, shows).await;
        Ok(EditResult { id, revision, undo_until_ms: at_ms + millis(UNDO_FOR) })
    }
}

/// Weights are set as percentages: a sum of anything else is a slip. (An undo may bring other sums back.)
fn whole(edit: &WeightEdit) -> Result<(), EditError> {
    let sum: u64 = edit.weights.iter().map(|weight| u64::from(*weight)).sum();
    if sum == 100 { Ok(()) } else { Err(EditError::Sum(sum)) }
}
