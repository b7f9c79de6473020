//! The console's own storage: the only place with SQL. What people need to keep is in one database, SQLite's or
//! Postgres'; the embedded traces have a file or connections of their own, so that ingest never holds up anything else.

mod address;
mod audit;
mod database;
mod edits;
mod error;
mod logins;
mod renewed;
mod sessions;
mod traces;
mod undos;
mod views;

use std::{path::Path, sync::LazyLock};

use sqlx::migrate::Migrator;

pub use self::{
    address::DatabaseUrl,
    audit::{Audit, AuditAbout, AuditFilter, AuditRecord, MAX_NAMESPACES, MAX_OBJECTS},
    edits::{Edit, Edits},
    error::DbError,
    logins::{LoginRecord, Logins},
    renewed::AddressFile,
    sessions::{EndedThere, Lapse, SessionRecord, Sessions},
    traces::{Cursor, MAX_TAGS, SpanRecord, TraceFilter, TracePoint, TraceStore},
    undos::{MAX_UNDO_BYTES, MAX_UNDOS, UndoRecord, Undos},
    views::{MAX_OF_OWNER, ViewRecord, Views},
};
use self::{address::Place, database::Database};

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("../migrations/postgres");
static SQLITE_TRACES: Migrator = sqlx::migrate!("../migrations/traces/sqlite");
/// Beside the others in one database, so it counts in a table of its own.
static POSTGRES_TRACES: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!("../migrations/traces/postgres");
    migrations.dangerous_set_table_name("_sqlx_trace_migrations");
    migrations
});

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
    /// Edits of whole objects and of weights that can be taken back.
    pub undos: Undos,
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
            undos: Undos::new(database.clone()),
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

/// Opens what holds spans, about `max_spans`: the Postgres that `url` names, or else `file`, created if it is missing.
pub async fn open_traces(url: &DatabaseUrl, file: &Path, max_spans: usize) -> Result<TraceStore, DbError> {
    let database = match url.place()? {
        Place::Sqlite(_) => Database::sqlite(file, &SQLITE_TRACES).await?,
        Place::Postgres(options) => Database::postgres(*options, &POSTGRES_TRACES).await?,
    };
    TraceStore::new(database, max_spans).await
}
