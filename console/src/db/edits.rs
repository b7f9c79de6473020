use sqlx::{Row, SqlitePool, sqlite::SqliteRow};
use weft_model::ObjectRef;

use super::DbError;

/// One edit of a route's weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Names the edit.
    pub id: String,
    /// When, milliseconds since the epoch.
    pub at_ms: u64,
    /// The VirtualService.
    pub object: ObjectRef,
    /// Index in `spec.http`.
    pub route_index: usize,
    /// Weights before, in the order in which the destinations are written.
    pub weights_before: Vec<u32>,
    /// Weights after.
    pub weights_after: Vec<u32>,
    /// The file's revision before.
    pub revision_before: String,
    /// The file's revision after.
    pub revision_after: String,
    /// The edit that this one takes back.
    pub undoes: Option<String>,
}

/// The edits made on the page.
#[derive(Clone, Debug)]
pub struct Edits {
    pool: SqlitePool,
}

impl Edits {
    pub(super) fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }

    /// Keeps an edit.
    pub async fn record(&self, edit: &Edit) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO edits (id, at_ms, api_version, kind, namespace, name, route_index, weights_before, \
             weights_after, revision_before, revision_after, undoes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&edit.id)
        .bind(i64::try_from(edit.at_ms).unwrap_or(i64::MAX))
        .bind(&edit.object.api_version)
        .bind(&edit.object.kind)
        .bind(&edit.object.namespace)
        .bind(&edit.object.name)
        .bind(i64::try_from(edit.route_index).unwrap_or(i64::MAX))
        .bind(serde_json::to_string(&edit.weights_before)?)
        .bind(serde_json::to_string(&edit.weights_after)?)
        .bind(&edit.revision_before)
        .bind(&edit.revision_after)
        .bind(&edit.undoes)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// One edit by its id.
    pub async fn get(&self, id: &str) -> Result<Option<Edit>, DbError> {
        let row = sqlx::query("SELECT * FROM edits WHERE id = ?").bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(read).transpose()
    }

    /// Whether an edit was taken back already.
    pub async fn undone(&self, id: &str) -> Result<bool, DbError> {
        let row = sqlx::query("SELECT 1 FROM edits WHERE undoes = ?").bind(id).fetch_optional(&self.pool).await?;
        Ok(row.is_some())
    }

    /// Whether the database answers.
    pub async fn ready(&self) -> bool {
        sqlx::query("SELECT 1").execute(&self.pool).await.is_ok()
    }
}

fn read(row: &SqliteRow) -> Result<Edit, DbError> {
    Ok(Edit {
        id: row.try_get("id")?,
        at_ms: u64::try_from(row.try_get::<i64, _>("at_ms")?).unwrap_or_default(),
        object: ObjectRef {
            api_version: row.try_get("api_version")?,
            kind: row.try_get("kind")?,
            namespace: row.try_get("namespace")?,
            name: row.try_get("name")?,
        },
        route_index: usize::try_from(row.try_get::<i64, _>("route_index")?).unwrap_or_default(),
        weights_before: serde_json::from_str(row.try_get("weights_before")?)?,
        weights_after: serde_json::from_str(row.try_get("weights_after")?)?,
        revision_before: row.try_get("revision_before")?,
        revision_after: row.try_get("revision_after")?,
        undoes: row.try_get("undoes")?,
    })
}
