use std::sync::Arc;

use axum::{Json, extract::State};
use weft_model::mesh::MeshState;

use crate::{app::App, auth::Caller, mesh::report, redact};

/// `GET /api/v1/mesh`.
pub(super) async fn state(State(app): State<Arc<App>>, caller: Caller) -> Json<MeshState> {
    let state = report::state(&app, &|namespace| caller.sees(namespace)).await;
    Json(redact::mesh(state, caller.sight()))
}
