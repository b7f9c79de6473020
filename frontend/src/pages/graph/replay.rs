//! The past: a slider over the last hours, step by step or played, and the way back to now.

use gloo_timers::callback::Interval;
use leptos::prelude::*;

use crate::{browser, components::shape::Glyph, format, icons::Icon, state::app};

/// Lengths of time that the slider reaches back, in seconds.
const REACHES: [(u64, &str); 4] = [(3_600, "1 h"), (21_600, "6 h"), (86_400, "1 d"), (604_800, "7 d")];
/// Positions of the slider.
const STEPS: u64 = 240;
/// How often a played replay goes on, in milliseconds.
const PLAY_MS: u32 = 1_500;

/// The bar below the graph while the past is shown.
#[component]
pub fn Replay() -> impl IntoView {
    let app = app();
    let at = Memo::new(move |_| app.view.with(|view| view.graph.at_ms));
    view! {
        <Show when=move || at.get() != 0>
            <Bar at=at />
        </Show>
    }
}

#[component]
fn Bar(at: Memo<u64>) -> impl IntoView {
    let app = app();
    let opened = browser::now() as u64;
    let back = opened.saturating_sub(at.get_untracked()) / 1000;
    let first = REACHES.into_iter().find(|(reach, _)| *reach >= back).unwrap_or(REACHES[3]).0;
    let reach = RwSignal::new(first);
    // The scale stands while one looks at the past, or its marks would run away under the pointer.
    let end = RwSignal::new(opened.max(at.get_untracked()));
    let dragged: RwSignal<Option<u64>> = RwSignal::new(None);
    let playing = RwSignal::new(false);
    let step_ms = move || reach.get() * 1000 / STEPS;
    let start = move || end.get().saturating_sub(reach.get() * 1000);
    let moment = move || dragged.get().unwrap_or_else(|| at.get());
    let go = move |to: u64| {
        dragged.set(None);
        let to = to.clamp(start().max(1), end.get());
        app.change(|view| view.graph.at_ms = to);
    };
    let step = move |by: i64| go(at.get_untracked().saturating_add_signed(by * step_ms() as i64));
    let timer: StoredValue<Option<Interval>, LocalStorage> = StoredValue::new_local(None);
    Effect::new(move |_| {
        let interval = playing.get().then(|| {
            Interval::new(PLAY_MS, move || {
                let waits = app.graph.with_untracked(|load| load.value.as_ref().is_some_and(|graph| !graph.replay));
                if at.get_untracked() >= end.get_untracked() {
                    playing.set(false);
                } else if !waits {
                    step(1);
                }
            })
        });
        timer.set_value(interval);
    });
    on_cleanup(move || {
        let _ = timer.try_update_value(Option::take);
    });
    let read = move |text: String| text.parse::<u64>().ok().map(|value| start() + value * step_ms());
    let icon = Signal::derive(move || if playing.get() { Icon::Pause } else { Icon::Play });
    view! {
        <div class="replay" role="group" aria-label="Replay" data-testid="replay-bar">
            <button class="icon-button" title="One step back" aria-label="One step back" on:click=move |_| step(-1)>
                <Glyph icon=Icon::StepBack />
            </button>
            <button
                class="icon-button"
                title=move || if playing.get() { "Stop" } else { "Play" }
                aria-label=move || if playing.get() { "Stop" } else { "Play" }
                on:click=move |_| playing.update(|playing| *playing = !*playing)
            >
                <Glyph icon=icon />
            </button>
            <button class="icon-button" title="One step on" aria-label="One step on" on:click=move |_| step(1)>
                <Glyph icon=Icon::StepOn />
            </button>
            <input
                type="range"
                min="0"
                max=STEPS.to_string()
                aria-label="Moment that is shown"
                aria-valuetext=move || browser::moment(moment() as f64)
                data-testid="replay-slider"
                prop:value=move || (moment().saturating_sub(start()) / step_ms().max(1)).to_string()
                on:input:target=move |event| dragged.set(read(event.target().value()))
                on:change:target=move |event| {
                    if let Some(to) = read(event.target().value()) {
                        go(to);
                    }
                }
            />
            <strong class="past" data-testid="replay-moment">{move || browser::moment(moment() as f64)}</strong>
            <span class="quiet">{move || format::ago(app.now.get() - moment() as f64)}</span>
            <select
                class="choose"
                aria-label="How far back"
                on:change:target=move |event| {
                    if let Ok(seconds) = event.target().value().parse() {
                        reach.set(seconds);
                        end.set(browser::now() as u64);
                    }
                }
            >
                {REACHES
                    .into_iter()
                    .map(|(seconds, words)| view! { <option value=seconds.to_string() selected=seconds == first>{words}</option> })
                    .collect_view()}
            </select>
            <button class="button" data-testid="replay-live" on:click=move |_| app.change(|view| view.graph.at_ms = 0)>"Back to live"</button>
        </div>
    }
}
