//! Writing an object: the text with its findings as it is typed, what it would do, the difference, and then applying it.

use std::{collections::BTreeMap, sync::Arc};

use gloo_timers::future::TimeoutFuture;
use leptos::{ev, prelude::*, task::spawn_local};
use weft_model::{
    Diagnostic, Severity,
    config::Problem,
    edit::{Action, ObjectEdit, ObjectPreview},
};

use super::{help, help::Helper, outlook::Outlook, panel::Guard, source::coloured};
use crate::{
    api,
    app::Settle,
    browser, drafts,
    findings::new_errors,
    shown::told,
    state::{App, app},
    undo::Undo,
    words,
};

/// How long typing must rest before the server looks at the text, in milliseconds.
const REST_MS: u32 = 250;

/// Where the page asks whether to apply new errors.
const ASKED: &str = "[data-testid=config-asked]";

/// An edit under way. Copying it copies handles.
#[derive(Clone, Copy)]
pub struct Draft {
    app: App,
    /// Where the text is kept while it is unfinished; empty for nowhere.
    place: StoredValue<String>,
    /// What is edited and from where.
    pub start: StoredValue<ObjectEdit>,
    /// The text now.
    pub text: RwSignal<String>,
    /// What the edit starts from.
    revision: RwSignal<String>,
    /// What the server said, and of which turn.
    pub outlook: RwSignal<Option<(u64, Arc<ObjectPreview>)>>,
    /// Why nothing was applied, or not even looked at.
    pub problem: RwSignal<Option<Problem>>,
    /// New errors that it would bring, while the page asks whether to apply it all the same.
    pub asked: RwSignal<Vec<String>>,
    /// It is on its way.
    pub busy: RwSignal<bool>,
    turn: RwSignal<u64>,
    done: Callback<()>,
    left: Callback<()>,
}

impl Draft {
    /// Begins an edit, and has it looked at; `done` is told when it was made, `left` when it was given up.
    pub fn new(app: App, start: ObjectEdit, done: Callback<()>, left: Callback<()>) -> Self {
        let draft = Self {
            app,
            place: StoredValue::default(),
            text: RwSignal::new(start.yaml.clone()),
            revision: RwSignal::new(start.revision.clone()),
            start: StoredValue::new(start),
            outlook: RwSignal::new(None),
            problem: RwSignal::new(None),
            asked: RwSignal::default(),
            busy: RwSignal::new(false),
            turn: RwSignal::new(0),
            done,
            left,
        };
        draft.look(0);
        // What was refused to somebody else, or to nobody, may be this person's to do.
        app.on_person(move || {
            if draft.problem.with_untracked(Option::is_some) {
                draft.look(0);
            }
        });
        draft
    }

    fn edit(self) -> Option<ObjectEdit> {
        let start = self.start.try_get_value()?;
        Some(ObjectEdit { yaml: self.text.try_get_untracked()?, revision: self.revision.try_get_untracked()?, ..start })
    }

    /// What is done.
    pub fn action(self) -> Action {
        self.start.with_value(|start| start.action)
    }

    fn look(self, rest_ms: u32) {
        self.asked.set(Vec::new());
        self.turn.update(|turn| *turn += 1);
        let turn = self.turn.get_untracked();
        spawn_local(async move {
            TimeoutFuture::new(rest_ms).await;
            let still = move || self.turn.try_get_untracked() == Some(turn);
            let Some(edit) = still().then(|| self.edit()).flatten() else { return };
            let answer = api::preview_object(&edit).await;
            if still() {
                match answer {
                    Ok(preview) => {
                        self.problem.set(None);
                        self.outlook.set(Some((turn, Arc::new(preview))));
                    }
                    Err(problem) => self.problem.set(Some(problem)),
                }
            }
        });
    }

    /// Takes another text.
    pub fn set(self, text: String) {
        self.text.set(text);
        self.look(REST_MS);
    }

    /// Goes on from somebody else's version; `theirs` also takes its text.
    pub fn rebase(self, revision: String, theirs: Option<String>) {
        if let Some(text) = &theirs {
            self.start.update_value(|start| start.yaml.clone_from(text));
        }
        self.revision.set(revision);
        if let Some(text) = theirs {
            self.text.set(text);
        }
        self.look(0);
    }

    /// Whether what is on the screen is about the text in the field.
    pub fn is_seen(self) -> bool {
        let turn = self.turn.get();
        self.outlook.with(|outlook| outlook.as_ref().is_some_and(|(of, _)| *of == turn))
    }

    /// Whether the button may be pressed.
    pub fn can_apply(self) -> bool {
        let ready = self.outlook.with(|outlook| outlook.as_ref().is_some_and(|(_, preview)| preview.ready));
        ready && self.is_seen() && !self.busy.get()
    }

    fn can_apply_untracked(self) -> bool {
        untrack(|| self.can_apply())
    }

    /// Keeps the text at a place for as long as it is unfinished, and goes on from the one that is kept there.
    fn keep(self, place: String) {
        let kept = drafts::recall(&place);
        self.place.set_value(place);
        if let Some(kept) = kept {
            self.start.update_value(|start| start.yaml = kept.base);
            self.revision.set(kept.revision);
            self.set(kept.text);
        }
        Effect::new(move |_| {
            let (text, revision) = (self.text.get(), self.revision.get());
            let base = self.start.with_value(|start| start.yaml.clone());
            self.place.with_value(|place| drafts::keep(place, revision, base, text));
        });
    }

    /// Looks again when the object changes under the edit.
    fn follow(self) {
        let Some(object) = self.start.with_value(|start| start.object.clone()) else { return };
        let row = Memo::new(move |_| {
            self.app.config.with(|load| load.value.as_ref()?.rows.iter().find(|row| row.object == object).cloned())
        });
        Effect::new(move |before: Option<()>| {
            let _ = row.get();
            if before.is_some() {
                self.look(0);
            }
        });
    }

    /// Whether closing it would lose something.
    fn changed(self) -> bool {
        self.text.with(|text| self.start.with_value(|start| start.yaml != *text))
    }

    /// Closes it without writing.
    pub fn discard(self) {
        self.place.with_value(|place| drafts::forget(place));
        self.left.run(());
    }

    /// Applies it; where it would bring new errors, asks first.
    pub fn submit(self) {
        let object = self.start.with_value(|start| start.object.clone());
        let before = self.app.config.with_untracked(|load| {
            let rows = load.value.iter().flat_map(|list| &list.rows);
            rows.filter(|row| Some(&row.object) == object.as_ref())
                .flat_map(|row| row.findings.clone())
                .collect::<Vec<_>>()
        });
        let errors = self.outlook.with_untracked(|outlook| {
            outlook.as_ref().map(|(_, preview)| new_errors(preview, &before)).unwrap_or_default()
        });
        if errors.is_empty() {
            self.apply();
        } else {
            self.asked.set(errors);
            // It stands below a text that may be longer than the window, and is in the document by then.
            request_animation_frame(|| {
                browser::reveal(ASKED);
                let _ = browser::find(ASKED).map(|asked| asked.focus());
            });
        }
    }

    /// Applies it and offers to take it back.
    pub fn apply(self) {
        let Some(edit) = self.edit() else { return };
        let (app, place) = (self.app, self.place.get_value());
        self.asked.set(Vec::new());
        self.busy.set(true);
        spawn_local(async move {
            let answer = api::apply_object(&edit).await;
            let _ = self.busy.try_set(false);
            match answer {
                Ok(result) => {
                    drafts::forget(&place);
                    let word = match edit.action {
                        Action::Create => "created",
                        Action::Update => "saved",
                        Action::Delete => "deleted",
                    };
                    let until = result.undo_until_ms as f64;
                    let text = format!("{} {} {word}", result.object.kind, result.object.name);
                    let undo = Undo {
                        id: result.id,
                        until_ms: until,
                        object: result.object.clone(),
                        gone: edit.action == Action::Delete,
                        content: result.content,
                        ..Undo::default()
                    };
                    app.toast(text, false, (until > 0.0).then_some(undo));
                    app.config.update_with(api::config().await.map(|list| list.value));
                    match edit.action {
                        Action::Delete => app.change(|view| view.select.clear()),
                        Action::Create => app.change(|view| view.select = super::key(&result.object)),
                        Action::Update => {}
                    }
                    let _ = self.outlook.try_set(None);
                    let _ = self.done.try_run(());
                }
                Err(problem) => {
                    let _ = self.problem.try_set(Some(problem));
                    // A conflict shows itself in the preview, with both versions.
                    if self.turn.try_get_untracked().is_some() {
                        self.look(0);
                    }
                }
            }
        });
    }
}

/// The text with line numbers and squiggles, and below it what applying would do. `place` names what is edited: an
/// unfinished text is kept there.
#[component]
pub fn Editor(start: ObjectEdit, place: String, done: Callback<()>) -> impl IntoView {
    let writing = start.action != Action::Delete;
    let kept = writing.then(|| drafts::recall(&place)).flatten().map(|kept| browser::minute(kept.at_ms));
    let draft = Draft::new(app(), start, done, done);
    if writing {
        draft.keep(place);
    }
    draft.follow();
    let changed = Memo::new(move |_| writing && draft.changed());
    view! {
        <section class="editor" data-testid="config-editor">
            <Guard changed=changed.into() discard=Callback::new(move |()| draft.discard()) />
            {kept.map(|at| view! {
                <p class="quiet" role="status" data-testid="config-kept">
                    {format!("Your unfinished edit of {at} was kept. ")}
                    <button class="link" data-testid="config-kept-discard" on:click=move |_| draft.discard()>"Discard"</button>
                </p>
            })}
            {writing.then(|| view! { <Text draft /> })}
            <Outlook draft />
        </section>
    }
}

#[component]
fn Text(draft: Draft) -> impl IntoView {
    let by_line = Memo::new(move |_| {
        let mut by_line: BTreeMap<u32, Vec<Diagnostic>> = BTreeMap::new();
        draft.outlook.with(|outlook| {
            for finding in outlook.iter().flat_map(|(_, preview)| &preview.findings) {
                by_line.entry(finding.line.unwrap_or(1)).or_default().push(finding.clone());
            }
        });
        by_line
    });
    let lines = move || {
        let text = draft.text.get();
        by_line.with(|by_line| {
            text.split('\n')
                .zip(1u32..)
                .map(|(line, number)| {
                    let found = by_line.get(&number).map_or(&[][..], Vec::as_slice);
                    let worst = found.iter().map(|finding| finding.severity).max();
                    let class = worst.map_or("", |worst| words::health(words::severity_health(worst)));
                    let column = found.iter().filter_map(|finding| finding.column).min();
                    view! {
                        <div class=format!("line {class}")>
                            <span class="line-number">{number}</span>
                            <code>{coloured(line.strip_suffix('\r').unwrap_or(line), column)}</code>
                        </div>
                    }
                })
                .collect_view()
        })
    };
    let hidden = Memo::new(move |_| draft.text.with(|text| told(text)));
    let worst = move || by_line.with(|by_line| by_line.values().flatten().any(|f| f.severity == Severity::Error));
    let helper = draft.start.with_value(|start| Helper::new(start, draft.text));
    let found = help::found(helper);
    let keys = move |event: ev::KeyboardEvent| {
        if event.key() == "Enter" && (event.ctrl_key() || event.meta_key()) && draft.can_apply_untracked() {
            draft.submit();
        }
        helper.key(&event, found);
    };
    view! {
        <div class="editor-scroll">
            <div class="editor-sheet">
                <div class="source editor-under" aria-hidden="true">{lines}</div>
                <textarea
                    node_ref=helper.field()
                    class="editor-text"
                    data-testid="config-text"
                    aria-label="YAML of the object"
                    aria-describedby="editor-findings"
                    aria-autocomplete="list"
                    aria-controls="editor-offers"
                    aria-activedescendant=move || help::active(helper)
                    aria-invalid=move || worst().to_string()
                    spellcheck="false"
                    autocapitalize="off"
                    autocomplete="off"
                    wrap="off"
                    prop:value=move || draft.text.get()
                    on:input:target=move |event| {
                        draft.set(event.target().value());
                        helper.typed();
                    }
                    on:keydown=keys
                    on:keyup=move |_| helper.moved()
                    on:click=move |_| {
                        helper.moved();
                        helper.close();
                    }
                    on:blur=move |_| helper.close()
                    on:mousemove=move |event| helper.hovers(help::height(&event))
                    on:mouseleave=move |_| helper.hovers(None)
                ></textarea>
                <help::Offers helper found />
            </div>
        </div>
        {move || hidden.get().map(|words| view! { <p class="note" role="status" data-testid="config-hidden">{words}</p> })}
        <help::FieldHelp helper />
    }
}
