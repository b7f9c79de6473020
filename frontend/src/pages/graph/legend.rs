//! What shapes, colours, lines and locks mean.

use leptos::prelude::*;
use weft_model::graph::Health;

use super::latency::LatencyNote;
use crate::{
    components::shape::{Glyph, HealthShape},
    icons::Icon,
    state::app,
    words,
};

const STATES: [Health; 5] = [Health::Healthy, Health::Degraded, Health::Failing, Health::Idle, Health::Unknown];

/// A strip that is always there, and the whole on request.
#[component]
pub fn Legend() -> impl IntoView {
    let app = app();
    let open = Memo::new(move |_| app.view.with(|view| view.graph.legend));
    let states = || {
        STATES
            .into_iter()
            .map(|health| view! { <span><HealthShape health silent=true />{words::health(health)}</span> })
            .collect_view()
    };
    view! {
        <Show
            when=move || open.get()
            fallback=move || view! {
                <div class="legend" aria-hidden="true">
                    {states()}
                    <span class="legend-lines"><i class="thin"></i>"under 1"<i class="middle"></i>"under 10"<i class="thick"></i>"from 10 req/s"</span>
                </div>
            }
        >
            <section class="legend-card" aria-label="Legend" data-testid="legend-card" tabindex="0" on:pointerdown=|event| event.stop_propagation()>
                <h3>"Health of the traffic that comes in, of a gateway of what it sends"</h3>
                <ul class="legend-grid">
                    {STATES
                        .into_iter()
                        .map(|health| view! { <li><HealthShape health silent=true />{words::health(health)}</li> })
                        .collect_view()}
                </ul>
                <h3>"Nodes"</h3>
                <ul class="legend-grid">
                    <li><i class="node"></i>"workload"</li>
                    <li><i class="node hexagon"></i>"service"</li>
                    <li><i class="node round"></i>"app"</li>
                    <li><i class="node pile"></i>"folded namespace"</li>
                    <li><i class="node dashed"></i>"no proxy, or outside"</li>
                    <li><Glyph icon=Icon::ArrowRight />"gateway"</li>
                </ul>
                <h3>"Calls"</h3>
                <ul class="legend-grid">
                    <li><i class="thin"></i>"under 1 req/s"</li>
                    <li><i class="middle"></i>"under 10"</li>
                    <li><i class="thick"></i>"from 10"</li>
                    <li><i class="particle"></i>"a request; close together: many, slow: slow"</li>
                    <li><i class="particle bad"></i>"a failed request"</li>
                </ul>
                <LatencyNote />
                <h3>"Encryption"</h3>
                <ul class="legend-grid">
                    <li><Glyph icon=Icon::Lock />"all mutual TLS (on request)"</li>
                    <li class="broken"><Glyph icon=Icon::Unlock />"plaintext, with its share"</li>
                </ul>
                <h3>"Marks"</h3>
                <ul class="legend-grid">
                    {["canary", "fault", "circuit-breaker", "missing-sidecar", "lint"]
                        .into_iter()
                        .map(|kind| view! { <li><Glyph icon=Icon::badge(kind) />{words::badge(kind).to_lowercase()}</li> })
                        .collect_view()}
                </ul>
            </section>
        </Show>
    }
}
