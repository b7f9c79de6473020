//! The console's own storage: the only place with SQL. What people need to keep is in one database, SQLite's or
//! Postgres'; the embedded traces have a file of their own, so that ingest never holds up anything else.

mod address;
mod audit;
mod database;
mod edits;
mod error;
mod logins;
mod sessions;
mod traces;
mod views;

use std::path::Path;

use sqlx::migrate::Migrator;

pub use self::{
    address::DatabaseUrl,
    audit::{Audit, AuditFilter, AuditRecord},
    edits::{Edit, Edits},
    error::DbError,
    logins::{LoginRecord, Logins},
    sessions::{SessionRecord, Sessions},
    traces::{SpanRecord, TraceFilter, TraceStore},
    views::{MAX_OF_OWNER, ViewRecord, Views},
};
use self::{address::Place, database::Database};

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("../migrations/postgres");
static TRACE_MIGRATIONS: Migrator = sqlx::migrate!("../migrations/traces");

/// What people need to keep. A clone is another handle on the same database; several consoles may share one Postgres.
#[derive(Clone, Debug)]
pub struct State {
    /// Moves of weights.
    pub edits: Edits,
    /// Who is signed in.
    pub sessions: Sessions,
    /// Sign-ins under way.
    pub logins: Logins,
    /// Who did what.
    pub audit: Audit,
    /// Saved views.
    pub views: Views,
    database: Database,
}

impl State {
    /// Opens the database and brings its schema up to date. A file is created if it is missing.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, DbError> {
        let database = match url.place()? {
            Place::Sqlite(file) => Database::sqlite(&file, &SQLITE_MIGRATIONS).await?,
            Place::Postgres(options) => Database::postgres(*options, &POSTGRES_MIGRATIONS).await?,
        };
        Ok(Self {
            edits: Edits::new(database.clone()),
            sessions: Sessions::new(database.clone()),
            logins: Logins::new(database.clone()),
            audit: Audit::new(database.clone()),
            views: Views::new(database.clone()),
            database,
        })
    }

    /// Whether the database answers, and takes writes again if one failed; otherwise why.
    pub async fn ready(&self) -> Result<(), DbError> {
        self.database.ready().await
    }

    /// Closes its connections, after what they are doing.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

/// Opens the file with spans, created if it is missing; it holds about `max_spans`.
pub async fn open_traces(file: &Path, max_spans: usize) -> Result<TraceStore, DbError> {
    TraceStore::new(database::open_file(file, &TRACE_MIGRATIONS).await?, max_spans).await
}

#[cfg(test)]
mod tests;
