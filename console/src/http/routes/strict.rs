//! Parameters that a route does not take are refused: whoever mistypes one must not take all rows for those meant.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::Method,
    middleware::{self, Next},
    response::IntoResponse,
    routing::MethodRouter,
};

use super::{Operation, Stated, operation::Shapes};
use crate::{app::App, http::ApiError};

/// The same handler, which sees no request that is read with other parameters than those that are told of it.
pub(super) fn strict(handler: MethodRouter<Arc<App>>, stated: &Stated) -> MethodRouter<Arc<App>> {
    let known: Arc<[String]> = parameters(stated).into();
    handler.layer(middleware::from_fn(move |request: Request, next: Next| {
        let refusal = refused(&known, &request);
        async move {
            match refusal {
                Some(error) => error.into_response(),
                None => next.run(request).await,
            }
        }
    }))
}

/// Names of the parameters that a route takes.
fn parameters(stated: &Stated) -> Vec<String> {
    let mut shapes = Shapes::new();
    let mut operation = Operation::new(&mut shapes);
    (stated.describe)(&mut operation);
    let queries = operation.parameters.iter().filter(|parameter| parameter["in"] == "query");
    let told = queries.filter_map(|parameter| parameter["name"].as_str());
    // Older names come after those that are told.
    told.chain(operation.also.iter().copied()).map(str::to_owned).collect()
}

fn refused(known: &[String], request: &Request) -> Option<ApiError> {
    let query = request.uri().query().filter(|_| matches!(*request.method(), Method::GET | Method::HEAD))?;
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let asked = url::form_urlencoded::parse(query.as_bytes());
    let unknown = asked.map(|(name, _)| name).find(|name| !known.contains(&&**name))?;
    Some(ApiError::unknown_parameter(&unknown, &known))
}
