use std::sync::Arc;

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use weft_api::{Object, ObjectKey};
use weft_model::wizard::{Wizard, WizardAsk, WizardKind};
use weft_source::Access;

use crate::{
    app::App,
    auth::{Caller, Verb},
    canary::edit::EditError,
    http::ApiError,
    wizard::{
        self,
        scene::{Document, Scene},
    },
};

/// Largest body of a form.
pub(super) const MAX_FORM_BODY: usize = 256 * 1024;

/// `?namespace=shop&name=order-service`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct About {
    /// Namespace of what it is about.
    namespace: String,
    /// The service, or for security a service, an application or a workload; empty there for the whole namespace.
    #[serde(default)]
    name: String,
}

/// `GET /api/v1/wizards/{kind}`: the form as it is configured now.
pub(super) async fn start(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(kind): Path<String>,
    about: Result<Query<About>, QueryRejection>,
) -> Result<Json<Wizard<Value>>, ApiError> {
    let Query(About { namespace, name }) = about?;
    answer(&app, &caller, &kind, WizardAsk { namespace, name, form: None }).await
}

/// `POST /api/v1/wizards/{kind}`: what a form comes to; writes nothing.
pub(super) async fn fill(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(kind): Path<String>,
    ask: Result<Json<WizardAsk<Value>>, JsonRejection>,
) -> Result<Json<Wizard<Value>>, ApiError> {
    let Json(ask) = ask?;
    answer(&app, &caller, &kind, ask).await
}

async fn answer(
    app: &App,
    caller: &Caller,
    kind: &str,
    ask: WizardAsk<Value>,
) -> Result<Json<Wizard<Value>>, ApiError> {
    let kind = WizardKind::named(kind).ok_or_else(|| {
        let known: Vec<&str> = WizardKind::ALL.into_iter().map(WizardKind::slug).collect();
        ApiError::not_found("There is no such wizard.", format!("There are {}.", known.join(", ")))
    })?;
    let WizardAsk { namespace, name, form } = ask;
    let missing = || {
        let what = if name.is_empty() { namespace.clone() } else { format!("{namespace}/{name}") };
        let remedy = if kind.is_security() {
            "Name a service, an application, a workload, or a namespace alone."
        } else {
            "Name a service: namespace and name, as the list of services has them."
        };
        ApiError::not_found(format!("There is no {what} here."), remedy)
    };
    // What is hidden is not confirmed to exist.
    if !caller.sees(&namespace) {
        return Err(missing());
    }
    let view = app.view();
    let look = Scene::look(&view.snapshot, (&namespace, &name), kind.is_security(), |name| caller.sees(name));
    let (mut scene, wanted) = look.ok_or_else(missing)?;
    let access = Access { index: Some(&view.index), credential: caller.credential() };
    let read = async |object: &Arc<Object>| -> Result<Document, ApiError> {
        // Its name is not told, but a second object beside it would be wrong.
        if !caller.sees(&object.reference.namespace) {
            let title =
                format!("What is configured for {namespace}/{name} stands in a namespace that you may not see.");
            return Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", title, "Ask whoever keeps it to change it."));
        }
        caller.require(Verb::Get, &object.reference).await?;
        let document =
            app.documents.read(access, &ObjectKey::from(&object.reference)).await.map_err(EditError::Store)?;
        Document::read(object.reference.clone(), document.text).ok_or_else(|| {
            ApiError::conflict(
                format!("{} cannot be read now.", object.reference),
                "Mend its YAML first; the list of configuration shows where it is broken.",
            )
        })
    };
    let routed = !kind.is_security() && kind != WizardKind::CircuitBreaking;
    if let Some(object) = wanted.routes.as_ref().filter(|_| routed) {
        scene.routes = Some(read(object).await?);
        scene.other_routes = wanted.other_routes.into_iter().filter(|other| caller.sees(&other.namespace)).collect();
    }
    // Who may not read rules can still set a timeout.
    let ruled = matches!(kind, WizardKind::TrafficShifting | WizardKind::RequestRouting | WizardKind::CircuitBreaking);
    if let Some(object) = wanted.rule.as_ref().filter(|_| ruled) {
        scene.rule = Some(read(object).await?);
    }
    if let Some(object) = wanted.peer.as_ref().filter(|_| kind == WizardKind::PeerAuthentication) {
        scene.peer = Some(read(object).await?);
    }
    if kind == WizardKind::AuthorizationPolicy {
        for object in &wanted.policies {
            scene.policies.push(read(object).await?);
        }
    }
    wizard::run(kind, &scene, form).map(Json).map_err(|error| {
        ApiError::bad_request(format!("{error}."), "Begin with the form that GET gives, and change values in it.")
    })
}
