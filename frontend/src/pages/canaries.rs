//! x
use leptos::prelude::*;
#[component]
pub fn Canaries() -> impl IntoView {
    view! { <p></p> }
}
