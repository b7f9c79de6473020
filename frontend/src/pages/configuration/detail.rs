//! One object: its findings and its YAML.

use leptos::{prelude::*, task::spawn_local};
use weft_model::{
    ObjectRef,
    config::ConfigObject,
    edit::{Action, ObjectEdit},
};

use super::{editor::Editor, outlook::Sentences, panel, place, source::Source};
use crate::{
    api, command,
    components::{
        copy::{Commands, CopyButton, CopyLink},
        placeholder::{Failure, Skeleton},
        shape::{Glyph, SeverityMark},
    },
    drafts,
    icons::Icon,
    shown::visible,
    sources::{ONLY_READS, is_absent, only_reads},
    state::{Load, app},
};

/// The panel; it follows changes of the object while it is open.
#[component]
pub fn Detail(object: ObjectRef) -> impl IntoView {
    let app = app();
    let load: RwSignal<Load<ConfigObject>> = RwSignal::default();
    let wanted = StoredValue::new(object.clone());
    let editing: RwSignal<Option<ObjectEdit>> = RwSignal::new(None);
    let ask = move || {
        spawn_local(async move {
            let Some(object) = wanted.try_get_value() else { return };
            let answer = api::object(&object).await;
            // The panel may be closed by now.
            let _ = load.try_update(|load| load.settle(answer));
        });
    };
    let row = Memo::new(move |_| {
        let object = wanted.get_value();
        app.config.with(|load| load.value.as_ref()?.rows.iter().find(|row| row.object == object).cloned())
    });
    Effect::new(move |_| {
        // Read, not only tracked: a memo that nobody has read follows nothing yet.
        let _ = row.get();
        ask();
    });
    let place = StoredValue::new(super::key(&object));
    // What was begun here before and neither applied nor discarded goes on.
    Effect::new(move |looked: Option<bool>| {
        if looked == Some(true) {
            return true;
        }
        let Some(object) = load.with(|load| load.value.clone()) else { return false };
        if place.with_value(|place| drafts::recall(place)).is_some() {
            editing.set(Some(begun(&object, Action::Update, &object.yaml)));
        }
        true
    });
    let heading = NodeRef::new();
    panel::follow(heading);
    let commands = Signal::derive(move || {
        load.with(|load| {
            let all = |object: &ConfigObject| -> Vec<_> {
                let kubectl = ("the same with kubectl".to_owned(), object.command.clone());
                let directory = app.meta.with(|load| load.part(|meta| meta.directory.clone()));
                let lint = (!directory.is_empty()).then(|| command::lint(&directory));
                [command::object(&object.row.object), kubectl].into_iter().chain(lint).collect()
            };
            load.value.as_deref().map(all).unwrap_or_default()
        })
    });
    view! {
        <aside class="panel detail" aria-labelledby="panel-title" data-testid="config-detail">
            <header>
                <div class="grow">
                    <h2 id="panel-title" tabindex="-1" node_ref=heading>{visible(&object.name)}</h2>
                    <p class="quiet">{object.kind.clone()}" · "{object.namespace.clone()}" · "{object.api_version.clone()}</p>
                </div>
                <CopyButton text=object.name.clone() title="Copy the name" />
                <button class="icon-button" title="Close (Esc)" aria-label="Close" on:click=move |_| app.close_panel()>
                    <Glyph icon=Icon::Close />
                </button>
            </header>
            <div class="panel-body">
                {move || load.with(|load| match (&load.value, &load.error) {
                    (_, Some(problem)) => {
                        let retry = Callback::new(move |()| ask());
                        let mut problem = problem.clone();
                        if is_absent(&problem) && app.config.with(|load| load.part(|list| !list.file_findings.is_empty())) {
                            UNREAD.clone_into(&mut problem.detail);
                        }
                        view! { <Failure problem retry /> }.into_any()
                    }
                    (Some(_), None) if editing.with(Option::is_some) => ().into_any(),
                    (Some(object), None) => view! { <Body object=(**object).clone() editing /> }.into_any(),
                    (None, None) => view! { <Skeleton words="Reading the file …" rows=8 /> }.into_any(),
                })}
                {move || editing.get().map(|start| {
                    let done = Callback::new(move |()| editing.set(None));
                    view! { <Editor start place=place.get_value() done /> }
                })}
                <footer>
                    <CopyLink />
                </footer>
                <Commands commands=commands />
            </div>
        </aside>
    }
}

/// What is said of an object that is not there while a file is that cannot be read.
const UNREAD: &str =
    "It may be in a file that cannot be read: these stand above the list. Else it was deleted or renamed.";

/// Kinds that the console only shows.
const UNEDITED: [&str; 6] = ["Secret", "ConfigMap", "Pod", "Node", "EndpointSlice", "Namespace"];

/// An edit that starts from the object as it is.
fn begun(object: &ConfigObject, action: Action, yaml: &str) -> ObjectEdit {
    ObjectEdit {
        action,
        object: Some(object.row.object.clone()),
        yaml: yaml.to_owned(),
        revision: object.revision.clone(),
    }
}

#[component]
fn Body(object: ConfigObject, editing: RwSignal<Option<ObjectEdit>>) -> impl IntoView {
    let begin = |action: Action, yaml: &str| {
        let edit = begun(&object, action, yaml);
        move |_| editing.set(Some(edit.clone()))
    };
    let (edit, delete) = (begin(Action::Update, &object.yaml), begin(Action::Delete, ""));
    let written = !UNEDITED.contains(&object.row.object.kind.as_str());
    let findings = object.row.findings.clone();
    let app = app();
    let (kind, namespace) = (object.row.object.kind.clone(), object.row.object.namespace.clone());
    let missing = Memo::new(move |_| app.missing_right(&kind, &namespace));
    // Only trying tells whether the role file gives more, so nothing is locked.
    let doubt =
        move || app.person.with(|person| person.as_ref().filter(|person| only_reads(person)).map(|_| ONLY_READS));
    let file = object
        .row
        .file
        .clone()
        .map(|file| object.row.line.map_or_else(|| file.clone(), |line| format!("{file}:{line}")));
    view! {
        {file.map(|file| view! { <p class="file-line"><code>{file.clone()}</code> <CopyButton text=file title="Copy the place" /></p> })}
        {written.then(|| view! {
            <div class="preview-buttons">
                <button class="button" data-testid="config-edit" disabled=move || missing.with(Option::is_some) title=move || missing.get() on:click=edit>"Edit"</button>
                <button class="button" data-testid="config-delete" disabled=move || missing.with(Option::is_some) title=move || missing.get() on:click=delete>"Delete …"</button>
                <p class="why" data-testid="config-right">{move || missing.get().map(|missing| format!("{missing}.")).or_else(|| doubt().map(str::to_owned))}</p>
            </div>
        })}
        <Sentences title="What it does" sentences=object.sentences />
        {findings.is_empty().then(|| view! { <p class="quiet">"Lint finds nothing wrong with it."</p> })}
        <ul class="findings">
            {findings
                .into_iter()
                .map(|finding| {
                    let place = place(&finding);
                    let place = place.rsplit('/').next().unwrap_or_default().to_owned();
                    let codes = std::iter::once(finding.code.clone()).chain(finding.aliases.clone()).collect::<Vec<_>>().join(" ");
                    view! {
                        <li data-testid="finding" data-code=finding.code.clone() data-severity=finding.severity.to_string()>
                            <SeverityMark severity=finding.severity />
                            <div class="grow">
                                <p>{visible(&finding.message)}</p>
                                {finding.suggestion.map(|suggestion| view! { <p class="fix">"Fix: "{visible(&suggestion)}</p> })}
                                <p class="quiet"><code>{visible(&finding.field)}</code>" "{place}" "<span title="The same finding in istioctl analyze and Kiali">{codes}</span></p>
                            </div>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
        <Source yaml=object.yaml first_line=object.first_line findings=object.row.findings />
    }
}
