//! A new object, from a template of its kind.

use leptos::{ev, prelude::*, task::spawn_local};
use weft_model::{
    edit::{Action, ObjectEdit, Schema},
    wizard::WizardKind,
};

use super::{editor::Editor, panel};
use crate::{
    api,
    components::{
        placeholder::{Failure, Skeleton},
        shape::Glyph,
    },
    icons::Icon,
    state::{Load, app},
};

/// Kinds with a template.
const KINDS: [&str; 13] = [
    "VirtualService",
    "DestinationRule",
    "PeerAuthentication",
    "AuthorizationPolicy",
    "RequestAuthentication",
    "Telemetry",
    "Gateway",
    "ServiceEntry",
    "Sidecar",
    "WorkloadEntry",
    "WorkloadGroup",
    "Service",
    "Mesh",
];

/// Chooses the kind of a new object.
#[component]
pub fn Choice() -> impl IntoView {
    let app = app();
    let missing = Memo::new(move |_| app.missing_right("", ""));
    // What was chosen stands at the other end of the page; Tab goes there.
    let into_panel = move |event: ev::KeyboardEvent| {
        let open =
            app.view.with_untracked(|view| !view.configuration.new.is_empty() || !view.configuration.wizard.is_empty());
        if event.key() == "Tab" && !event.shift_key() && open && panel::enter() {
            event.prevent_default();
        }
    };
    view! {
        <select
            class="choose"
            data-testid="config-new"
            aria-label="New: with a form, or as YAML"
            disabled=move || missing.with(Option::is_some)
            title=move || missing.get()
            on:keydown=into_panel
            prop:value=move || {
                app.view.with(|view| {
                    let view = &view.configuration;
                    if view.wizard.is_empty() { view.new.clone() } else { view.wizard.clone() }
                })
            }
            on:change:target=move |event| {
                let chosen = event.target().value();
                app.change(|view| {
                    view.configuration.close();
                    match WizardKind::named(&chosen) {
                        Some(_) => view.configuration.wizard = chosen,
                        None => view.configuration.new = chosen,
                    }
                });
            }
        >
            <option value="">"New …"</option>
            <optgroup label="With a form">
                {WizardKind::ALL.into_iter().map(|kind| view! { <option value=kind.slug()>{kind.title()}</option> }).collect_view()}
            </optgroup>
            <optgroup label="As YAML">
                {KINDS.into_iter().map(|kind| view! { <option value=kind>{kind}</option> }).collect_view()}
            </optgroup>
        </select>
    }
}

/// The panel in which it is written.
#[component]
pub fn Create(kind: String) -> impl IntoView {
    let app = app();
    let load: RwSignal<Load<Schema>> = RwSignal::default();
    let wanted = StoredValue::new(kind.clone());
    let ask = move || {
        spawn_local(async move {
            let Some(kind) = wanted.try_get_value() else { return };
            let namespace = app.view.with_untracked(|view| view.namespaces.first().cloned().unwrap_or_default());
            let answer = api::schema(&kind, &namespace).await;
            let _ = load.try_update(|load| load.settle(answer));
        });
    };
    ask();
    let close = move || app.change(|view| view.configuration.close());
    let place = StoredValue::new(format!("new~{kind}"));
    let heading = NodeRef::new();
    panel::follow(heading);
    view! {
        <aside class="panel detail" aria-labelledby="panel-title" data-testid="config-create">
            <header>
                <div class="grow">
                    <h2 id="panel-title" tabindex="-1" node_ref=heading>"New "{kind}</h2>
                </div>
                <button class="icon-button" title="Close" aria-label="Close" on:click=move |_| app.close_panel()>
                    <Glyph icon=Icon::Close />
                </button>
            </header>
            <div class="panel-body">
                {move || load.with(|load| match (&load.value, &load.error) {
                    (_, Some(problem)) => {
                        let retry = Callback::new(move |()| ask());
                        view! { <Failure problem=problem.clone() retry /> }.into_any()
                    }
                    (Some(schema), None) => {
                        let start = ObjectEdit { action: Action::Create, yaml: schema.template.clone(), ..ObjectEdit::default() };
                        let done = Callback::new(move |()| close());
                        view! { <Editor start place=place.get_value() done /> }.into_any()
                    }
                    (None, None) => view! { <Skeleton words="Asking for a template …" rows=8 /> }.into_any(),
                })}
            </div>
        </aside>
    }
}
