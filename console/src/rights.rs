//! Whose token it is and what it may, in the API server's own words.

use std::collections::BTreeSet;

use futures::future::join_all;
use http::{HeaderValue, Method, Request, header};
use kube::{Client, Config, config::AuthInfo};
use serde_json::{Value, json};
use weft_model::config::{Right, Who};
use weft_source::{BearerToken, ClusterError, kubernetes};

use crate::{canary::edit::EditError, http::ApiError};

/// Namespaces that are asked about at once; nobody reads a longer list.
const MAX_NAMESPACES: usize = 20;

/// Asks an API server about tokens, each with the token itself.
pub struct Rights {
    /// Has no credentials of its own.
    client: Client,
}

impl Rights {
    /// Of the API server that `config` names.
    pub fn new(config: &Config) -> Result<Self, kubernetes::ConnectError> {
        let mut anonymous = config.clone();
        anonymous.auth_info = AuthInfo::default();
        Ok(Self { client: kubernetes::client(anonymous)? })
    }

    /// Who has this token, and where its owner may change VirtualServices.
    pub async fn ask(&self, token: Option<&BearerToken>, namespaces: BTreeSet<String>) -> Result<Who, ApiError> {
        let token = token.ok_or_else(|| refusal(ClusterError::NoToken))?;
        let review = self.post(token, "authentication.k8s.io/v1/selfsubjectreviews", &review_of_self()).await?;
        let info = &review["status"]["userInfo"];
        let asked = namespaces.into_iter().take(MAX_NAMESPACES).map(|namespace| async move {
            let review = access_review(&namespace);
            let answer = self.post(token, "authorization.k8s.io/v1/selfsubjectaccessreviews", &review).await?;
            let status = &answer["status"];
            Ok::<_, ApiError>(Right {
                namespace,
                allowed: status["allowed"] == true,
                reason: status["reason"].as_str().unwrap_or_default().to_owned(),
            })
        });
        let rights = join_all(asked).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Who {
            user: info["username"].as_str().unwrap_or_default().to_owned(),
            groups: texts(&info["groups"]),
            rights,
        })
    }

    async fn post(&self, token: &BearerToken, resource: &str, body: &Value) -> Result<Value, ApiError> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("/apis/{resource}"))
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(header::AUTHORIZATION, token.header())
            .body(body.to_string().into_bytes());
        let request = request.map_err(|error| ApiError::internal(&error))?;
        self.client.request(request).await.map_err(|error| refusal(meaning(&error)))
    }
}

fn review_of_self() -> Value {
    json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
}

fn access_review(namespace: &str) -> Value {
    json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "verb": "patch", "group": "networking.istio.io", "resource": "virtualservices", "namespace": namespace,
        }},
    })
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn meaning(error: &kube::Error) -> ClusterError {
    match error {
        kube::Error::Api(status) if status.code == 401 => ClusterError::Unauthorized,
        kube::Error::Api(status) if status.code == 403 => ClusterError::Forbidden { reason: status.message.clone() },
        other => ClusterError::Unavailable { reason: other.to_string() },
    }
}

fn refusal(error: ClusterError) -> ApiError {
    ApiError::from(EditError::Store(error.into()))
}
