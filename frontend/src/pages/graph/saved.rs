//! Views that were given a name: one's own, and those that others share.

use leptos::{html::Details, prelude::*, task::spawn_local};
use weft_model::views::{NewView, SavedView, SavedViews};

use crate::{
    api,
    components::shape::Glyph,
    format,
    icons::Icon,
    state::{Load, app},
};

/// A menu with the views and a field that names the present one.
#[component]
pub fn Saved() -> impl IntoView {
    let app = app();
    let load: RwSignal<Load<SavedViews>> = RwSignal::default();
    let menu = NodeRef::<Details>::new();
    let name = RwSignal::new(String::new());
    let shared = RwSignal::new(false);
    let ask = move || {
        spawn_local(async move {
            let answer = api::saved_views().await;
            // The room may have been left.
            let _ = load.try_update(|load| load.settle(answer));
        });
    };
    let save = move || {
        let text = name.get_untracked().trim().to_owned();
        if text.is_empty() {
            return;
        }
        let location = app.view.with_untracked(crate::location::View::fragment);
        let view = NewView { name: text, location, shared: shared.get_untracked() };
        spawn_local(async move {
            match api::save_view(&view).await {
                Ok(saved) => {
                    let _ = name.try_set(String::new());
                    app.toast(format!("This view is kept as {}.", saved.name), false, None);
                    ask();
                }
                Err(problem) => app.toast(format!("{} {}", problem.title, problem.detail), true, None),
            }
        });
    };
    let views = Memo::new(move |_| load.with(|load| load.value.as_ref().map(|list| list.views.clone())));
    let problem = Memo::new(move |_| load.with(|load| load.error.clone()));
    view! {
        <details
            node_ref=menu
            class="menu at-end"
            data-testid="saved-views"
            on:toggle=move |_| {
                if menu.get_untracked().is_some_and(|menu| menu.open()) {
                    ask();
                }
            }
        >
            <summary title="Views that were given a name">
                <span class="menu-words">"Saved views"</span>
                <Glyph icon=Icon::Chevron />
            </summary>
            <div class="menu-list saved" role="group" aria-label="Saved views">
                {move || match (views.get(), problem.get()) {
                    (None, Some(problem)) => view! {
                        <p class="fault" role="alert">
                            {problem.title}" "{problem.detail}" "
                            <button class="link" on:click=move |_| ask()>"Try again"</button>
                        </p>
                    }
                    .into_any(),
                    (None, None) => view! { <p class="quiet">"Reading …"</p> }.into_any(),
                    (Some(views), _) if views.is_empty() => view! { <p class="quiet">"None yet. Name this one below to come back to it."</p> }.into_any(),
                    (Some(_), _) => view! {
                        <ul class="saved-list">
                            <For each=move || views.get().unwrap_or_default() key=|view| (view.id.clone(), view.location.clone()) let:view>
                                <Row
                                    view=view
                                    go=Callback::new(move |location: String| {
                                        if let Some(menu) = menu.get_untracked() {
                                            menu.set_open(false);
                                        }
                                        app.open(&location);
                                    })
                                    ask=Callback::new(move |()| ask())
                                />
                            </For>
                        </ul>
                    }
                    .into_any(),
                }}
                <form
                    class="saved-new"
                    on:submit=move |event| {
                        event.prevent_default();
                        save();
                    }
                >
                    <input
                        type="text"
                        maxlength="120"
                        placeholder="Name of this view"
                        aria-label="Name of this view"
                        data-testid="view-name"
                        prop:value=move || name.get()
                        on:input:target=move |event| name.set(event.target().value())
                    />
                    <button class="button" data-testid="view-save" disabled=move || name.with(|name| name.trim().is_empty())>
                        "Save"
                    </button>
                    <label>
                        <input
                            type="checkbox"
                            data-testid="view-shared"
                            prop:checked=move || shared.get()
                            on:change:target=move |event| shared.set(event.target().checked())
                        />
                        "For everybody"
                    </label>
                </form>
            </div>
        </details>
    }
}

#[component]
fn Row(view: SavedView, go: Callback<String>, ask: Callback<()>) -> impl IntoView {
    let app = app();
    let SavedView { id, owner, name, location, shared, mine, .. } = view;
    let title = format!("{name}\n{location}");
    let target = location;
    let whose = match (mine, shared) {
        (true, true) => "for everybody".to_owned(),
        (true, false) => String::new(),
        (false, _) => format!("by {}", format::middle(&owner, 20)),
    };
    let remove = mine.then(|| {
        let label = format!("Forget the view {name}");
        view! {
            <button
                class="icon-button"
                title="Forget it"
                aria-label=label
                data-testid="view-remove"
                on:click=move |_| {
                    let id = id.clone();
                    spawn_local(async move {
                        if let Err(problem) = api::remove_view(&id).await {
                            app.toast(format!("{} {}", problem.title, problem.detail), true, None);
                        }
                        ask.run(());
                    });
                }
            >
                <Glyph icon=Icon::Close />
            </button>
        }
    });
    view! {
        <li data-testid="saved-view">
            <button class="menu-all grow" title=title on:click=move |_| go.run(target.clone())>{format::middle(&name, 36)}</button>
            <span class="quiet">{whose}</span>
            {remove}
        </li>
    }
}
