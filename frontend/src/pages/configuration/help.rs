//! Help in the editor: completion at the cursor, and what a field means.

use std::sync::Arc;

use leptos::{ev, html::Textarea, prelude::*, task::spawn_local};
use wasm_bindgen::JsCast;
use weft_model::edit::{ObjectEdit, Schema};

use crate::{
    api, browser,
    yaml::{
        complete::{Offer, field, offers},
        place::indent_after,
    },
};

/// Height of a line and what is above the first, in pixels; as the style sheet has them.
const LINE_PX: usize = 18;
const TOP_PX: usize = 8;
/// Lists open upwards from this line on, where there is room for one.
const UPWARDS_FROM: usize = 12;

/// What the editor knows about the text at its cursor. Copying it copies handles.
#[derive(Clone, Copy)]
pub struct Helper {
    schema: RwSignal<Option<Arc<Schema>>>,
    field: NodeRef<Textarea>,
    /// In UTF-16 units, as browsers count.
    cursor: RwSignal<usize>,
    /// The line that the mouse is over.
    over: RwSignal<Option<usize>>,
    open: RwSignal<bool>,
    chosen: RwSignal<Option<usize>>,
    text: RwSignal<String>,
}

impl Helper {
    /// Help with `text`; the schema is that of its kind.
    pub fn new(start: &ObjectEdit, text: RwSignal<String>) -> Self {
        let schema = RwSignal::new(None);
        let written = |name: &str| start.yaml.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
        let kind = start.object.as_ref().map(|object| object.kind.as_str()).or_else(|| written("kind:"));
        let kind = kind.unwrap_or_default().to_owned();
        let namespace = start.object.as_ref().map(|object| object.namespace.clone()).unwrap_or_default();
        spawn_local(async move {
            // Without it one writes without help.
            if let Ok(answer) = api::schema(&kind, &namespace).await {
                let _ = schema.try_set(Some(Arc::new(answer)));
            }
        });
        Self {
            schema,
            field: NodeRef::new(),
            cursor: RwSignal::new(0),
            over: RwSignal::new(None),
            open: RwSignal::new(false),
            chosen: RwSignal::new(None),
            text,
        }
    }

    /// The field that is written in.
    pub fn field(self) -> NodeRef<Textarea> {
        self.field
    }

    /// Follows the cursor.
    pub fn moved(self) {
        if let Some(at) = self.field.get_untracked().and_then(|field| field.selection_end().ok().flatten()) {
            self.cursor.set(at as usize);
        }
    }

    /// Something was typed.
    pub fn typed(self) {
        self.moved();
        self.chosen.set(None);
        self.open.set(true);
    }

    /// Closes the list.
    pub fn close(self) {
        self.open.set(false);
        self.chosen.set(None);
    }

    /// The mouse is at this height of the field, or has left.
    pub fn hovers(self, y: Option<i32>) {
        let line = y.and_then(|y| usize::try_from(y).ok()).map(|y| y.saturating_sub(TOP_PX) / LINE_PX);
        if self.over.get_untracked() != line {
            self.over.set(line);
        }
    }

    fn take(self, offer: &Offer, back: usize) {
        let Some(field) = self.field.get_untracked() else { return };
        let at = self.cursor.get_untracked();
        let _ = field.set_selection_range(at.saturating_sub(back) as u32, at as u32);
        browser::type_text(&offer.text);
        // A key goes on with its value, so what may stand there is shown at once.
        self.moved();
        self.chosen.set(None);
        self.open.set(offer.text.ends_with([' ', '-']));
    }

    /// Keys of the list, and of writing YAML; whether one was meant for here.
    pub fn key(self, event: &ev::KeyboardEvent, found: Memo<Found>) {
        let count = if self.open.get_untracked() { found.with_untracked(|found| found.offers.len()) } else { 0 };
        let take = |index: usize| {
            let offer = found.with_untracked(|found| found.offers.get(index).cloned().map(|offer| (offer, found.back)));
            if let Some((offer, back)) = offer {
                self.take(&offer, back);
            }
        };
        match event.key().as_str() {
            " " if event.ctrl_key() => self.open.set(true),
            "ArrowDown" if count > 0 => self.chosen.update(|at| *at = Some(at.map_or(0, |at| (at + 1) % count))),
            "ArrowUp" if count > 0 && self.chosen.get_untracked().is_some() => {
                self.chosen.update(|at| *at = at.map(|at| (at + count - 1) % count));
            }
            "Enter" if event.ctrl_key() || event.meta_key() => return,
            "Enter" if count > 0 && self.chosen.get_untracked().is_some() => {
                take(self.chosen.get_untracked().unwrap_or_default());
            }
            "Tab" if count > 0 && !event.shift_key() => take(self.chosen.get_untracked().unwrap_or_default()),
            "Enter" => {
                self.moved();
                let (text, at) = (self.text.get_untracked(), self.cursor.get_untracked());
                let before = String::from_utf16_lossy(&text.encode_utf16().take(at).collect::<Vec<_>>());
                let head = before.rsplit('\n').next().unwrap_or_default();
                browser::type_text(&format!("\n{}", indent_after(head)));
                self.close();
            }
            "Escape" if count > 0 => {
                self.close();
                event.stop_propagation();
            }
            _ => return,
        }
        event.prevent_default();
    }
}

/// What is offered at the cursor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    offers: Vec<Offer>,
    /// How many UTF-16 units stand there already.
    back: usize,
    line: usize,
    column: usize,
}

/// What is offered now.
pub fn found(helper: Helper) -> Memo<Found> {
    Memo::new(move |_| {
        if !helper.open.get() {
            return Found::default();
        }
        let at = helper.cursor.get();
        let found = helper.schema.with(|schema| {
            let schema = schema.as_ref()?;
            helper.text.with(|text| offers(schema, text, at))
        });
        found.map_or_else(Found::default, |(place, offers)| Found {
            offers,
            back: place.word.encode_utf16().count(),
            line: place.line,
            column: place.column,
        })
    })
}

/// The list at the cursor.
#[component]
pub fn Offers(helper: Helper, found: Memo<Found>) -> impl IntoView {
    let up = move || found.with(|found| found.line >= UPWARDS_FROM);
    // Where the widest list still ends within the editor.
    let left = move || {
        let cursor = found.with(|found| found.column);
        format!("max(56px, min(calc(56px + {cursor}ch), calc(100% - min(380px, 60ch) - 8px)))")
    };
    let top = move || found.with(|found| (found.line + usize::from(found.line < UPWARDS_FROM)) * LINE_PX + TOP_PX);
    view! {
        <ul
            class="offers editor-offers"
            class:up=up
            id="editor-offers"
            role="listbox"
            aria-label="Completions"
            data-testid="config-offers"
            hidden=move || found.with(|found| found.offers.is_empty())
            style:top=move || format!("{}px", top())
            style:left=left
        >
            {move || {
                let Found { offers, back, .. } = found.get();
                offers
                    .into_iter()
                    .enumerate()
                    .map(|(index, offer)| {
                        let (word, about) = (offer.word.clone(), offer.about.clone());
                        view! {
                            <li
                                role="option"
                                id=format!("editor-offer-{index}")
                                aria-selected=move || (helper.chosen.get() == Some(index)).to_string()
                                on:mousedown=move |event| {
                                    event.prevent_default();
                                    helper.take(&offer, back);
                                }
                            >
                                <code>{word}</code>
                                <span class="quiet">{about}</span>
                            </li>
                        }
                    })
                    .collect_view()
            }}
        </ul>
    }
}

/// The id of the option that is chosen, for whoever hears the page.
pub fn active(helper: Helper) -> Option<String> {
    helper.chosen.get().map(|index| format!("editor-offer-{index}"))
}

/// What the field means that the mouse is over, else the one that is written.
#[component]
pub fn FieldHelp(helper: Helper) -> impl IntoView {
    let about = Memo::new(move |_| {
        let written = helper.cursor.get();
        helper.schema.with(|schema| {
            let schema = schema.as_ref()?;
            helper.text.with(|text| {
                let line = helper.over.get().unwrap_or_else(|| {
                    let units = text.encode_utf16().take(written);
                    units.filter(|unit| *unit == u16::from(b'\n')).count()
                });
                let found = field(schema, text, line)?;
                Some((found.path.clone(), found.shape.clone(), found.doc.clone(), found.words.join(", ")))
            })
        })
    });
    view! {
        <p class="field-help" data-testid="config-help">
            {move || match about.get() {
                Some((path, shape, doc, words)) => view! {
                    <code>{path}</code>
                    <span class="quiet">" "{shape}{(!words.is_empty()).then(|| format!(": {words}"))}</span>
                    <br />
                    {doc}
                }
                    .into_any(),
                None => view! { <span class="quiet">"Ctrl+Space completes, Ctrl+Enter presses the button below; the field under the mouse or the cursor is explained here."</span> }.into_any(),
            }}
        </p>
    }
}

/// The height at which the mouse is over the field.
pub fn height(event: &ev::MouseEvent) -> Option<i32> {
    // The field is as high as its text, so its own offset counts lines.
    event.target()?.dyn_ref::<web_sys::HtmlTextAreaElement>().map(|_| event.offset_y())
}
