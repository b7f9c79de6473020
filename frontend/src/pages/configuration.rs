//! x
use leptos::prelude::*;
use weft_model::ObjectRef;
#[component]
pub fn Configuration() -> impl IntoView {
    view! { <p></p> }
}
pub fn key(object: &ObjectRef) -> String {
    format!("{}~{}~{}~{}", object.api_version, object.kind, object.namespace, object.name)
}
