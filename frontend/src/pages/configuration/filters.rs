//! What the list is narrowed to: by kind, worst finding and owner, all of it in the address.

use leptos::prelude::*;

use crate::{
    command,
    components::copy::curl,
    location::View,
    objects::{Filter, owner, tally},
    state::app,
};

/// Severities as they are chosen.
const SEVERITIES: [(&str, &str); 5] = [
    ("", "Any findings"),
    ("any", "With findings"),
    ("error", "With errors"),
    ("warning", "With warnings"),
    ("info", "With notes only"),
];

/// What the address says of the list.
pub fn filter(view: &View) -> Filter {
    Filter {
        words: view.find.split_whitespace().map(str::to_lowercase).collect(),
        faulty: view.errors,
        kind: view.configuration.kind.clone(),
        severity: view.configuration.severity.clone(),
        owner: view.configuration.owner.clone(),
    }
}

/// Shows all objects again.
pub fn clear(view: &mut View) {
    view.find.clear();
    view.namespaces.clear();
    view.errors = false;
    view.configuration.kind.clear();
    view.configuration.severity.clear();
    view.configuration.owner.clear();
}

/// The fields.
#[component]
pub fn Filters() -> impl IntoView {
    let app = app();
    let counted = move |of_kind: bool| {
        app.view.with(|view| {
            app.config.with(|load| {
                let rows =
                    load.value.iter().flat_map(|list| &list.rows).filter(|row| view.shows(&row.object.namespace));
                let counts = if of_kind { tally(rows, |row| &row.object.kind) } else { tally(rows, owner) };
                counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect::<Vec<_>>()
            })
        })
    };
    let (kinds, owners) = (Memo::new(move |_| counted(true)), Memo::new(move |_| counted(false)));
    let severity = move || {
        app.view.with(|view| match view.configuration.severity.as_str() {
            "" if view.errors => "any".to_owned(),
            severity => severity.to_owned(),
        })
    };
    view! {
        <Choose label="Kind" any="Any kind" testid="config-kind" offers=kinds
            value=Signal::derive(move || app.view.with(|view| view.configuration.kind.clone()))
            set=Callback::new(move |kind| app.change(|view| view.configuration.kind = kind)) />
        <select
            class="choose"
            data-testid="config-severity"
            aria-label="Findings"
            prop:value=severity
            on:change:target=move |event| {
                let chosen = event.target().value();
                app.change(|view| {
                    view.errors = chosen == "any";
                    view.configuration.severity = if view.errors { String::new() } else { chosen };
                });
            }
        >
            {SEVERITIES.into_iter().map(|(value, words)| view! { <option value=value selected=move || severity() == value>{words}</option> }).collect_view()}
        </select>
        <Choose label="Owner" any="Any owner" testid="config-owner" offers=owners
            value=Signal::derive(move || app.view.with(|view| view.configuration.owner.clone()))
            set=Callback::new(move |owner| app.change(|view| view.configuration.owner = owner)) />
    }
}

#[component]
fn Choose(
    label: &'static str,
    any: &'static str,
    testid: &'static str,
    offers: Memo<Vec<(String, usize)>>,
    value: Signal<String>,
    set: Callback<String>,
) -> impl IntoView {
    let option = move |(name, count): (String, usize)| {
        let own = name.clone();
        view! { <option value=name.clone() selected=move || value.get() == own>{format!("{name} ({count})")}</option> }
    };
    view! {
        <select
            class="choose"
            data-testid=testid
            aria-label=label
            prop:value=move || value.get()
            on:change:target=move |event| set.run(event.target().value())
        >
            <option value="" selected=move || value.with(String::is_empty)>{any}</option>
            {move || {
                let mut offers = offers.get();
                // What the address asks for stands in the list even when nothing has it.
                let wanted = value.get();
                if !wanted.is_empty() && offers.iter().all(|(name, _)| *name != wanted) {
                    offers.push((wanted, 0));
                }
                offers.into_iter().map(option).collect_view()
            }}
        </select>
    }
}

/// Commands that list the same; the files are in `directory`, if that is known.
pub fn commands(view: &View, directory: &str) -> Vec<(String, String)> {
    let kinds = "virtualservices,destinationrules,gateways,serviceentries,sidecars,workloadentries,\
                 peerauthentications,authorizationpolicies,requestauthentications";
    let kind = &view.configuration.kind;
    let kind = if kind.is_empty() { kinds.to_owned() } else { kind.to_lowercase() };
    let place = match view.namespaces.as_slice() {
        [one] => format!("-n {one}"),
        _ => "-A".to_owned(),
    };
    vec![
        command::config(view),
        ("the same with kubectl".to_owned(), format!("kubectl get {kind} {place}")),
        command::lint(directory),
        curl("/api/v1/config"),
    ]
}
