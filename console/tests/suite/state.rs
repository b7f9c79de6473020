//! What people keep, on SQLite and on Postgres: each statement runs on both.

mod away;
mod people;
mod records;
mod traces;
mod undos;

use weft_console::db::{DatabaseUrl, State};

use crate::parts::Postgres;

/// Runs a test on each database, an empty one of its own.
async fn on_both(test: impl AsyncFn(State)) {
    eprintln!("on SQLite");
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(&DatabaseUrl::in_directory(dir.path())).await.unwrap();
    test(state.clone()).await;
    state.close().await;
    eprintln!("on Postgres");
    let state = open(&Postgres::shared().database().await).await;
    test(state.clone()).await;
    state.close().await;
}

async fn open(url: &str) -> State {
    State::open(&url.parse().unwrap()).await.unwrap()
}
