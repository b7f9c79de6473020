//! What the graph shows, and finding something in it.

use leptos::prelude::*;
use weft_model::graph::{View as NodeView, called};

use super::{Asked, Shown, export::Export, finder::Finder, saved::Saved};
use crate::{
    browser,
    components::shape::Glyph,
    format,
    graph::fold,
    icons::Icon,
    location::graph::{GraphView, HOPS, Label, PROTOCOLS},
    order::Order,
    state::app,
};

/// The name of a view.
fn title(view: NodeView) -> &'static str {
    match view {
        NodeView::Workload => "Workloads",
        NodeView::Service => "Services",
        NodeView::App => "Apps",
        NodeView::VersionedApp => "Versioned apps",
    }
}

/// View, find, hide, labels, traffic, boxes, focus, list.
#[component]
pub fn Toolbar() -> impl IntoView {
    let app = app();
    let Shown(shown) = expect_context();
    let Asked { find, hide } = expect_context();
    let text =
        |part: fn(&crate::location::View) -> &String| Memo::new(move |_| app.view.with(|view| part(view).clone()));
    let found = Signal::derive(move || {
        let found =
            shown.with(|shown| shown.as_ref()?.found.as_ref().map(|found| (found.nodes.len(), found.edges.len())));
        let (nodes, edges) = found?;
        Some(format!("{}, {}", format::plural(nodes, "node", "nodes"), format::plural(edges, "call", "calls")))
    });
    let hidden = Signal::derive(move || {
        let hidden = shown.with(|shown| shown.as_ref().map_or(0, |shown| shown.hidden));
        hide.with(|(query, _)| query.is_some()).then(|| format!("{} hidden", format::count(hidden as u64)))
    });
    view! {
        <div class="toolbar" role="group" aria-label="What the graph shows">
            <Views />
            <Finder
                name="find"
                label="Find"
                placeholder="Find: name, p95 > 1s"
                icon=Icon::Search
                text=text(|view| &view.find)
                set=Callback::new(move |text| app.change(|view| view.find = text))
                answer=find
                count=found
            />
            <Finder
                name="hide"
                label="Hide"
                placeholder="Hide: rate < 1"
                icon=Icon::Hide
                text=text(|view| &view.graph.hide)
                set=Callback::new(move |text| app.change(|view| view.graph.hide = text))
                answer=hide
                count=hidden
            />
            <Labels />
            <Traffic />
            <Boxes />
            <Focus />
            <span class="spring"></span>
            <button
                class="toggle"
                aria-pressed=move || app.view.with(|view| view.graph.at_ms > 0).to_string()
                title="Look at the past"
                data-testid="replay"
                on:click=move |_| {
                    app.change(|view| view.graph.at_ms = if view.graph.at_ms > 0 { 0 } else { browser::now() as u64 - 300_000 });
                }
            >
                <Glyph icon=Icon::Clock />
                <span class="toggle-words">"Replay"</span>
            </button>
            <button
                class="toggle"
                aria-pressed=move || app.view.with(|view| view.graph.legend).to_string()
                title="What shapes, colours and locks mean"
                data-testid="legend"
                on:click=move |_| app.change(|view| view.graph.legend = !view.graph.legend)
            >
                <Glyph icon=Icon::Info />
                <span class="toggle-words">"Legend"</span>
            </button>
            <button
                class="toggle"
                aria-pressed=move || app.view.with(|view| view.graph.list).to_string()
                title="The graph as a list (l)"
                data-testid="list"
                on:click=move |_| app.change(|view| view.graph.list = !view.graph.list)
            >
                <Glyph icon=Icon::List />
                <span class="toggle-words">"List"</span>
            </button>
            <Saved />
            <Export />
        </div>
    }
}

/// What nodes are. Each view keeps its own labels, boxes and filters.
#[component]
fn Views() -> impl IntoView {
    let app = app();
    let go = move |name: String| {
        let Some(to) = NodeView::ALL.into_iter().find(|view| view.as_str() == name) else { return };
        let key = |view: NodeView| format!("weft.graph.{view}");
        let mut kept = String::new();
        app.view.with_untracked(|view| {
            view.graph.put(|name, value| {
                kept.push_str(&format!("{name}={}&", crate::location::encode(value)));
            });
            browser::remember(&key(view.graph.nodes), &kept);
        });
        let known =
            browser::recall(&key(to)).map(|kept| crate::location::View::parse(&format!("#/graph?{kept}")).graph);
        app.change(|view| {
            let known = known.unwrap_or_default();
            // Time, list and legend belong to the reader, not to the view; a focus is on a node of one view.
            view.graph = GraphView {
                nodes: to,
                at_ms: view.graph.at_ms,
                list: view.graph.list,
                legend: view.graph.legend,
                explain: false,
                focus: String::new(),
                ..known
            };
            view.select.clear();
        });
    };
    view! {
        <select
            class="choose"
            aria-label="What nodes are"
            data-testid="graph-view"
            prop:value=move || app.view.with(|view| view.graph.nodes.as_str())
            on:change:target=move |event| go(event.target().value())
        >
            {NodeView::ALL
                .into_iter()
                .map(|choice| {
                    let chosen = move || app.view.with(|view| view.graph.nodes == choice);
                    view! { <option value=choice.as_str() selected=chosen>{title(choice)}</option> }
                })
                .collect_view()}
        </select>
    }
}

/// What labels say, several at once.
#[component]
fn Labels() -> impl IntoView {
    let app = app();
    let words = move || {
        app.view.with(|view| match view.graph.labels.as_slice() {
            [] => "No labels".to_owned(),
            [one] => one.title().to_owned(),
            [first, rest @ ..] => format!("{} +{}", first.title(), rest.len()),
        })
    };
    view! {
        <details class="menu" data-testid="labels">
            <summary title="What the labels on edges say">
                <span class="menu-words">{words}</span>
                <Glyph icon=Icon::Chevron />
            </summary>
            <div class="menu-list" role="group" aria-label="Labels on edges">
                <button class="menu-all" on:click=move |_| app.change(|view| view.graph.labels.clear())>"No labels"</button>
                {Label::ALL
                    .into_iter()
                    .map(|label| {
                        view! {
                            <label>
                                <input
                                    type="checkbox"
                                    data-testid=format!("label-{}", label.slug())
                                    prop:checked=move || app.view.with(|view| view.graph.labels.contains(&label))
                                    on:change=move |_| app.change(|view| view.graph.toggle_label(label))
                                />
                                {label.title()}
                            </label>
                        }
                    })
                    .collect_view()}
                <p class="quiet">"Up to three at once."</p>
            </div>
        </details>
    }
}

/// Idle ones, protocols, locks.
#[component]
fn Traffic() -> impl IntoView {
    let app = app();
    let protocol = move |(name, words): (&'static str, &'static str)| {
        let shows = move || app.view.with(|view| !view.graph.without.iter().any(|other| other == name));
        view! {
            <label>
                <input
                    type="checkbox"
                    data-testid=format!("protocol-{name}")
                    prop:checked=shows
                    on:change=move |_| {
                        app.change(|view| {
                            let without = &mut view.graph.without;
                            match without.iter().position(|other| other == name) {
                                Some(index) => drop(without.remove(index)),
                                None => without.push(name.to_owned()),
                            }
                            without.order_by_key(|name| PROTOCOLS.iter().position(|(other, _)| other == name));
                        });
                    }
                />
                {words}
            </label>
        }
    };
    view! {
        <details class="menu" data-testid="traffic">
            <summary title="Which traffic is shown">
                <span class="menu-words">"Show"</span>
                <Glyph icon=Icon::Chevron />
            </summary>
            <div class="menu-list" role="group" aria-label="Which traffic is shown">
                {PROTOCOLS.into_iter().map(protocol).collect_view()}
                <label>
                    <input
                        type="checkbox"
                        data-testid="idle"
                        prop:checked=move || app.view.with(|view| view.graph.idle)
                        on:change=move |_| app.change(|view| view.graph.idle = !view.graph.idle)
                    />
                    "Idle nodes and calls"
                </label>
                <label title="Broken ones are always drawn">
                    <input
                        type="checkbox"
                        data-testid="locks"
                        prop:checked=move || app.view.with(|view| view.graph.locks)
                        on:change=move |_| app.change(|view| view.graph.locks = !view.graph.locks)
                    />
                    "Closed locks"
                </label>
            </div>
        </details>
    }
}

/// Namespaces and clusters as one node each.
#[component]
fn Boxes() -> impl IntoView {
    let app = app();
    let Shown(shown) = expect_context();
    let boxes =
        Memo::new(move |_| shown.with(|shown| shown.as_ref().map(|shown| shown.boxes.clone()).unwrap_or_default()));
    let words = move || {
        let folded = boxes.with(|boxes| boxes.iter().filter(|(_, folded)| *folded).count());
        if folded == 0 { "Boxes".to_owned() } else { format!("{folded} folded") }
    };
    view! {
        <Show when=move || boxes.with(|boxes| !boxes.is_empty())>
            <details class="menu" data-testid="boxes">
                <summary title="Namespaces and clusters that are drawn as one node">
                    <span class="menu-words">{words}</span>
                    <Glyph icon=Icon::Chevron />
                </summary>
                <div class="menu-list" role="group" aria-label="Folded boxes">
                    <div class="menu-row">
                        <button class="link" data-testid="fold-all" on:click=move |_| app.change(|view| view.graph.fold_all(true))>"Fold all"</button>
                        <button class="link" data-testid="open-all" on:click=move |_| app.change(|view| view.graph.fold_all(false))>"Open all"</button>
                    </div>
                    <Show when=move || shown.with(|shown| shown.as_ref().is_some_and(|shown| shown.large))>
                        <p class="quiet">"More than 60 nodes: namespaces start folded."</p>
                    </Show>
                    <For each=move || boxes.get() key=|(name, _)| name.clone() let:entry>
                        {
                            let name = entry.0;
                            let (own, chosen, words) = (name.clone(), name.clone(), fold::words(&name));
                            let folded = move || boxes.with(|boxes| boxes.iter().any(|(other, folded)| *other == chosen && *folded));
                            view! {
                                <label>
                                    <input
                                        type="checkbox"
                                        prop:checked=folded
                                        on:change:target=move |event| {
                                            let folded = event.target().checked();
                                            app.change(|view| view.graph.fold(&own, folded));
                                        }
                                    />
                                    {words}
                                </label>
                            }
                        }
                    </For>
                </div>
            </details>
        </Show>
    }
}

/// The node that is focused, and how far around it is shown.
#[component]
fn Focus() -> impl IntoView {
    let app = app();
    let focus = Memo::new(move |_| app.view.with(|view| view.graph.focus.clone()));
    let hops = Memo::new(move |_| app.view.with(|view| view.graph.hops));
    let step =
        move |by: i8| app.change(|view| view.graph.hops = view.graph.hops.saturating_add_signed(by).clamp(1, HOPS));
    let name = move || {
        let id = focus.get();
        format::middle(&fold::short(&id), 24)
    };
    view! {
        <Show when=move || !focus.with(String::is_empty)>
            <span class="chip" role="group" aria-label="Focus" data-testid="focus">
                <span class="cut" title=move || focus.with(|id| called(id))>"Around "<strong>{name}</strong></span>
                <button class="icon-button" aria-label="Fewer steps" disabled=move || hops.get() == 1 on:click=move |_| step(-1)>
                    <Glyph icon=Icon::Minus />
                </button>
                <span class="numeral">{move || format::plural(hops.get().into(), "step", "steps")}</span>
                <button class="icon-button" aria-label="More steps" disabled=move || hops.get() == HOPS on:click=move |_| step(1)>
                    <Glyph icon=Icon::Plus />
                </button>
                <button class="icon-button" title="Show everything (f)" aria-label="End the focus" on:click=move |_| app.change(|view| view.graph.focus.clear())>
                    <Glyph icon=Icon::Close />
                </button>
            </span>
        </Show>
    }
}
