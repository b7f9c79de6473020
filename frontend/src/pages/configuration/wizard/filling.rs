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
    api,
    form::{about, item, last, steps},
    state::App,
};

/// How long typing must rest before the server looks at the form, in milliseconds.
pub(super) const REST_MS: u32 = 250;

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
}

impl Filling {
    pub(super) fn new(app: App, kind: WizardKind, of: String) -> Self {
        let filling = Self {
            app,
            kind,
            of: StoredValue::new(of),
            form: RwSignal::new(Value::Null),
            begun: RwSignal::new(None),
            answer: RwSignal::new(None),
            problem: RwSignal::new(None),
            turn: RwSignal::new(0),
        };
        filling.ask(0, false);
        filling
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
                        if !keep || self.begun.with_untracked(Option::is_none) {
                            self.begun.set(Some(answer.form.clone()));
                        }
                        self.answer.set(Some(Arc::new(answer)));
                    }
                    Err(problem) => self.problem.set(Some(problem)),
                }
            }
        });
    }

    /// Has the form looked at after it was applied: what is in it now is what is configured.
    pub(super) fn applied(self) {
        self.begun.set(None);
        self.ask(0, true);
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
