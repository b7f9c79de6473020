use super::{Database, Pool};
use crate::db::{DbError, SQLITE_MIGRATIONS};

/// Runs a pragma on each connection that there can be: pragmas are a connection's own.
async fn on_each(database: &Database, pragma: &'static str) {
    let Pool::Sqlite(pool) = &database.pool else { panic!("SQLite") };
    let mut connections = Vec::new();
    for _ in 0..4 {
        let mut connection = pool.acquire().await.unwrap();
        sqlx::query(pragma).execute(&mut *connection).await.unwrap();
        connections.push(connection);
    }
}

async fn fill(database: &Database) -> Result<u64, DbError> {
    let sql = "INSERT INTO views (id, owner, name, location, shared, created_ms) VALUES ($1, $1, $1, $2, $3, $4)";
    let mut written = 0;
    loop {
        written += 1;
        let id = format!("{written}");
        database.run(sql, [id.into(), "x".repeat(4096).into(), false.into(), 1_u64.into()]).await?;
        if written == 1000 {
            return Ok(written);
        }
    }
}

#[tokio::test]
async fn a_full_file_is_told_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::sqlite(&dir.path().join("console.db"), &SQLITE_MIGRATIONS).await.unwrap();
    on_each(&database, "PRAGMA max_page_count = 100").await;
    let error = fill(&database).await.unwrap_err();
    assert!(matches!(error, DbError::Full(_)), "{error:?}");
    assert!(error.remedy().unwrap().contains("room"));
    assert!(matches!(database.ready().await, Err(DbError::Full(_))), "readiness says so until it is mended");
    let held = database.row("SELECT COUNT(*) AS held FROM views", []).await.unwrap().unwrap().number("held").unwrap();
    assert!(held > 10, "what was written before is there: {held}");
    on_each(&database, "PRAGMA max_page_count = 100000").await;
    database.ready().await.unwrap();
    database.run("DELETE FROM views", []).await.unwrap();
    assert_eq!(fill(&database).await.unwrap(), 1000);
}

#[tokio::test]
async fn a_read_only_file_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::sqlite(&dir.path().join("console.db"), &SQLITE_MIGRATIONS).await.unwrap();
    on_each(&database, "PRAGMA query_only = ON").await;
    let error = fill(&database).await.unwrap_err();
    assert!(matches!(error, DbError::ReadOnly(_)), "{error:?}");
    assert!(matches!(database.ready().await, Err(DbError::ReadOnly(_))));
    on_each(&database, "PRAGMA query_only = OFF").await;
    database.ready().await.unwrap();
}

/// Without them another process that opens and closes the file removes the log of writes from under this one, and what is
/// written then is lost (<https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_>).
#[tokio::test]
async fn locks_on_the_file_are_kept() {
    use std::os::unix::fs::MetadataExt;

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("console.db");
    let database = Database::sqlite(&file, &SQLITE_MIGRATIONS).await.unwrap();
    database.run("DELETE FROM views", []).await.unwrap();
    let inode = format!(":{} ", std::fs::metadata(&file).unwrap().ino());
    let own = format!(" {} ", std::process::id());
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    let held = locks.lines().any(|line| line.contains(&own) && line.contains(&inode));
    assert!(held, "no lock on inode {inode}in:\n{locks}");
}
