//! x
use leptos::prelude::*;
#[component]
pub fn Traces() -> impl IntoView {
    view! { <p></p> }
}
