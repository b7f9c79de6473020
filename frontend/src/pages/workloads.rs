//! The workloads' room: lists of namespaces, applications, workloads and services, and the page of each.

mod charts;
mod detail;
mod list;
pub mod logs;
pub mod parts;
mod proxy;

use leptos::prelude::*;

use crate::state::app;
use detail::DetailPage;
use list::Lists;

/// The room.
#[component]
pub fn Workloads() -> impl IntoView {
    let app = app();
    let open = Memo::new(move |_| app.view.with(|view| !view.place.is_empty()));
    view! {
        <div class="room workloads">
            <div class="scroll">
                {move || if open.get() { view! { <DetailPage /> }.into_any() } else { view! { <Lists /> }.into_any() }}
            </div>
        </div>
    }
}
