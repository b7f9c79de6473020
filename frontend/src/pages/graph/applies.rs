//! The configuration that applies to what a panel is about, as the console's server knows it: by selectors, hosts and
//! scopes, which no name tells.

use leptos::{prelude::*, task::spawn_local};
use weft_model::{
    canary::Verdict,
    details::{Applies, Detail, Subject},
    graph::{Health, Node},
};

use crate::{
    api,
    components::{placeholder::Old, shape::HealthShape},
    format,
    graph::ways,
    location::{Room, View},
    pages::{configuration::key, workloads::parts::FindingCount},
    shown::visible,
    state::{Load, app},
    words,
    workloads::is_split,
};

/// Objects that are shown; the page of what is selected has the rest.
const SHOWN: usize = 12;

/// The page about what is selected: what it is of, and its place there.
pub type Way = (Subject, String);

/// What the console's server says about what is selected.
#[derive(Clone, Copy)]
pub struct Applied {
    /// Its page; `None` where it has none.
    pub way: Memo<Option<Way>>,
    /// What is on it.
    pub load: RwSignal<Load<Detail>>,
    /// Asks again.
    pub again: Callback<()>,
}

impl Applied {
    /// Asks about `node` now, and again whenever configuration or the reader changes.
    pub fn to(node: Memo<Option<Node>>) -> Self {
        let app = app();
        let way = Memo::new(move |_| node.with(|node| node.as_ref().and_then(ways::page)));
        let load: RwSignal<Load<Detail>> = RwSignal::default();
        let ask = move |asked: Option<Way>| {
            let Some((subject, place)) = asked.clone() else { return };
            let window_s = app.view.with_untracked(|view| view.window_s);
            spawn_local(async move {
                let answer = api::detail(subject, &place, window_s).await;
                // The panel may be closed by now, or be about something else.
                if way.try_get_untracked() == Some(asked) {
                    let _ = load.try_update(|load| load.settle(answer));
                }
            });
        };
        let edition = Memo::new(move |_| app.config.with(|load| load.at_ms as u64));
        Effect::new(move |before: Option<Option<Way>>| {
            let _ = edition.get();
            let way = way.get();
            if before.is_some_and(|before| before != way) {
                load.set(Load::default());
            }
            ask(way.clone());
            way
        });
        app.on_person(move || ask(way.get_untracked()));
        Self { way, load, again: Callback::new(move |()| ask(way.get_untracked())) }
    }

    /// The objects, once they are known.
    pub fn objects(self) -> Memo<Option<Vec<Applies>>> {
        Memo::new(move |_| self.load.with(|load| load.value.as_ref().map(|detail| detail.config.clone())))
    }

    /// That more applies than the reader may see.
    pub fn hidden(self) -> Memo<Option<String>> {
        Memo::new(move |_| words::hidden_objects(self.load.with(|load| load.part(|detail| detail.hidden_config))))
    }
}

/// Weighted routes that lead to it, and the objects that apply to it.
#[component]
pub fn Configured(
    applied: Applied,
    #[prop(default = "Configuration that applies")] heading: &'static str,
) -> impl IntoView {
    let Applied { way, load, again } = applied;
    let (objects, hidden) = (applied.objects(), applied.hidden());
    let body = move || match objects.get() {
        Some(objects) if objects.is_empty() => {
            view! { <p class="quiet">"No object that you may read concerns it: defaults hold."</p> }.into_any()
        }
        Some(objects) => {
            let all = objects.len();
            let lines = objects.into_iter().take(SHOWN).map(|one| view! { <Line one /> }).collect_view();
            view! {
                <ul class="lines">{lines}</ul>
                {(all > SHOWN).then(|| view! { <More way all /> })}
            }
            .into_any()
        }
        // Nothing there is another thing than not known.
        None => match load.with(|load| load.error.clone()) {
            None => view! { <p class="quiet">"Reading the configuration …"</p> }.into_any(),
            Some(problem) => view! {
                <p class="fault" role="alert" data-testid="node-configuration-problem">
                    "Which configuration applies to it is not known. "{problem.title}" "{problem.detail}" "
                    <button class="link" on:click=move |_| again.run(())>"Try again"</button>
                </p>
            }
            .into_any(),
        },
    };
    let title = "Objects that select it, that its host or its callers' requests go through, and those that hold for its \
                 whole namespace or mesh; as they are now";
    view! {
        <Canaries load=load />
        <Show when=move || way.with(Option::is_some)>
            <section data-testid="node-applies">
                <h3 title=title>{heading}</h3>
                <Old load=load retry=again />
                {body}
                {move || hidden.get().map(|words| view! { <p class="quiet" data-testid="applies-hidden">{words}</p> })}
            </section>
        </Show>
    }
}

/// One object: its name, which leads to it, and what it does here.
#[component]
pub fn Line(one: Applies) -> impl IntoView {
    let app = app();
    let select = key(&one.object);
    let href =
        move || app.view.with(|view| View { select: select.clone(), ..view.enter(Room::Configuration) }.fragment());
    let name = one.object.to_string();
    let (title, place) = (format!("{name}: {}", one.why), name.clone());
    view! {
        <li data-applies=place>
            <a class="link" href=href title=visible(&title)>{visible(&name)}</a>
            <span class="quiet cut">{visible(&one.why)}</span>
            <FindingCount findings=one.findings />
        </li>
    }
}

/// The way to all of them.
#[component]
fn More(way: Memo<Option<Way>>, all: usize) -> impl IntoView {
    let app = app();
    move || {
        way.get().map(|(subject, place)| {
            let href = move || {
                app.view.with(|view| {
                    let (place, tab) = (place.clone(), "config".to_owned());
                    View { subject, place, tab, ..view.enter(Room::Workloads) }.fragment()
                })
            };
            view! { <p><a class="link" href=href>{format!("All {all}")}</a></p> }
        })
    }
}

/// Weighted routes that lead to it, with their verdicts.
#[component]
fn Canaries(load: RwSignal<Load<Detail>>) -> impl IntoView {
    let app = app();
    // Only what is shown, so that links are not drawn anew at each refresh.
    let canaries: Memo<Vec<(String, Verdict, bool)>> = Memo::new(move |_| {
        load.with(|load| {
            let Some(detail) = load.value.as_deref() else { return Vec::new() };
            app.canaries.with(|load| {
                let all = load.value.iter().flat_map(|list| &list.canaries).filter(|canary| is_split(canary, detail));
                all.map(|canary| (canary.object.to_string(), canary.verdict, canary.lost().next().is_some())).collect()
            })
        })
    });
    let line = move |(name, verdict, lost): (String, Verdict, bool)| {
        let health = if lost { Health::Failing } else { words::verdict_health(verdict) };
        view! {
            <li>
                <HealthShape health silent=true />
                <button class="link" title=name.clone() on:click=move |_| app.enter(Room::Canaries, |_| {})>
                    {format::middle(&name, 44)}
                </button>
                <span class="quiet">{words::verdict_title(verdict)}{lost.then_some(", a destination fails")}</span>
            </li>
        }
    };
    view! {
        <Show when=move || !canaries.with(Vec::is_empty)>
            <section>
                <h3>"Canary"</h3>
                <ul class="lines">{move || canaries.get().into_iter().map(line).collect_view()}</ul>
            </section>
        </Show>
    }
}
