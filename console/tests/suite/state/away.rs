//! A database that is locked, read-only or away: an error that a person understands, nothing lost, and it works again.

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use weft_console::db::{AddressFile, DatabaseUrl, DbError, State, ViewRecord, open_traces};

use super::open;
use crate::parts::{Postgres, until};

fn view(id: &str) -> ViewRecord {
    ViewRecord {
        id: id.into(),
        owner: "ada".into(),
        name: id.into(),
        location: "/graph".into(),
        shared: false,
        created_ms: 1,
    }
}

#[tokio::test]
async fn a_locked_file_is_told_and_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let state = weft_console::db::State::open(&DatabaseUrl::in_directory(dir.path())).await.unwrap();
    state.views.save(&view("v1")).await.unwrap();
    let file = SqliteConnectOptions::new().filename(dir.path().join("console.db"));
    let mut other = SqliteConnection::connect_with(&file).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();

    let error = state.views.save(&view("v2")).await.unwrap_err();
    assert!(matches!(error, DbError::Locked(_)), "{error:?}");
    assert!(error.to_string().starts_with("the database is locked by another program"), "{error}");
    let ready = state.ready().await;
    assert!(matches!(ready, Err(DbError::Locked(_))), "readiness says so as well: {ready:?}");
    assert_eq!(state.views.list("ada").await.unwrap().len(), 1, "reading goes on");

    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    state.ready().await.unwrap();
    state.views.save(&view("v2")).await.unwrap();
    assert_eq!(state.views.list("ada").await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state 1?.db");
    let state = open(&format!("sqlite:{}", file.display())).await;
    state.views.save(&view("v1")).await.unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
    assert!(file.is_file());
    let nowhere = weft_console::db::State::open(&"sqlite:/nowhere/at/all.db".parse().unwrap()).await;
    assert!(matches!(nowhere, Err(DbError::Away(_))), "{nowhere:?}");
}

#[tokio::test]
async fn a_postgres_that_crashes_is_told_and_comes_back() {
    let mut server = Postgres::start();
    let state = open(&server.database().await).await;
    state.views.save(&view("v1")).await.unwrap();
    server.crash();
    let error = state.views.save(&view("v2")).await.unwrap_err();
    assert!(matches!(error, DbError::Away(_)), "{error:?}");
    assert!(matches!(state.ready().await, Err(DbError::Away(_))));
    server.come_back();
    until("it is ready again", async || state.ready().await.ok()).await;
    state.views.save(&view("v2")).await.unwrap();
    assert_eq!(state.views.list("ada").await.unwrap().len(), 2, "nothing is lost");
}

#[tokio::test]
async fn a_standby_is_told_and_its_promotion_noticed() {
    let server = Postgres::shared();
    let url = server.database().await;
    let name = url.split(['/', '?']).nth(3).unwrap();
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    let state = open(&url).await;
    // New connections read only, as after a primary became a standby.
    server.administrate(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    server.administrate(&end).await;
    let error = state.views.save(&view("v1")).await.unwrap_err();
    assert!(matches!(error, DbError::ReadOnly(_)), "{error:?}");
    assert!(matches!(state.ready().await, Err(DbError::ReadOnly(_))));
    assert_eq!(state.views.list("ada").await.unwrap(), [], "reading goes on");

    server.administrate(&format!("ALTER DATABASE {name} SET default_transaction_read_only = off")).await;
    server.administrate(&end).await;
    until("it takes writes again", async || state.ready().await.ok()).await;
    state.views.save(&view("v1")).await.unwrap();
}

/// The roles stand for passwords, which a server that trusts everybody on its socket does not ask for.
#[tokio::test]
async fn a_renewed_password_is_used_without_a_restart() {
    let server = Postgres::shared();
    let url = server.database().await;
    let name = url.split(['/', '?']).nth(3).unwrap();
    server
        .administrate(&format!("CREATE ROLE old_{name} LOGIN SUPERUSER; CREATE ROLE new_{name} LOGIN SUPERUSER"))
        .await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let hold = |user: &str| {
        std::fs::write(file.path(), format!("{}\n", url.replace("weft@", &format!("{user}_{name}@")))).unwrap();
    };
    hold("old");
    let address = AddressFile::open(file.path().to_owned()).unwrap();
    let state = State::open(address.url()).await.unwrap();
    let traces = open_traces(address.url(), file.path(), 1000).await.unwrap();
    let followed = tokio::spawn(address.follow(state.clone(), traces.clone()));

    server.administrate(&format!("ALTER ROLE old_{name} NOLOGIN")).await;
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    server.administrate(&end).await;
    until("the old one is refused", async || state.ready().await.err()).await;
    hold("new");
    until("the new one is used", async || state.ready().await.ok()).await;
    state.views.save(&view("v1")).await.unwrap();
    traces.write(&[]).await.unwrap();
    followed.abort();
    state.close().await;
    traces.close().await;
}

#[tokio::test]
async fn consoles_that_start_at_once_share_one_postgres() {
    let url = Postgres::shared().database().await;
    let states = futures::future::join_all((0..4).map(|_| open(&url))).await;
    states[0].views.save(&view("v1")).await.unwrap();
    assert_eq!(states[3].views.list("ada").await.unwrap().len(), 1);
}
