//! The rail of rooms.

use leptos::prelude::*;

use super::{shape::Glyph, toasts::Folded};
use crate::{icons::Icon, location::Room, state::app};

fn icon(room: Room) -> Icon {
    match room {
        Room::Graph => Icon::Graph,
        Room::Canaries => Icon::Split,
        Room::Configuration => Icon::Configuration,
        Room::Workloads => Icon::Workloads,
        Room::Traces => Icon::Traces,
        Room::Mesh => Icon::Mesh,
        Room::Audit => Icon::Audit,
    }
}

/// Links to all rooms.
#[component]
pub fn Rail() -> impl IntoView {
    let app = app();
    view! {
        <nav class="rail" aria-label="Rooms">
            {Room::ALL
                .into_iter()
                .map(|room| {
                    let here = move || app.view.with(|view| view.room == room && view.lost.is_empty());
                    view! {
                        <a
                            href=move || app.view.with(|view| view.enter(room).fragment())
                            class:here=here
                            aria-current=move || here().then_some("page")
                            title=format!("{} (g {})", room.title(), room.key())
                            data-testid=format!("room-{}", room.slug())
                        >
                            <Glyph icon=icon(room) />
                            <span>{room.title()}</span>
                        </a>
                    }
                })
                .collect_view()}
            <Folded />
        </nav>
    }
}
