//! The newest traces that fit the filters.

use gloo_timers::future::TimeoutFuture;
use leptos::{prelude::*, task::spawn_local};
use weft_model::{
    graph::Health,
    trace::{TraceList, TraceRow},
};

use crate::{
    api, browser,
    components::{
        placeholder::{Empty, Failure, Skeleton},
        shape::HealthShape,
    },
    format,
    state::{Load, app},
};

const LIMIT: usize = 100;
/// How often the list looks for newer ones, in milliseconds.
const REFRESH_MS: u32 = 5_000;

/// The list.
#[component]
pub fn List() -> impl IntoView {
    let app = app();
    let load: RwSignal<Load<TraceList>> = RwSignal::default();
    let filter = Memo::new(move |_| app.view.with(|view| (view.workload.clone(), view.errors, view.min_ms)));
    let ask = move || async move {
        let Some((workload, errors, min_ms)) = filter.try_get_untracked() else { return };
        let asked = (workload, errors, min_ms);
        let answer = api::traces(&asked.0, asked.1, asked.2, LIMIT).await;
        // The room may be left, or the filter changed, by now.
        if filter.try_get_untracked() == Some(asked) {
            let _ = load.try_update(|load| load.settle(answer));
        }
    };
    Effect::new(move |_| {
        filter.track();
        load.set(Load::default());
        spawn_local(ask());
    });
    spawn_local(async move {
        loop {
            TimeoutFuture::new(REFRESH_MS).await;
            if load.is_disposed() {
                return;
            }
            if app.paused.get_untracked().is_none() && !document().hidden() {
                ask().await;
            }
        }
    });
    let rows = Memo::new(move |_| {
        load.with(|load| {
            let list = load.value.as_ref()?;
            let inside = |row: &&TraceRow| {
                app.view.with(|view| view.shows(row.workload.split_once('/').map_or("", |(namespace, _)| namespace)))
            };
            Some(list.traces.iter().filter(inside).cloned().collect::<Vec<_>>())
        })
    });
    let retry = Callback::new(move |()| spawn_local(ask()));
    let filtered = move || filter.with(|(workload, errors, min_ms)| !workload.is_empty() || *errors || *min_ms > 0);
    let longest = Memo::new(move |_| {
        rows.with(|rows| rows.iter().flatten().map(|row| row.duration_us).max().unwrap_or(1).max(1))
    });
    view! {
        {move || load.with(|load| load.error.clone()).map(|problem| view! { <Failure problem retry /> })}
        {move || match rows.with(|rows| rows.as_ref().map(Vec::is_empty)) {
            None if load.with(|load| load.error.is_some()) => ().into_any(),
            None => view! { <Skeleton words="Looking for traces …" rows=8 /> }.into_any(),
            Some(true) if filtered() => {
                view! {
                    <Empty title="No trace fits">
                        <p>"Loosen the filters, or wait: the newest appear by themselves."</p>
                    </Empty>
                }
                    .into_any()
            }
            Some(true) => {
                view! {
                    <Empty title="No traces received yet">
                        <p>"Proxies send spans to this console when they are started with --otlp-endpoint and its address."</p>
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
                                <Row row=row longest=longest />
                            </For>
                        </tbody>
                    </table>
                }
                    .into_any()
            }
        }}
    }
}

#[component]
fn Row(row: TraceRow, longest: Memo<u64>) -> impl IntoView {
    let app = app();
    let (chosen, target) = (row.trace_id.clone(), row.trace_id.clone());
    let open = move |_| app.change(|view| view.select.clone_from(&target));
    let at = row.start_us as f64 / 1000.0;
    let duration = row.duration_us;
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
                <button class="link" data-row="">
                    {format::middle(&row.root, 56)}
                </button>
            </th>
            <td class="quiet extra" title=row.workload.clone()>{row.workload.rsplit('/').next().unwrap_or_default().to_owned()}</td>
            <td class="numeral">{format::micros(duration)}</td>
            <td class="duration">
                <i class:failing=row.error style:width=move || format!("{:.1}%", (duration as f64 / longest.get() as f64 * 100.0).max(1.0))></i>
            </td>
            <td class="numeral quiet">{row.spans}</td>
            <td class="numeral quiet" title=browser::moment(at)>{move || format::ago(app.now.get() - at)}</td>
        </tr>
    }
}
