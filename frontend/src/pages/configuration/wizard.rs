//! Forms that write configuration. The server says what to ask and what the answers come to; here it is shown, and what
//! comes out goes the way of every edit: lint, difference, then applying.

mod fields;
mod filling;
pub mod links;

use std::{collections::BTreeSet, sync::Arc};

use leptos::prelude::*;
use serde_json::Value;
use weft_model::{
    edit::ObjectEdit,
    wizard::{Part, Wizard, WizardKind},
};

use super::{
    editor::Draft,
    outlook::Outlook,
    panel::{self, Guard},
    source::Source,
};
use crate::{
    browser,
    components::{
        copy::{Commands, CopyLink},
        placeholder::{Failure, Skeleton},
        shape::Glyph,
    },
    icons::Icon,
    state::app,
};
use fields::FieldView;
use filling::{Filling, REST_MS, stands};

/// The panel.
#[component]
pub fn WizardPanel(kind: WizardKind) -> impl IntoView {
    let app = app();
    let of = Memo::new(move |_| app.view.with(|view| view.configuration.of.clone()));
    let heading = NodeRef::new();
    panel::follow(heading);
    view! {
        <aside class="panel detail wizard" aria-labelledby="panel-title" data-testid="wizard" data-kind=kind.slug()>
            <header>
                <div class="grow">
                    <h2 id="panel-title" tabindex="-1" node_ref=heading>{kind.title()}</h2>
                    <p class="quiet">{move || of.get()}</p>
                </div>
                <button class="icon-button" title="Close (Esc)" aria-label="Close" data-testid="wizard-close" on:click=move |_| app.close_panel()>
                    <Glyph icon=Icon::Close />
                </button>
            </header>
            <div class="panel-body">
                <Target kind of />
                {move || {
                    let of = of.get();
                    if of.is_empty() {
                        return view! { <p class="quiet">"Choose what it is about; the form then begins with what is configured now."</p> }.into_any();
                    }
                    view! { <Form filling=Filling::new(app, kind, of) /> }.into_any()
                }}
                <footer>
                    <CopyLink />
                </footer>
            </div>
        </aside>
    }
}

/// What the form is about.
#[component]
fn Target(kind: WizardKind, of: Memo<String>) -> impl IntoView {
    let app = app();
    let known = Memo::new(move |_| {
        app.config.with(|load| {
            let mut names = BTreeSet::new();
            for row in load.value.iter().flat_map(|list| &list.rows).map(|row| &row.object) {
                if row.kind == "Service" {
                    names.insert(format!("{}/{}", row.namespace, row.name));
                }
                if kind.is_security() && !row.namespace.is_empty() {
                    names.insert(row.namespace.clone());
                }
            }
            names.into_iter().take(2_000).collect::<Vec<_>>()
        })
    });
    let label = if kind.is_security() { "For (a service, or a whole namespace)" } else { "For the service" };
    view! {
        <label class="form-field wide">
            <span>{label}</span>
            <input
                type="text"
                list="wizard-targets"
                autocomplete="off"
                spellcheck="false"
                placeholder="namespace/name"
                data-testid="wizard-of"
                prop:value=move || of.get()
                on:change:target=move |event| {
                    let of = event.target().value().trim().to_owned();
                    app.change(|view| view.configuration.of = of);
                }
            />
            <datalist id="wizard-targets">
                {move || known.get().into_iter().map(|name| view! { <option value=name></option> }).collect_view()}
            </datalist>
        </label>
    }
}

#[component]
fn Form(filling: Filling) -> impl IntoView {
    let parts =
        Memo::new(move |_| filling.answer.with(|answer| answer.as_ref().map_or(0, |answer| answer.parts.len())));
    let known = Memo::new(move |_| filling.answer.with(Option::is_some));
    let texts = move |pick: fn(&Wizard<Value>) -> &Vec<String>| {
        Memo::new(move |_| {
            filling.answer.with(|answer| answer.as_deref().map(|answer| pick(answer).clone()).unwrap_or_default())
        })
    };
    // When configuration changes, what the form comes to may be something else.
    let list = Memo::new_with_compare(
        move |_| filling.app.config.with(|load| load.value.clone()),
        |old, new| match (old, new) {
            (Some(Some(old)), Some(Some(new))) => !Arc::ptr_eq(old, new),
            (old, new) => old.is_some() != new.is_some(),
        },
    );
    Effect::new(move |before: Option<()>| {
        let _ = list.get();
        if before.is_some() {
            filling.ask(REST_MS, true);
        }
    });
    let (notes, problems) = (texts(|answer| &answer.notes), texts(|answer| &answer.problems));
    let commands = Signal::derive(move || {
        filling.answer.with(|answer| {
            answer
                .iter()
                .map(|answer| ("the same form with curl".to_owned(), answer.command.clone()))
                .collect::<Vec<_>>()
        })
    });
    let changed = Memo::new(move |_| filling.changed());
    view! {
        <Guard changed=changed.into() discard=Callback::new(move |()| filling.discard()) />
        <Kept filling />
        {move || filling.problem.get().map(|problem| {
            let retry = Callback::new(move |()| filling.ask(0, true));
            view! { <Failure problem retry /> }
        })}
        <Show when=move || known.get() fallback=move || {
            filling.problem.with(Option::is_none).then(|| view! { <Skeleton words="Reading what is configured …" rows=6 /> })
        }>
            <For each=move || 0..parts.get() key=|index| *index let:index>
                <PartView filling index />
            </For>
            <ul class="form-problems" role="status" data-testid="wizard-problems">
                {move || problems.get().into_iter().map(|problem| view! { <li>{problem}</li> }).collect_view()}
            </ul>
            {move || notes.get().into_iter().map(|note| view! { <p class="note">{note}</p> }).collect_view()}
            <Steps filling />
            <Commands commands=commands />
        </Show>
    }
}

/// What is kept of the form, and what is not.
#[component]
fn Kept(filling: Filling) -> impl IntoView {
    let (found, credential) = (Memo::new(move |_| filling.found()), Memo::new(move |_| filling.credential()));
    view! {
        {move || found.get().map(|found| view! {
            <p class="quiet" role="status" data-testid="wizard-kept">
                {format!("Your unfinished form of {} was kept. ", browser::minute(found.at_ms))}
                {found.outdated.then_some("Something else is configured since then: read the difference before you apply it. ")}
                <button class="link" data-testid="wizard-kept-discard" on:click=move |_| filling.discard()>"Discard"</button>
            </p>
        })}
        {move || credential.get().map(|name| view! {
            <p class="quiet" role="status" data-testid="wizard-not-kept">
                {format!("This form is not kept for later, because it has a value of {name}: apply it before you leave.")}
            </p>
        })}
    }
}

#[component]
fn PartView(filling: Filling, index: usize) -> impl IntoView {
    let read = move |pick: fn(&Part<Value>) -> String| {
        Memo::new(move |_| {
            filling
                .answer
                .with(|answer| answer.as_ref().and_then(|answer| answer.parts.get(index)).map(pick).unwrap_or_default())
        })
    };
    let (title, words) = (read(|part| part.title.clone()), read(|part| part.about.clone()));
    let remove = read(|part| part.remove.clone().unwrap_or_default());
    // Rows by their fields: what is typed in stays as long as its row has the same ones.
    let rows = Memo::new(move |_| {
        filling.answer.with(|answer| {
            let part = answer.as_ref().and_then(|answer| answer.parts.get(index));
            let rows = part.iter().flat_map(|part| &part.rows);
            rows.map(|row| {
                let fields: Vec<_> = row.fields.iter().map(|field| (field.at.clone(), field.control as u8)).collect();
                (fields, row.remove.clone())
            })
            .collect::<Vec<_>>()
        })
    });
    let adds = Memo::new(move |_| {
        filling.answer.with(|answer| {
            answer.as_ref().and_then(|answer| answer.parts.get(index)).map(|part| part.adds.clone()).unwrap_or_default()
        })
    });
    view! {
        <fieldset class="form-part" data-testid="wizard-part">
            <legend>{move || title.get()}</legend>
            <Show when=move || !remove.with(String::is_empty)>
                <button class="link form-remove" data-testid="wizard-remove" on:click=move |_| filling.remove(&remove.get_untracked())>"Remove"</button>
            </Show>
            <Show when=move || !words.with(String::is_empty)>
                <p class="quiet">{move || words.get()}</p>
            </Show>
            <For each=move || rows.get() key=|row| row.clone() let((fields, remove))>
                <div class="form-row">
                    {fields.into_iter().map(|(at, _)| view! { <FieldView filling at /> }).collect_view()}
                    {remove.map(|at| view! {
                        <button class="icon-button" title="Remove this line" aria-label="Remove this line" on:click=move |_| filling.remove(&at)>
                            <Glyph icon=Icon::Close />
                        </button>
                    })}
                </div>
            </For>
            {move || adds.get().into_iter().map(|add| {
                let label = add.label.clone();
                view! { <button class="button" data-testid="wizard-add" on:click=move |_| filling.add(&add)>{label}</button> }
            }).collect_view()}
        </fieldset>
    }
}

/// What the form comes to: one object after the other, each with its text, its meaning and its difference.
#[component]
fn Steps(filling: Filling) -> impl IntoView {
    let step = Memo::new(move |_| {
        filling.answer.with(|answer| answer.as_ref().and_then(|answer| answer.steps.first().cloned()))
    });
    let count =
        Memo::new(move |_| filling.answer.with(|answer| answer.as_ref().map_or(0, |answer| answer.steps.len())));
    let several = Memo::new(move |_| count.get() > 1);
    // The same object from the same revision is the same edit with another text.
    let start = Memo::new(move |_| step.get().map(|step| ObjectEdit { yaml: String::new(), ..step.edit }));
    let title = Memo::new(move |_| step.get().map(|step| step.title).unwrap_or_default());
    let sound = Memo::new(move |_| filling.answer.with(|answer| answer.as_deref().is_some_and(stands)));
    view! {
        <section class="wizard-steps" data-testid="wizard-steps" data-steps=move || count.get().to_string()>
            {move || match start.get() {
                None if sound.get() => view! { <p class="quiet" data-testid="wizard-same">"This is what is configured now; nothing would change."</p> }.into_any(),
                None => view! { <p class="quiet">"Mend what is marked, and what it would do is shown here."</p> }.into_any(),
                Some(start) => {
                    let Some(now) = step.get_untracked() else { return ().into_any() };
                    let place = start.object.as_ref().map_or_else(
                        || "a new object".to_owned(),
                        |object| format!("{} {}/{}", object.kind, object.namespace, object.name),
                    );
                    let done = Callback::new(move |()| filling.applied());
                    let left = Callback::new(move |()| filling.discard());
                    let draft = Draft::new(filling.app, now.edit, done, left);
                    Effect::new(move |_| {
                        if let Some(step) = step.get().filter(|step| draft.text.with_untracked(|text| *text != step.edit.yaml)) {
                            draft.set(step.edit.yaml);
                        }
                    });
                    view! {
                        <h3>
                            {move || if count.get() > 1 { format!("Step 1 of {}: {}", count.get(), title.get()) } else { title.get() }}
                            <span class="quiet">" · "{place}</span>
                        </h3>
                        <Show when=move || several.get()>
                            <p class="quiet">"What follows needs this; it is shown once this is applied."</p>
                        </Show>
                        <details class="wizard-yaml" open>
                            <summary>"YAML"</summary>
                            {move || {
                                let findings = draft.outlook.with(|outlook| outlook.as_ref().map(|(_, preview)| preview.findings.clone()).unwrap_or_default());
                                view! { <Source yaml=draft.text.get() first_line=1 findings /> }
                            }}
                        </details>
                        <Outlook draft />
                    }
                        .into_any()
                }
            }}
        </section>
    }
}
