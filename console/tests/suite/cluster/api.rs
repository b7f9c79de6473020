//! An API server with one VirtualService: lists, watches, JSON patches, reviews.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::parts::serve;

/// Token of the console's own account.
pub const OWN: &str = "own";
/// Token of somebody who may only read.
pub const READER: &str = "reader";
/// Token of somebody who may write.
pub const WRITER: &str = "writer";

const RULES: &str = "virtualservices";

struct Held {
    object: Value,
    patches: Vec<(String, String)>,
}

/// The server.
#[derive(Clone)]
pub struct FakeCluster {
    pub address: SocketAddr,
    held: Arc<Mutex<Held>>,
    version: watch::Sender<u64>,
}

impl FakeCluster {
    pub async fn start(annotations: Value) -> Self {
        let object = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": "order", "namespace": "shop", "uid": "u1", "resourceVersion": "5", "generation": 1,
                "annotations": annotations},
            "spec": {"hosts": ["order"], "http": [{"route": [
                {"destination": {"host": "order", "subset": "v1"}, "weight": 90},
                {"destination": {"host": "order", "subset": "v2"}, "weight": 10}]}]}
        });
        let mut cluster = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            held: Arc::new(Mutex::new(Held { object, patches: Vec::new() })),
            version: watch::Sender::new(5),
        };
        let router = Router::new()
            .route("/version", get(|| async { Json(json!({"major": "1", "minor": "30", "gitVersion": "v1.30.0", "gitCommit": "", "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "", "platform": ""})) }))
            .route("/apis", get(|| async { Json(json!({"kind": "APIGroupList", "groups": [{"name": "networking.istio.io",
                "versions": [{"groupVersion": "networking.istio.io/v1", "version": "v1"}]}]})) }))
            .route("/apis/authentication.k8s.io/v1/selfsubjectreviews", post(who))
            .route("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", post(may))
            .route("/apis/networking.istio.io/v1/namespaces/shop/virtualservices/order", get(one).patch(patch))
            .route("/api/v1/{plural}", get(list))
            .route("/api/v1/namespaces/{namespace}/{plural}", get(list_in))
            .route("/apis/{group}/{version}/{plural}", get(list_of))
            .with_state(cluster.clone());
        cluster.address = serve(router).await;
        cluster
    }

    pub fn weights(&self) -> Vec<u64> {
        let held = self.held.lock().unwrap();
        let route = held.object["spec"]["http"][0]["route"].as_array().unwrap();
        route.iter().map(|arm| arm["weight"].as_u64().unwrap()).collect()
    }

    /// As another hand would.
    pub fn set_weights(&self, weights: [u64; 2]) {
        self.change(|object| {
            for (index, weight) in weights.into_iter().enumerate() {
                object["spec"]["http"][0]["route"][index]["weight"] = weight.into();
            }
        });
    }

    /// Patches that were sent to stay, with the tokens that they came with.
    pub fn patches(&self) -> Vec<(String, String)> {
        self.held.lock().unwrap().patches.clone()
    }

    fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut held = self.held.lock().unwrap();
        change(&mut held.object);
        self.version.send_modify(|version| *version += 1);
        held.object["metadata"]["resourceVersion"] = self.version.borrow().to_string().into();
        held.object["metadata"]["generation"] = (*self.version.borrow()).into();
    }
}

fn refuse(code: StatusCode, reason: &str, message: &str) -> Response {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
        "reason": reason, "code": code.as_u16()});
    (code, Json(status)).into_response()
}

fn caller(headers: &HeaderMap) -> Result<&str, Box<Response>> {
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    match token {
        Some(token @ (OWN | READER | WRITER)) => Ok(token),
        _ => Err(Box::new(refuse(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized"))),
    }
}

async fn who(headers: HeaderMap) -> Response {
    match caller(&headers) {
        Ok(name) => Json(json!({"status": {"userInfo": {"username": name, "groups": ["people"]}}})).into_response(),
        Err(refused) => *refused,
    }
}

async fn may(headers: HeaderMap) -> Response {
    match caller(&headers) {
        Ok(WRITER) => Json(json!({"status": {"allowed": true}})).into_response(),
        Ok(_) => Json(json!({"status": {"allowed": false, "reason": "no role allows it"}})).into_response(),
        Err(refused) => *refused,
    }
}

async fn one(State(cluster): State<FakeCluster>, headers: HeaderMap) -> Response {
    match caller(&headers) {
        Ok(_) => Json(cluster.held.lock().unwrap().object.clone()).into_response(),
        Err(refused) => *refused,
    }
}

async fn patch(State(cluster): State<FakeCluster>, headers: HeaderMap, uri: Uri, body: Bytes) -> Response {
    let token = match caller(&headers) {
        Ok(WRITER) => WRITER,
        Ok(other) => {
            let words = format!(
                "virtualservices.networking.istio.io \"order\" is forbidden: User \"{other}\" cannot patch resource \"virtualservices\""
            );
            return refuse(StatusCode::FORBIDDEN, "Forbidden", &words);
        }
        Err(refused) => return *refused,
    };
    let operations: json_patch::Patch = serde_json::from_slice(&body).unwrap();
    let mut object = cluster.held.lock().unwrap().object.clone();
    if let Err(error) = json_patch::patch(&mut object, &operations) {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", &error.to_string());
    }
    if uri.query().is_some_and(|query| query.contains("dryRun=All")) {
        return Json(object).into_response();
    }
    cluster.held.lock().unwrap().patches.push((token.to_owned(), String::from_utf8_lossy(&body).into_owned()));
    cluster.change(|held| *held = object);
    Json(cluster.held.lock().unwrap().object.clone()).into_response()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    #[serde(default)]
    watch: String,
    #[serde(default)]
    send_initial_events: String,
}

async fn list(
    State(cluster): State<FakeCluster>,
    Path(plural): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Response {
    answer(&cluster, &plural, &wanted)
}

async fn list_in(
    State(cluster): State<FakeCluster>,
    Path((_, plural)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Response {
    answer(&cluster, &plural, &wanted)
}

async fn list_of(
    State(cluster): State<FakeCluster>,
    Path((_, _, plural)): Path<(String, String, String)>,
    Query(wanted): Query<Wanted>,
    method: Method,
) -> Response {
    if method == Method::GET {
        answer(&cluster, &plural, &wanted)
    } else {
        StatusCode::METHOD_NOT_ALLOWED.into_response()
    }
}

/// A list, or a watch that tells each change of the one object, after the list itself where that is wanted.
fn answer(cluster: &FakeCluster, plural: &str, wanted: &Wanted) -> Response {
    let items = items(cluster, plural);
    if matches!(wanted.watch.as_str(), "true" | "1") {
        let held = cluster.held.clone();
        let is_ours = plural == RULES;
        let changes = tokio_changes(cluster.version.subscribe()).filter_map(move |()| {
            let object = held.lock().unwrap().object.clone();
            let line =
                is_ours.then(|| Ok::<_, Infallible>(format!("{}\n", json!({"type": "MODIFIED", "object": object}))));
            async move { line }
        });
        let line = |event: &str, object: &Value| Ok(format!("{}\n", json!({"type": event, "object": object})));
        let mut listed: Vec<Result<String, Infallible>> = Vec::new();
        if wanted.send_initial_events == "true" {
            listed.extend(items.iter().map(|item| line("ADDED", item)));
            let end = json!({"kind": "Bookmark", "apiVersion": "v1",
                "metadata": {"resourceVersion": "5", "annotations": {"k8s.io/initial-events-end": "true"}}});
            listed.push(line("BOOKMARK", &end));
        }
        return Body::from_stream(futures::stream::iter(listed).chain(changes)).into_response();
    }
    Json(json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "5"}, "items": items}))
        .into_response()
}

fn items(cluster: &FakeCluster, plural: &str) -> Vec<Value> {
    match plural {
        RULES => vec![cluster.held.lock().unwrap().object.clone()],
        "customresourcedefinitions" => vec![json!({
            "metadata": {"name": "virtualservices.networking.istio.io", "resourceVersion": "5"},
            "spec": {"group": "networking.istio.io", "names": {"kind": "VirtualService", "plural": RULES},
                "versions": [{"name": "v1", "served": true}]},
            "status": {"conditions": [{"type": "Established", "status": "True"}]}})],
        _ => Vec::new(),
    }
}

/// One item for each change from now on.
fn tokio_changes(version: watch::Receiver<u64>) -> impl futures::Stream<Item = ()> {
    futures::stream::unfold(version, |mut version| async move {
        version.changed().await.ok()?;
        Some(((), version))
    })
}
