//! Writing down who did what, who came and went, and who was refused.

mod arrivals;
mod refusals;

use std::{net::IpAddr, sync::Arc};

use weft_model::{
    ObjectRef,
    audit::{Action, How},
};

use self::{arrivals::Arrivals, refusals::Refusals};
use crate::{
    auth::{Caller, one_line},
    clock::now_ms,
    db::{Audit, AuditRecord, DbError, Edit, State},
};

/// The book in which everything is written down that somebody changed, or was refused.
#[derive(Clone, Debug)]
pub struct AuditLog {
    state: State,
    arrivals: Arc<Arrivals>,
    /// Of people nobody knows, and of those who are known: neither may hide the other.
    strangers: Arc<Refusals>,
    known: Arc<Refusals>,
}

impl AuditLog {
    /// A book in the console's database.
    pub fn new(state: State) -> Self {
        Self { state, arrivals: Arc::default(), strangers: Arc::default(), known: Arc::default() }
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
            address: caller.address(),
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
        let (listed, at) = weft_model::canary::place(*route_index);
        let mut diff = String::new();
        for (index, (before, after)) in weights_before.iter().zip(weights_after).enumerate() {
            if before != after {
                let field = format!("spec.{listed}[{at}].route[{index}].weight");
                diff.push_str(&format!("-{field}: {before}\n+{field}: {after}\n"));
            }
        }
        let detail = format!("{listed}[{at}]: {} → {}", list(weights_before), list(weights_after));
        self.record(caller, action, Some(object), &diff, &detail).await;
    }

    /// Somebody signed in.
    pub async fn signed_in(&self, who: &str, how: How, from: IpAddr, detail: &str) {
        self.write(about(who, how, from, Action::SignIn, detail)).await;
    }

    /// Somebody calls whose requests each carry their own proof: written down when they come anew.
    pub async fn arrived(&self, who: &str, how: How, from: IpAddr) {
        if self.arrivals.is_new(how, who, from) {
            self.signed_in(who, how, from, "").await;
        }
    }

    /// A session ended. `from` is whoever ended it or found it ended; nobody, where its time was up.
    pub async fn signed_out(&self, who: &str, from: impl Into<Option<IpAddr>>, detail: &str) {
        self.write(about(who, How::Session, from, Action::SignOut, detail)).await;
    }

    /// Somebody could not sign in, or showed a proof that does not hold; who it was is not known. Of a flood of these not
    /// all are written down.
    pub async fn sign_in_refused(&self, how: How, from: IpAddr, why: &str) {
        self.refused(&self.strangers, about("", how, from, Action::SignInRefused, why)).await;
    }

    /// Somebody may not do what they asked for, to an object if it is about one.
    pub async fn denied(&self, caller: &Caller, object: Option<&ObjectRef>, why: &str) {
        let from = caller.address().unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        let entry = about(caller.name(), caller.how(), from, Action::Denied, why);
        self.refused(&self.known, AuditRecord { object: object.cloned(), ..entry }).await;
    }

    async fn refused(&self, those: &Refusals, mut record: AuditRecord) {
        let from = record.address.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        let Some(left_out) = those.one_more(from) else { return };
        if left_out > 0 {
            record.detail.push_str(&format!(" ({left_out} refusals before this one were not written down.)"));
        }
        self.write(record).await;
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

fn about(who: &str, how: How, from: impl Into<Option<IpAddr>>, action: Action, detail: &str) -> AuditRecord {
    AuditRecord {
        at_ms: now_ms(),
        who: who.to_owned(),
        how,
        address: from.into(),
        action,
        object: None,
        diff: String::new(),
        detail: one_line(detail),
    }
}
