//! Parameters that a route does not take are refused: whoever mistypes one must not take all rows for those meant. So is
//! a value that cannot be read, by its name and with what it may be, as the description has it.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::Request,
    http::Method,
    middleware::{self, Next},
    response::IntoResponse,
    routing::MethodRouter,
};
use serde_json::Value;

use super::{Operation, Stated, operation::Shapes};
use crate::{app::App, http::ApiError};

/// The same handler, which sees no request that is read with other parameters than those that are told of it.
pub(super) fn strict(handler: MethodRouter<Arc<App>>, stated: &Stated) -> MethodRouter<Arc<App>> {
    let known: Arc<[Parameter]> = parameters(stated).into();
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

/// A parameter of the address.
struct Parameter {
    name: String,
    takes: Takes,
}

/// What can be read as its value; how much of that makes sense is the handler's business.
enum Takes {
    /// Anything.
    Text,
    /// A whole number, and what to say of others.
    Whole(String),
    Number,
    Flag,
    Address,
    /// One of these words.
    Choice(Vec<String>),
}

impl Parameter {
    fn read(told: &Value) -> Option<Self> {
        let name = told["name"].as_str()?.to_owned();
        let schema = &told["schema"];
        let words = told["description"].as_str().unwrap_or_default();
        let takes = match (schema["type"].as_str(), schema["format"].as_str()) {
            _ if !choices(schema).is_empty() => Takes::Choice(choices(schema)),
            (Some("integer"), _) => Takes::Whole(whole(&name, words, schema)),
            (Some("number"), _) => Takes::Number,
            (Some("boolean"), _) => Takes::Flag,
            (_, Some("ip")) => Takes::Address,
            _ => Takes::Text,
        };
        Some(Self { name, takes })
    }

    /// Why it cannot be `value`, if so.
    fn refuses(&self, value: &str) -> Option<ApiError> {
        let remedy: &str = match &self.takes {
            Takes::Whole(remedy) if value.parse::<u64>().is_err() => remedy,
            Takes::Number if value.parse::<f64>().is_err() => "Write a number, such as 250 or 0.5.",
            Takes::Flag if value.parse::<bool>().is_err() => "Write true or false.",
            Takes::Address if value.parse::<IpAddr>().is_err() => "Write an IP address, such as 10.0.0.7.",
            Takes::Choice(known) if !known.iter().any(|known| known == value) => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                return Some(ApiError::no_choice(&self.name, value, &known));
            }
            _ => return None,
        };
        Some(ApiError::unfit(&self.name, value, remedy))
    }
}

/// The words that a value is one of, if it is.
fn choices(schema: &Value) -> Vec<String> {
    let listed = schema["enum"].as_array().into_iter().flatten();
    let told = schema["oneOf"].as_array().into_iter().flatten().map(|one| &one["const"]);
    listed.chain(told).filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What to write where a whole number is wanted.
fn whole(name: &str, words: &str, schema: &Value) -> String {
    if name == "cursor" {
        return "Repeat what an answer gave as next.".to_owned();
    }
    if words.contains("milliseconds since the Unix epoch") {
        return "Write milliseconds since the Unix epoch, such as 1767225600000.".to_owned();
    }
    match (schema["minimum"].as_u64(), schema["maximum"].as_u64()) {
        (Some(least), Some(most)) => format!("Write a whole number from {least} to {most}."),
        (least, _) => format!("Write a whole number, {} or more.", least.unwrap_or_default()),
    }
}

/// The parameters that a route takes.
fn parameters(stated: &Stated) -> Vec<Parameter> {
    let mut shapes = Shapes::new();
    let mut operation = Operation::new(&mut shapes);
    (stated.describe)(&mut operation);
    let queries = operation.parameters.iter().filter(|parameter| parameter["in"] == "query");
    // Older names come after those that are told.
    let older = operation.also.iter().map(|name| Parameter { name: (*name).to_owned(), takes: Takes::Text });
    queries.filter_map(Parameter::read).chain(older).collect()
}

fn refused(known: &[Parameter], request: &Request) -> Option<ApiError> {
    let query = request.uri().query().filter(|_| matches!(*request.method(), Method::GET | Method::HEAD))?;
    unfit(known, query)
}

fn unfit(known: &[Parameter], query: &str) -> Option<ApiError> {
    url::form_urlencoded::parse(query.as_bytes()).find_map(|(name, value)| {
        let Some(parameter) = known.iter().find(|known| known.name == *name) else {
            let known: Vec<&str> = known.iter().map(|known| known.name.as_str()).collect();
            return Some(ApiError::unknown_parameter(&name, &known));
        };
        // Some handlers take an empty one for none.
        if value.is_empty() { None } else { parameter.refuses(&value) }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_that_cannot_be_read_is_named_with_what_it_may_be() {
        let known: Vec<Parameter> = [
            json!({"name": "window", "schema": {"type": "integer", "minimum": 10, "maximum": 604_800}}),
            json!({"name": "at", "description": "End, milliseconds since the Unix epoch.", "schema": {"type": "integer"}}),
            json!({"name": "view", "schema": {"oneOf": [{"const": "workload"}, {"const": "app"}]}}),
            json!({"name": "format", "schema": {"type": "string", "enum": ["csv", "json", null]}}),
            json!({"name": "idle", "schema": {"type": "boolean"}}),
            json!({"name": "address", "schema": {"type": "string", "format": "ip"}}),
        ]
        .iter()
        .filter_map(Parameter::read)
        .collect();
        assert!(unfit(&known, "window=60&at=1&view=app&format=csv&idle=true&address=%3A%3A1&at=").is_none());
        for (query, told) in [
            ("window=abc", "window cannot be “abc”. Write a whole number from 10 to 604800."),
            ("at=nope", "at cannot be “nope”. Write milliseconds since the Unix epoch, such as 1767225600000."),
            ("view=ap", "view cannot be “ap”. Did you mean app? It takes workload, app."),
            ("format=xml", "format cannot be “xml”. It takes csv, json."),
            ("idle=perhaps", "idle cannot be “perhaps”. Write true or false."),
            ("address=here", "address cannot be “here”. Write an IP address, such as 10.0.0.7."),
        ] {
            let error = unfit(&known, query).unwrap();
            assert_eq!(format!("{} {}", error.title(), error.detail()), told);
        }
        assert!(unfit(&known, &format!("window={}", "x".repeat(10_000))).unwrap().title().len() < 200);
    }
}
