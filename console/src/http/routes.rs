//! Routes that say what they are. One list makes the router and the OpenAPI document, so that neither has what the other
//! lacks; what a route takes and answers is read off its handler's types.

mod changes;
mod described;
mod document;
mod operation;
mod strict;

use std::{borrow::Cow, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    handler::Handler,
    routing::{MethodRouter, delete as on_delete, get as on_get, post as on_post},
};

use self::described::Described;
pub(super) use self::{
    described::{Shaped, Takes},
    document::document,
    operation::Operation,
};
use crate::app::App;

/// One method of one address.
pub(super) struct Route {
    handler: MethodRouter<Arc<App>>,
    stated: Stated,
    /// Whether it changes something.
    changes: bool,
}

/// What is said of a route.
#[derive(Clone)]
struct Stated {
    method: &'static str,
    path: Cow<'static, str>,
    summary: Cow<'static, str>,
    describe: fn(&mut Operation<'_>),
    /// Whether its answers have an entity tag.
    tagged: bool,
    /// Whether it is behind the guards of the API: known callers, and no writes from elsewhere.
    guarded: bool,
    /// What it answers where its handler's type does not tell: status, media type, words.
    answers: Option<(u16, Option<&'static str>, &'static str)>,
}

macro_rules! methods {
    ($($name:ident $on:ident $method:literal),*) => { $(
        #[doc = concat!("`", $method, "` at `path`; `summary` is a sentence for whoever reads the document.")]
        pub(super) fn $name<H, M, A>(
            path: impl Into<Cow<'static, str>>,
            summary: impl Into<Cow<'static, str>>,
            handler: H,
        ) -> Route
        where
            H: Handler<M, Arc<App>> + Described<A>,
            M: 'static,
        {
            let stated = Stated {
                method: $method,
                path: path.into(),
                summary: summary.into(),
                describe: <H as Described<A>>::describe,
                tagged: false,
                guarded: true,
                answers: None,
            };
            let changes = stated.method != "get";
            Route { handler: $on(handler), stated, changes }
        }
    )* };
}

methods!(get on_get "get", post on_post "post", delete on_delete "delete");

impl Route {
    /// Changes nothing: what it is asked is only too long for an address.
    pub(super) fn asking(mut self) -> Self {
        self.changes = false;
        self
    }

    /// Takes a body of up to so many bytes.
    pub(super) fn up_to(mut self, bytes: usize) -> Self {
        self.handler = self.handler.layer(DefaultBodyLimit::max(bytes));
        self
    }

    /// Its answers have a tag, which it or a layer around it gives them.
    pub(super) fn tagged(mut self) -> Self {
        self.stated.tagged = true;
        self
    }

    /// Its answers may be kept, as `layer` says of them, and have a tag for that.
    pub(super) fn kept_by(self, layer: impl FnOnce(MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>>) -> Self {
        self.behind(layer).tagged()
    }

    /// Answers what its handler's type does not tell: a status, a media type if there is a body, and words.
    pub(super) fn answering(mut self, status: u16, media: Option<&'static str>, words: &'static str) -> Self {
        self.stated.answers = Some((status, media, words));
        self
    }

    /// Runs the handler behind `layer`, which changes nothing of what is said.
    pub(super) fn behind(mut self, layer: impl FnOnce(MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>>) -> Self {
        self.handler = layer(self.handler);
        self
    }
}

/// Routes with what is said of them.
#[derive(Default)]
pub(super) struct Routes {
    router: Router<Arc<App>>,
    stated: Vec<Stated>,
    /// Whether parameters that a route does not take are refused.
    strict: bool,
}

impl Routes {
    /// None yet; those that come refuse parameters that they do not take.
    pub(super) fn strict() -> Self {
        Self { strict: true, ..Self::default() }
    }

    /// One more. What changes something takes a name, and is done to the end, whoever hangs up.
    pub(super) fn with(mut self, route: Route) -> Self {
        let handler = if route.changes { changes::to_the_end(route.handler) } else { route.handler };
        let handler = if self.strict { strict::strict(handler, &route.stated) } else { handler };
        self.router = self.router.route(&route.stated.path, handler);
        self.stated.push(route.stated);
        self
    }

    /// All of another list as well.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.stated.extend(other.stated);
        self
    }

    /// Puts a layer around all so far.
    pub(super) fn behind(mut self, layer: impl FnOnce(Router<Arc<App>>) -> Router<Arc<App>>) -> Self {
        self.router = layer(self.router);
        self
    }

    /// None of them asks who calls.
    pub(super) fn for_everybody(mut self) -> Self {
        self.stated.iter_mut().for_each(|stated| stated.guarded = false);
        self
    }

    /// What answers.
    pub(super) fn into_router(self) -> Router<Arc<App>> {
        self.router
    }
}

#[cfg(test)]
mod tests;
