//! The last minutes of a rate, and the part of it that failed.

use leptos::prelude::*;

use crate::{format, history, state::app};

const SIZE: (f64, f64) = (320.0, 44.0);

/// The chart of a node's or an edge's points since the page was opened.
#[component]
pub fn Sparkline(#[prop(into)] id: Signal<String>) -> impl IntoView {
    let app = app();
    let points = Memo::new(move |_| {
        app.graph.track();
        let id = id.get();
        app.history.with_value(|history| history.of(&id))
    });
    move || {
        let points = points.get();
        let Some((rate, errors)) = history::sparkline(&points, SIZE.0, SIZE.1) else {
            return view! { <p class="quiet spark-wait">"The chart fills while this page is open."</p> }.into_any();
        };
        let top = points.iter().map(|point| point.rate).fold(0.0, f64::max);
        let length = points.last().map_or(0, |last| last.at_ms) - points.first().map_or(0, |first| first.at_ms);
        let words =
            format!("Requests over the last {}, at most {}", format::span(length as f64), format::rate(top, "http"));
        view! {
            <figure class="spark">
                <svg viewBox=format!("0 0 {} {}", SIZE.0, SIZE.1) preserveAspectRatio="none" role="img" aria-label=words>
                    <path class="spark-errors" d=errors />
                    <path class="spark-rate" d=rate />
                </svg>
                <figcaption>
                    <span>{format::span(length as f64)}" ago"</span>
                    <span>"peak "{format::rate(top, "http")}</span>
                    <span>"now"</span>
                </figcaption>
            </figure>
        }
        .into_any()
    }
}
