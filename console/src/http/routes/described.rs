//! What handlers take and answer, by their types.

use std::{future::Future, marker::PhantomData, net::SocketAddr};

use axum::{
    Form, Json,
    extract::{ConnectInfo, Path, Query, State},
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response, Sse},
};
use schemars::JsonSchema;

use super::Operation;
use crate::{auth::Caller, http::ApiError};

/// A handler whose types are read; `A` is what it takes.
pub(in crate::http) trait Described<A> {
    /// Says what it takes and answers.
    fn describe(operation: &mut Operation<'_>);
}

/// An argument of a handler. What says nothing is no part of the address or the body.
pub(in crate::http) trait Takes {
    /// Says what a request has to bring for it.
    fn describe(_operation: &mut Operation<'_>) {}
}

/// What a handler returns.
pub(in crate::http) trait Answers {
    /// Says what the response is.
    fn describe(_operation: &mut Operation<'_>) {}
}

macro_rules! described {
    ($($takes:ident),+) => {
        impl<F, R, A, $($takes),+> Described<($($takes,)+)> for F
        where
            F: Fn($($takes),+) -> R,
            R: Future<Output = A>,
            A: Answers,
            $($takes: Takes),+
        {
            fn describe(operation: &mut Operation<'_>) {
                $(<$takes as Takes>::describe(operation);)+
                A::describe(operation);
            }
        }
    };
}

described!(T1);
described!(T1, T2);
described!(T1, T2, T3);
described!(T1, T2, T3, T4);
described!(T1, T2, T3, T4, T5);

impl<S> Takes for State<S> {}
impl Takes for Caller {}
impl Takes for HeaderMap {}
impl Takes for Uri {}
impl Takes for ConnectInfo<SocketAddr> {}
/// The address' own parts are read off its pattern.
impl<T> Takes for Path<T> {}

impl<T: JsonSchema> Takes for Query<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.query::<T>();
    }
}

impl<T: JsonSchema> Takes for Json<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.body::<T>("application/json");
    }
}

impl<T: JsonSchema> Takes for Form<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.body::<T>("application/x-www-form-urlencoded");
    }
}

impl<T: Takes, E> Takes for Result<T, E> {
    fn describe(operation: &mut Operation<'_>) {
        T::describe(operation);
    }
}

impl<T: JsonSchema> Answers for Json<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.answer::<T>(StatusCode::OK);
    }
}

impl<T: JsonSchema> Answers for (StatusCode, Json<T>) {
    fn describe(operation: &mut Operation<'_>) {
        operation.answer::<T>(StatusCode::CREATED);
    }
}

/// Of the handlers that answer with a status alone.
impl Answers for StatusCode {
    fn describe(operation: &mut Operation<'_>) {
        operation.done(StatusCode::NO_CONTENT, None, "Done.");
    }
}

impl<T: Answers> Answers for Result<T, ApiError> {
    fn describe(operation: &mut Operation<'_>) {
        T::describe(operation);
    }
}

/// The route says what it answers.
impl Answers for Response {}
impl<S> Answers for Sse<S> {}

/// A response that was put together by hand, whose body is the JSON of `T`.
pub(in crate::http) struct Shaped<T> {
    response: Response,
    shape: PhantomData<fn() -> T>,
}

impl<T> From<Response> for Shaped<T> {
    fn from(response: Response) -> Self {
        Self { response, shape: PhantomData }
    }
}

impl<T> IntoResponse for Shaped<T> {
    fn into_response(self) -> Response {
        self.response
    }
}

impl<T: JsonSchema> Answers for Shaped<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.answer::<T>(StatusCode::OK);
    }
}
