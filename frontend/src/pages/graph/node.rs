//! The panel of one node.

use std::sync::Arc;

use leptos::{prelude::*, task::spawn_local};
use weft_model::{
    Counted,
    graph::{self, Badge, Edge, Health, Node, NodeKind},
    trace::TraceList,
};

use super::{
    ClosePanel, Shown,
    applies::{Applied, Configured, Way},
    changes::Changes,
    commands,
    explain::{Explain, ExplainButton},
    latency::LatencyNote,
    traffic::{Codes, Figure, Peers, sum_codes},
    trends::Trends,
};
use crate::{
    api, browser,
    components::{
        copy::{Commands, CopyButton, CopyLink},
        shape::{Glyph, HealthShape},
    },
    format,
    graph::{fold, picture::Picture, reasons, ways},
    icons::Icon,
    location::{Room, View},
    poll::every,
    queries::TraceQuery,
    state::{Load, app},
    words,
};

/// Example traces that are shown.
const EXAMPLES: usize = 5;

/// How often it is asked what its proxies refused, in milliseconds.
const REFUSED_EVERY_MS: f64 = 30_000.0;

/// What it fails on whose changes are told with its own: the console takes eight subjects.
const CALLED: usize = 7;

/// Everything that is known about a node.
#[component]
pub fn NodePanel(id: String) -> impl IntoView {
    let app = app();
    let Shown(shown) = expect_context();
    let wanted = StoredValue::new(id.clone());
    let node = Memo::new(move |_| {
        let id = wanted.get_value();
        shown.with(|shown| shown.as_ref()?.node(&id).cloned())
    });
    let health = Signal::derive(move || node.with(|node| node.as_ref().map(|node| node.health).unwrap_or_default()));
    let absence = move || shown.with(|shown| shown.as_ref().map(|shown| wanted.with_value(|id| shown.absence(id))));
    let commands = commands();
    let (heading, copied) = (id.clone(), id.clone());
    let place = move || node.with(|node| node.as_ref().map(place).unwrap_or_default());
    // Of other clusters the console has neither traces nor configuration.
    let own = Memo::new(move |_| node.with(|node| node.as_ref().is_none_or(|node| !node.is_foreign())));
    let applied = Applied::to(node);
    let failing = Memo::new(move |_| {
        let all = |shown: &Arc<Picture>| wanted.with_value(|id| reasons::failing(&shown.graph.edges, id));
        shown.with(|shown| shown.as_ref().map(all).unwrap_or_default())
    });
    // What it failed on once stays: few failures come and go, and each time the list would be drawn anew.
    let called = Memo::new(move |before: Option<&Vec<Way>>| {
        let mut all = before.cloned().unwrap_or_default();
        let failing = failing.get();
        let page = |id: &str| shown.with(|shown| ways::page(shown.as_ref()?.node(id.split_once("->")?.1)?));
        for way in failing.iter().filter_map(|id| page(id)) {
            if all.len() < CALLED && !all.contains(&way) {
                all.push(way);
            }
        }
        all
    });
    view! {
        <aside class="panel" aria-labelledby="panel-title" data-testid="panel">
            <header>
                <HealthShape health=health />
                <div class="grow">
                    <h2 id="panel-title" tabindex="-1" title=graph::called(&heading)>{fold::short(&heading)}</h2>
                    <p class="quiet">
                        {place}
                        {move || node.with(|node| node.as_ref().map(|node| format!("{}{}", if self::place(node).is_empty() { "" } else { " · " }, words::node_kind(node.kind))))}
                    </p>
                </div>
                <CopyButton text=copied title="Copy the name" />
                <ClosePanel />
            </header>
            <div class="panel-body">
                <Show
                    when=move || node.with(Option::is_some)
                    fallback=move || view! { <p class="quiet" data-testid="absent">{absence}</p> }
                >
                    <Body node=node applied=applied failing=failing />
                </Show>
                <Trends id=id.clone() call=false />
                <Show
                    when=move || own.get()
                    fallback=|| view! { <p class="quiet" data-testid="elsewhere">"Another cluster's: its traces and its configuration are with the console there."</p> }
                >
                    <Changes way=applied.way called=called />
                    <Examples id=wanted.get_value() />
                    <Configured applied=applied />
                </Show>
                <footer>
                    <CopyLink />
                    <ExplainButton />
                    <Page node=node />
                    <Elsewhere node=node />
                    <Show when=move || own.get()>
                        <button
                            class="button quiet-button"
                            data-testid="node-traces"
                            on:click=move |_| app.enter(Room::Traces, |view| view.workload = wanted.get_value())
                        >
                            <Glyph icon=Icon::Traces />
                            "Traces"
                        </button>
                    </Show>
                </footer>
                <Commands commands=commands />
            </div>
        </aside>
    }
}

/// The way to the page about what the node stands for, where there is one.
#[component]
fn Page(node: Memo<Option<Node>>) -> impl IntoView {
    let app = app();
    let way = Memo::new(move |_| node.with(|node| node.as_ref().and_then(ways::page)));
    move || {
        way.get().map(|(subject, place)| {
            let href = move || {
                app.view.with(|view| View { subject, place: place.clone(), ..view.enter(Room::Workloads) }.fragment())
            };
            view! { <a class="button quiet-button" href=href data-testid="node-page"><Glyph icon=Icon::Workloads />{format!("Open the {}", subject.word())}</a> }
        })
    }
}

/// The ways to pages of other programs, over the time that the graph shows.
#[component]
fn Elsewhere(node: Memo<Option<Node>>) -> impl IntoView {
    let app = app();
    let Shown(shown) = expect_context();
    let links = Memo::new(move |_| {
        let time = |shown: &Option<Arc<Picture>>| shown.as_ref().map(|shown| (shown.whole.at_ms, shown.whole.window_s));
        let (at_ms, window_s) = shown.with(time)?;
        let links = app.meta.with(|load| load.part(|meta| meta.node_links.clone()));
        node.with(|node| node.as_ref().map(|node| ways::elsewhere(node, &links, at_ms, window_s)))
    });
    let names = Memo::new(move |_| {
        let name = |(name, _): &(String, String)| name.clone();
        links.with(|links| links.iter().flatten().map(name).collect::<Vec<_>>())
    });
    // The link stays while its times move on.
    let link = move |(nth, name): (usize, String)| {
        let href = move || links.with(|links| links.as_ref()?.get(nth).map(|(_, address)| address.clone()));
        view! { <a class="button quiet-button" data-testid="node-link" target="_blank" rel="external noopener" href=href>"Open in "{format::middle(&name, 28)}</a> }
    };
    move || names.get().into_iter().enumerate().map(link).collect_view()
}

#[component]
fn Body(node: Memo<Option<Node>>, applied: Applied, failing: Memo<Vec<String>>) -> impl IntoView {
    let Shown(shown) = expect_context();
    let id = Memo::new(move |_| node.with(|node| node.as_ref().map(|node| node.id.clone()).unwrap_or_default()));
    let namespace =
        Memo::new(move |_| node.with(|node| node.as_ref().map(|node| node.namespace.clone()).unwrap_or_default()));
    let edges = move |part: fn(&Edge) -> &String| {
        Memo::new(move |_| {
            let id = id.get();
            let all = |shown: &Option<Arc<Picture>>| -> Vec<Edge> {
                shown.iter().flat_map(|shown| &shown.graph.edges).filter(|edge| *part(edge) == id).cloned().collect()
            };
            shown.with(all)
        })
    };
    let (incoming, outgoing) = (edges(|edge| &edge.destination), edges(|edge| &edge.source));
    let codes = Memo::new(move |_| incoming.with(|edges| sum_codes(edges.iter())));
    let figure = move |part: fn(&Node) -> String| {
        Signal::derive(move || node.with(|node| node.as_ref().map(part).unwrap_or_default()))
    };
    let p95 = Signal::derive(move || {
        let slowest = incoming.with(|edges| edges.iter().filter_map(|edge| edge.p95_ms).reduce(f64::max));
        format::maybe(slowest, format::millis)
    });
    let errors = Signal::derive(move || {
        let of = |node: &Node| words::errors(node.rate_in + node.connections_in, node.rate_out);
        node.with(|node| node.as_ref().map_or("errors", of))
    });
    // Health counts them beside errors: a node may fail by them alone.
    let refused = Memo::new(move |_| {
        node.with(|node| node.as_ref().map(|node| node.client_error_share).filter(|share| *share > 0.0))
    });
    let is_refused = Memo::new(move |_| refused.with(Option::is_some));
    let refused_share = Signal::derive(move || format::maybe(refused.get(), format::share));
    let silent = Memo::new(move |_| {
        let quiet = |node: &Node| (node.rate_in == 0.0 && node.rate_out == 0.0).then(|| why_silent(node.kind));
        node.with(|node| node.as_ref().and_then(quiet))
    });
    let badges =
        Memo::new(move |_| node.with(|node| node.as_ref().map(|node| node.badges.clone()).unwrap_or_default()));
    view! {
        <dl class="figures">
            <Figure name="in" value=figure(incoming_rate) />
            <Figure name=errors value=figure(|node| format::maybe(node.error_share, format::share)) />
            <Show when=move || is_refused.get()>
                <Figure name="refused (4xx)" value=refused_share />
            </Show>
            <Figure name="slowest p95" value=p95 />
            <Figure name="out" value=figure(|node| format::rate(node.rate_out, Counted::REQUESTS)) />
        </dl>
        <LatencyNote />
        {move || silent.get().map(|words| view! { <p class="quiet">{words}</p> })}
        <Plaintext applied=applied />
        <Explain codes=codes applied=applied failing=failing />
        {move || {
            let badges = badges.get();
            (!badges.is_empty()).then(|| view! { <Badges badges /> })
        }}
        <Peers edges=incoming incoming=true namespace=namespace />
        <Peers edges=outgoing incoming=false namespace=namespace />
        <Codes codes=codes />
    }
}

/// Plaintext that its proxies refused: such connections are closed before there is a request, so no edge and no error tells
/// of them.
#[component]
fn Plaintext(applied: Applied) -> impl IntoView {
    // They come and go without a change of configuration.
    let slowly = every(REFUSED_EVERY_MS);
    Effect::new(move |before: Option<()>| {
        let _ = slowly.get();
        if before.is_some() {
            applied.again.run(());
        }
    });
    let rate = Memo::new(move |_| applied.load.with(|load| load.part(|detail| detail.refused_plaintext)));
    move || {
        let rate = rate.get();
        (rate > 0.0).then(|| {
            view! {
                <p class="fault" data-testid="refused-plaintext">
                    {format::rate(rate, Counted::CONNECTIONS)}
                    " refused because of plaintext: TLS is required here. The proxy's log has the addresses of who calls so."
                </p>
            }
        })
    }
}

fn incoming_rate(node: &Node) -> String {
    let known = node.rate_in > 0.0 || node.rate_out > 0.0 || node.health != Health::Unknown;
    if known { format::rate(node.rate_in, Counted::REQUESTS) } else { "not known".to_owned() }
}

/// Where it is, in words: namespace and, where there are several, cluster.
fn place(node: &Node) -> String {
    let both = [node.namespace.as_str(), node.cluster.as_str()];
    both.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(" in ")
}

fn why_silent(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Workload => {
            "Its proxy has counted no requests in this window. Widen the window, or check that it runs."
        }
        NodeKind::Gateway => "No request came in through this gateway within this window.",
        NodeKind::Egress => "No request left through this gateway within this window.",
        NodeKind::Service | NodeKind::App => "Nobody called it within this window.",
        NodeKind::Unknown | NodeKind::Hidden => "Only its totals are known.",
        NodeKind::Unmeshed => "It has no proxy, so only what it asks of others is counted, and that was nothing.",
        NodeKind::External => "Nobody called this host within this window.",
    }
}

#[component]
fn Badges(badges: Vec<Badge>) -> impl IntoView {
    let app = app();
    view! {
        <ul class="badges">
            {badges
                .into_iter()
                .map(|badge| {
                    let icon = Icon::badge(&badge.kind);
                    let class = badge.severity.map_or("", |severity| words::health(words::severity_health(severity)));
                    let lint = badge.kind == "lint";
                    view! {
                        <li data-badge=badge.kind.clone()>
                            <span class=format!("badge {class}")>
                                <Glyph icon />
                            </span>
                            <span>
                                <strong>{words::badge(&badge.kind).to_owned()}</strong>
                                " "
                                {badge.text}
                                {lint
                                    .then(|| view! { " " <button class="link" on:click=move |_| app.enter(Room::Configuration, |_| {})>"Open findings"</button> })}
                            </span>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
}

/// The newest traces of the workload, asked for once.
#[component]
fn Examples(id: String) -> impl IntoView {
    let app = app();
    let list: RwSignal<Load<TraceList>> = RwSignal::default();
    let open = StoredValue::new(id);
    let ask = move || {
        spawn_local(async move {
            let Some(workload) = open.try_get_value() else { return };
            let query = TraceQuery { workload, limit: EXAMPLES, ..Default::default() };
            let answer = api::traces(&query).await;
            // The panel may be closed by now.
            let _ = list.try_update(|list| list.settle(answer));
        });
    };
    ask();
    let rows = move || {
        list.with(|load| match (&load.value, &load.error) {
            (Some(list), _) if list.traces.is_empty() => {
                view! { <p class="quiet">"No traces of it are kept. Proxies send a span for each sampled request."</p> }.into_any()
            }
            (Some(list), _) => {
                let row = |trace: &weft_model::trace::TraceRow| {
                    let id = trace.trace_id.clone();
                    let at = trace.start_us as f64 / 1000.0;
                    view! {
                        <li>
                            <button class="link grow" title=trace.root.clone() on:click=move |_| app.enter(Room::Traces, |view| { view.workload = open.get_value(); view.select.clone_from(&id); })>
                                {format::middle(&trace.root, 34)}
                            </button>
                            {trace.error.then(|| view! { <HealthShape health=Health::Failing /> })}
                            <span class="numeral">{format::micros(trace.duration_us)}</span>
                            <span class="quiet numeral" title=browser::moment(at)>{format::ago(browser::now() - at)}</span>
                        </li>
                    }
                };
                view! { <ul class="lines">{list.traces.iter().map(row).collect_view()}</ul> }.into_any()
            }
            (None, Some(problem)) => view! {
                <p class="fault" role="alert">
                    {problem.title.clone()}" "{problem.detail.clone()}" "
                    <button class="link" on:click=move |_| ask()>"Try again"</button>
                </p>
            }
            .into_any(),
            (None, None) => view! { <p class="quiet">"Looking for traces …"</p> }.into_any(),
        })
    };
    view! {
        <section>
            <h3>"Example traces"</h3>
            {rows}
        </section>
    }
}
