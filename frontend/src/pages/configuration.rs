//! The configuration's room: all objects, what is wrong with them, and their YAML.

mod create;
mod detail;
mod editor;
mod filters;
mod help;
mod outlook;
mod panel;
mod source;
mod table;
pub mod wizard;

use leptos::prelude::*;
use weft_model::{Diagnostic, ObjectRef, wizard::WizardKind};

pub use crate::objects::key;
use crate::{
    components::{
        copy::{Commands, CopyLink},
        placeholder::{Failure, Old, Skeleton},
        shape::{Glyph, SeverityMark},
    },
    icons::Icon,
    live::renewal::{self, Resource},
    shown::visible,
    state::app,
};
use create::Create;
use detail::Detail;
pub use panel::keep_editing;
use table::Table;
use wizard::WizardPanel;

/// The object that [`key`] names.
fn object(key: &str) -> Option<ObjectRef> {
    let mut parts = key.split('~').map(str::to_owned);
    let mut next = || parts.next();
    Some(ObjectRef { api_version: next()?, kind: next()?, namespace: next()?, name: next()? })
}

/// The room.
#[component]
pub fn Configuration() -> impl IntoView {
    let app = app();
    let loaded = Memo::new(move |_| app.config.with(|load| load.value.is_some()));
    let retry = Callback::new(move |()| renewal::wish(app, Resource::Config));
    let files = Memo::new(move |_| app.config.with(|load| load.part(|list| list.file_findings.clone())));
    let selected = Memo::new(move |_| app.view.with(|view| object(&view.select)));
    let wizard = Memo::new(move |_| app.view.with(|view| WizardKind::named(&view.configuration.wizard)));
    let creating =
        Memo::new(move |_| app.view.with(|view| Some(view.configuration.new.clone()).filter(|kind| !kind.is_empty())));
    let directory = Memo::new(move |_| app.meta.with(|load| load.part(|meta| meta.directory.clone())));
    let commands = Signal::derive(move || directory.with(|directory| filters::commands(&app.view.get(), directory)));
    view! {
        <div class="room split" class:with-detail=move || selected.get().is_some() || creating.with(Option::is_some) || wizard.get().is_some()>
            <div class="scroll">
                <div class="room-head">
                    <h1>"Configuration"</h1>
                    <label class="search">
                        <Glyph icon=Icon::Search />
                        <input
                            type="search"
                            data-testid="config-filter"
                            placeholder="Kind, name or finding"
                            aria-label="Filter configuration"
                            prop:value=move || app.view.with(|view| view.find.clone())
                            on:input:target=move |event| {
                                let text = event.target().value();
                                app.change(|view| view.find = text);
                            }
                        />
                    </label>
                    <filters::Filters />
                    <create::Choice />
                    <span class="spring"></span>
                    <CopyLink />
                </div>
                {move || {
                    let files = files.get();
                    (!files.is_empty()).then(|| view! { <FileFindings findings=files /> })
                }}
                <Old load=app.config retry />
                <Show
                    when=move || loaded.get()
                    fallback=move || match app.config.with(|load| load.error.clone()) {
                        Some(problem) => view! { <Failure problem retry /> }.into_any(),
                        None => view! { <Skeleton words="Reading the objects …" rows=10 /> }.into_any(),
                    }
                >
                    <Table />
                    <Commands commands=commands />
                </Show>
            </div>
            {move || match (wizard.get(), creating.get()) {
                (Some(kind), _) => Some(view! { <WizardPanel kind /> }.into_any()),
                (None, Some(kind)) => Some(view! { <Create kind /> }.into_any()),
                (None, None) => selected.get().map(|object| view! { <Detail object /> }.into_any()),
            }}
        </div>
    }
}

/// Files that could not be read; their last good version is in force.
#[component]
fn FileFindings(findings: Vec<Diagnostic>) -> impl IntoView {
    view! {
        <section class="file-findings" data-testid="file-findings" role="status">
            <h2>"Files that cannot be read"</h2>
            <p>"Until one is mended, what it said last when it could be read stays in force; of a file that was never read, nothing is."</p>
            <ul class="finding-lines">
                {findings
                    .into_iter()
                    .map(|finding| {
                        let place = place(&finding);
                        let code = finding.code.clone();
                        view! {
                            <li data-testid="finding" data-code=code>
                                <SeverityMark severity=finding.severity />
                                <span>
                                    <code>{visible(&place)}</code>
                                    " "
                                    {visible(&finding.message)}
                                    {finding.suggestion.map(|suggestion| format!(" Fix: {}.", visible(&suggestion)))}
                                </span>
                                <code class="quiet">{finding.code}</code>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        </section>
    }
}

/// `file:line:column`, as far as they are known.
fn place(finding: &Diagnostic) -> String {
    let file = finding.file.as_deref().unwrap_or_default();
    let numbers = [finding.line, finding.column].into_iter().flatten().map(|number| format!(":{number}"));
    format!("{file}{}", numbers.collect::<String>())
}
