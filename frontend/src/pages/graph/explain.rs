//! Why what is selected fails: codes and flags in words, each with the objects that apply and can be behind it.

use leptos::prelude::*;
use weft_model::{
    ObjectRef,
    details::{Applies, Subject},
    graph::{CodeRate, Node, called},
};

use super::{
    Shown,
    applies::{Applied, Line, Way},
    changes::Changes,
    trends::SHORTEST_S,
};
use crate::{
    browser,
    components::shape::Glyph,
    format,
    graph::{
        fold,
        reasons::{POLICIES, Reason, at_gateway, begins, cause, changed, of, reasons, recent},
    },
    icons::Icon,
    location::{Room, View},
    shown::visible,
    state::app,
};

/// The heading, which takes the focus when the explanation is asked for.
const HEADING: &str = "explain-title";

/// The button that asks for the explanation, or puts it away.
#[component]
pub fn ExplainButton() -> impl IntoView {
    let app = app();
    view! {
        <button
            class="button quiet-button"
            title="Why requests to it fail, and what decides about them (e)"
            aria-pressed=move || app.view.with(|view| view.graph.explain).to_string()
            data-testid="explain"
            on:click=move |_| app.change(|view| view.graph.explain = !view.graph.explain)
        >
            <Glyph icon=Icon::Info />
            "Explain"
        </button>
    }
}

/// The explanation, while it is asked for. `codes` are those of the calls, `applied` is what applies to what they called,
/// and `failing` are calls of its own that fail.
#[component]
pub fn Explain(
    codes: Memo<Vec<CodeRate>>,
    applied: Applied,
    #[prop(optional)] failing: Option<Memo<Vec<String>>>,
) -> impl IntoView {
    let app = app();
    let Shown(shown) = expect_context();
    let selected = Memo::new(move |_| app.view.with(|view| view.select.clone()));
    let begin = Memo::new(move |_| {
        let id = shown.with(|shown| begins(&shown.as_ref()?.graph.edges, &selected.get()))?;
        // What is told as a call of its own is not told twice.
        let told = failing.is_some_and(|all| all.with(|all| all.contains(&id)));
        (!told).then_some(id)
    });
    let open = Memo::new(move |_| app.view.with(|view| view.graph.explain));
    Effect::new(move |before: Option<bool>| {
        let open = open.get();
        // A link that opens it leaves the focus where the page puts it.
        if open && before == Some(false) {
            request_animation_frame(|| {
                let _ = browser::find(&format!("#{HEADING}")).map(|heading| heading.focus());
            });
        }
        open
    });
    view! {
        <Show when=move || open.get()>
            <section class="explain" data-testid="explanation">
                <h3 id=HEADING tabindex="-1">"Explained"</h3>
                <Explained codes=codes applied=applied calls=selected />
                <Policies applied=applied />
                {move || failing.map(|all| all.get().into_iter().map(|id| view! { <Outward id /> }).collect_view())}
                {move || begin.get().map(|id| view! { <Begins id /> })}
            </section>
        </Show>
    }
}

/// A call of its own that fails: why, and what decides about it.
#[component]
fn Outward(id: String) -> impl IntoView {
    let app = app();
    let to = id.split_once("->").map(|(_, to)| to.to_owned()).unwrap_or_default();
    let target = format!("edge:{id}");
    let calls = target.clone();
    let (codes, end) = call(id);
    view! {
        <h3 data-testid="explain-outward">
            "Its calls to "
            <button class="link" title=called(&to) on:click=move |_| app.change(|view| view.select.clone_from(&target))>{fold::short(&to)}</button>
            " fail"
        </h3>
        <Explained codes=codes applied=Applied::to(end) calls=calls />
    }
}

/// The call at which its failures begin, further on: why it fails, and what changed about what it calls.
#[component]
fn Begins(id: String) -> impl IntoView {
    let app = app();
    let (from, to) = id.split_once("->").map(|(from, to)| (fold::short(from), fold::short(to))).unwrap_or_default();
    let title = id.split_once("->").map(|(from, to)| format!("{} → {}", called(from), called(to))).unwrap_or_default();
    let target = format!("edge:{id}");
    let calls = target.clone();
    let (codes, end) = call(id);
    let applied = Applied::to(end);
    view! {
        <section data-testid="explain-begins">
            <h3>
                "It begins at "
                <button class="link" title=title on:click=move |_| app.change(|view| view.select.clone_from(&target))>{format!("{from} → {to}")}</button>
            </h3>
            <Explained codes=codes applied=applied calls=calls />
            <Changes way=applied.way />
        </section>
    }
}

/// What a call was answered with, and what it calls.
fn call(id: String) -> (Memo<Vec<CodeRate>>, Memo<Option<Node>>) {
    let Shown(shown) = expect_context();
    let to = id.split_once("->").map(|(_, to)| to.to_owned()).unwrap_or_default();
    let codes = Memo::new(move |_| {
        let codes = shown.with(|shown| shown.as_ref()?.edge(&id).map(|edge| edge.codes.clone()));
        codes.unwrap_or_default()
    });
    let end = Memo::new(move |_| shown.with(|shown| shown.as_ref()?.node(&to).cloned()));
    (codes, end)
}

/// Why calls failed, when `applied` applies to what they called. `calls` says which ones they are: `node:ID`, `edge:ID`.
#[component]
fn Explained(codes: Memo<Vec<CodeRate>>, applied: Applied, #[prop(into)] calls: Signal<String>) -> impl IntoView {
    let Shown(shown) = expect_context();
    let (objects, hidden) = (applied.objects(), applied.hidden());
    let at_gateway = Memo::new(move |_| {
        let calls = calls.get();
        shown.with(|shown| shown.as_ref().is_some_and(|shown| at_gateway(&shown.graph, &calls)))
    });
    // Without its numbers, which change with each refresh: links stay while the reasons do.
    let all = Memo::new(move |_| {
        let mut known = objects.get().unwrap_or_default();
        known.retain(|one| !one.gateways_only || at_gateway.get());
        let all = codes.with(|codes| reasons(codes, &known));
        all.into_iter().map(|one| Reason { rate: 0.0, ..one }).collect::<Vec<_>>()
    });
    let rate = move |code: &str, flags: &str| {
        codes.with(|codes| {
            let own = codes.iter().filter(|one| one.code == code && cause(&one.flags) == flags);
            own.map(|one| one.rate).sum::<f64>()
        })
    };
    let known = Memo::new(move |_| objects.with(Option::is_some));
    let denied = Memo::new(move |_| all.with(|all| all.iter().any(|one| one.kinds.contains(&"AuthorizationPolicy"))));
    let reason = move |one: Reason| {
        let (code, flags) = (one.code.clone(), one.flags.clone());
        let heading = match (one.code.as_str(), one.flags.as_str()) {
            ("0" | "", "") => "No answer".to_owned(),
            ("0" | "", flags) => flags.to_owned(),
            (code, "") => code.to_owned(),
            (code, flags) => format!("{code} {flags}"),
        };
        let delayed = (!one.delayed.is_empty()).then(|| format!(" ({})", one.delayed));
        let kinds = one.kinds.join(" and no ");
        let none = (!one.kinds.is_empty() && one.objects.is_empty())
            .then(|| format!("No {kinds} that you may read applies here."));
        view! {
            <li class="reason" data-testid="reason" data-flags=one.flags>
                <p>
                    <strong>{heading}</strong>
                    {delayed}
                    " "
                    {one.words}
                    " "
                    <span class="quiet numeral">{move || format!("{}/s", format::digits(rate(&code, &flags)))}</span>
                </p>
                <Recent objects=one.objects.clone() />
                <ul class="lines">{one.objects.into_iter().map(|one| view! { <Line one /> }).collect_view()}</ul>
                {none.filter(|_| known.get()).map(|words| view! { <p class="quiet">{words}</p> })}
            </li>
        }
    };
    view! {
        <Show when=move || all.with(Vec::is_empty) fallback=move || view! { <ul>{move || all.get().into_iter().map(reason).collect_view()}</ul> }>
            <p>"No call to it failed within this window."</p>
        </Show>
        <Show when=move || denied.get()>
            <Logs way=applied.way />
        </Show>
        {move || hidden.get().map(|words| view! { <p class="quiet">{words}</p> })}
    }
}

/// What was made or changed of some objects a short while ago: nothing else is as likely to be why.
#[component]
fn Recent(objects: Vec<Applies>) -> impl IntoView {
    let app = app();
    let dated = Memo::new(move |_| app.config.with(|load| load.part(|list| changed(&objects, &list.rows))));
    // As long ago as charts and changes are shown.
    let told = Memo::new(move |_| {
        let (window_s, at_ms) = app.view.with(|view| (view.window_s.max(SHORTEST_S), view.graph.at_ms));
        dated.with(|all| recent(all, window_s * 1000, at_ms, app.now.get() as u64))
    });
    let line = move |(object, at): (ObjectRef, u64)| {
        let (name, at) = (object.to_string(), at as f64);
        view! {
            <p data-testid="explain-changed" data-object=name.clone()>
                <strong>{visible(&name)}</strong>
                " was made or changed "
                <span title=browser::moment(at)>{move || format::ago(app.now.get() - at)}</span>
                "."
            </p>
        }
    };
    move || told.get().into_iter().map(line).collect_view()
}

/// Who may call what is selected: told once, not with each of its calls.
#[component]
fn Policies(applied: Applied) -> impl IntoView {
    let objects = applied.objects();
    let policies = Memo::new(move |_| objects.with(|all| all.as_ref().map(|all| of(&POLICIES, all))));
    move || {
        policies.get().map(|policies| {
            if policies.is_empty() {
                let words = "No policy that you may read says who may call it.";
                return view! { <p class="quiet">{words}</p> }.into_any();
            }
            view! {
                <p>"Who may call it is decided by these, in this order:"</p>
                <ul class="lines" data-testid="explain-policies">
                    {policies.into_iter().map(|one| view! { <Line one /> }).collect_view()}
                </ul>
            }
            .into_any()
        })
    }
}

/// The way to the logs, which name the policy behind each refusal.
#[component]
fn Logs(way: Memo<Option<Way>>) -> impl IntoView {
    let app = app();
    move || {
        way.get().filter(|(subject, _)| *subject != Subject::Namespace).map(|(subject, place)| {
            let href = move || {
                app.view.with(|view| {
                    let (place, tab) = (place.clone(), "logs".to_owned());
                    View { subject, place, tab, ..view.enter(Room::Workloads) }.fragment()
                })
            };
            view! {
                <p>
                    "The proxy's log names the policy of each refusal. "
                    <a class="link" href=href data-testid="explain-logs">"Read its logs"</a>
                </p>
            }
        })
    }
}
