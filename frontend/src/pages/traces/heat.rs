//! When traces began and how long they took: a cell for each step of time and duration, darker with more in it.

use leptos::{ev::KeyboardEvent, html, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::SvgElement;
use weft_model::trace::{Heat, HeatCell};

use super::Search;
use crate::{api, browser, components::placeholder::Old, format, location::traces::Cell, poll::poll, state::app};

/// Height of a row in pixels.
const ROW: usize = 12;
/// Shades that are told apart.
const SHADES: usize = 5;

/// The rectangle that a cell stands for.
fn rectangle(heat: &Heat, cell: HeatCell) -> Cell {
    let step = (heat.to_ms - heat.from_ms) / heat.columns.max(1) as u64;
    let from_ms = heat.from_ms + step * cell.column as u64;
    let border = |row: usize| heat.borders_us.get(row).copied().unwrap_or_default();
    Cell { from_ms, to_ms: from_ms + step, min_us: border(cell.row), max_us: border(cell.row + 1) }
}

/// By the logarithm of the count: one trace is seen beside ten thousand.
fn shade(traces: usize, most: usize) -> usize {
    let share = (traces.max(1) as f64).ln() / (most.max(2) as f64).ln();
    1 + ((share * SHADES as f64) as usize).min(SHADES - 1)
}

/// The cell that an arrow key leads to: the nearest one in its direction.
fn neighbour(cells: &[HeatCell], from: HeatCell, key: &str) -> Option<HeatCell> {
    let distance = |cell: &HeatCell| {
        let (right, up) = (cell.column as i64 - from.column as i64, cell.row as i64 - from.row as i64);
        let (ahead, aside) = match key {
            "ArrowRight" => (right, up),
            "ArrowLeft" => (-right, up),
            "ArrowUp" => (up, right),
            "ArrowDown" => (-up, right),
            _ => return None,
        };
        (ahead > 0).then(|| ahead + 3 * aside.abs())
    };
    cells
        .iter()
        .filter_map(|cell| Some((distance(cell)?, *cell)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, cell)| cell)
}

/// The map; nothing while there is nothing to count: the list says why. A map that cannot be had says so itself.
#[component]
pub fn HeatMap() -> impl IntoView {
    let app = app();
    let search = Memo::new(move |_| app.view.with(Search::of));
    let (load, retry) = poll(search, |search: Search| async move { api::heat(&search.map(browser::now())).await });
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
                browser::clock(place.to_ms as f64),
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

/// Borders with a label: whole powers of ten, or the ends where there are none.
fn labels(borders: &[u64]) -> Vec<(usize, u64)> {
    let power = |us: u64| us > 0 && us == 10u64.pow(us.ilog10());
    let powers: Vec<_> = borders.iter().copied().enumerate().filter(|(_, us)| power(*us)).collect();
    if powers.len() >= 2 {
        return powers;
    }
    let last = borders.len().saturating_sub(1);
    [0, last].into_iter().filter_map(|row| Some((row, *borders.get(row)?))).collect()
}

/// Where a chosen rectangle lies in the picture, in cells: left, top, width, height. `None` outside of it.
fn outline(heat: &Heat, cell: Cell) -> Option<(f64, f64, f64, f64)> {
    let rows = heat.borders_us.len().saturating_sub(1);
    let step = (heat.to_ms - heat.from_ms) as f64 / heat.columns.max(1) as f64;
    let column = |ms: u64| ((ms as f64 - heat.from_ms as f64) / step).clamp(0.0, heat.columns as f64);
    let row = |us: u64| heat.borders_us.partition_point(|border| *border < us).min(rows);
    let (left, right) = (column(cell.from_ms), column(cell.to_ms));
    let (low, high) = (row(cell.min_us), row(cell.max_us));
    (right > left && high > low).then(|| (left, (rows - high) as f64, right - left, (high - low) as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(column: usize, row: usize) -> HeatCell {
        HeatCell { column, row, traces: 1, errors: 0 }
    }

    fn heat() -> Heat {
        let borders_us = vec![500, 1000, 2000, 5000];
        Heat { from_ms: 1000, to_ms: 49_000, columns: 48, borders_us, ..Heat::default() }
    }

    #[test]
    fn arrows_lead_to_the_nearest_cell() {
        let cells = [cell(0, 0), cell(3, 1), cell(5, 0), cell(3, 3)];
        let goes = |key| neighbour(&cells, cells[1], key).map(|cell| (cell.column, cell.row));
        assert_eq!(goes("ArrowRight"), Some((5, 0)));
        assert_eq!(goes("ArrowLeft"), Some((0, 0)));
        assert_eq!(goes("ArrowUp"), Some((3, 3)));
        assert_eq!(goes("ArrowDown"), Some((5, 0)));
        assert_eq!(goes("x"), None);
        assert_eq!(neighbour(&cells, cells[0], "ArrowLeft"), None);
    }

    #[test]
    fn a_cell_is_framed_where_it_stands() {
        let place = rectangle(&heat(), cell(2, 1));
        assert_eq!(place, Cell { from_ms: 3000, to_ms: 4000, min_us: 1000, max_us: 2000 });
        assert_eq!(outline(&heat(), place), Some((2.0, 1.0, 1.0, 1.0)));
        assert_eq!(outline(&heat(), Cell { from_ms: 0, to_ms: 900, ..place }), None, "it has left the window");
    }

    #[test]
    fn few_are_seen_beside_many() {
        assert_eq!([shade(1, 10_000), shade(30, 10_000), shade(10_000, 10_000), shade(1, 1)], [1, 2, 5, 1]);
        assert_eq!(labels(&[500, 1000, 2000, 5000, 10_000, 20_000]), [(1, 1000), (4, 10_000)]);
        assert_eq!(labels(&[500, 1000, 2000]), [(0, 500), (2, 2000)]);
    }
}
