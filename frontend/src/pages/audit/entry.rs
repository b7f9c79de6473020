//! One entry: everything that was written down.

use leptos::prelude::*;
use weft_model::audit::AuditEntry;

use crate::{
    browser,
    components::{
        copy::{CopyButton, CopyLink},
        diff::Diff,
        shape::Glyph,
    },
    icons::Icon,
    location::Room,
    pages::configuration,
    shown::visible,
    state::app,
    words,
};

/// The panel.
#[component]
pub fn Entry(entry: AuditEntry) -> impl IntoView {
    let app = app();
    let object = entry.object.map(|object| {
        let key = configuration::key(&object);
        let words = visible(&object.to_string());
        let open = move |_| app.enter(Room::Configuration, |view| view.select.clone_from(&key));
        view! {
            <dt>"Object"</dt>
            <dd>
                <button class="link" title="Open the configuration" on:click=open>{words}</button>
                " "
                <span class="quiet">{object.api_version}</span>
            </dd>
        }
    });
    let diff = if entry.diff.is_empty() {
        view! { <p class="quiet">"No object was changed."</p> }.into_any()
    } else {
        view! {
            <h3>"The change"</h3>
            <Diff diff=entry.diff.clone() />
            <CopyButton text=entry.diff title="Copy the change" words="Copy the change" />
        }
        .into_any()
    };
    let address = entry.address.map(|address| {
        let find = address.clone();
        let only = move |_| app.change(|view| view.find.clone_from(&find));
        view! {
            <dt>"From"</dt>
            <dd>
                <button class="link" data-testid="audit-address" title="Only what came from there" on:click=only>{visible(&address)}</button>
            </dd>
        }
    });
    let who = Some(entry.who).filter(|who| !who.is_empty()).unwrap_or_else(|| "Not known".to_owned());
    let how = words::tried(entry.action, entry.how);
    view! {
        <aside class="panel detail" aria-labelledby="panel-title" data-testid="audit-entry">
            <header>
                <div class="grow">
                    <h2 id="panel-title" tabindex="-1">{words::action(entry.action)}</h2>
                    <p class="quiet">{browser::moment(entry.at_ms as f64)}</p>
                </div>
                <button class="icon-button" title="Close (Esc)" aria-label="Close" on:click=move |_| app.change(|view| view.select.clear())>
                    <Glyph icon=Icon::Close />
                </button>
            </header>
            <div class="panel-body">
                <dl class="attributes">
                    <dt>"Who"</dt>
                    <dd><bdi>{visible(&who)}</bdi>" "<span class="quiet">{how}</span></dd>
                    {address}
                    {object}
                    {(!entry.detail.is_empty()).then(|| view! { <dt>"In short"</dt><dd data-testid="audit-detail"><bdi>{visible(&entry.detail)}</bdi></dd> })}
                </dl>
                {diff}
                <footer>
                    <CopyLink />
                </footer>
            </div>
        </aside>
    }
}
