//! The canaries' room: what each weighted route should do, what it does, and moving it.

mod bars;
mod card;
mod course;
mod draft;
mod editor;
mod history;
mod preview;

use leptos::{prelude::*, task::spawn_local};
use weft_model::canary::Canary;

use crate::{
    api,
    app::Settle,
    command,
    components::{
        copy::{Commands, CopyLink, curl},
        placeholder::{Empty, Failure, Old, Partial, Skeleton},
        shape::Glyph,
    },
    icons::Icon,
    state::app,
};
use card::Card;

/// Tells cards apart: the object and the route's place in it.
fn key(canary: &Canary) -> String {
    format!("{}/{}/{}", canary.object.namespace, canary.object.name, canary.route_index)
}

/// Where the unfinished weights of the route with a key are kept.
fn place(key: &str) -> String {
    format!("weights~{key}")
}

/// The room.
#[component]
pub fn Canaries() -> impl IntoView {
    let app = app();
    let keys = Memo::new(move |_| {
        let find = app.view.with(|view| view.find.to_lowercase());
        app.canaries.with(|load| {
            let list = load.value.as_ref()?;
            let shown =
                list.canaries.iter().filter(|canary| app.view.with(|view| view.shows(&canary.object.namespace)));
            Some(shown.map(key).filter(|key| key.to_lowercase().contains(&find)).collect::<Vec<_>>())
        })
    });
    let sources = Signal::derive(move || app.canaries.with(|load| load.part(|list| list.sources.clone())));
    let asked = Memo::new(move |_| sources.with(|sources| sources.asked > 0 || sources.problem.is_some()));
    let commands = Signal::derive(move || {
        vec![
            app.view.with(|view| command::canaries(&view.namespaces)),
            ("the routes with kubectl".to_owned(), "kubectl get virtualservices -A -o yaml".to_owned()),
            curl(&api::canaries_address()),
        ]
    });
    let retry = Callback::new(move |()| spawn_local(async move { app.canaries.update_with(api::canaries().await) }));
    let loaded = Memo::new(move |_| keys.with(Option::is_some));
    let none = Memo::new(move |_| keys.with(|keys| keys.as_ref().is_some_and(Vec::is_empty)));
    let filtered = move || app.view.with(|view| !view.find.is_empty() || !view.namespaces.is_empty());
    view! {
        <div class="room">
            <div class="scroll">
                <div class="room-head">
                    <h1>"Canaries"</h1>
                    <label class="search">
                        <Glyph icon=Icon::Search />
                        <input
                            type="search"
                            placeholder="Filter by name"
                            aria-label="Filter canaries"
                            prop:value=move || app.view.with(|view| view.find.clone())
                            on:input:target=move |event| {
                                let text = event.target().value();
                                app.change(|view| view.find = text);
                            }
                        />
                    </label>
                    <span class="spring"></span>
                    <CopyLink />
                </div>
                <Show when=move || asked.get()>
                    <Partial sources=sources />
                </Show>
                <Old load=app.canaries retry />
                <Show
                    when=move || loaded.get()
                    fallback=move || match app.canaries.with(|load| load.error.clone()) {
                        Some(problem) => view! { <Failure problem retry /> }.into_any(),
                        None => view! { <Skeleton words="Counting what each weighted route carries …" rows=4 /> }.into_any(),
                    }
                >
                    <Show when=move || none.get()>
                        {move || {
                            if filtered() {
                                view! {
                                    <Empty title="No canary in this scope">
                                        <p>"The filter or the chosen namespaces leave none."</p>
                                    </Empty>
                                }
                                    .into_any()
                            } else {
                                view! {
                                    <Empty title="No weighted route is configured">
                                        <p>
                                            "A VirtualService whose route lists two or more destinations with weights appears here, with what its traffic really does."
                                        </p>
                                    </Empty>
                                }
                                    .into_any()
                            }
                        }}
                    </Show>
                    <div class="cards">
                        <For each=move || keys.get().unwrap_or_default() key=|key| key.clone() let:key>
                            <Card key=key />
                        </For>
                    </div>
                </Show>
                <Commands commands=commands />
            </div>
        </div>
    }
}
