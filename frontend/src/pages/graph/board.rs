//! The canvases with what lies over them: zoom buttons, legend, tooltip.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use leptos::{
    ev,
    html::{Canvas, Div},
    prelude::*,
};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::ResizeObserver;

use super::{OnStage, Shown, legend::Legend, menu::Opened};
use crate::{
    browser,
    components::shape::Glyph,
    graph::{fold, geometry::Point, picture::Picture, scene::Choice, stage::Stage},
    icons::Icon,
    keys::Zoom,
    state::{App, app},
};

/// Pixels that the pointer may move while it is still a click.
const CLICK: f64 = 4.0;
/// Milliseconds within which a second press at the same place belongs to a double click.
const TWICE_MS: f64 = 400.0;
/// Pixels that one press of a key moves the view.
const PAN: f64 = 80.0;

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
    let [still, spare, moving] = [NodeRef::<Canvas>::new(), NodeRef::new(), NodeRef::new()];
    let OnStage(stage) = expect_context();
    let Opened(opened) = expect_context();
    let ready = RwSignal::new(false);
    let tip: RwSignal<Option<Tip>> = RwSignal::new(None);
    let on = move |act: &dyn Fn(&Stage)| {
        // A frame or a key may come after the room was left.
        let _ = stage.try_with_value(|stage| stage.as_ref().map(act));
    };

    Effect::new(move |_| {
        let (Some(place), Some(still), Some(spare), Some(moving)) =
            (place.get(), still.get(), spare.get(), moving.get())
        else {
            return;
        };
        stage.set_value(Stage::new([still, spare], moving));
        on(&Stage::resize);
        watch_size(&place, stage);
        ready.set(true);
    });
    let scope = Memo::new(move |_| {
        let name = app.meta.with(|load| load.part(|meta| meta.name.clone()));
        app.view.with(|view| {
            let graph = &view.graph;
            let mut name = format!("{name}|{}", view.namespaces.join(","));
            if graph.nodes != Default::default() {
                name.push_str(&format!("|{}", graph.nodes));
            }
            if !graph.focus.is_empty() {
                name.push_str(&format!("|{}+{}", graph.focus, graph.hops));
            }
            let mut filter = Vec::new();
            if !graph.idle {
                filter.push("busy");
            }
            filter.extend(graph.without.iter().map(String::as_str));
            filter.extend(Some(graph.hide.as_str()).filter(|hide| !hide.is_empty()));
            (name, filter.join("|"))
        })
    });
    Effect::new(move |before: Option<Option<(String, String)>>| {
        let before = before.flatten();
        let (true, Some(shown)) = (ready.get(), shown.get()) else { return before };
        // What stands still is not drawn as if it flowed.
        let flows = app.paused.get().is_none() && shown.graph.age_ms == 0 && !shown.graph.replay;
        let moves = flows && !browser::media("(prefers-reduced-motion: reduce)");
        // A folded graph is another picture than an open one, and both come back as they were.
        let folded: Vec<&str> =
            shown.boxes.iter().filter(|(_, folded)| *folded).map(|(name, _)| name.as_str()).collect();
        let (mut name, filter) = scope.get();
        if !folded.is_empty() {
            name.push_str(&format!("|folded:{}", folded.join(",")));
        }
        on(&|stage| {
            stage.animate(moves);
            stage.show(shown.clone(), &name, &filter);
        });
        // Of another scene it says nothing.
        let scene = (name, filter);
        if before.is_some_and(|before| before != scene) {
            tip.set(None);
        }
        Some(scene)
    });
    let choice =
        Memo::new(move |_| app.view.with(|view| Choice { labels: view.graph.labels.clone(), locks: view.graph.locks }));
    Effect::new(move |_| {
        ready.track();
        let choice = choice.get();
        on(&|stage| stage.choose(choice.clone()));
    });
    let selected = Memo::new(move |_| app.view.with(|view| view.select.clone()));
    Effect::new(move |_| {
        ready.track();
        selected.with(|select| on(&|stage| stage.select(select)));
        // The panel is in the document by then.
        request_animation_frame(move || on(&Stage::reveal));
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
    let legend = Memo::new(move |_| app.view.with(|view| view.graph.legend));
    Effect::new(move |_| {
        ready.track();
        legend.track();
        // It is in the document by then.
        request_animation_frame(move || on(&Stage::make_room));
    });
    Effect::new(move |_| match zoom.get() {
        Some(Zoom::In) => on(&|stage| stage.step(true)),
        Some(Zoom::Out) => on(&|stage| stage.step(false)),
        Some(Zoom::Fit) => on(&Stage::fit),
        Some(Zoom::Pan(right, down)) => {
            let by = Point::new(f64::from(right), f64::from(down)) * -PAN;
            on(&|stage| stage.pan(by));
        }
        None => {}
    });

    let drag: StoredValue<Option<(Point, f64)>> = StoredValue::new(None);
    // When and where was pressed last, and what was there: for the panel that comes with the first press of a double click,
    // the graph moves aside.
    let pressed: StoredValue<(f64, Point, String)> = StoredValue::default();
    let down = move |event: ev::PointerEvent| {
        // What is pressed has been read, and what comes next would lie under it.
        tip.set(None);
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
    let under = move |at: Point| {
        stage.with_value(|stage| {
            let stage = stage.as_ref()?;
            let hit = stage.point(Some(at - corner(place)))?;
            stage.describe(&hit).map(|(name, _)| name)
        })
    };
    let up = move |event: ev::PointerEvent| {
        let Some((_, far)) = drag.get_value() else { return };
        drag.set_value(None);
        if far > CLICK {
            return;
        }
        let (at, now) = (client(&event), browser::now());
        let second = pressed.with_value(|(when, place, name)| {
            now - when < TWICE_MS && at.distance(*place) <= CLICK && name.starts_with("node:")
        });
        if second {
            return;
        }
        let name = under(at).unwrap_or_default();
        match name.strip_prefix("box:") {
            Some(name) => app.change(|view| view.graph.fold(name, true)),
            None => app.change(|view| view.select.clone_from(&name)),
        }
        pressed.set_value((now, at, name));
    };
    let menu = move |event: ev::MouseEvent| {
        event.prevent_default();
        tip.set(None);
        let at = Point::new(event.client_x().into(), event.client_y().into());
        opened.set(Some((under(at).unwrap_or_default(), at.x, at.y)));
    };
    let twice = move |_: ev::MouseEvent| {
        let name = pressed.with_value(|(.., name)| name.clone());
        let Some(id) = name.strip_prefix("node:") else { return };
        match fold::folded(id) {
            Some(key) => app.change(|view| view.graph.fold(key, false)),
            None => app.change(|view| id.clone_into(&mut view.graph.focus)),
        }
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
        let factor = (-event.delta_y() * unit * 0.002_164).clamp(-0.72, 0.72).exp2();
        let at = Point::new(event.client_x().into(), event.client_y().into()) - corner(place);
        tip.set(None);
        on(&|stage| stage.zoom(factor, Some(at)));
    };
    let empty = move || shown.with(|shown| shown.as_ref().is_some_and(|shown| shown.graph.nodes.is_empty()));
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
            on:contextmenu=menu
            on:dblclick=twice
        >
            <canvas node_ref=still aria-hidden="true"></canvas>
            <canvas node_ref=spare aria-hidden="true"></canvas>
            <canvas node_ref=moving class="moving" aria-hidden="true"></canvas>
            <Show when=empty>
                <div class="board-empty">
                    {move || match why_empty(app, shown) {
                        Some((title, words)) => view! {
                            <p class="empty-title">{title}</p>
                            <p class="quiet">{words}</p>
                            <p>
                                <button
                                    class="button"
                                    on:pointerdown=|event| event.stop_propagation()
                                    on:click=move |_| app.change(|view| {
                                        view.graph.focus.clear();
                                        view.graph.hide.clear();
                                        view.graph.without.clear();
                                        view.graph.idle = true;
                                    })
                                >
                                    "Show everything"
                                </button>
                            </p>
                        }.into_any(),
                        None => view! {
                            <p class="empty-title">"No workloads in this scope"</p>
                            <p class="quiet">
                                "Choose other namespaces above, or add a workload to the mesh: it appears here before its first request."
                            </p>
                        }.into_any(),
                    }}
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

/// Why nothing is left although there is something in scope.
fn why_empty(app: App, shown: Memo<Option<Arc<Picture>>>) -> Option<(String, &'static str)> {
    let any = shown.with(|shown| shown.as_ref().is_some_and(|shown| !shown.whole.nodes.is_empty()));
    let focus = app.view.with(|view| view.graph.focus.clone());
    if !focus.is_empty() {
        let words = "It has neither been configured nor called within this window and scope, or a filter hides it.";
        return Some((format!("{focus} is not in the graph"), words));
    }
    any.then(|| {
        ("Everything is hidden".to_owned(), "The hide expression, protocols or idle filter leave nothing to show.")
    })
}
