//! The newest traces that fit the search.

use leptos::{prelude::*, task::spawn_local};
use weft_model::{
    graph::Health,
    trace::{TraceList, TraceRow},
};

use crate::{
    api, browser, command,
    components::{
        copy::{Commands, curl},
        placeholder::{Empty, Failure, Skeleton},
        shape::{Glyph, HealthShape},
    },
    format,
    icons::Icon,
    location::{selecting, traces::Cell},
    poll::{poll, regularly},
    queries::TraceQuery,
    state::app,
    traces::{Search, listed},
};

/// After so many milliseconds every hop has sent its spans.
const SETTLED_MS: f64 = 5_000.0;

/// The list.
#[component]
pub fn List() -> impl IntoView {
    let app = app();
    let key: Memo<(Search, Option<Cell>)> =
        Memo::new(move |_| app.view.with(|view| (Search::of(view), view.traces.cell)));
    let (load, retry) = poll(key, regularly(), move |_| {
        let query = app.view.with_untracked(|view| listed(view, browser::now()));
        async move { api::traces(&query).await }
    });
    // Pages after the first, in the order in which they were asked for; none where nobody asked. One may be empty.
    let older: RwSignal<Option<TraceList>> = RwSignal::default();
    let busy = RwSignal::new(false);
    Effect::new(move |_| {
        let _ = key.get();
        older.set(None);
    });
    let rows = Memo::new(move |_| {
        load.with(|load| {
            let mut all = load.value.as_ref()?.traces.clone();
            let last = all.last().map(|row| (row.start_us, row.trace_id.clone()));
            // The first page grows at its top while older ones are open: none is shown twice.
            let below =
                |row: &&TraceRow| last.as_ref().is_none_or(|last| (row.start_us, &row.trace_id) < (last.0, &last.1));
            older.with(|older| all.extend(older.iter().flat_map(|older| &older.traces).filter(below).cloned()));
            Some(all)
        })
    });
    let next = Memo::new(move |_| {
        older.with(|older| match older {
            None => load.with(|load| load.value.as_ref()?.next.clone()),
            Some(older) => older.next.clone(),
        })
    });
    let more = move |_| {
        let (Some(before), false) = (next.get_untracked(), busy.get_untracked()) else { return };
        busy.set(true);
        spawn_local(async move {
            let asked = key.get_untracked();
            let query = app.view.with_untracked(|view| listed(view, browser::now()));
            let answer = api::traces(&TraceQuery { before: Some(before), ..query }).await;
            let _ = busy.try_set(false);
            match answer {
                Ok(list) if key.try_get_untracked() == Some(asked) => {
                    let _ = older.try_update(|older| {
                        let older = older.get_or_insert_default();
                        older.traces.extend(list.traces);
                        older.next = list.next;
                    });
                }
                Ok(_) => {}
                Err(problem) => app.toast(format!("{} {}", problem.title, problem.detail), true, None),
            }
        });
    };
    let base = app.unselected();
    let filtered = move || {
        app.view.with(|view| {
            let plain = Search::of(view).plain;
            view.traces.cell.is_some() || plain != TraceQuery::default()
        })
    };
    let known = Memo::new(move |_| rows.with(|rows| rows.as_ref().map(Vec::is_empty)));
    let longest = Memo::new(move |_| {
        rows.with(|rows| rows.iter().flatten().map(|row| row.duration_us).max().unwrap_or(1).max(1))
    });
    let commands = Signal::derive(move || {
        let query = app.view.with(|view| listed(view, browser::now()));
        vec![command::traces(&query), curl(&query.address())]
    });
    let told = move || {
        let number = rows.with(|rows| rows.as_ref().map_or(0, Vec::len));
        format!("{}, the oldest last.", format::plural(number, "trace", "traces"))
    };
    let note = Memo::new(move |_| load.with(|load| load.value.as_ref()?.note.clone()));
    view! {
        {move || note.get().map(|note| view! { <p class="partial inline" role="status" data-testid="trace-note"><Glyph icon=Icon::Alert /><span>{note}</span></p> })}
        {move || load.with(|load| load.error.clone()).map(|problem| view! { <Failure problem retry /> })}
        {move || match known.get() {
            None if load.with(|load| load.error.is_some()) => ().into_any(),
            None => view! { <Skeleton words="Looking for traces …" rows=8 /> }.into_any(),
            Some(true) if filtered() => {
                view! {
                    <Empty title="No trace fits">
                        <p>"Loosen the filters or look further back: workload, operation and tags must be of one and the same span, and the namespaces in the top bar count too."</p>
                    </Empty>
                }
                    .into_any()
            }
            Some(true) => {
                view! {
                    <Empty title="No traces within this time">
                        <p>"Look further back, or wait: new ones appear by themselves. Proxies send spans to this console when they are started with --otlp-endpoint and its address."</p>
                    </Empty>
                }
                    .into_any()
            }
            Some(false) => {
                view! {
                    <table class="list">
                        <thead>
                            <tr>
                                <th><span class="unseen">"Result"</span></th>
                                <th>"Request"</th>
                                <th class="extra">"Entered at"</th>
                                <th class="numeral">"Duration"</th>
                                <th class="duration-head"><span class="unseen">"Compared"</span></th>
                                <th class="numeral">"Spans"</th>
                                <th class="numeral">"Started"</th>
                            </tr>
                        </thead>
                        <tbody>
                            <For each=move || rows.get().unwrap_or_default() key=|row| (row.trace_id.clone(), row.spans, row.duration_us, row.error) let:row>
                                <Row row=row longest=longest base=base />
                            </For>
                        </tbody>
                    </table>
                    <div class="list-foot">
                        <Show when=move || next.with(Option::is_some) fallback=move || view! { <span class="quiet" data-testid="trace-count">{told}</span> }>
                            <button class="button" data-testid="trace-more" disabled=move || busy.get() on:click=more>
                                {move || if busy.get() { "Reading …" } else { "Show older ones" }}
                            </button>
                        </Show>
                    </div>
                }
                    .into_any()
            }
        }}
        <Commands commands=commands />
    }
}

#[component]
fn Row(row: TraceRow, longest: Memo<u64>, base: Memo<String>) -> impl IntoView {
    let app = app();
    let (chosen, target, own) = (row.trace_id.clone(), row.trace_id.clone(), row.trace_id.clone());
    let open = move |event: leptos::ev::MouseEvent| {
        if browser::follows(&event) {
            app.change(|view| view.select.clone_from(&target));
        }
    };
    let at = row.start_us as f64 / 1000.0;
    let duration = row.duration_us;
    // Proxies send their spans a moment after the request.
    let fresh = move || app.now.get() - at - (duration as f64 / 1000.0) < SETTLED_MS;
    view! {
        <tr
            data-testid="trace-row"
            data-trace=row.trace_id.clone()
            data-error=row.error.to_string()
            data-spans=row.spans.to_string()
            class:chosen=move || app.view.with(|view| view.select == chosen)
            on:click=open
        >
            <td>
                <HealthShape health=if row.error { Health::Failing } else { Health::Healthy } />
            </td>
            <th scope="row" title=row.root.clone()>
                <a class="link" data-row="" href=move || base.with(|base| selecting(base, &own))>
                    {format::middle(&row.root, 56)}
                </a>
            </th>
            <td class="quiet extra" title=row.workload.clone()>{format::middle(row.workload.rsplit('/').next().unwrap_or_default(), 40)}</td>
            <td class="numeral">{format::micros(duration)}</td>
            <td class="duration">
                <i class:failing=row.error style:width=move || format!("{:.1}%", (duration as f64 / longest.get() as f64 * 100.0).max(1.0))></i>
            </td>
            <td class="numeral quiet" title=move || if fresh() { "Its hops are still sending their spans" } else { "" }>
                {row.spans}
                {move || fresh().then_some(", arriving")}
            </td>
            <td class="numeral quiet" title=browser::moment(at)>{move || format::ago(app.now.get() - at)}</td>
        </tr>
    }
}
