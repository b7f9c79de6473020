//! The page's frame, and what runs for as long as it is open.

use gloo_timers::callback::Interval;
use leptos::{ev, prelude::*, task::spawn_local};

use weft_model::session::SessionInfo;

use crate::{
    api, browser,
    components::{
        banner::Banners,
        help::Help,
        placeholder::Empty,
        rail::Rail,
        session::{Cover, Ended},
        toasts::Toasts,
        token::Token,
        topbar::Topbar,
    },
    drafts, format, keys,
    live::{
        self,
        renewal::{self, Resource},
    },
    location::{Room, View},
    pages::{
        audit::Audit, canaries::Canaries, configuration::Configuration, graph::GraphRoom, mesh::Mesh, traces::Traces,
        workloads::Workloads,
    },
    state::{App, Theme, app},
    wanted,
};

/// The whole page.
#[component]
pub fn Page(info: SessionInfo) -> impl IntoView {
    let person = info.person.filter(|_| info.guarded);
    // First of all: what the tab keeps may be somebody else's.
    drafts::belong_to(drafts::owner(person.as_ref()));
    wanted::go();
    provide_context(App::new());
    let app = app();
    app.person.set(person);
    let methods = info.methods;
    app.methods.set(methods.clone());
    api::when_session_ends(move || {
        // Once: each question meanwhile says it again.
        if !app.ended.get_untracked() {
            app.ended.set(true);
        }
    });
    let (zoom, set_zoom) = signal(None);
    window_event_listener(ev::hashchange, move |_| app.view.set(View::parse(&browser::fragment())));
    window_event_listener(ev::popstate, move |_| app.view.set(View::parse(&browser::fragment())));
    keys::listen(app, set_zoom);
    Interval::new(1_000, move || app.now.set(browser::now())).forget();
    dress(app);
    remember_scope(app);
    first_answers(app);
    live::start(app);
    let room = Memo::new(move |_| app.view.with(|view| view.lost.is_empty().then_some(view.room)));
    Effect::new(move |_| document().set_title(&format!("{} – Weft", room.get().map_or("No such page", Room::title))));
    view! {
        <a class="skip" href="#main" on:click=skip>"Skip to the content"</a>
        <Topbar />
        <Banners />
        <div class="body">
            <Rail />
            <main id="main" tabindex="-1">
                {move || match room.get() {
                    Some(Room::Graph) => view! { <GraphRoom zoom=zoom /> }.into_any(),
                    Some(Room::Canaries) => view! { <Canaries /> }.into_any(),
                    Some(Room::Configuration) => view! { <Configuration /> }.into_any(),
                    Some(Room::Workloads) => view! { <Workloads /> }.into_any(),
                    Some(Room::Traces) => view! { <Traces /> }.into_any(),
                    Some(Room::Audit) => view! { <Audit /> }.into_any(),
                    Some(Room::Mesh) => view! { <Mesh /> }.into_any(),
                    None => view! { <Lost /> }.into_any(),
                }}
            </main>
        </div>
        <Toasts />
        <Help />
        <Token />
        <Ended methods />
        <Cover />
    }
}

/// An address that no page has.
#[component]
fn Lost() -> impl IntoView {
    let app = app();
    let path = move || format!("There is no page at #/{}", app.view.with(|view| format::middle(&view.lost, 60)));
    view! {
        <div class="room">
            <div class="scroll">
                <Empty title=Signal::derive(path)>
                    <p>"The link may be cut off, or of another version. Choose a page on the left."</p>
                    <p><a class="button" href=move || app.view.with(|view| view.enter(Room::Graph).fragment())>"Go to the graph"</a></p>
                </Empty>
            </div>
        </div>
    }
}

/// Moves the focus without touching the fragment, which holds the view.
fn skip(event: ev::MouseEvent) {
    event.prevent_default();
    if let Some(main) = browser::find("#main") {
        let _ = main.focus();
    }
}

/// Puts the theme on the document and remembers it.
fn dress(app: App) {
    Effect::new(move |_| {
        let theme = app.theme.get();
        browser::remember("weft.theme", theme.name());
        if let Some(root) = document().document_element() {
            let _ = match theme {
                Theme::System => root.remove_attribute("data-theme"),
                Theme::Light | Theme::Dark => root.set_attribute("data-theme", theme.name()),
            };
        }
    });
}

/// The scope outlives the tab: an address without one opens with the last.
fn remember_scope(app: App) {
    const KEY: &str = "weft.namespaces";
    if browser::fragment().trim_start_matches("#/").is_empty()
        && let Some(names) = browser::recall(KEY).filter(|names| !names.is_empty())
    {
        app.change(|view| view.namespaces = names.split(',').map(str::to_owned).collect());
    }
    let names = Memo::new(move |_| app.view.with(|view| view.namespaces.join(",")));
    Effect::new(move |_| browser::remember(KEY, &names.get()));
}

/// Asks for everything once, so that nothing waits for its first event; the graph again for each window.
fn first_answers(app: App) {
    spawn_local(async move { app.meta.update_with(api::meta().await) });
    spawn_local(async move { app.status.update_with(api::status().await) });
    spawn_local(async move { app.canaries.update_with(api::canaries().await) });
    renewal::wish(app, Resource::Config);
    let wanted = Memo::new(move |_| {
        app.view.with(|view| (view.window_s, view.graph.nodes, view.graph.at_ms, view.namespaces.clone()))
    });
    Effect::new(move |_| {
        // Read, not only tracked: a memo that nobody has read follows nothing yet.
        let _ = wanted.get();
        renewal::wish(app, Resource::Graph);
    });
}

/// Settles a shared answer.
pub trait Settle<T> {
    /// Takes the answer in.
    fn update_with(self, answer: api::Answer<T>);
}

impl<T: Send + Sync + 'static> Settle<T> for RwSignal<crate::state::Load<T>> {
    fn update_with(self, answer: api::Answer<T>) {
        self.update(|load| load.settle(answer));
    }
}
