//! Answers in place of an API server, in the order they were given.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// The resource version that every list has.
const VERSION: &str = "9";

/// What is sent, and what happens after that.
pub(super) struct Answer {
    status: u16,
    lines: Vec<String>,
    after: After,
}

enum After {
    End,
    Hold,
    Feed(mpsc::UnboundedReceiver<String>),
    Make(Box<dyn Iterator<Item = String> + Send>),
}

impl Answer {
    fn new(status: u16, lines: Vec<String>) -> Self {
        Self { status, lines, after: After::End }
    }

    /// One line of a watch.
    pub(super) fn line(event: &str, object: Value) -> String {
        json!({"type": event, "object": object}).to_string() + "\n"
    }

    /// A watch that begins with a whole list.
    pub(super) fn listed(objects: impl IntoIterator<Item = Value>) -> Self {
        let mut lines: Vec<_> = objects.into_iter().map(|object| Self::line("ADDED", object)).collect();
        lines.push(Self::line(
            "BOOKMARK",
            json!({"kind": "X", "apiVersion": "v1", "metadata": {"resourceVersion": VERSION,
                "annotations": {"k8s.io/initial-events-end": "true"}}}),
        ));
        Self::new(200, lines)
    }

    /// A watch with one event.
    pub(super) fn event(event: &str, object: Value) -> Self {
        Self::new(200, vec![Self::line(event, object)])
    }

    /// A page of a list.
    pub(super) fn page(objects: &[Value], next: Option<&str>) -> Self {
        Self::json(json!({"kind": "XList", "apiVersion": "v1", "items": objects,
            "metadata": {"resourceVersion": VERSION, "continue": next}}))
    }

    pub(super) fn json(value: Value) -> Self {
        Self::new(200, vec![value.to_string()])
    }

    /// A refusal.
    pub(super) fn status(code: u16, reason: &str) -> Self {
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
            "reason": reason, "message": format!("{reason} it is")});
        Self::new(code, vec![status.to_string() + "\n"])
    }

    /// The connection stays open.
    pub(super) fn hold(mut self) -> Self {
        self.after = After::Hold;
        self
    }

    /// The connection stays open for more lines.
    pub(super) fn fed(mut self) -> (mpsc::UnboundedSender<String>, Self) {
        let (sender, lines) = mpsc::unbounded_channel();
        self.after = After::Feed(lines);
        (sender, self)
    }

    /// A watch that begins with a list that is made as it is read.
    pub(super) fn made(objects: impl Iterator<Item = Value> + Send + 'static) -> Self {
        let end = Self::listed([]).lines;
        let lines = objects.map(|object| Self::line("ADDED", object)).chain(end);
        Self { status: 200, lines: Vec::new(), after: After::Make(Box::new(lines)) }
    }

    fn again(&self) -> Self {
        Self { status: self.status, lines: self.lines.clone(), after: After::End }
    }
}

/// Answers by resource. A list without an answer is empty and a watch without one is silent.
#[derive(Clone, Default)]
pub(super) struct FakeApi(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    once: HashMap<String, VecDeque<Answer>>,
    always: HashMap<String, Answer>,
    asked: Vec<(String, String)>,
    /// Beginnings of the names of Secrets that are there.
    secrets: Vec<String>,
}

impl FakeApi {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn answer(&self, resource: &str, answer: Answer) {
        self.0.lock().unwrap().once.entry(resource.to_owned()).or_default().push_back(answer);
    }

    pub(super) fn always(&self, resource: &str, answer: Answer) {
        self.0.lock().unwrap().always.insert(resource.to_owned(), answer);
    }

    /// From now on Secrets are there whose names begin so, for whoever asks for one by its name.
    pub(super) fn has_secrets(&self, prefix: &str) {
        self.0.lock().unwrap().secrets.push(prefix.to_owned());
    }

    /// The URLs that were asked for.
    pub(super) fn asked(&self, resource: &str) -> Vec<String> {
        let state = self.0.lock().unwrap();
        state.asked.iter().filter(|(asked, _)| asked == resource).map(|(_, url)| url.clone()).collect()
    }

    pub(super) fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move { Ok::<_, Infallible>(api.serve(&request)) }
        });
        Client::new(service, "default")
    }

    fn serve(
        &self,
        request: &Request<Body>,
    ) -> Response<http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>> {
        let resource = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let begins = request.uri().query().unwrap_or_default().contains("sendInitialEvents=true");
        let mut state = self.0.lock().unwrap();
        state.asked.push((resource.clone(), request.uri().to_string()));
        let scripted = state.once.get_mut(&resource).and_then(VecDeque::pop_front);
        let answer = scripted
            .or_else(|| state.secret(&resource, request).filter(|_| begins))
            .or_else(|| state.always.get(&resource).map(Answer::again))
            .unwrap_or_else(|| if begins { Answer::listed([]).hold() } else { Answer::new(200, Vec::new()).hold() });
        let lines = stream::iter(answer.lines);
        let lines = match answer.after {
            After::End => lines.boxed(),
            After::Hold => lines.chain(stream::pending()).boxed(),
            After::Feed(more) => {
                let more = stream::unfold(more, |mut more| async { more.recv().await.map(|line| (line, more)) });
                lines.chain(more).boxed()
            }
            After::Make(made) => lines.chain(stream::iter(made)).chain(stream::pending()).boxed(),
        };
        let frames = lines.map(|line| Ok(Frame::data(Bytes::from(line))));
        let body = StreamBody::new(frames).boxed_unsync();
        Response::builder().status(answer.status).body(body).unwrap()
    }
}

impl State {
    /// The list with the Secret that is asked for by its name, where it is there.
    fn secret(&self, resource: &str, request: &Request<Body>) -> Option<Answer> {
        let (_, rest) = request.uri().query()?.split_once("metadata.name%3D")?;
        let name = rest.split('&').next().unwrap_or(rest);
        if resource != "secrets" || !self.secrets.iter().any(|prefix| name.starts_with(prefix)) {
            return None;
        }
        let namespace = request.uri().path().strip_prefix("/api/v1/namespaces/")?.split('/').next()?;
        let secret = json!({"metadata": {"name": name, "namespace": namespace, "resourceVersion": "5"},
            "data": {"tls.crt": "YQ==", "tls.key": "Yg=="}});
        Some(Answer::listed([secret]).hold())
    }
}
