//! One value of a form, asked as the server says.

use leptos::prelude::*;
use serde_json::Value;
use weft_model::wizard::{Choice, Control, Field};

use super::Filling;
use crate::form::words;

/// The field at a pointer; its control stays the same for as long as it is there.
#[component]
pub fn FieldView(filling: Filling, at: String) -> impl IntoView {
    let pointer = StoredValue::new(at);
    let field = Memo::new(move |_| {
        filling.answer.with(|answer| {
            let parts = answer.iter().flat_map(|answer| &answer.parts);
            let mut fields = parts.flat_map(|part| &part.rows).flat_map(|row| &row.fields);
            fields.find(|field| pointer.with_value(|at| field.at == *at)).cloned().unwrap_or_default()
        })
    });
    let value = Memo::new(move |_| pointer.with_value(|at| filling.value(at)));
    let asked = Asked { filling, pointer, field, value };
    let first = field.get_untracked();
    let (label, unit) =
        (move || field.with(|field| field.label.clone()), move || field.with(|field| field.unit.clone()));
    let control = match first.control {
        Control::Text | Control::Number | Control::Words => view! { <Line asked control=first.control /> }.into_any(),
        Control::Choice => view! { <Select asked /> }.into_any(),
        Control::Many => view! { <Checks asked /> }.into_any(),
        Control::Weight => view! { <Share asked /> }.into_any(),
    };
    let class = match first.control {
        Control::Many | Control::Weight => "form-field wide",
        Control::Words => "form-field long",
        _ => "form-field",
    };
    let problem = move || {
        field
            .with(|field| field.problem.clone())
            .map(|problem| view! { <span class="form-fault" data-testid="field-fault">{problem}</span> })
    };
    let id = pointer.get_value();
    if first.control == Control::Many {
        return view! {
            <div class=class role="group" data-at=id aria-label=label>
                <span class="form-label">{label}</span>
                {control}
                {problem}
            </div>
        }
        .into_any();
    }
    view! {
        <label class=class data-at=id class:wrong=move || field.with(|field| field.problem.is_some())>
            <span class="form-label">{label}</span>
            <span class="form-control">
                {control}
                {move || Some(unit()).filter(|unit| !unit.is_empty()).map(|unit| view! { <span class="quiet">{unit}</span> })}
                {(first.control == Control::Weight).then(|| view! { <span class="quiet">{move || field.with(|field| field.hint.clone())}</span> })}
            </span>
            {problem}
        </label>
    }
    .into_any()
}

/// A field and where it belongs. Copying it copies handles.
#[derive(Clone, Copy)]
struct Asked {
    filling: Filling,
    pointer: StoredValue<String>,
    field: Memo<Field>,
    value: Memo<Value>,
}

impl Asked {
    fn set(self, value: Value, typed: bool) {
        let resets = self.field.with_untracked(|field| field.resets);
        self.pointer.with_value(|at| self.filling.set(at, value, typed, resets));
    }

    fn options(self) -> Memo<Vec<Choice>> {
        let field = self.field;
        Memo::new(move |_| field.with(|field| field.options.clone()))
    }
}

/// A value as it is typed.
fn written(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        Value::Number(number) => number.as_f64().map_or_else(String::new, |number| number.to_string()),
        other => other.to_string(),
    }
}

/// What a typed text is; what is no number stays a text, which the server refuses in words.
fn read(text: &str, control: Control) -> Value {
    match control {
        Control::Number if text.trim().is_empty() => Value::Null,
        Control::Number => text.trim().parse::<f64>().map_or_else(|_| Value::from(text), Value::from),
        Control::Words => words(text).into(),
        _ => Value::from(text),
    }
}

#[component]
fn Line(asked: Asked, control: Control) -> impl IntoView {
    let text = RwSignal::new(asked.value.with_untracked(written));
    // Half a number is not taken away from whoever types it.
    Effect::new(move |_| {
        let value = asked.value.get();
        if text.with_untracked(|text| read(text, control) != value) {
            text.set(written(&value));
        }
    });
    let options = asked.options();
    let list = asked.pointer.with_value(|at| format!("list{}", at.replace('/', "-")));
    let own = list.clone();
    view! {
        <input
            type="text"
            class:short=control == Control::Number
            inputmode=(control == Control::Number).then_some("decimal")
            autocomplete="off"
            spellcheck="false"
            list=move || (!options.with(Vec::is_empty)).then(|| own.clone())
            placeholder=move || asked.field.with(|field| field.hint.clone())
            aria-invalid=move || asked.field.with(|field| field.problem.is_some()).to_string()
            prop:value=move || text.get()
            on:input:target=move |event| {
                let typed = event.target().value();
                asked.set(read(&typed, control), true);
                text.set(typed);
            }
        />
        <Show when=move || !options.with(Vec::is_empty)>
            <datalist id=list.clone()>
                {move || options.get().into_iter().map(|one| view! { <option value=one.value>{one.label}</option> }).collect_view()}
            </datalist>
        </Show>
    }
}

#[component]
fn Select(asked: Asked) -> impl IntoView {
    let options = asked.options();
    let chosen = move || asked.value.with(|value| value.as_str().unwrap_or_default().to_owned());
    view! {
        <select class="choose" aria-invalid=move || asked.field.with(|field| field.problem.is_some()).to_string() prop:value=chosen on:change:target=move |event| asked.set(event.target().value().into(), false)>
            {move || options.get().into_iter().map(|one| {
                let own = one.value.clone();
                view! { <option value=one.value selected=move || chosen() == own>{one.label}</option> }
            }).collect_view()}
        </select>
    }
}

/// Whether any of many; what is not offered can be written beside them.
#[component]
fn Checks(asked: Asked) -> impl IntoView {
    let options = asked.options();
    let chosen = move || asked.value.with(|value| value.as_array().cloned().unwrap_or_default());
    let toggle = move |word: &str| {
        let mut all = asked.value.with_untracked(|value| value.as_array().cloned().unwrap_or_default());
        match all.iter().position(|one| one == word) {
            Some(at) => drop(all.remove(at)),
            None => all.push(word.into()),
        }
        asked.set(Value::Array(all), false);
    };
    view! {
        <div class="form-checks">
            {move || options.get().into_iter().map(|one| {
                let (own, one_title, word) = (one.value.clone(), one.value.clone(), one.value);
                view! {
                    <label title=one_title>
                        <input type="checkbox" prop:checked=move || chosen().iter().any(|value| *value == own.as_str()) on:change=move |_| toggle(&word) />
                        {one.label}
                    </label>
                }
            }).collect_view()}
            <input
                type="text"
                class="form-other"
                autocomplete="off"
                spellcheck="false"
                placeholder="Another one, then Enter"
                aria-label="Another one"
                on:change:target=move |event| {
                    for word in words(&event.target().value()) {
                        if !chosen().iter().any(|value| *value == word.as_str()) {
                            toggle(&word);
                        }
                    }
                    event.target().set_value("");
                }
            />
        </div>
        <Show when=move || chosen().is_empty() && asked.field.with(|field| !field.hint.is_empty())>
            <p class="quiet">{move || asked.field.with(|field| format!("Nothing chosen: {}.", field.hint))}</p>
        </Show>
    }
}

#[component]
fn Share(asked: Asked) -> impl IntoView {
    let value = move || asked.value.with(written);
    let set = move |text: String, typed: bool| {
        let weight = text.trim().parse::<f64>().ok();
        asked.pointer.with_value(|at| asked.filling.weigh(at, weight, typed));
    };
    view! {
        <input type="range" min="0" max="100" step="1" aria-label=move || asked.field.with(|field| field.label.clone()) prop:value=value on:input:target=move |event| set(event.target().value(), true) />
        <input type="text" class="short" inputmode="numeric" aria-label=move || asked.field.with(|field| format!("{}, in percent", field.label)) aria-invalid=move || asked.field.with(|field| field.problem.is_some()).to_string() prop:value=value on:input:target=move |event| set(event.target().value(), true) />
    }
}
