//! What a change would do to the findings, before it is made.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::JoinError,
    time::timeout,
};
use weft_api::Change;
use weft_mesh::{Snapshot, Store};
use weft_model::{Diagnostic, ObjectRef};

use super::{View, findings};

/// Changes that are worked out at once: each lints the whole configuration, and whoever may look may ask.
const AT_ONCE: usize = 2;
/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

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

/// Why it is not known.
#[derive(Debug, thiserror::Error)]
pub enum EffectsError {
    /// As many changes are being worked out as can be.
    #[error("other previews are being worked out at present")]
    Busy,
    /// The console itself failed.
    #[error("the preview was interrupted: {0}")]
    Broken(#[from] JoinError),
}

/// Lints the configuration with a change, and compares. It takes a while on a large estate, so it is done beside the
/// runtime, and only so often at once.
pub async fn effects(view: Arc<View>, change: Change) -> Result<Effects, EffectsError> {
    let turn = turn(&TURNS, PATIENCE).await?;
    let effects = tokio::task::spawn_blocking(move || {
        // Whoever does not wait for the answer any more leaves the work behind.
        let _turn = turn;
        compare(&view, change)
    });
    Ok(effects.await?)
}

async fn turn(turns: &Semaphore, patience: Duration) -> Result<SemaphorePermit<'_>, EffectsError> {
    match timeout(patience, turns.acquire()).await {
        Ok(Ok(turn)) => Ok(turn),
        _ => Err(EffectsError::Busy),
    }
}

fn compare(view: &View, change: Change) -> Effects {
    let again = || findings::lint(&view.snapshot, &view.index);
    let present = view.linted.as_ref().map_or_else(|| again().into(), Arc::clone);
    let would_be = findings::lint(&snapshot(&view.snapshot, change), &view.index);
    let (new, mended) = (only_in(&would_be, &present), only_in(&present, &would_be));
    Effects { would_be, new, mended }
}

fn only_in(these: &[Diagnostic], others: &[Diagnostic]) -> Vec<Diagnostic> {
    let others: BTreeSet<_> = others.iter().map(identity).collect();
    these.iter().filter(|finding| !others.contains(&identity(finding))).cloned().collect()
}

/// What [`findings::same`] compares.
fn identity(finding: &Diagnostic) -> (&str, Option<&ObjectRef>, &str, &str) {
    (&finding.code, finding.object.as_ref(), &finding.field, &finding.message)
}

/// The snapshot as it would be.
fn snapshot(present: &Snapshot, change: Change) -> Arc<Snapshot> {
    let mut store = Store::new(present.settings().clone());
    let others = present.objects().map(|(_, object)| Change::Put(object.clone()));
    store.apply(others.chain([change]).collect());
    store.snapshot()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use weft_mesh::Settings;
    use weft_source::Index;

    use super::*;

    fn put(object: &serde_json::Value) -> Change {
        Change::Put(Arc::new(weft_api::parse(object, "default").unwrap().object))
    }

    fn route(host: &str) -> serde_json::Value {
        json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": "cart", "namespace": "shop"},
            "spec": {"hosts": ["cart.example.com"], "http": [{"route": [{"destination": {"host": host}}]}]}})
    }

    #[test]
    fn a_change_is_compared_with_what_is_known_already() {
        let mut store = Store::new(Settings::default());
        store.apply(vec![put(&route("one"))]);
        let mut view = View::new(1, store.snapshot(), Index::default(), Vec::new());
        let effects = compare(&view, put(&route("two")));
        assert!(!effects.new.is_empty() && effects.new.iter().all(|one| one.message.contains("two")), "{effects:?}");
        assert!(!effects.mended.is_empty() && effects.mended.iter().all(|one| one.message.contains("one")));
        assert!(compare(&view, put(&route("one"))).new.is_empty(), "what stays is no news");
        // Nobody lints again what was linted when the view was made.
        view.linted = Some(Arc::from(Vec::<Diagnostic>::new()));
        let effects = compare(&view, put(&route("two")));
        assert_eq!((effects.new.len(), effects.mended.len()), (effects.would_be.len(), 0));
    }

    #[tokio::test]
    async fn who_waits_for_long_is_told() {
        let turns = Semaphore::new(1);
        let first = turn(&turns, Duration::from_millis(10)).await.unwrap();
        assert!(matches!(turn(&turns, Duration::from_millis(10)).await, Err(EffectsError::Busy)));
        drop(first);
        assert!(turn(&turns, Duration::from_millis(10)).await.is_ok());
    }
}
