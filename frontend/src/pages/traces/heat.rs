//! When traces began and how long they took: a cell for each step of time and duration, darker with more in it.

use leptos::{ev::KeyboardEvent, html, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::SvgElement;
use weft_model::trace::{Heat, HeatCell};

use crate::{
    api, browser,
    components::placeholder::Old,
    format,
    location::traces::Cell,
    poll::{poll, regularly},
    state::app,
    traces::{
        Search,
        heat::{SHADES, labels, neighbour, outline, rectangle, shade},
    },
};

/// Height of a row in pixels.
const ROW: usize = 12;

/// The map; nothing while there is nothing to count: the list says why. A map that cannot be had says so itself.
#[component]
pub fn HeatMap() -> impl IntoView {
    let app = app();
    let search = Memo::new(move |_| app.view.with(Search::of));
    let (load, retry) =
        poll(search, regularly(), |search: Search| async move { api::heat(&search.map(browser::now())).await });
    let heat = Memo::new(move |known: Option<&Option<Heat>>| {
        let new = load.with(|load| load.value.as_deref().cloned()).filter(|heat| !heat.cells.is_empty());
        // Drawing it anew would take the cell away from under the keyboard.
        let held =
            new.is_some() && document().query_selector(".heat-cell:focus-visible").is_ok_and(|cell| cell.is_some());
        known.filter(|_| held).cloned().unwrap_or(new)
    });
    let problem = Memo::new(move |_| load.with(|load| load.error.clone().filter(|_| load.value.is_none())));
    view! {
        <Old load retry />
        {move || problem.get().map(|problem| view! {
            <p class="partial" role="status" data-testid="heat-problem">
                <strong>"There is no map of these traces. "</strong>
                {problem.title}" "{problem.detail}" "
                <button class="link" on:click=move |_| retry.run(())>"Try again"</button>
            </p>
        })}
        {move || heat.get().map(|heat| view! { <Picture heat=heat /> })}
    }
}

#[component]
fn Picture(heat: Heat) -> impl IntoView {
    let app = app();
    let picture: NodeRef<html::Div> = NodeRef::new();
    let rows = heat.borders_us.len().saturating_sub(1).max(1);
    let most = heat.cells.iter().map(|cell| cell.traces).max().unwrap_or(1);
    let failed: usize = heat.cells.iter().map(|cell| cell.errors).sum();
    let chosen = Memo::new(move |_| app.view.with(|view| view.traces.cell));
    let summary = format!(
        "{}{}, {failed} failed{}",
        if heat.cut { "The newest " } else { "" },
        format::plural(heat.counted, "trace", "traces"),
        heat.note.as_ref().map(|note| format!(". {note}")).unwrap_or_default(),
    );
    let cells = StoredValue::new(heat.cells.clone());
    let go = move |event: KeyboardEvent, cell: HeatCell, choose: Cell| {
        let key = event.key();
        if key == "Enter" || key == " " {
            choose_cell(app, choose);
        } else if let Some(next) = cells.with_value(|cells| neighbour(cells, cell, &key)) {
            let place = format!("[data-cell='{}-{}']", next.column, next.row);
            let found = picture.get_untracked().and_then(|picture| picture.query_selector(&place).ok().flatten());
            if let Some(found) = found.and_then(|found| found.dyn_into::<SvgElement>().ok()) {
                let _ = found.focus();
            }
        } else if !key.starts_with("Arrow") {
            return;
        }
        event.prevent_default();
        event.stop_propagation();
    };
    // The newest cell is where the keyboard comes in.
    let first = heat.cells.last().copied().unwrap_or_default();
    let drawn: Vec<_> = heat
        .cells
        .iter()
        .map(|&cell| {
            let place = rectangle(&heat, cell);
            let (x, y) = (cell.column, rows - 1 - cell.row);
            let words = format!(
                "{}, {} failed, {} to {}, {} to {}",
                format::plural(cell.traces, "trace", "traces"),
                cell.errors,
                browser::clock(place.from_ms as f64),
                browser::zoned(place.to_ms as f64),
                format::micros(place.min_us),
                format::micros(place.max_us),
            );
            // A strip at its foot: as wide as the share of failed ones, and never too small to be seen.
            let share = (cell.errors as f64 / cell.traces.max(1) as f64).max(0.25);
            let spoken = words.clone();
            view! {
                <g
                    class=format!("heat-cell shade-{}", shade(cell.traces, most))
                    role="button"
                    tabindex=if cell == first { "0" } else { "-1" }
                    aria-label=spoken
                    aria-pressed=move || (chosen.get() == Some(place)).to_string()
                    data-testid="heat-cell"
                    data-cell=format!("{}-{}", cell.column, cell.row)
                    data-errors=cell.errors.to_string()
                    on:click=move |_| choose_cell(app, place)
                    on:keydown=move |event| go(event, cell, place)
                >
                    <title>{words}</title>
                    <rect x=x.to_string() y=y.to_string() width="1" height="1"></rect>
                    {(cell.errors > 0)
                        .then(|| {
                            view! {
                                <rect class="heat-errors" x=x.to_string() y=format!("{:.2}", y as f64 + 0.68) width=format!("{share:.2}") height="0.32"></rect>
                            }
                        })}
                </g>
            }
        })
        .collect();
    let scale = labels(&heat.borders_us)
        .into_iter()
        .map(|(row, us)| {
            view! { <span style:bottom=format!("{:.2}%", row as f64 / rows as f64 * 100.0)>{format::micros(us)}</span> }
        })
        .collect_view();
    let times: Vec<_> = (0..=4)
        .map(|quarter| {
            browser::clock(heat.from_ms as f64 + (heat.to_ms - heat.from_ms) as f64 * f64::from(quarter) / 4.0)
        })
        .map(|time| view! { <span>{time}</span> })
        .collect();
    let (columns, whole) = (heat.columns, heat.clone());
    let frame = move || {
        chosen.get().and_then(|cell| outline(&whole, cell)).map(|(x, y, width, height)| {
        view! { <rect class="heat-chosen" x=format!("{x:.3}") y=format!("{y:.3}") width=format!("{width:.3}") height=format!("{height:.3}")></rect> }
    })
    };
    view! {
        <section class="heat" aria-label="Traces by time and duration" data-testid="heat">
            <div class="heat-scale" aria-hidden="true">{scale}</div>
            <div class="heat-picture" node_ref=picture style:height=format!("{}px", (rows * ROW).clamp(60, 168))>
                <svg viewBox=format!("0 0 {columns} {rows}") preserveAspectRatio="none" role="group" aria-label=summary.clone()>
                    {drawn} {frame}
                </svg>
            </div>
            <div class="heat-times quiet" aria-hidden="true">{times}</div>
            <p class="heat-words quiet">
                <span>{summary}</span>
                <span class="heat-legend">
                    "fewer" {(1..=SHADES).map(|shade| view! { <i class=format!("shade-{shade}")></i> }).collect_view()} "more"
                    <i class="heat-failed"></i> "failed"
                </span>
            </p>
        </section>
    }
}

/// Chooses a cell, or none if it was chosen.
fn choose_cell(app: crate::state::App, cell: Cell) {
    app.change(|view| view.traces.cell = if view.traces.cell == Some(cell) { None } else { Some(cell) });
}
