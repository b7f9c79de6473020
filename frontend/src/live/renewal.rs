use std::{cell::RefCell, rc::Rc};

use leptos::{prelude::*, task::spawn_local};

use crate::{api, state::App, turns::Turns};

/// Asks for what an event only says to be new.
#[derive(Clone, Default)]
pub struct Renewal(Rc<RefCell<Turns>>);

impl Renewal {
    fn ask<F: Future<Output = ()> + 'static>(&self, question: impl Fn() -> F + 'static) {
        if !self.0.borrow_mut().begin() {
            return;
        }
        let turns = self.0.clone();
        spawn_local(async move {
            loop {
                question().await;
                if !turns.borrow_mut().end() {
                    break;
                }
            }
        });
    }
}

/// Asks for the present graph. A failure is not shown: the stream says what is wrong with the console, and the graph that is
/// shown says how old it is.
pub fn graph(app: App, renewal: &Renewal) {
    renewal.ask(move || async move {
        let view = app.view.get_untracked();
        // A moment of the past stays as it is.
        if view.graph.at_ms > 0 {
            return;
        }
        let answer = api::graph(&view).await;
        if answer.is_ok() && app.paused.get_untracked().is_none() {
            app.take_graph_of(&view, answer);
        }
    });
}

/// Asks for all objects.
pub fn config(app: App, renewal: &Renewal) {
    renewal.ask(move || async move {
        let answer = api::config().await;
        if answer.is_ok() && app.paused.get_untracked().is_none() {
            app.config.update(|load| load.settle(answer));
        }
    });
}
