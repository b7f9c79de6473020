//! The console's API: the only place that knows its addresses.

mod audit;
mod traces;
mod wire;

use serde::de::DeserializeOwned;
use weft_model::{
    ObjectRef,
    audit::WeightHistory,
    canary::{Canaries, Course, EditPreview, EditResult, WeightEdit},
    config::{ConfigList, ConfigObject, Meta, Status, Who},
    details::{Charts, Detail, Inventory, Logs, Subject},
    edit::{ObjectEdit, ObjectPreview, ObjectResult, Schema},
    graph::{Graph, SeriesAnswer, View as NodeView},
    mesh::{MeshState, ProxyDetail},
    session::SessionInfo,
    views::{NewView, SavedView, SavedViews},
    wizard::{Wizard, WizardAsk, WizardKind},
};

use self::wire::{change, get, get_tagged, post, post_to, send};
pub use self::{
    audit::{audit, audit_address, audit_file},
    traces::{heat, trace, trace_address, trace_names, traces},
    wire::{Answer, Tagged, give_token, refusal, when_session_ends},
};
use crate::{
    command::LOG_LINES,
    location::{View, encode},
};

const ROOT: &str = "/api/v1";
/// Rows of one page of a list, and pages of one list, that are asked for at most.
const ROWS: usize = 5_000;
const MAX_PAGES: usize = 20;
/// Namespaces that a graph is narrowed to at most.
const MAX_NAMESPACES: usize = 200;

/// Address of the event stream for a window and a kind of nodes.
pub fn events(window_s: u64, nodes: NodeView) -> String {
    format!("{ROOT}/events?window={window_s}{}", of(nodes))
}

/// What an address says about the kind of nodes: nothing for workloads.
fn of(nodes: NodeView) -> String {
    if nodes == NodeView::default() { String::new() } else { format!("&view={nodes}") }
}

/// What is shown here, and by which version.
pub async fn meta() -> Answer<Meta> {
    get("/meta").await
}

/// The state of what the console depends on.
pub async fn status() -> Answer<Status> {
    get("/status").await
}

/// The graph as `view` wants it: its window, its kind of nodes, the moment that it shows, and what is in scope.
pub async fn graph(view: &View) -> Answer<Tagged<Graph>> {
    get_tagged(&graph_path(view)).await
}

fn graph_path(view: &View) -> String {
    let at = if view.graph.at_ms > 0 { format!("&at={}", view.graph.at_ms) } else { String::new() };
    let names = &view.namespaces;
    // More than the console takes are chosen from all that it has.
    let scope = if names.is_empty() || names.len() > MAX_NAMESPACES {
        String::new()
    } else {
        format!("&namespaces={}", encode(&names.join(",")))
    };
    format!("/graph?window={}{}{at}{scope}", view.window_s, of(view.graph.nodes))
}

/// The address of the graph as `view` wants it.
pub fn graph_address(view: &View) -> String {
    format!("{ROOT}{}", graph_path(view))
}

/// How one node, or one call, fared in the window of `window_s` seconds that ends at `at_ms`, or now when that is 0.
pub async fn series(id: &str, call: bool, window_s: u64, at_ms: u64) -> Answer<SeriesAnswer> {
    let what = if call { "edge" } else { "node" };
    let at = if at_ms > 0 { format!("&at={at_ms}") } else { String::new() };
    get(&format!("/graph/series?{what}={}&window={window_s}{at}", encode(id))).await
}

/// Views that were given a name: the reader's own and those that others share.
pub async fn saved_views() -> Answer<SavedViews> {
    get("/views").await
}

/// Gives the present view a name.
pub async fn save_view(view: &NewView) -> Answer<SavedView> {
    post("/views", view).await
}

/// Forgets a view.
pub async fn remove_view(id: &str) -> Answer<()> {
    let path = format!("{ROOT}/views/{}", encode(id));
    send(&path, &change(&path, "DELETE")?).await.map(|_: Tagged<()>| ())
}

/// The address of all weighted routes.
pub fn canaries_address() -> String {
    format!("{ROOT}/canaries")
}

/// A list in all its pages; `next` takes where the following page begins, `join` adds that page.
async fn whole<T: DeserializeOwned>(path: &str, next: fn(&mut T) -> Option<String>, join: fn(&mut T, T)) -> Answer<T> {
    Ok(whole_tagged(path, next, join).await?.value)
}

/// The same with the tag of its first page: of a list of one page that is the list's own.
async fn whole_tagged<T: DeserializeOwned>(
    path: &str,
    next: fn(&mut T) -> Option<String>,
    join: fn(&mut T, T),
) -> Answer<Tagged<T>> {
    let path = format!("{path}{}limit={ROWS}", if path.contains('?') { '&' } else { '?' });
    let mut list: Tagged<T> = get_tagged(&path).await?;
    for _ in 1..MAX_PAGES {
        let Some(cursor) = next(&mut list.value) else { break };
        join(&mut list.value, get(&format!("{path}&cursor={}", encode(&cursor))).await?);
    }
    Ok(list)
}

/// All weighted routes.
pub async fn canaries() -> Answer<Canaries> {
    whole(
        "/canaries",
        |list: &mut Canaries| list.next.take(),
        |list, page| {
            list.canaries.extend(page.canaries);
            list.next = page.next;
        },
    )
    .await
}

/// All objects with their findings.
pub async fn config() -> Answer<Tagged<ConfigList>> {
    whole_tagged(
        "/config",
        |list: &mut ConfigList| list.next.take(),
        |list, page| {
            list.rows.extend(page.rows);
            list.next = page.next;
        },
    )
    .await
}

/// One object with its YAML.
pub async fn object(object: &ObjectRef) -> Answer<ConfigObject> {
    get(&format!("/config/object?{}", named(object))).await
}

/// All namespaces, applications, workloads or services.
pub async fn inventory(subject: Subject, window_s: u64) -> Answer<Inventory> {
    let path = format!("/{}?window={window_s}", subject.slug());
    whole(
        &path,
        |list: &mut Inventory| list.next.take(),
        |list, page| {
            list.rows.extend(page.rows);
            list.next = page.next;
        },
    )
    .await
}

/// One of them; `place` is `namespace/name`, of a namespace its name.
pub async fn detail(subject: Subject, place: &str, window_s: u64) -> Answer<Detail> {
    get(&format!("/{}/{}?window={window_s}", subject.slug(), encode(place))).await
}

/// Its charts.
pub async fn charts(subject: Subject, place: &str, window_s: u64, outgoing: bool, split: &str) -> Answer<Charts> {
    let direction = if outgoing { "out" } else { "in" };
    let (slug, place, split) = (subject.slug(), encode(place), encode(split));
    get(&format!("/{slug}/{place}/charts?window={window_s}&direction={direction}&split={split}")).await
}

/// What its instances wrote last.
pub async fn logs(subject: Subject, place: &str, instance: &str, trace: &str) -> Answer<Logs> {
    let (slug, place, instance, trace) = (subject.slug(), encode(place), encode(instance), encode(trace));
    get(&format!("/{slug}/{place}/logs?lines={LOG_LINES}&instance={instance}&trace={trace}")).await
}

/// The proxy of one instance, `namespace/name`.
pub async fn proxy(place: &str) -> Answer<ProxyDetail> {
    get(&format!("/proxies/{}", encode(place))).await
}

/// The mesh's own state.
pub async fn mesh() -> Answer<MeshState> {
    get("/mesh").await
}

/// What an edit would do.
pub async fn preview(edit: &WeightEdit) -> Answer<EditPreview> {
    post("/canaries/preview", edit).await
}

/// Makes an edit.
pub async fn apply(edit: &WeightEdit) -> Answer<EditResult> {
    post("/canaries/apply", edit).await
}

/// What an edit of a whole object would do.
pub async fn preview_object(edit: &ObjectEdit) -> Answer<ObjectPreview> {
    post("/config/preview", edit).await
}

/// Makes, changes or removes a whole object.
pub async fn apply_object(edit: &ObjectEdit) -> Answer<ObjectResult> {
    post("/config/apply", edit).await
}

/// What helps with writing an object of a kind.
pub async fn schema(kind: &str, namespace: &str) -> Answer<Schema> {
    get(&format!("/config/schema?kind={}&namespace={}", encode(kind), encode(namespace))).await
}

/// What a form comes to; without one, the form as it is configured now.
pub async fn wizard(kind: WizardKind, ask: &WizardAsk<serde_json::Value>) -> Answer<Wizard<serde_json::Value>> {
    post(&format!("/wizards/{}", kind.slug()), ask).await
}

/// Takes an edit back.
pub async fn undo(id: &str) -> Answer<EditResult> {
    post(&format!("/edits/{}/undo", encode(id)), &serde_json::json!({})).await
}

/// Who looks at the page, or how to sign in.
pub async fn session() -> Answer<SessionInfo> {
    get("/session").await
}

/// Address that begins a sign-in and comes back to a place of this page.
pub fn sign_in(return_to: &str) -> String {
    format!("/auth/login?return_to={}", encode(return_to))
}

/// Ends the session; the answer is where to go.
pub async fn sign_out() -> Answer<String> {
    #[derive(serde::Deserialize)]
    struct Left {
        location: String,
    }
    let left: Left = post_to("/auth/logout", &serde_json::json!({})).await?;
    Ok(left.location)
}

/// How an object is named in a query.
fn named(object: &ObjectRef) -> String {
    let [version, kind, namespace, name] =
        [&object.api_version, &object.kind, &object.namespace, &object.name].map(|part| encode(part));
    format!("apiVersion={version}&kind={kind}&namespace={namespace}&name={name}")
}

/// Who moved a route's weights, newest first.
pub async fn history(object: &ObjectRef, route_index: usize) -> Answer<WeightHistory> {
    get(&format!("/canaries/history?{}&routeIndex={route_index}&limit=50", named(object))).await
}

/// How a weighted route fared over time.
pub async fn course(object: &ObjectRef, route_index: usize, window_s: u64) -> Answer<Course> {
    get(&format!("/canaries/course?{}&routeIndex={route_index}&window={window_s}", named(object))).await
}

/// Whose token this page has been given, and what it may.
pub async fn who() -> Answer<Who> {
    get("/who").await
}
