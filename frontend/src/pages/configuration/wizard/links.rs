//! The way from a page of details to the forms about it.

use leptos::prelude::*;
use weft_model::wizard::WizardKind;

use crate::{
    components::shape::Glyph,
    icons::Icon,
    location::{Room, View},
    state::app,
};

/// A menu of the forms: those about calls for a service, those about workloads for `workloads`; each `namespace/name`.
#[component]
pub fn Wizards(service: Option<String>, workloads: String) -> impl IntoView {
    let app = app();
    let link = move |kind: WizardKind| {
        let of = if kind.is_security() { Some(workloads.clone()) } else { service.clone() }?;
        let href = move || {
            app.view.with(|view| {
                let mut view: View = view.enter(Room::Configuration);
                view.configuration.wizard = kind.slug().to_owned();
                view.configuration.of.clone_from(&of);
                view.fragment()
            })
        };
        Some(view! { <a class="menu-all" href=href data-testid=format!("wizard-{}", kind.slug())>{kind.title()}</a> })
    };
    view! {
        <details class="menu right" data-testid="wizards">
            <summary title="Change how it is called and who may call it">
                <span class="menu-words">"Configure"</span>
                <Glyph icon=Icon::Chevron />
            </summary>
            <div class="menu-list">{WizardKind::ALL.into_iter().filter_map(link).collect_view()}</div>
        </details>
    }
}
