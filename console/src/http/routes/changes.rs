//! What was begun is done to the end and written down, also when whoever asked for it hangs up: the connection drops what
//! it was answering. Nobody changes anything without a name, nor on the word of a provider that is away.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::Method,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};

use crate::{
    app::App,
    auth::Caller,
    http::{ApiError, connections::Held},
};

/// The same handler, which nobody interrupts and nobody reaches who has not signed in where that is asked for.
pub(super) fn to_the_end(handler: MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>> {
    handler.layer(middleware::from_fn(apart))
}

async fn apart(request: Request, next: Next) -> Response {
    // Another method of the same address.
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    // All that asks who calls lies below /api/v1, and the path here is without that.
    let what = format!("{} /api/v1{} takes a name.", request.method(), request.uri().path());
    // Whoever signs in or out has none yet, or none any more.
    let caller = request.extensions().get::<Caller>().cloned();
    // The process stops no sooner than the change is made.
    let held = request.extensions().get::<Held>().cloned();
    let change = tokio::spawn(async move {
        let _held = held;
        if let Some(caller) = caller
            && let Err(error) = caller.may_change(&what).await
        {
            return error.into_response();
        }
        next.run(request).await
    });
    change.await.unwrap_or_else(|error| ApiError::internal(&error).into_response())
}
