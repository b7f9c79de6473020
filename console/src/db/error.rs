use sqlx::migrate::MigrateError;

/// Why storage failed. The first five are conditions that pass or that somebody mends: what was asked was not done, and
/// can be asked again.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// It cannot be reached.
    #[error("the database does not answer: {0}")]
    Away(String),
    /// It answers too slowly.
    #[error("the database did not answer within {0} s")]
    Slow(u64),
    /// Another program holds its lock.
    #[error("the database is locked by another program: {0}")]
    Locked(String),
    /// It has no room left.
    #[error("the database is full: {0}")]
    Full(String),
    /// It takes no writes.
    #[error("the database is read-only: {0}")]
    ReadOnly(String),
    /// A statement failed.
    #[error("the database did not take a statement: {0}")]
    Statement(#[source] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the database schema could not be brought up to date: {0}")]
    Migration(#[source] MigrateError),
    /// A row does not hold what this version writes.
    #[error("a stored row cannot be read: {0}")]
    Row(#[from] serde_json::Error),
    /// The address names no database that can be used.
    #[error("{0}")]
    Address(String),
}

impl DbError {
    /// Whether it is a condition of the database as a whole, not of one statement.
    pub fn is_condition(&self) -> bool {
        self.remedy().is_some()
    }

    /// What to do about a condition.
    pub fn remedy(&self) -> Option<&'static str> {
        Some(match self {
            Self::Away(_) => "Look at whether the database that --database names runs and can be reached from here.",
            Self::Slow(_) => "Look at what the database is busy with, and at the network between.",
            Self::Locked(_) => "End the other program that has the file open, or give it time to finish.",
            Self::Full(_) => "Make room on the disk of the database.",
            Self::ReadOnly(_) => "Make the database writable: look at the file's permissions, or name the primary.",
            _ => return None,
        })
    }

    /// What happened and what to do, as sentences.
    pub fn in_full(&self) -> String {
        format!("{self}. {}", self.remedy().unwrap_or_default()).trim_end().to_owned()
    }

    /// Whether a rule of the schema forbids it, such as a second row with one key.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Statement(sqlx::Error::Database(error))
            if error.is_unique_violation() || error.is_foreign_key_violation())
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Away(error.to_string()),
            sqlx::Error::Database(ref database) => {
                let words = database.message().to_owned();
                condition(database.code().as_deref().unwrap_or_default(), words)
                    .unwrap_or_else(|| Self::Statement(error))
            }
            other => Self::Statement(other),
        }
    }
}

impl From<MigrateError> for DbError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) => error.into(),
            other => Self::Migration(other),
        }
    }
}

/// By SQLite's result code (a number; the low byte is the primary one) or Postgres' SQLSTATE (five characters).
fn condition(code: &str, words: String) -> Option<DbError> {
    Some(match code {
        // disk_full; out_of_memory is the machine's.
        "53100" => DbError::Full(words),
        // read_only_sql_transaction: a standby.
        "25006" => DbError::ReadOnly(words),
        // lock_not_available, deadlock_detected.
        "55P03" | "40P01" => DbError::Locked(words),
        // too_many_connections; shut down by an administrator, by a crash, not up yet; connections that broke.
        "53300" | "57P01" | "57P02" | "57P03" => DbError::Away(words),
        code if code.len() == 5 && code.starts_with("08") => DbError::Away(words),
        code => match code.parse::<u32>().ok().filter(|_| code.len() < 5)? & 0xff {
            // SQLITE_BUSY, SQLITE_LOCKED
            5 | 6 => DbError::Locked(words),
            // SQLITE_READONLY
            8 => DbError::ReadOnly(words),
            // SQLITE_IOERR, SQLITE_CANTOPEN
            10 | 14 => DbError::Away(words),
            // SQLITE_FULL
            13 => DbError::Full(words),
            _ => return None,
        },
    })
}
