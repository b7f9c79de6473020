//! The canvases with what lies over them: zoom buttons, legend, tooltip.

use std::{cell::RefCell, rc::Rc};

use leptos::{
    ev,
    html::{Canvas, Div},
    prelude::*,
};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::ResizeObserver;

use super::Shown;
use crate::{
    browser,
    components::shape::{Glyph, HealthShape},
    graph::{geometry::Point, scene::Choice, stage::Stage},
    icons::Icon,
    keys::Zoom,
    state::app,
    words,
};
use weft_model::graph::Health;

/// Pixels that the pointer may move while it is still a click.
const CLICK: f64 = 4.0;

#[derive(Clone, Default, PartialEq)]
struct Tip {
    at: Point,
    lines: Vec<String>,
}

/// The graph, drawn.
#[component]
pub fn Board(zoom: ReadSignal<Option<Zoom>>, focus: RwSignal<String>) -> impl IntoView {
    let app = app();
    let Shown(shown) = expect_context();
    let place = NodeRef::<Div>::new();
    let (still, moving) = (NodeRef::<Canvas>::new(), NodeRef::<Canvas>::new());
    let stage: StoredValue<Option<Stage>, LocalStorage> = StoredValue::new_local(None);
    let ready = RwSignal::new(false);
    let tip: RwSignal<Option<Tip>> = RwSignal::new(None);
    let on = move |act: &dyn Fn(&Stage)| {
        // A frame or a key may come after the room was left.
        let _ = stage.try_with_value(|stage| stage.as_ref().map(act));
    };

    Effect::new(move |_| {
        let (Some(place), Some(still), Some(moving)) = (place.get(), still.get(), moving.get()) else { return };
        stage.set_value(Stage::new(still, moving));
        on(&Stage::resize);
        watch_size(&place, stage);
        ready.set(true);
    });
    let memory = Memo::new(move |_| {
        let name = app.meta.with(|load| load.value.as_ref().map(|meta| meta.name.clone()).unwrap_or_default());
        format!("{name}|{}", app.view.with(|view| view.namespaces.join(",")))
    });
    Effect::new(move |_| {
        let (true, Some(graph)) = (ready.get(), shown.get()) else { return };
        // What stands still is not drawn as if it flowed.
        let flows = app.paused.get().is_none() && graph.age_ms == 0;
        let moves = flows && !browser::media("(prefers-reduced-motion: reduce)");
        on(&|stage| {
            stage.animate(moves);
            stage.show(graph.clone(), &memory.get());
        });
    });
    let choice = Memo::new(move |_| app.view.with(|view| (view.label, view.locks)));
    Effect::new(move |_| {
        ready.track();
        let (label, locks) = choice.get();
        on(&|stage| stage.choose(Choice { label, locks }));
    });
    let found = Memo::new(move |_| app.view.with(|view| (view.find.clone(), view.select.clone())));
    Effect::new(move |_| {
        ready.track();
        found.with(|(find, select)| {
            on(&|stage| {
                stage.find(find);
                stage.select(select);
            });
        });
    });
    Effect::new(move |_| {
        let name = focus.get();
        on(&|stage| stage.focus(&name));
    });
    Effect::new(move |_| {
        ready.track();
        app.theme.track();
        // The style sheet follows the attribute that another effect sets.
        request_animation_frame(move || on(&Stage::dress));
    });
    let scheme = window().match_media("(prefers-color-scheme: dark)").ok().flatten();
    if let Some(scheme) = scheme {
        let changed = Closure::<dyn FnMut()>::new(move || {
            let _ = stage.try_with_value(|stage| stage.as_ref().map(Stage::dress));
        });
        let _ = scheme.add_event_listener_with_callback("change", changed.as_ref().unchecked_ref());
        changed.forget();
    }
    Effect::new(move |_| match zoom.get() {
        Some(Zoom::In) => on(&|stage| stage.step(true)),
        Some(Zoom::Out) => on(&|stage| stage.step(false)),
        Some(Zoom::Fit) => on(&Stage::fit),
        None => {}
    });

    let drag: StoredValue<Option<(Point, f64)>> = StoredValue::new(None);
    let down = move |event: ev::PointerEvent| {
        if event.button() == 0 {
            drag.set_value(Some((client(&event), 0.0)));
            if let Some(place) = place.get_untracked() {
                // Fails only for a pointer that is gone already.
                let _ = place.set_pointer_capture(event.pointer_id());
            }
        }
    };
    let moved = move |event: ev::PointerEvent| {
        let at = client(&event);
        if let Some((from, far)) = drag.get_value() {
            let far = far + at.distance(from);
            drag.set_value(Some((at, far)));
            if far > CLICK {
                tip.set(None);
                on(&|stage| stage.pan(at - from));
            }
            return;
        }
        let inside = at - corner(place);
        let lines = stage.with_value(|stage| {
            let stage = stage.as_ref()?;
            let hit = stage.point(Some(inside))?;
            stage.describe(&hit).map(|(_, lines)| lines)
        });
        tip.set(lines.map(|lines| Tip { at: inside, lines }));
    };
    let up = move |event: ev::PointerEvent| {
        let Some((_, far)) = drag.get_value() else { return };
        drag.set_value(None);
        if far > CLICK {
            return;
        }
        let inside = client(&event) - corner(place);
        let name = stage.with_value(|stage| {
            let stage = stage.as_ref()?;
            let hit = stage.point(Some(inside))?;
            stage.describe(&hit).map(|(name, _)| name)
        });
        app.change(|view| view.select = name.unwrap_or_default());
    };
    let leave = move |_| {
        tip.set(None);
        on(&|stage| {
            stage.point(None);
        });
    };
    let wheel = move |event: ev::WheelEvent| {
        event.prevent_default();
        // Lines and pages are counted in pixels, too.
        let unit = [1.0, 16.0, 400.0].get(event.delta_mode() as usize).copied().unwrap_or(1.0);
        let factor = (-event.delta_y() * unit * 0.0015).clamp(-0.5, 0.5).exp();
        let at = Point::new(event.client_x().into(), event.client_y().into()) - corner(place);
        tip.set(None);
        on(&|stage| stage.zoom(factor, Some(at)));
    };
    let empty = move || shown.with(|graph| graph.as_ref().is_some_and(|graph| graph.nodes.is_empty()));
    let hot = move || tip.with(Option::is_some);
    view! {
        <div
            class="board"
            class:hot=hot
            node_ref=place
            data-testid="graph-canvas"
            on:pointerdown=down
            on:pointermove=moved
            on:pointerup=up
            on:pointerleave=leave
            on:wheel=wheel
        >
            <canvas node_ref=still aria-hidden="true"></canvas>
            <canvas node_ref=moving class="moving" aria-hidden="true"></canvas>
            <Show when=empty>
                <div class="board-empty">
                    <p class="empty-title">"No workloads in this scope"</p>
                    <p class="quiet">
                        "Choose other namespaces above, or add a WorkloadEntry to the directory: it appears here before its first request."
                    </p>
                </div>
            </Show>
            <Legend />
            <div class="zoom" on:pointerdown=|event| event.stop_propagation()>
                <button class="icon-button" title="Zoom in (+)" aria-label="Zoom in" on:click=move |_| on(&|stage| stage.step(true))>
                    <Glyph icon=Icon::Plus />
                </button>
                <button class="icon-button" title="Zoom out (−)" aria-label="Zoom out" on:click=move |_| on(&|stage| stage.step(false))>
                    <Glyph icon=Icon::Minus />
                </button>
                <button class="icon-button" title="Fit (0)" aria-label="Fit" on:click=move |_| on(&Stage::fit)>
                    <Glyph icon=Icon::Fit />
                </button>
                <button class="icon-button" title="Lay out anew" aria-label="Lay out anew" on:click=move |_| on(&Stage::tidy)>
                    <Glyph icon=Icon::Tidy />
                </button>
            </div>
            {move || {
                tip.get()
                    .map(|tip| {
                        let mut lines = tip.lines.into_iter();
                        let at = tip.at;
                        let (right, bottom) = extent(place);
                        let flip = at.x > right - 320.0;
                        view! {
                            <div
                                class="tip"
                                role="tooltip"
                                style:left=(!flip).then(|| format!("{}px", at.x + 14.0))
                                style:right=flip.then(|| format!("{}px", right - at.x + 14.0))
                                style:top=format!("{}px", (at.y + 14.0).min(bottom - 84.0).max(4.0))
                            >
                                <strong>{lines.next()}</strong>
                                {lines.map(|line| view! { <span>{line}</span> }).collect_view()}
                            </div>
                        }
                    })
            }}
        </div>
    }
}

fn client(event: &ev::PointerEvent) -> Point {
    Point::new(event.client_x().into(), event.client_y().into())
}

fn corner(place: NodeRef<Div>) -> Point {
    place
        .get_untracked()
        .map(|place| place.get_bounding_client_rect())
        .map_or_else(Point::default, |rect| Point::new(rect.x(), rect.y()))
}

fn extent(place: NodeRef<Div>) -> (f64, f64) {
    place.get_untracked().map_or((0.0, 0.0), |place| (place.client_width().into(), place.client_height().into()))
}

/// Follows the size of the board, whatever changes it.
fn watch_size(place: &web_sys::HtmlDivElement, stage: StoredValue<Option<Stage>, LocalStorage>) {
    let changed = Closure::<dyn FnMut()>::new(move || {
        // The board may be gone by the time that this is called.
        let _ = stage.try_with_value(|stage| stage.as_ref().map(Stage::resize));
    });
    let Ok(observer) = ResizeObserver::new(changed.as_ref().unchecked_ref()) else { return };
    observer.observe(place);
    let kept = Rc::new(RefCell::new(Some((observer, changed))));
    let kept = StoredValue::new_local(kept);
    on_cleanup(move || {
        let taken = kept.try_with_value(|kept| kept.borrow_mut().take()).flatten();
        if let Some((observer, _)) = taken {
            observer.disconnect();
        }
    });
}

/// What shapes and lines mean.
#[component]
fn Legend() -> impl IntoView {
    let states = [Health::Healthy, Health::Degraded, Health::Failing, Health::Idle, Health::Unknown];
    view! {
        <div class="legend" aria-hidden="true">
            {states
                .into_iter()
                .map(|health| {
                    view! {
                        <span>
                            <HealthShape health silent=true />
                            {words::health(health)}
                        </span>
                    }
                })
                .collect_view()}
            <span class="legend-lines">
                <i class="thin"></i>
                "under 1"
                <i class="middle"></i>
                "under 10"
                <i class="thick"></i>
                "from 10 req/s"
            </span>
        </div>
    }
}
