use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    ConnectOptions as _, Connection as _, Decode, Postgres, Row as _, SqlSafeStr, Sqlite, SqlitePool, Type,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow},
    sqlite::{
        SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};

use super::{DatabaseUrl, DbError, address::Place};

/// How long a statement waits for a connection, and SQLite for another program's lock.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a statement may take in all: a database that stopped answering must not hold up requests for ever.
const STATEMENT_WITHIN: Duration = Duration::from_secs(15);
/// Connections to Postgres; it has 100 in all by default, and several consoles may share it.
const POSTGRES_CONNECTIONS: u32 = 8;
/// More than a page of the file, so that writing it needs room.
const PROBE_BYTES: usize = 8 * 1024;

/// One database, whichever it is. Statements are the same text for both: `$1` counts parameters in both, and what both
/// know (`RETURNING`, `ON CONFLICT`) is enough here. An enum of the two pools, not sqlx's `Any`: that one takes no
/// options for SQLite's file and panics on types that it does not map.
#[derive(Clone, Debug)]
pub(super) struct Database {
    pool: Pool,
    /// A statement failed for a reason that may last; readiness then tries a write.
    troubled: Arc<AtomicBool>,
}

#[derive(Clone, Debug)]
enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A parameter.
#[derive(Debug)]
pub(super) enum Value {
    Text(Option<String>),
    Number(Option<i64>),
    Bytes(Option<Vec<u8>>),
    Flag(bool),
}

/// A row of either.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// Statements that hold together or not at all. What is not committed is taken back.
pub(super) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// A statement with its parameters bound; the same words for both kinds of query.
macro_rules! bound {
    ($sql:expr, $values:expr) => {{
        let mut query = sqlx::query($sql);
        for value in $values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
                Value::Bytes(bytes) => query.bind(bytes),
                Value::Flag(flag) => query.bind(flag),
            };
        }
        query
    }};
}

impl Database {
    pub(super) async fn sqlite(file: &Path, migrations: &Migrator) -> Result<Self, DbError> {
        Ok(Self::over(Pool::Sqlite(open_file(file, migrations).await?)))
    }

    pub(super) async fn postgres(options: PgConnectOptions, migrations: &Migrator) -> Result<Self, DbError> {
        let pool = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await?;
        migrations.run(&pool).await?;
        Ok(Self::over(Pool::Postgres(pool)))
    }

    fn over(pool: Pool) -> Self {
        Self { pool, troubled: Arc::default() }
    }

    /// Runs a statement; gives how many rows it touched.
    pub(super) async fn run(&self, sql: &'static str, values: impl Into<Vec<Value>>) -> Result<u64, DbError> {
        let values = values.into();
        let touched = async {
            Ok(match &self.pool {
                Pool::Sqlite(pool) => bound!(sql, values).execute(pool).await?.rows_affected(),
                Pool::Postgres(pool) => bound!(sql, values).execute(pool).await?.rows_affected(),
            })
        };
        self.watched(touched).await
    }

    /// Runs a statement to its end and gives all of its rows; whoever writes it bounds them.
    pub(super) async fn rows(&self, sql: &'static str, values: impl Into<Vec<Value>>) -> Result<Vec<Row>, DbError> {
        let values = values.into();
        let rows = async {
            Ok(match &self.pool {
                Pool::Sqlite(pool) => bound!(sql, values).fetch_all(pool).await?.into_iter().map(Row::Sqlite).collect(),
                Pool::Postgres(pool) => {
                    bound!(sql, values).fetch_all(pool).await?.into_iter().map(Row::Postgres).collect()
                }
            })
        };
        self.watched(rows).await
    }

    /// The first row, if there is one.
    pub(super) async fn row(&self, sql: &'static str, values: impl Into<Vec<Value>>) -> Result<Option<Row>, DbError> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// What SQLite would do, step by step.
    #[cfg(test)]
    pub(super) async fn explain(&self, sql: &str, values: Vec<Value>) -> Result<Vec<String>, DbError> {
        let Pool::Sqlite(pool) = &self.pool else { return Ok(Vec::new()) };
        let sql = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let rows = bound!(sql, values).fetch_all(pool).await?;
        Ok(rows.iter().map(|row| row.try_get("detail")).collect::<Result<_, _>>()?)
    }

    /// Begins a transaction; whoever runs it does so within [`Self::watched`].
    pub(super) async fn begin(&self) -> Result<Transaction, DbError> {
        Ok(match &self.pool {
            Pool::Sqlite(pool) => Transaction::Sqlite(pool.begin().await?),
            Pool::Postgres(pool) => Transaction::Postgres(pool.begin().await?),
        })
    }

    /// Gives some of what was deleted back to the file system; a Postgres does that by itself.
    pub(super) async fn give_back(&self) -> Result<(), DbError> {
        if let Pool::Sqlite(pool) = &self.pool {
            // A little at a time, so that nobody waits for it.
            sqlx::query("PRAGMA incremental_vacuum(500)").execute(pool).await?;
        }
        Ok(())
    }

    /// Runs something within the time that a statement may take, and remembers a failure that may last.
    pub(super) async fn watched<T>(&self, statement: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
        let within = STATEMENT_WITHIN;
        let done = tokio::time::timeout(within, statement).await.unwrap_or(Err(DbError::Slow(within.as_secs())));
        if let Err(error) = &done
            && error.is_condition()
        {
            tracing::warn!(%error, "the database failed");
            self.troubled.store(true, Ordering::Relaxed);
        }
        done
    }

    /// Whether it answers; and, after something failed, whether it takes writes again.
    pub(super) async fn ready(&self) -> Result<(), DbError> {
        self.rows("SELECT 1", []).await?;
        if self.troubled.load(Ordering::Relaxed) {
            self.run(
                "INSERT INTO probe (id, filler) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET filler = $1",
                ["x".repeat(PROBE_BYTES).into()],
            )
            .await?;
            self.run("DELETE FROM probe", []).await?;
            self.troubled.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Connections that are made from now on use the name and the password of `url`; a file has none.
    pub(super) fn renew(&self, url: &DatabaseUrl) -> Result<(), DbError> {
        if let (Pool::Postgres(pool), Place::Postgres(options)) = (&self.pool, url.place()?) {
            pool.set_connect_options(*options);
        }
        Ok(())
    }

    /// Closes its connections, after what they are doing.
    pub(super) async fn close(&self) {
        match &self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

/// Opens a file, made for its owner alone when it is missing, and brings its schema up to date.
pub(super) async fn open_file(file: &Path, migrations: &Migrator) -> Result<SqlitePool, DbError> {
    // Closed before SQLite opens it: to close a file anywhere in a process lets go of all POSIX locks that the process has
    // on it, and without its own another process takes away the log of writes from under this one.
    let made = OpenOptions::new().create(true).append(true).mode(0o600).open(file).map(drop);
    if let Err(error) = made
        && !file.exists()
    {
        return Err(DbError::Away(format!("{}: {error}", file.display())));
    }
    let options = SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .foreign_keys(true)
        .busy_timeout(PATIENCE);
    if std::fs::metadata(file).is_ok_and(|file| file.len() == 0) {
        // It is the file's own and set before the first table; on each connection it would ask for the write lock.
        options.clone().auto_vacuum(SqliteAutoVacuum::Incremental).connect().await?.close().await?;
    }
    let pool = SqlitePoolOptions::new().max_connections(4).acquire_timeout(PATIENCE).connect_with(options).await?;
    migrations.run(&pool).await?;
    Ok(pool)
}

impl Transaction {
    /// Runs a statement; gives how many rows it touched.
    pub(super) async fn run(&mut self, sql: impl SqlSafeStr, values: Vec<Value>) -> Result<u64, DbError> {
        Ok(match self {
            Self::Sqlite(on) => bound!(sql, values).execute(&mut **on).await?.rows_affected(),
            Self::Postgres(on) => bound!(sql, values).execute(&mut **on).await?.rows_affected(),
        })
    }

    /// Runs a statement to its end and gives all of its rows; whoever writes it bounds them.
    pub(super) async fn rows(&mut self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>, DbError> {
        Ok(match self {
            Self::Sqlite(on) => bound!(sql, values).fetch_all(&mut **on).await?.into_iter().map(Row::Sqlite).collect(),
            Self::Postgres(on) => {
                bound!(sql, values).fetch_all(&mut **on).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// The first row that a statement gives.
    pub(super) async fn row(&mut self, sql: &'static str, values: Vec<Value>) -> Result<Option<Row>, DbError> {
        Ok(match self {
            Self::Sqlite(on) => bound!(sql, values).fetch_optional(&mut **on).await?.map(Row::Sqlite),
            Self::Postgres(on) => bound!(sql, values).fetch_optional(&mut **on).await?.map(Row::Postgres),
        })
    }

    pub(super) async fn commit(self) -> Result<(), DbError> {
        match self {
            Self::Sqlite(on) => on.commit().await?,
            Self::Postgres(on) => on.commit().await?,
        }
        Ok(())
    }
}

impl Row {
    /// A column's value.
    pub(super) fn get<T>(&self, column: &str) -> Result<T, DbError>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>,
    {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    /// A number that is never negative.
    pub(super) fn number(&self, column: &str) -> Result<u64, DbError> {
        Ok(u64::try_from(self.get::<i64>(column)?).unwrap_or_default())
    }

    /// The same where there may be none.
    pub(super) fn maybe_number(&self, column: &str) -> Result<Option<u64>, DbError> {
        Ok(self.get::<Option<i64>>(column)?.map(|number| u64::try_from(number).unwrap_or_default()))
    }
}

impl From<String> for Value {
    /// Postgres has no NUL in texts; U+FFFD stands for one.
    fn from(text: String) -> Self {
        Self::Text(Some(if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        text.clone().into()
    }
}

impl From<&Option<String>> for Value {
    fn from(text: &Option<String>) -> Self {
        text.as_ref().map_or(Self::Text(None), Self::from)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(Some(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(Some(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl From<Option<u64>> for Value {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::Number(None), Self::from)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(Some(bytes.to_vec()))
    }
}

impl From<&[u8; 32]> for Value {
    fn from(bytes: &[u8; 32]) -> Self {
        bytes.as_slice().into()
    }
}

impl From<Option<&[u8]>> for Value {
    fn from(bytes: Option<&[u8]>) -> Self {
        Self::Bytes(bytes.map(<[u8]>::to_vec))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

#[cfg(test)]
mod tests;
