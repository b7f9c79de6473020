use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use weft_model::{WorkloadRef, mesh::ProxyDetail};

use crate::{app::App, auth::Caller, http::ApiError, mesh::proxy, redact};

/// `GET /api/v1/proxies/{namespace}/{name}`: the proxy of one instance, a pod or a WorkloadEntry.
pub(super) async fn one(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Json<ProxyDetail>, ApiError> {
    let view = app.view();
    let reference = WorkloadRef::new(namespace, name);
    let instance = view.snapshot.workload(&reference).filter(|_| caller.sees(&reference.namespace));
    let instance = instance.ok_or_else(|| {
        ApiError::not_found(
            format!("There is no instance {reference} that you may see."),
            "It may have ended. Look for its workload in the list.",
        )
    })?;
    let pod = app
        .cluster
        .as_ref()
        .filter(|_| instance.is_pod())
        .map(|clients| caller.client(clients).map_err(|error| error.to_string()));
    let seen = app.fleet.seen(&view.control_planes).await;
    let mut detail = proxy::detail(&app.fleet, &seen, instance, pod).await?;
    redact::proxy(&mut detail, caller.sight());
    Ok(Json(detail))
}
