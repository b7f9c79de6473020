//! What instances wrote, access-log lines by their fields, and the spans of the same request beside them.

use std::sync::Arc;

use leptos::prelude::*;
use weft_model::details::{Access, Detail, LogLine};

use crate::{
    api, browser, command,
    components::{
        copy::Commands,
        placeholder::{Empty, Failure, Old, Skeleton},
    },
    format,
    location::{Room, View},
    poll::{poll, regularly},
    shown::visible,
    state::app,
    traces::is_id,
    words,
};

/// The tab.
#[component]
pub fn Logs(detail: Memo<Option<Arc<Detail>>>) -> impl IntoView {
    let app = app();
    // A trace id is looked for further back than what is shown otherwise.
    let sought = |view: &View| if is_id(&view.find) { view.find.clone() } else { String::new() };
    let key = Memo::new(move |_| {
        app.view.with(|view| (view.subject, view.place.clone(), view.instance.clone(), sought(view)))
    });
    let (load, retry) = poll(key, regularly(), |(subject, place, instance, trace)| async move {
        api::logs(subject, &place, &instance, &trace).await
    });
    let trace = RwSignal::new(String::new());
    let only_failed = RwSignal::new(false);
    let instances = Memo::new(move |_| {
        detail
            .with(|one| one.iter().flat_map(|one| one.instances.iter().map(|one| one.name.clone())).collect::<Vec<_>>())
    });
    let lines = Memo::new(move |_| {
        app.view.with(|view| {
            let words: Vec<String> = view.find.split_whitespace().map(str::to_lowercase).collect();
            load.with(|load| {
                let all = load.value.iter().flat_map(|logs| &logs.lines);
                let failed = |line: &&LogLine| !only_failed.get() || line.access.as_ref().is_some_and(failed);
                let fits = |line: &&LogLine| {
                    let text = line.text.to_lowercase();
                    words.iter().all(|word| text.contains(word))
                };
                // The newest first: that is what somebody looks for.
                all.filter(failed).filter(fits).rev().cloned().collect::<Vec<_>>()
            })
        })
    });
    let commands = Signal::derive(move || {
        let own = key.with(|(subject, place, instance, trace)| command::logs(*subject, place, instance, trace));
        let others = load.with(|load| load.part(|one| one.commands.clone()));
        own.into_iter().chain(others).collect::<Vec<_>>()
    });
    view! {
        <section class="logs" data-testid="logs">
            <div class="section-head">
                <h2>"Logs"</h2>
                <label class="pick">
                    "of "
                    <select
                        aria-label="Instance"
                        on:change:target=move |event| {
                            let instance = event.target().value();
                            app.change(|view| view.instance = instance);
                        }
                    >
                        <option value="">"all instances"</option>
                        {move || instances.get().into_iter().map(|name| {
                            let own = name.clone();
                            view! { <option value=name.clone() selected=move || app.view.with(|view| view.instance == own)>{name.clone()}</option> }
                        }).collect_view()}
                    </select>
                </label>
                <label class="search">
                    <input
                        type="search"
                        placeholder="Text of a line"
                        aria-label="Filter lines"
                        prop:value=move || app.view.with(|view| view.find.clone())
                        on:input:target=move |event| {
                            let text = event.target().value();
                            app.change(|view| view.find = text);
                        }
                    />
                </label>
                <button class="toggle" aria-pressed=move || only_failed.get().to_string() on:click=move |_| only_failed.update(|on| *on = !*on)>
                    "Failed requests only"
                </button>
            </div>
            <Old load retry />
            {move || load.with(|load| load.part(|logs| logs.problems.clone())).into_iter().map(|problem| view! {
                <p class="partial" role="status" data-testid="log-problem">{visible(&problem)}</p>
            }).collect_view()}
            {move || match load.with(|load| (load.value.is_some(), load.error.clone())) {
                (false, Some(problem)) => view! { <Failure problem retry /> }.into_any(),
                (false, None) => view! { <Skeleton words="Reading logs …" rows=8 /> }.into_any(),
                // There is nowhere to look, which the problem above says.
                (true, _) if !load.with(|load| load.part(|logs| logs.available)) => ().into_any(),
                (true, _) if lines.with(Vec::is_empty) => view! {
                    <Empty title="No lines to show"><p>"Nothing was written, or the filter leaves nothing."</p></Empty>
                }.into_any(),
                (true, _) => view! {
                    <div class="log-body" class:with-spans=move || !trace.with(String::is_empty)>
                        <ol class="log-lines">
                            <For each=move || lines.get() key=|line| format!("{:?}{}{}", line.at_ms, line.instance, line.text) let:line>
                                <Line line=line trace=trace />
                            </For>
                        </ol>
                        <Show when=move || !trace.with(String::is_empty)><Spans trace=trace /></Show>
                    </div>
                }.into_any(),
            }}
            <Commands commands=commands words="Show command for the logs" />
        </section>
    }
}

fn failed(access: &Access) -> bool {
    access.code >= 500 || access.code == 0 && !access.flags.is_empty()
}

/// One line; with `trace`, a button beside it chooses the trace that it names.
#[component]
pub fn Line(line: LogLine, #[prop(optional)] trace: Option<RwSignal<String>>) -> impl IntoView {
    let at = line.at_ms.map(|at| at as f64);
    let time =
        view! { <time title=at.map(browser::moment)>{at.map(browser::clock).unwrap_or_else(|| "–".to_owned())}</time> };
    let who = view! { <span class="quiet who" title=line.instance.clone()>{line.container.clone()}</span> };
    match line.access {
        None => view! { <li class="plain" data-testid="log-line">{time}{who}<code>{visible(&line.text)}</code></li> }
            .into_any(),
        Some(access) => {
            let bad = failed(&access);
            let flags: Vec<String> = words::response_flags(&access.flags)
                .into_iter()
                .map(|(flag, words)| format!("{flag}: {words}"))
                .collect();
            let title = format!("{} {}", words::response_code(&access.code.to_string()), flags.join(" "));
            let id = access.trace_id.clone();
            let chosen = id.clone();
            let upstream = access.upstream_ms.map(|ms| format!("of which {} at the other end", format::millis(ms)));
            let button = trace.filter(|_| !id.is_empty()).map(|trace| view! {
                <button
                    class="link"
                    title=format!("Spans of trace {id}")
                    data-testid="log-trace"
                    aria-pressed=move || trace.with(|known| *known == chosen).to_string()
                    on:click=move |_| trace.update(|known| if *known == id { known.clear() } else { known.clone_from(&id) })
                >"spans"</button>
            });
            view! {
                <li class="access" class:bad=bad data-testid="log-line" data-code=access.code>
                    {time}{who}
                    <span class="quiet direction">{access.direction.clone()}</span>
                    <span class="code-flags" title=title>{access.code}" "{access.flags.clone()}</span>
                    <span class="numeral" title=upstream>{format::millis(access.duration_ms)}</span>
                    <span class="request" title=visible(&format!("{} {}{}\nto {} ({})\nfrom {}\n{}", access.method, access.authority, access.path, access.upstream, access.cluster, access.downstream, access.details))>
                        <strong>{visible(&access.method)}</strong>" "{format::middle(&format!("{}{}", access.authority, access.path), 72)}
                        <span class="quiet">{(!access.upstream.is_empty()).then(|| format!(" → {}", visible(&access.upstream)))}</span>
                    </span>
                    {button}
                </li>
            }
            .into_any()
        }
    }
}

/// The spans of the request whose line was chosen.
#[component]
fn Spans(trace: RwSignal<String>) -> impl IntoView {
    let app = app();
    let key = Memo::new(move |_| trace.get());
    let (load, retry) = poll(key, regularly(), |id| async move { api::trace(&id).await });
    let href = move || app.view.with(|view| View { select: key.get(), ..view.enter(Room::Traces) }.fragment());
    view! {
        <aside class="log-spans" data-testid="log-spans" aria-label="Spans of the same request">
            <div class="section-head">
                <h3>"Spans of this request"</h3>
                <a href=href>"Waterfall"</a>
                <button class="link" on:click=move |_| trace.set(String::new())>"Close"</button>
            </div>
            {move || load.with(|load| match (&load.value, &load.error) {
                (Some(found), _) => {
                    let start = found.spans.iter().map(|span| span.start_us).min().unwrap_or_default();
                    let rows = found.spans.iter().map(|span| view! {
                        <tr class:bad=span.error>
                            <th scope="row" class=format!("depth-{}", span.depth.min(8)) title=visible(&span.name)>{format::middle(&span.workload, 34)}</th>
                            <td class="quiet">{span.kind.clone()}</td>
                            <td class="numeral">"+"{format::micros(span.start_us.saturating_sub(start))}</td>
                            <td class="numeral">{format::micros(span.duration_us)}</td>
                        </tr>
                    }).collect_view();
                    view! {
                        <table class="small">
                            <thead><tr><th>"Workload"</th><th>"Side"</th><th class="numeral">"Begins"</th><th class="numeral">"Lasts"</th></tr></thead>
                            <tbody>{rows}</tbody>
                        </table>
                    }.into_any()
                }
                (None, Some(problem)) => view! { <Failure problem=problem.clone() retry /> }.into_any(),
                (None, None) => view! { <Skeleton words="Reading the trace …" rows=4 /> }.into_any(),
            })}
        </aside>
    }
}
