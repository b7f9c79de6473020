//! What was begun is done to the end and written down, also when whoever asked for it hangs up: the connection drops what
//! it was answering.

use std::sync::Arc;

use axum::{
    extract::Request,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};

use crate::{
    app::App,
    http::{ApiError, connections::Held},
};

/// The same handler, which nobody interrupts.
pub(super) fn to_the_end(handler: MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>> {
    handler.layer(middleware::from_fn(apart))
}

async fn apart(request: Request, next: Next) -> Response {
    // The process stops no sooner than the change is made.
    let held = request.extensions().get::<Held>().cloned();
    let change = tokio::spawn(async move {
        let _held = held;
        next.run(request).await
    });
    change.await.unwrap_or_else(|error| ApiError::internal(&error).into_response())
}
