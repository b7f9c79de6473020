//! What a change would do to the findings, before it is made.

use std::sync::Arc;

use tokio::task::JoinError;
use weft_api::Change;
use weft_mesh::{Snapshot, Store};
use weft_model::Diagnostic;

use super::{View, findings};

/// Findings as they would be.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// All of them.
    pub would_be: Vec<Diagnostic>,
    /// Those that are not there now.
    pub new: Vec<Diagnostic>,
    /// Those that go away.
    pub mended: Vec<Diagnostic>,
}

/// Lints the configuration with and without a change. It takes a while on a large estate, so it is done beside the
/// runtime.
pub async fn effects(view: Arc<View>, change: Change) -> Result<Effects, JoinError> {
    tokio::task::spawn_blocking(move || {
        let present = findings::lint(&view.snapshot, &view.index);
        let would_be = findings::lint(&snapshot(&view.snapshot, change), &view.index);
        let only_in = |these: &[Diagnostic], others: &[Diagnostic]| -> Vec<Diagnostic> {
            let known = |finding: &&Diagnostic| !others.iter().any(|other| findings::same(other, finding));
            these.iter().filter(known).cloned().collect()
        };
        Effects { new: only_in(&would_be, &present), mended: only_in(&present, &would_be), would_be }
    })
    .await
}

/// The snapshot as it would be.
fn snapshot(present: &Snapshot, change: Change) -> Arc<Snapshot> {
    let mut store = Store::new(present.settings().clone());
    let others = present.objects().map(|(_, object)| Change::Put(object.clone()));
    store.apply(others.chain([change]).collect());
    store.snapshot()
}
