//! What the workload of a span wrote about the same request.

use leptos::{prelude::*, task::spawn_local};
use weft_model::details::{Logs, Subject};

use crate::{
    api,
    components::placeholder::{Failure, Skeleton},
    location::{Room, View},
    pages::workloads::logs::Line,
    shown::visible,
    state::{Load, app},
};

/// The lines that name the trace, and the way to that workload's logs.
#[component]
pub fn RequestLogs(workload: String, trace: String) -> impl IntoView {
    let app = app();
    let load: RwSignal<Load<Logs>> = RwSignal::default();
    let wanted = StoredValue::new((workload, trace));
    let ask = move || {
        spawn_local(async move {
            let Some((workload, trace)) = wanted.try_get_value() else { return };
            let answer = api::logs(Subject::Workload, &workload, "", &trace).await;
            // The span may be closed by now.
            let _ = load.try_update(|load| load.settle(answer));
        });
    };
    ask();
    let retry = Callback::new(move |()| ask());
    let href = move || {
        let (place, find) = wanted.get_value();
        let tab = "logs".to_owned();
        app.view.with(|view| {
            View { subject: Subject::Workload, place, tab, find, ..view.enter(Room::Workloads) }.fragment()
        })
    };
    view! {
        <section class="request-logs" aria-label="Logs of this request" data-testid="span-logs">
            <div class="section-head">
                <h3>"Logs of this request"</h3>
                <a href=href data-testid="span-logs-all">"Among the workload's logs"</a>
            </div>
            {move || load.with(|load| match (&load.value, &load.error) {
                (Some(logs), _) => {
                    let lines = logs.lines.clone();
                    let none = lines.is_empty() && logs.available;
                    let problems = logs.problems.iter().map(|problem| view! { <p class="partial" role="status">{visible(problem)}</p> });
                    view! {
                        {problems.collect_view()}
                        {none.then(|| view! {
                            <p class="quiet" data-testid="span-logs-none">
                                "No line that is kept names this trace: an access log may be sampled or off, an application need not write the id, and an instance that is gone took its lines along."
                            </p>
                        })}
                        {(!lines.is_empty()).then(|| view! {
                            <ol class="log-lines">{lines.into_iter().map(|line| view! { <Line line /> }).collect_view()}</ol>
                        })}
                    }
                    .into_any()
                }
                (None, Some(problem)) => view! { <Failure problem=problem.clone() retry /> }.into_any(),
                (None, None) => view! { <Skeleton words="Reading logs …" rows=2 /> }.into_any(),
            })}
        </section>
    }
}
