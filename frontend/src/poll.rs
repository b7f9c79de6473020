//! Answers that are asked for again and again while they are looked at.

use leptos::{prelude::*, task::spawn_local};

use crate::{
    api::Answer,
    patience::Patience,
    state::{Load, app},
};

/// How often, in milliseconds.
const EVERY_MS: f64 = 5_000.0;

/// Every five seconds, unless the page is paused: what most answers are asked for again by.
pub fn regularly() -> impl Fn() + 'static {
    let tick = every(EVERY_MS);
    move || _ = tick.get()
}

/// Changes every so many milliseconds, unless the page is paused.
pub fn every(ms: f64) -> Memo<u64> {
    let app = app();
    Memo::new(move |known: Option<&u64>| match (app.paused.get(), known) {
        (Some(_), Some(known)) => *known,
        _ => (app.now.get() / ms) as u64,
    })
}

/// Asks `ask` about `key` now, whenever it changes, and whenever what `again` reads does. What was known of another key is
/// forgotten at once; an error keeps what was known of this one. What is refused is asked again less often, or not until
/// somebody else asks.
pub fn poll<K, T, F>(
    key: Memo<K>,
    again: impl Fn() + 'static,
    ask: impl Fn(K) -> F + Copy + Send + Sync + 'static,
) -> (RwSignal<Load<T>>, Callback<()>)
where
    K: Clone + PartialEq + Send + Sync + 'static,
    T: Send + Sync + 'static,
    F: Future<Output = Answer<T>> + 'static,
{
    let load: RwSignal<Load<T>> = RwSignal::default();
    let current: StoredValue<Option<K>> = StoredValue::new(None);
    let patience = StoredValue::new(Patience::default());
    let asked = move |key: K, wished: bool| {
        if current.with_value(|known| known.as_ref() != Some(&key)) {
            current.set_value(Some(key.clone()));
            patience.set_value(Patience::default());
            load.set(Load::default());
        }
        let due = patience.try_update_value(Patience::is_due).unwrap_or(true);
        if !due && !wished {
            return;
        }
        spawn_local(async move {
            let answer = ask(key.clone()).await;
            // The page may have gone elsewhere meanwhile, or be gone.
            if current.try_with_value(|known| known.as_ref() == Some(&key)).unwrap_or(false) {
                let status = answer.as_ref().err().map_or(0, |problem| problem.status);
                let _ = patience.try_update_value(|patience| patience.settle(status));
                let _ = load.try_update(|load| load.settle(answer));
            }
        });
    };
    Effect::new(move |_| {
        // Reads, and does not only track: a memo that nobody has read follows nothing yet.
        again();
        asked(key.get(), false);
    });
    // What one may not see another may.
    app().on_person(move || asked(key.get_untracked(), true));
    (load, Callback::new(move |()| asked(key.get_untracked(), true)))
}
