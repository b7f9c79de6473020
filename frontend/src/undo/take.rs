//! Taking an edit back, wherever the page offers it.

use leptos::prelude::Update;

use super::edit;
use crate::{api, state::App};

/// Takes a change back and tells what came of it.
pub async fn take_back(app: App, change: &str) {
    match api::undo(change).await {
        Ok(_) => {
            withdraw(app, change);
            app.toast("Taken back: all is as it was before.", false, None);
            app.canaries.update(|load| load.error = None);
            if let Ok(list) = api::canaries().await {
                app.canaries.update(|load| load.settle(Ok(list)));
            }
        }
        Err(problem) => {
            // What was changed again stays so, however often it is asked for.
            if problem.kind == "conflict" {
                withdraw(app, change);
            }
            app.toast(format!("Not taken back. {} {}", problem.title, problem.detail), true, None);
        }
    }
}

/// The message that offers the same goes.
fn withdraw(app: App, change: &str) {
    app.toasts.update(|toasts| toasts.retain(|toast| toast.undo.as_ref().is_none_or(|undo| undo.id != edit(change))));
}
