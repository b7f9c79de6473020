//! Copying, and the command that gives the same data.

use leptos::{prelude::*, task::spawn_local};

use super::shape::Glyph;
use crate::{
    browser, command,
    icons::Icon,
    proof::Proof,
    shown::visible,
    state::{App, app},
};

/// Copies `text` and says so.
#[component]
pub fn CopyButton(
    #[prop(into)] text: Signal<String>,
    #[prop(into)] title: String,
    #[prop(optional)] words: &'static str,
) -> impl IntoView {
    // Before it is known who looks at the page there are no messages.
    let app = use_context::<App>();
    let copy = move |_| {
        let text = text.get_untracked();
        spawn_local(async move {
            let copied = browser::copy(&text).await;
            let Some(app) = app else { return };
            if copied {
                app.toast("Copied.", false, None);
            } else {
                app.toast(format!("The browser does not let this page copy. Copy it by hand: {text}"), true, None);
            }
        });
    };
    let label = title.clone();
    view! {
        <button class=if words.is_empty() { "icon-button" } else { "button quiet-button" } title=title aria-label=label on:click=copy>
            <Glyph icon=Icon::Copy />
            {(!words.is_empty()).then(|| view! { <span class="button-words">{words}</span> })}
        </button>
    }
}

/// Copies the address of the present view.
#[component]
pub fn CopyLink() -> impl IntoView {
    let app = app();
    let text = Signal::derive(move || browser::link(&app.view.with(|view| view.fragment())));
    view! { <CopyButton text=text title="Copy a link to exactly this view" words="Copy link" /> }
}

/// The same data as JSON, from a path of this console.
pub fn curl(path: &str) -> (String, String) {
    ("the same as JSON".to_owned(), format!("curl -s '$CONSOLE{}'", path.replace('\'', "%27")))
}

/// Commands and queries that give the same data, each to copy.
#[component]
pub fn Commands(
    #[prop(into)] commands: Signal<Vec<(String, String)>>,
    #[prop(default = "Show command")] words: &'static str,
) -> impl IntoView {
    let app = app();
    // What did not change is not drawn anew: a focused button stays.
    let commands = Memo::new(move |_| {
        // Until it is known what is shown here, nothing is left out.
        let cluster = app.meta.with(|load| load.value.as_ref().is_none_or(|meta| meta.cluster_source));
        let mut offered = commands.get();
        offered.retain(|(_, command)| command::runs(command, cluster));
        // Queries ask Prometheus, and kubectl the cluster.
        let asks =
            offered.iter().any(|(_, command)| command.starts_with("curl ") || command.starts_with("weft console "));
        let proof = app.person.with(|person| app.methods.with(|methods| Proof::of(person.as_ref(), methods)));
        let note = if asks { proof.note() } else { String::new() };
        (proof.commands(&offered, &browser::address("")), note)
    });
    view! {
        <Show when=move || commands.with(|(commands, note)| !commands.is_empty() || !note.is_empty())>
            <details class="commands">
                <summary>
                    <Glyph icon=Icon::Terminal />
                    {words}
                </summary>
                {move || commands.with(|(_, note)| (!note.is_empty()).then(|| view! { <p class="quiet" data-testid="command-note">{note.clone()}</p> }))}
                {move || {
                    commands
                        .get()
                        .0
                        .into_iter()
                        .map(|(name, command)| {
                            view! {
                                <div class="command">
                                    <div class="command-head">
                                        <span class="quiet">{name.clone()}</span>
                                        <CopyButton text=command.clone() title=format!("Copy: {name}") />
                                    </div>
                                    <pre>{visible(&command)}</pre>
                                </div>
                            }
                        })
                        .collect_view()
                }}
            </details>
        </Show>
    }
}
