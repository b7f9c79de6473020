//! The console's own storage: the only place with SQL. State that people need to keep and the embedded traces live in
//! separate files, so that ingest never holds up anything else.

mod edits;
mod traces;

use std::{path::Path, time::Duration};

use sqlx::{
    SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use self::{
    edits::{Edit, Edits},
    traces::{SpanRecord, TraceFilter, TraceStore},
};

static STATE_MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite");
static TRACE_MIGRATIONS: Migrator = sqlx::migrate!("../migrations/traces");

/// Why storage failed.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A statement failed.
    #[error("the database did not take a statement: {0}")]
    Statement(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the database schema could not be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A row does not hold what this version writes.
    #[error("a stored row cannot be read: {0}")]
    Row(#[from] serde_json::Error),
}

/// Opens the file with what people keep, created if it is missing.
pub async fn open_state(file: &Path) -> Result<Edits, DbError> {
    Ok(Edits::new(open(file, &STATE_MIGRATIONS).await?))
}

/// Opens the file with spans, created if it is missing; it holds about `max_spans`.
pub async fn open_traces(file: &Path, max_spans: usize) -> Result<TraceStore, DbError> {
    TraceStore::new(open(file, &TRACE_MIGRATIONS).await?, max_spans).await
}

async fn open(file: &Path, migrations: &Migrator) -> Result<SqlitePool, DbError> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5));
    let pool = SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(5))
        .connect_with(options)
        .await?;
    migrations.run(&pool).await?;
    Ok(pool)
}

#[cfg(test)]
mod tests;
