//! Who moved a route's weights, when, from what to what.

use std::sync::Arc;

use leptos::{prelude::*, task::spawn_local};
use weft_model::{
    audit::{WeightChange, WeightHistory},
    canary::{Canary, Course, MoveEffect},
};

use crate::{
    api, browser, format,
    shown::visible,
    sources::{ONLY_READS, only_reads},
    state::{Load, app},
    undo, verdicts, weights,
};

/// Changes shown before somebody asks for more.
const SHOWN: usize = 3;

/// The timeline under a card; it is read again when the object's revision changes. `course` says what the errors did.
#[component]
pub fn History(canary: Memo<Option<Arc<Canary>>>, course: RwSignal<Option<Arc<Course>>>) -> impl IntoView {
    let app = app();
    let load: RwSignal<Load<WeightHistory>> = RwSignal::default();
    let all = RwSignal::new(false);
    let route = Memo::new(move |_| {
        canary.with(|canary| {
            canary.as_ref().map(|canary| (canary.object.clone(), canary.route_index, canary.revision.clone()))
        })
    });
    let ask = move || async move {
        let Some((object, index, _)) = route.try_get_untracked().flatten() else { return };
        let answer = api::history(&object, index).await;
        let _ = load.try_update(|load| load.settle(answer));
    };
    Effect::new(move |_| {
        let _ = route.get();
        spawn_local(ask());
    });
    let changes = Memo::new(move |_| load.with(|load| load.value.as_ref().map(|history| history.changes.clone())));
    let shown = move || {
        let most = if all.get() { usize::MAX } else { SHOWN };
        changes.get().unwrap_or_default().into_iter().take(most).collect::<Vec<_>>()
    };
    // A message offers it only to the tab that made it.
    let offered = Memo::new(move |_| {
        let me = app.who.with(|who| who.as_ref().map(|who| who.user.clone()));
        let me = me.or_else(|| app.person.with(|person| person.as_ref().map(|person| person.name.clone())));
        let shares = canary.with(|canary| {
            let shares = canary.iter().flat_map(|canary| &canary.shares);
            shares.map(|share| share.configured_percent).collect::<Vec<_>>()
        });
        changes.with(|changes| {
            let newest = undo::newest(changes.as_deref()?, &weights::whole(&shares), me.as_deref(), app.now.get())?;
            Some(newest.id.clone())
        })
    });
    let missing = Memo::new(move |_| {
        let namespace = route.with(|route| route.as_ref().map(|(object, ..)| object.namespace.clone()));
        app.missing_right("VirtualService", &namespace.unwrap_or_default())
    });
    let hidden = Memo::new(move |_| changes.with(|changes| changes.as_ref().map_or(0, Vec::len).saturating_sub(SHOWN)));
    view! {
        <section class="history" aria-label="History of the weights" data-testid="canary-history">
            <h3>"History"</h3>
            {move || match (changes.with(|changes| changes.as_ref().map(Vec::is_empty)), load.with(|load| load.error.clone())) {
                (None, Some(problem)) => view! {
                    <p class="fault" role="alert">
                        {problem.title}" "
                        <button class="link" on:click=move |_| spawn_local(ask())>"Try again"</button>
                    </p>
                }
                .into_any(),
                (None, None) => view! { <p class="quiet">"Reading …"</p> }.into_any(),
                (Some(true), _) => view! { <p class="quiet">"Nobody has moved these weights through this console yet."</p> }.into_any(),
                (Some(false), _) => view! {
                    <ol>
                        <For each=shown key=|change| change.id.clone() let:change>
                            <Change change=change course=course offered=offered missing=missing />
                        </For>
                    </ol>
                    <Show when=move || hidden.get() != 0>
                        <button class="link" aria-expanded=move || all.get().to_string() on:click=move |_| all.update(|all| *all = !*all)>
                            {move || if all.get() { "Show fewer".to_owned() } else { format!("Show {} more", hidden.get()) }}
                        </button>
                    </Show>
                }
                .into_any(),
            }}
        </section>
    }
}

/// One change; `offered` is the one that can be taken back, and `missing` the right to do that, where it is missing.
#[component]
fn Change(
    change: WeightChange,
    course: RwSignal<Option<Arc<Course>>>,
    offered: Memo<Option<String>>,
    missing: Memo<Option<String>>,
) -> impl IntoView {
    let app = app();
    let at = change.at_ms as f64;
    let id = change.id.clone();
    let own = StoredValue::new(change.id);
    let moved = StoredValue::new(format!("{} → {}", list(&change.from), list(&change.to)));
    let open = Memo::new(move |_| offered.with(|offered| own.with_value(|own| offered.as_ref() == Some(own))));
    let busy = RwSignal::new(false);
    let take_back = move |_| {
        let change = own.get_value();
        busy.set(true);
        spawn_local(async move {
            undo::take_back(app, &change).await;
            let _ = busy.try_set(false);
        });
    };
    let doubt =
        move || app.person.with(|person| person.as_ref().filter(|person| only_reads(person)).map(|_| ONLY_READS));
    let effect =
        Memo::new(move |_| course.with(|course| course.as_ref()?.moves.iter().find(|effect| effect.id == id).cloned()));
    let by = if change.by.is_empty() { "somebody".to_owned() } else { change.by.clone() };
    view! {
        <li data-testid="canary-change" class:undo=change.undoes.is_some()>
            <span class="numeral weights-moved">{list(&change.from)}" → "<strong>{list(&change.to)}</strong></span>
            <span title=visible(&by)>{format::middle(&by, 32)}</span>
            {(change.from == change.to).then_some("to other destinations")}
            {change.undoes.is_some().then(|| view! { <span class="quiet">"took the move back"</span> })}
            <span class="quiet" data-testid="canary-effect" title=move || effect.with(|effect| effect.as_ref().and_then(verdicts::spans))>
                {move || effect.with(|effect| effect.as_ref().map(errors))}
            </span>
            <span class="spring"></span>
            <Show when=move || open.get()>
                <button
                    class="link"
                    data-testid="history-undo"
                    aria-label=move || moved.with_value(|moved| format!("Undo {moved}"))
                    title=move || missing.get().or_else(|| doubt().map(str::to_owned))
                    disabled=move || busy.get() || missing.with(Option::is_some)
                    on:click=take_back
                >
                    "Undo"
                </button>
                <span class="quiet" data-testid="history-why">{move || missing.get().map(|missing| format!("{missing}."))}</span>
            </Show>
            <time class="quiet" title=browser::moment(at)>{move || format::ago(app.now.get() - at)}</time>
        </li>
    }
}

/// Weights as a move has them.
pub fn list(weights: &[u32]) -> String {
    weights.iter().map(u32::to_string).collect::<Vec<_>>().join(" / ")
}

/// What a move did to the errors, as far as it is known by now.
fn errors(effect: &MoveEffect) -> String {
    match (effect.errors_before, effect.errors_after) {
        (Some(before), Some(after)) => format!("errors {} → {}", format::share(before), format::share(after)),
        (Some(before), None) => format!("errors {} before", format::share(before)),
        (None, Some(after)) => format!("errors {} after", format::share(after)),
        (None, None) => String::new(),
    }
}
