//! What applying an edit would do: findings, sentences, the difference, both versions of a conflict, and the buttons.

use leptos::prelude::*;
use weft_model::{
    Diagnostic,
    edit::{Action, ObjectPreview, Theirs},
    graph::Health,
};

use super::editor::Draft;
use crate::{
    components::{
        copy::{Commands, CopyButton},
        diff::Diff,
        shape::{HealthShape, SeverityMark},
    },
    findings::hindrance,
    shown::visible,
    state::app,
};

/// All of it, and the buttons.
#[component]
pub fn Outlook(draft: Draft) -> impl IntoView {
    let app = app();
    let apply = match draft.action() {
        Action::Create => "Create",
        Action::Update => "Save",
        Action::Delete => "Delete",
    };
    let testid = move || draft.is_seen().then_some("config-preview");
    let about = draft.start.with_value(|start| start.object.clone()).unwrap_or_default();
    let missing = Memo::new(move |_| app.missing_right(&about.kind, &about.namespace));
    let why = Memo::new(move |_| {
        let blocked = || draft.outlook.with(|outlook| outlook.as_ref().and_then(|(_, preview)| hindrance(preview)));
        missing.get().map(|missing| format!("{missing}.")).or_else(blocked)
    });
    view! {
        <div class="preview" class:old=move || !draft.is_seen() data-testid=testid aria-busy=move || (!draft.is_seen()).to_string()>
            {move || draft.problem.get().map(|problem| {
                let wants_token = matches!(problem.kind.as_str(), "no-token" | "bad-token");
                view! {
                    <div class="conflict refused" role="alert" data-testid="config-refused">
                        <HealthShape health=Health::Failing silent=true />
                        <div class="grow">
                            <p><strong>{problem.title}</strong></p>
                            <p>{problem.detail}</p>
                            {wants_token.then(|| view! {
                                <p><button class="button" on:click=move |_| app.signing.set(true)>"Give a token"</button></p>
                            })}
                            {problem.patch.map(|patch| view! { <Diff diff=patch.clone() /> <CopyButton text=patch title="Copy the patch" /> })}
                        </div>
                    </div>
                }
            })}
            {move || match draft.outlook.get() {
                Some((_, preview)) => view! { <Ready preview=(*preview).clone() draft /> }.into_any(),
                None => view! { <p class="quiet" role="status">"Looking at what this would do …"</p> }.into_any(),
            }}
            {move || draft.asked.with(|asked| (!asked.is_empty()).then(|| view! {
                <div class="conflict refused" role="alert" tabindex="-1" data-testid="config-asked">
                    <HealthShape health=Health::Failing silent=true />
                    <div class="grow">
                        <p><strong>"Lint finds new errors:"</strong></p>
                        {asked.iter().map(|words| view! { <p>{words.clone()}</p> }).collect_view()}
                        <p><button class="button" data-testid="config-apply-anyway" on:click=move |_| draft.apply()>{apply}" all the same"</button></p>
                    </div>
                </div>
            }))}
            <div class="preview-buttons">
                <button class="button primary" data-testid="config-apply" disabled=move || !draft.can_apply() || missing.with(Option::is_some) aria-describedby="apply-why" on:click=move |_| draft.submit()>
                    {move || if draft.busy.get() { "Applying …" } else { apply }}
                </button>
                <button class="button" data-testid="config-discard" on:click=move |_| draft.discard()>"Discard"</button>
                <p class="why" id="apply-why" role="status" data-testid="config-why">{move || why.get()}</p>
            </div>
        </div>
    }
}

#[component]
fn Ready(preview: ObjectPreview, draft: Draft) -> impl IntoView {
    let deleting = draft.action() == Action::Delete;
    let nothing = preview.diff.is_empty()
        && preview.refusal.is_none()
        && preview.conflict.is_none()
        && preview.findings.is_empty();
    let clean = preview.findings.is_empty() && preview.new_findings.is_empty() && !nothing && preview.refusal.is_none();
    let patch = preview.owner.map(|owner| {
        view! {
            <p class="note"><strong>{format!("{owner} keeps this object as its repository has it.")}</strong>" Commit the difference below there; applying it here would be taken back."</p>
        }
    });
    let differs = preview.sentences_before != preview.sentences && !deleting;
    let before = if differs { preview.sentences_before } else { Vec::new() };
    view! {
        <div id="editor-findings" role="status">
            <Findings title="In this text" findings=preview.findings />
            <Findings title=if deleting { "What would break" } else { "New findings elsewhere" } findings=preview.new_findings />
            <Findings title="Mended findings" findings=preview.mended_findings />
            {clean.then(|| view! { <p>{if deleting { "Nothing that lint knows of needs it." } else { "Lint finds nothing wrong with it." }}</p> })}
            {nothing.then(|| view! { <p class="quiet">"Nothing would change."</p> })}
        </div>
        {preview.refusal.map(|refusal| view! { <p class="note" data-testid="config-refusal"><strong>"It cannot be applied: "</strong>{visible(&refusal)}"."</p> })}
        {preview.conflict.map(|theirs| view! { <Conflict theirs draft /> })}
        {patch}
        {preview.notes.into_iter().map(|note| view! { <p class="note">{visible(&note)}</p> }).collect_view()}
        <Sentences title="What it does now" sentences=before />
        <Sentences title=if deleting { "" } else { "What it would do" } sentences=preview.sentences />
        {(!preview.diff.is_empty()).then(|| view! {
            <h3>"Difference"</h3>
            <Diff diff=preview.diff.clone() />
            <CopyButton text=preview.diff title="Copy the patch" />
        })}
        {(!preview.command.is_empty()).then(|| view! { <Commands commands=vec![("the same with kubectl".to_owned(), preview.command)] /> })}
    }
}

/// What an object does, in sentences.
#[component]
pub fn Sentences(title: &'static str, sentences: Vec<String>) -> impl IntoView {
    (!sentences.is_empty()).then(|| {
        view! {
            {(!title.is_empty()).then(|| view! { <h3>{title}</h3> })}
            <ul class="sentences" data-testid="config-sentences">
                {sentences.into_iter().map(|sentence| view! { <li>{visible(&sentence)}</li> }).collect_view()}
            </ul>
        }
    })
}

#[component]
fn Findings(title: &'static str, findings: Vec<Diagnostic>) -> impl IntoView {
    (!findings.is_empty()).then(|| {
        let line = |finding: Diagnostic| {
            let place = finding.line.map(|line| format!("{line}:{}", finding.column.unwrap_or(1)));
            let object = finding.object.as_ref().map(|object| format!("{} {}", object.kind, object.name));
            let place = if finding.file.is_none() { place } else { object };
            let code = finding.code.clone();
            view! {
                <li data-testid="draft-finding" data-code=code>
                    <SeverityMark severity=finding.severity />
                    <span>
                        {place.map(|place| view! { <code>{place}</code>" " })}
                        {visible(&finding.message)}
                        {finding.suggestion.map(|fix| view! { <span class="fix">"Fix: "{visible(&fix)}</span> })}
                    </span>
                    <code class="quiet">{finding.code}</code>
                </li>
            }
        };
        view! {
            <h3>{title}</h3>
            <ul class="finding-lines">{findings.into_iter().map(line).collect_view()}</ul>
        }
    })
}

/// Somebody else changed the object meanwhile: both versions, and the way on.
#[component]
fn Conflict(theirs: Theirs, draft: Draft) -> impl IntoView {
    let by = theirs.by.map(|by| format!(" ({by})")).unwrap_or_default();
    let base = draft.start.with_value(|start| start.yaml.clone());
    let revision = theirs.revision;
    let (mine, theirs_too) = (revision.clone(), revision);
    view! {
        <div class="conflict" role="alert" data-testid="config-conflict">
            <HealthShape health=Health::Degraded silent=true />
            <div class="grow">
                <p><strong>{format!("Somebody changed this object since you opened it{by}.")}</strong>" Nothing was written."</p>
                {match theirs.yaml {
                    None => view! { <p>"It was deleted. Copy your text if you want to make it anew."</p> }.into_any(),
                    Some(text) => {
                        let taken = text.clone();
                        view! {
                            <div class="versions">
                                <div><h3>"Where you began"</h3><pre class="diff">{visible(&base)}</pre></div>
                                <div><h3>"Theirs, in force now"</h3><pre class="diff" data-testid="config-theirs">{visible(&text)}</pre></div>
                            </div>
                            <p>
                                <button class="button" on:click=move |_| draft.rebase(mine.clone(), None)>"Keep my text, on top of theirs"</button>
                                " "
                                <button class="button" data-testid="config-take-theirs" on:click=move |_| draft.rebase(theirs_too.clone(), Some(taken.clone()))>"Take their text"</button>
                            </p>
                        }
                            .into_any()
                    }
                }}
            </div>
        </div>
    }
}
