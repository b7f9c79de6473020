//! Writing down who did what.

use weft_model::{ObjectRef, audit::Action};

use crate::{
    auth::Caller,
    clock::now_ms,
    db::{Audit, AuditRecord, DbError, Edit, State},
};

/// The book in which everything is written down that somebody changed, or was refused.
#[derive(Clone, Debug)]
pub struct AuditLog {
    state: State,
}

impl AuditLog {
    /// A book in the console's database.
    pub fn new(state: State) -> Self {
        Self { state }
    }

    /// Asked before a change: nothing is changed that cannot be written down.
    pub async fn able(&self) -> Result<(), DbError> {
        self.state.ready().await
    }

    /// Writes down what somebody did. `diff` is the change as a unified diff and `detail` the rest in a sentence; either
    /// may be empty. What was done stays done when the database fails now: then it is in the console's log, as a whole.
    pub async fn record(&self, caller: &Caller, action: Action, object: Option<&ObjectRef>, diff: &str, detail: &str) {
        let record = AuditRecord {
            at_ms: now_ms(),
            who: caller.name().to_owned(),
            how: caller.how(),
            action,
            object: object.cloned(),
            diff: diff.to_owned(),
            detail: detail.to_owned(),
        };
        self.write(record).await;
    }

    /// Writes down a move of weights, or that one was taken back.
    pub async fn moved(&self, caller: &Caller, edit: &Edit) {
        let action = if edit.undoes.is_some() { Action::Undo } else { Action::Weights };
        let list = |weights: &[u32]| weights.iter().map(u32::to_string).collect::<Vec<_>>().join("/");
        let Edit { object, route_index, weights_before, weights_after, .. } = edit;
        let mut diff = String::new();
        for (index, (before, after)) in weights_before.iter().zip(weights_after).enumerate() {
            if before != after {
                let field = format!("spec.http[{route_index}].route[{index}].weight");
                diff.push_str(&format!("-{field}: {before}\n+{field}: {after}\n"));
            }
        }
        let detail = format!("http[{route_index}]: {} → {}", list(weights_before), list(weights_after));
        self.record(caller, action, Some(object), &diff, &detail).await;
    }

    async fn write(&self, record: AuditRecord) {
        if let Err(error) = self.state.audit.record(&record).await {
            tracing::error!(%error, ?record, "the audit did not take an entry; this line stands for it");
        }
    }

    /// What has been written down.
    pub fn entries(&self) -> &Audit {
        &self.state.audit
    }
}
