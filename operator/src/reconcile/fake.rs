//! An API server for tests: answers by method and path, and remembers what it was sent.

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use kube::{Client, client::Body};
use parking_lot::Mutex;
use serde_json::{Value, json};

/// What is not scripted is well: lists are empty, and what is written is taken.
#[derive(Clone, Default)]
pub(super) struct FakeApi(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    answers: HashMap<String, (u16, Value)>,
    asked: Vec<(String, Value)>,
}

impl FakeApi {
    /// Answers `request`, such as `GET /api/v1/pods`, so from now on.
    pub(super) fn answer(&self, request: &str, body: Value) {
        self.0.lock().answers.insert(request.to_owned(), (200, body));
    }

    /// Refuses `request` from now on.
    pub(super) fn refuse(&self, request: &str, code: u16) {
        let reason = if code == 404 { "NotFound" } else { "Refused" };
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
            "reason": reason, "message": "words of the server"});
        self.0.lock().answers.insert(request.to_owned(), (code, status));
    }

    /// The bodies of every such request, in order; null for those without one.
    pub(super) fn asked(&self, request: &str) -> Vec<Value> {
        let state = self.0.lock();
        state.asked.iter().filter(|(asked, _)| asked == request).map(|(_, body)| body.clone()).collect()
    }

    pub(super) fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move { Ok::<_, Infallible>(api.serve(request).await) }
        });
        Client::new(service, "default")
    }

    async fn serve(&self, request: Request<Body>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let name = format!("{} {}", head.method, head.uri.path());
        let bytes = body.collect().await.unwrap().to_bytes();
        let sent: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let mut state = self.0.lock();
        let (code, answer) = state.answers.get(&name).cloned().unwrap_or_else(|| match head.method {
            http::Method::GET => (200, json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []})),
            _ => (200, json!({"kind": "Object", "apiVersion": "v1", "metadata": {"name": "written"}})),
        });
        state.asked.push((name, sent));
        Response::builder().status(code).body(Full::new(answer.to_string().into())).unwrap()
    }
}
