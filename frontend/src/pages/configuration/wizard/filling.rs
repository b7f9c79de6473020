//! A form while it is filled in: what is in its fields, and what the server makes of it.

use std::sync::Arc;

use gloo_timers::future::TimeoutFuture;
use leptos::{prelude::*, task::spawn_local};
use serde_json::{Map, Value};
use weft_model::{
    config::Problem,
    wizard::{Add, Wizard, WizardAsk, WizardKind},
};

use crate::{
    api, drafts,
    form::{about, item, last, steps},
    state::App,
};

/// How long typing must rest before the server looks at the form, in milliseconds.
pub(super) const REST_MS: u32 = 250;

/// A form that was filled in before, and is gone on with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    /// When it was last changed, milliseconds since the Unix epoch.
    pub(super) at_ms: f64,
    /// Whether something else is configured by now than when it was begun.
    pub(super) outdated: bool,
}

/// A form that is being filled in. Copying it copies handles.
#[derive(Clone, Copy)]
pub(super) struct Filling {
    pub(super) app: App,
    pub(super) kind: WizardKind,
    of: StoredValue<String>,
    /// What is in the fields.
    pub(super) form: RwSignal<Value>,
    /// What was in them at first.
    begun: RwSignal<Option<Value>>,
    /// What the server made of it.
    pub(super) answer: RwSignal<Option<Arc<Wizard<Value>>>>,
    pub(super) problem: RwSignal<Option<Problem>>,
    turn: RwSignal<u64>,
    /// Where the form is kept while it is unfinished.
    place: StoredValue<String>,
    /// What was kept there, until it is known what is configured now.
    waiting: StoredValue<Option<drafts::Kept>>,
    /// What the form went on from.
    found: RwSignal<Option<Found>>,
    /// Whether an answer that comes to nothing means that all of it is applied.
    settles: StoredValue<bool>,
}

impl Filling {
    pub(super) fn new(app: App, kind: WizardKind, of: String) -> Self {
        let place = format!("wizard~{}~{of}", kind.slug());
        let filling = Self {
            app,
            kind,
            waiting: StoredValue::new(drafts::recall(&place)),
            place: StoredValue::new(place),
            found: RwSignal::new(None),
            settles: StoredValue::new(false),
            of: StoredValue::new(of),
            form: RwSignal::new(Value::Null),
            begun: RwSignal::new(None),
            answer: RwSignal::new(None),
            problem: RwSignal::new(None),
            turn: RwSignal::new(0),
        };
        filling.ask(0, false);
        Effect::new(move |_| filling.keep());
        filling
    }

    /// Keeps the form for as long as it is unfinished and has nothing in it that nobody else may read.
    fn keep(self) {
        self.form.with(|form| {
            self.begun.with(|begun| {
                let Some(begun) = begun else { return };
                self.place.with_value(|place| {
                    if form == begun || drafts::credential(form).is_some() || drafts::credential(begun).is_some() {
                        drafts::forget(place);
                    } else {
                        drafts::keep(place, String::new(), begun.to_string(), form.to_string());
                    }
                });
            });
        });
    }

    /// Goes on from what was kept; `now` is what the form says when nothing is changed.
    fn go_on(self, now: &Value) {
        let Some(kept) = self.waiting.try_update_value(Option::take).flatten() else { return };
        let Ok(form) = serde_json::from_str::<Value>(&kept.text) else { return };
        if form == *now {
            return;
        }
        let outdated = !serde_json::from_str::<Value>(&kept.base).is_ok_and(|base| base == *now);
        self.found.set(Some(Found { at_ms: kept.at_ms, outdated }));
        self.form.set(form);
        self.settles.set_value(true);
        self.ask(0, true);
    }

    /// What the form went on from, as long as there is something unfinished.
    pub(super) fn found(self) -> Option<Found> {
        self.found.get().filter(|_| self.changed())
    }

    /// The name of a credential whose value keeps the form from being kept.
    pub(super) fn credential(self) -> Option<String> {
        self.form.with(|form| drafts::credential(form).map(str::to_owned)).filter(|_| self.changed())
    }

    /// Has the form looked at; from what is configured now unless `keep`.
    pub(super) fn ask(self, rest_ms: u32, keep: bool) {
        self.turn.update(|turn| *turn += 1);
        let turn = self.turn.get_untracked();
        spawn_local(async move {
            TimeoutFuture::new(rest_ms).await;
            let still = move || self.turn.try_get_untracked() == Some(turn);
            if !still() {
                return;
            }
            let Some((namespace, name)) = self.of.try_with_value(|of| about(of)) else { return };
            let form = self.form.try_get_untracked().filter(|form| keep && !form.is_null());
            let answer = api::wizard(self.kind, &WizardAsk { namespace, name, form }).await;
            if still() {
                match answer {
                    Ok(answer) => {
                        self.problem.set(None);
                        if self.form.with_untracked(|form| *form != answer.form) {
                            self.form.set(answer.form.clone());
                        }
                        let begins = !keep || self.begun.with_untracked(Option::is_none);
                        let settles = self.settles.get_value() && answer.steps.is_empty() && stands(&answer);
                        if begins || settles {
                            self.settles.set_value(false);
                            self.found.set(None);
                            self.begun.set(Some(answer.form.clone()));
                        }
                        let now = answer.form.clone();
                        self.answer.set(Some(Arc::new(answer)));
                        if begins {
                            self.go_on(&now);
                        }
                    }
                    Err(problem) => self.problem.set(Some(problem)),
                }
            }
        });
    }

    /// Has the form looked at after a step of it was applied: when nothing is left to do, it is what is configured.
    pub(super) fn applied(self) {
        self.settles.set_value(true);
        self.ask(0, true);
    }

    /// Begins again with what is configured now.
    pub(super) fn discard(self) {
        self.waiting.set_value(None);
        self.found.set(None);
        // The answer may find the form gone.
        self.place.with_value(|place| drafts::forget(place));
        self.ask(0, false);
    }

    /// Whether closing the form would lose something.
    pub(super) fn changed(self) -> bool {
        self.begun.with(|begun| begun.as_ref().is_some_and(|begun| self.form.with(|form| form != begun)))
    }

    /// The value at a pointer.
    pub(super) fn value(self, at: &str) -> Value {
        self.form.with(|form| form.pointer(at).cloned().unwrap_or_default())
    }

    /// Changes a value. `typed` waits for the next letter; `resets` forgets all others.
    pub(super) fn set(self, at: &str, value: Value, typed: bool, resets: bool) {
        self.form.update(|form| {
            if resets {
                *form = Value::Object(Map::new());
            }
            put(form, &steps(at), value);
        });
        self.ask(if typed { REST_MS } else { 0 }, true);
    }

    /// Changes a share; of two the other gets the rest.
    pub(super) fn weigh(self, at: &str, weight: Option<f64>, typed: bool) {
        let other = item(at).filter(|(list, _)| {
            self.form
                .with_untracked(|form| form.pointer(list).and_then(Value::as_array).is_some_and(|arms| arms.len() == 2))
        });
        if let (Some((list, index)), Some(weight)) = (other, weight.filter(|weight| (0.0..=100.0).contains(weight))) {
            self.form.update(|form| {
                put(form, &steps(&format!("{list}/{}/weight", 1 - index.min(1))), (100.0 - weight).into())
            });
        }
        self.set(at, weight.map_or(Value::Null, Value::from), typed, false);
    }

    pub(super) fn add(self, add: &Add<Value>) {
        self.form.update(|form| {
            if let Some(list) = form.pointer_mut(&add.at).and_then(Value::as_array_mut) {
                list.push(add.item.clone());
            }
        });
        self.ask(0, true);
    }

    pub(super) fn remove(self, at: &str) {
        self.form.update(|form| {
            let Some((list, index)) = last(at) else { return };
            if let Some(list) = form.pointer_mut(&list).and_then(Value::as_array_mut).filter(|list| index < list.len())
            {
                list.remove(index);
            }
        });
        self.ask(0, true);
    }
}

/// Whether nothing is wrong with a form.
pub(super) fn stands(answer: &Wizard<Value>) -> bool {
    let mut fields = answer.parts.iter().flat_map(|part| &part.rows).flat_map(|row| &row.fields);
    answer.problems.is_empty() && fields.all(|field| field.problem.is_none())
}

/// Sets a value at a place, making what is missing on the way.
fn put(at: &mut Value, steps: &[String], value: Value) {
    let Some((step, rest)) = steps.split_first() else {
        *at = value;
        return;
    };
    if let Value::Array(items) = at {
        if let Some(inner) = step.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
            put(inner, rest, value);
        }
        return;
    }
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    if let Value::Object(map) = at {
        put(map.entry(step.clone()).or_insert(Value::Null), rest, value);
    }
}
