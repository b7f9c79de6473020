//! Rights on a cluster, in the API server's own words: SubjectAccessReview for people whom the console knows by name,
//! SelfSubjectAccessReview for a token. In doubt the answer is no.

mod who;

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use http::{Method, Request, header};
use kube::{Client, Config, config::AuthInfo};
use parking_lot::Mutex;
use serde_json::{Value, json};
use weft_api::Kind;
use weft_model::ObjectRef;
use weft_source::{BearerToken, ClusterError, kubernetes};

use super::{Verb, identity::User, secret::hash};

/// How long an answer counts: whoever lost a right loses it here as soon.
const FRESH: Duration = Duration::from_secs(10);
/// Answers remembered.
const MAX_ANSWERS: usize = 20_000;
/// Questions asked at once for one person.
const AT_ONCE: usize = 16;

/// Asks an API server who may what.
pub struct Reviewer {
    /// With the console's own account.
    own: Client,
    /// Without credentials: a token speaks for itself.
    bare: Client,
    answers: Mutex<HashMap<[u8; 32], (Instant, bool)>>,
    people: Mutex<HashMap<[u8; 32], (Instant, User)>>,
}

/// For whom a right is asked.
#[derive(Clone, Debug)]
pub enum Whose {
    /// Somebody who signed in.
    User(User),
    /// Whoever has this token.
    Token(BearerToken),
}

impl Reviewer {
    /// Of the API server that `config` names.
    pub fn new(config: &Config) -> Result<Self, kubernetes::ConnectError> {
        let mut anonymous = config.clone();
        anonymous.auth_info = AuthInfo::default();
        Ok(Self {
            own: kubernetes::client(config.clone())?,
            bare: kubernetes::client(anonymous)?,
            answers: Mutex::default(),
            people: Mutex::default(),
        })
    }

    /// Whose token it is.
    pub async fn owner(&self, token: &BearerToken) -> Result<User, ClusterError> {
        let key = hash(token.header().as_bytes());
        if let Some((at, user)) = self.people.lock().get(&key)
            && at.elapsed() < FRESH
        {
            return Ok(user.clone());
        }
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let answer = self.post(Some(token), "authentication.k8s.io/v1/selfsubjectreviews", &review).await?;
        let info = &answer["status"]["userInfo"];
        let groups = info["groups"].as_array().into_iter().flatten().filter_map(Value::as_str);
        // Names of Kubernetes itself are right here: the API server says them.
        let name = info["username"].as_str().unwrap_or_default().to_owned();
        let user = User {
            issuer: "cluster".to_owned(),
            subject: name.clone(),
            name,
            email: None,
            groups: groups.map(str::to_owned).collect(),
        };
        let mut people = self.people.lock();
        if people.len() >= MAX_ANSWERS {
            people.clear();
        }
        people.insert(key, (Instant::now(), user.clone()));
        Ok(user)
    }

    /// Whether somebody may act on an object.
    pub async fn may(&self, whose: &Whose, verb: Verb, object: &ObjectRef) -> Result<bool, ClusterError> {
        let group = object.group();
        let Some(kind) = Kind::of(group, &object.kind) else { return Ok(false) };
        self.ask(whose, &attributes(verb.as_str(), group, kind.plural(), &object.namespace, &object.name)).await
    }

    /// Which of these namespaces somebody sees: those that they may `get`. `""` is among them when they may `list`
    /// all.
    pub async fn sight(&self, whose: &Whose, namespaces: &BTreeSet<String>) -> Result<BTreeSet<String>, ClusterError> {
        if self.ask(whose, &attributes("list", "", "namespaces", "", "")).await? {
            return Ok(namespaces.iter().cloned().chain([String::new()]).collect());
        }
        let asked = stream::iter(namespaces.iter().cloned()).map(|namespace| async move {
            let review = attributes("get", "", "namespaces", &namespace, &namespace);
            self.ask(whose, &review).await.map(|seen| seen.then_some(namespace))
        });
        let answers: Vec<_> = asked.buffer_unordered(AT_ONCE).collect().await;
        answers.into_iter().filter_map(Result::transpose).collect()
    }

    /// Whether somebody administrates the mesh, and with it the console.
    pub async fn is_admin(&self, whose: &Whose) -> Result<bool, ClusterError> {
        self.ask(whose, &attributes("update", "weft.dev", "meshes", "", "")).await
    }

    async fn ask(&self, whose: &Whose, attributes: &Value) -> Result<bool, ClusterError> {
        let key = key(whose, attributes);
        if let Some((at, allowed)) = self.answers.lock().get(&key)
            && at.elapsed() < FRESH
        {
            return Ok(*allowed);
        }
        let status = self.review(whose, attributes).await?;
        let allowed = status["allowed"] == true && status["denied"] != true;
        let mut answers = self.answers.lock();
        if answers.len() >= MAX_ANSWERS {
            answers.retain(|_, (at, _)| at.elapsed() < FRESH);
            if answers.len() >= MAX_ANSWERS {
                answers.clear();
            }
        }
        answers.insert(key, (Instant::now(), allowed));
        Ok(allowed)
    }

    /// The API server's answer: the review's status.
    async fn review(&self, whose: &Whose, attributes: &Value) -> Result<Value, ClusterError> {
        let answer = match whose {
            Whose::Token(token) => {
                let review = review("SelfSubjectAccessReview", json!({"resourceAttributes": attributes}));
                self.post(Some(token), "authorization.k8s.io/v1/selfsubjectaccessreviews", &review).await?
            }
            Whose::User(user) => {
                // The API server gives this group to everybody whom it knows.
                let groups = user.groups.iter().map(String::as_str).chain(["system:authenticated"]);
                let spec = json!({
                    "resourceAttributes": attributes, "user": user.name, "groups": groups.collect::<Vec<_>>(),
                });
                let review = review("SubjectAccessReview", spec);
                self.post(None, "authorization.k8s.io/v1/subjectaccessreviews", &review).await?
            }
        };
        Ok(answer["status"].clone())
    }

    async fn post(&self, token: Option<&BearerToken>, resource: &str, body: &Value) -> Result<Value, ClusterError> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("/apis/{resource}"))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token.header());
        }
        let unavailable = |reason: String| ClusterError::Unavailable { reason };
        let request = request.body(body.to_string().into_bytes()).map_err(|error| unavailable(error.to_string()))?;
        let client = if token.is_some() { &self.bare } else { &self.own };
        client.request(request).await.map_err(|error| match error {
            kube::Error::Api(status) if status.code == 401 && token.is_some() => ClusterError::Unauthorized,
            kube::Error::Api(status) if status.code == 403 && token.is_some() => {
                ClusterError::Forbidden { reason: status.message.clone() }
            }
            other => unavailable(other.to_string()),
        })
    }
}

fn attributes(verb: &str, group: &str, resource: &str, namespace: &str, name: &str) -> Value {
    json!({"verb": verb, "group": group, "resource": resource, "namespace": namespace, "name": name})
}

fn review(kind: &str, spec: Value) -> Value {
    json!({"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec})
}

/// Names a question. Every part has its length before it, so that no two questions share a name.
fn key(whose: &Whose, attributes: &Value) -> [u8; 32] {
    let mut text = Vec::new();
    let mut add = |part: &[u8]| {
        text.extend_from_slice(&part.len().to_le_bytes());
        text.extend_from_slice(part);
    };
    match whose {
        Whose::Token(token) => {
            add(b"token");
            add(token.header().as_bytes());
        }
        Whose::User(user) => {
            add(b"user");
            add(user.name.as_bytes());
            for group in &user.groups {
                add(group.as_bytes());
            }
        }
    }
    add(attributes.to_string().as_bytes());
    hash(&text)
}
