//! Answers that are asked for again and again while they are looked at.

use leptos::{prelude::*, task::spawn_local};

use crate::{
    api::Answer,
    state::{Load, app},
};

/// How often, in milliseconds.
const EVERY_MS: f64 = 5_000.0;

/// Asks `ask` about `key` now, whenever it changes, and every five seconds unless the page is paused.
pub fn poll<K, T, F>(
    key: Memo<K>,
    ask: impl Fn(K) -> F + Copy + Send + Sync + 'static,
) -> (RwSignal<Load<T>>, Callback<()>)
where
    K: Clone + PartialEq + Send + Sync + 'static,
    T: Send + Sync + 'static,
    F: Future<Output = Answer<T>> + 'static,
{
    let tick = every(EVERY_MS);
    follow(key, move || _ = tick.get(), ask)
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
/// forgotten at once; an error keeps what was known of this one.
pub fn follow<K, T, F>(
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
    let asked = move |key: K| {
        if current.with_value(|known| known.as_ref() != Some(&key)) {
            current.set_value(Some(key.clone()));
            load.set(Load::default());
        }
        spawn_local(async move {
            let answer = ask(key.clone()).await;
            // The page may have gone elsewhere meanwhile, or be gone.
            if current.try_with_value(|known| known.as_ref() == Some(&key)).unwrap_or(false) {
                let _ = load.try_update(|load| load.settle(answer));
            }
        });
    };
    Effect::new(move |_| {
        // Reads, and does not only track: a memo that nobody has read follows nothing yet.
        again();
        asked(key.get());
    });
    (load, Callback::new(move |()| asked(key.get_untracked())))
}
