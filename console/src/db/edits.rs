use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use weft_model::ObjectRef;

use super::{
    DbError,
    database::{Database, Row, Value},
};

/// For how long an edit may be intended, in milliseconds; by then whoever meant to make it has failed.
const INTENTION_MS: u64 = 60_000;
/// Edits kept; the oldest go first.
const MAX_EDITS: u64 = 20_000;
/// Old ones are deleted at every so many new ones of a console, the first included.
const PRUNE_EVERY: u64 = 64;

/// The first two parameters are bounds that an index finds; they are no letters, so that they are bounds in whatever order a
/// Postgres has texts in, which may be one of dictionaries.
const OF_OBJECT: &str = "SELECT * FROM edits WHERE id >= $1 AND id <= $2 AND substr(id, 1, length($1)) = $1 \
    AND revision_after <> '' ORDER BY id";
/// Behind the id of an object's edit; the index of a route is less.
const LAST: &str = "99999999";

/// One edit of a route's weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Names the edit.
    pub id: String,
    /// When, milliseconds since the epoch.
    pub at_ms: u64,
    /// Who made it.
    pub by: String,
    /// The VirtualService.
    pub object: ObjectRef,
    /// Index in `spec.http`; of routes of opaque connections see [`weft_model::canary::place`].
    pub route_index: usize,
    /// Weights before, in the order in which the destinations are written.
    pub weights_before: Vec<u32>,
    /// Weights after.
    pub weights_after: Vec<u32>,
    /// The file's revision before.
    pub revision_before: String,
    /// The file's revision after; empty while the edit is only intended.
    pub revision_after: String,
    /// The edit that this one takes back.
    pub undoes: Option<String>,
}

/// The edits made on the page.
#[derive(Clone, Debug)]
pub struct Edits {
    database: Database,
    max_edits: u64,
    intended: Arc<AtomicU64>,
}

impl Edits {
    pub(super) fn new(database: Database) -> Self {
        Self { database, max_edits: MAX_EDITS, intended: Arc::default() }
    }

    /// The same, keeping another number of edits, at least one.
    #[must_use]
    pub fn keeping(self, max_edits: u64) -> Self {
        Self { max_edits, ..self }
    }

    /// Writes an edit down before it is made: one without a `revision_after`, which shows nowhere until it is completed.
    /// Refused ([`DbError::is_refused`]) when it takes back what was taken back already.
    pub async fn intend(&self, edit: &Edit) -> Result<(), DbError> {
        // What a console that crashed left behind must not be in the way.
        let values: [Value; 2] = [(&edit.undoes).into(), edit.at_ms.saturating_sub(INTENTION_MS).into()];
        let stale = "DELETE FROM edits WHERE undoes = $1 AND revision_after = '' AND at_ms < $2";
        self.database.run(stale, values).await?;
        if self.intended.fetch_add(1, Ordering::Relaxed).is_multiple_of(PRUNE_EVERY)
            && let Err(error) = self.prune().await
        {
            // Nobody who moves weights has to wait for this; it is tried again after as many more.
            tracing::warn!(%error, "old edits of weights could not be deleted; look at the database");
        }
        let values = [
            (&edit.id).into(),
            edit.at_ms.into(),
            (&edit.by).into(),
            (&edit.object.api_version).into(),
            (&edit.object.kind).into(),
            (&edit.object.namespace).into(),
            (&edit.object.name).into(),
            edit.route_index.into(),
            serde_json::to_string(&edit.weights_before)?.into(),
            serde_json::to_string(&edit.weights_after)?.into(),
            (&edit.revision_before).into(),
            "".into(),
            (&edit.undoes).into(),
        ];
        self.database
            .run(
                "INSERT INTO edits (id, at_ms, made_by, api_version, kind, namespace, name, route_index, weights_before, \
                 weights_after, revision_before, revision_after, undoes) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
                values,
            )
            .await?;
        Ok(())
    }

    async fn prune(&self) -> Result<(), DbError> {
        let oldest = "SELECT at_ms FROM edits ORDER BY at_ms DESC LIMIT 1 OFFSET $1";
        let Some(row) = self.database.row(oldest, [self.max_edits.saturating_sub(1).into()]).await? else {
            return Ok(());
        };
        let kept_from_ms = row.number("at_ms")?;
        // What took back one that goes stays, and is a move like others.
        let freed = "UPDATE edits SET undoes = NULL \
                     WHERE at_ms >= $1 AND undoes IN (SELECT id FROM edits WHERE at_ms < $1)";
        self.database.run(freed, [kept_from_ms.into()]).await?;
        self.database.run("DELETE FROM edits WHERE at_ms < $1", [kept_from_ms.into()]).await?;
        Ok(())
    }

    /// The edit was made.
    pub async fn complete(&self, id: &str, revision_after: &str) -> Result<(), DbError> {
        let values: [Value; 2] = [id.into(), revision_after.into()];
        self.database.run("UPDATE edits SET revision_after = $2 WHERE id = $1", values).await?;
        Ok(())
    }

    /// The edit was not made.
    pub async fn withdraw(&self, id: &str) -> Result<(), DbError> {
        self.database.run("DELETE FROM edits WHERE id = $1 AND revision_after = ''", [id.into()]).await?;
        Ok(())
    }

    /// One edit that was made, by its id.
    pub async fn get(&self, id: &str) -> Result<Option<Edit>, DbError> {
        let sql = "SELECT * FROM edits WHERE id = $1 AND revision_after <> ''";
        self.database.row(sql, [id.into()]).await?.as_ref().map(read).transpose()
    }

    /// Whether an edit was taken back already.
    pub async fn undone(&self, id: &str) -> Result<bool, DbError> {
        Ok(self
            .database
            .row("SELECT id FROM edits WHERE undoes = $1 AND revision_after <> ''", [id.into()])
            .await?
            .is_some())
    }

    /// What one edit of a whole object did to routes: the edits whose ids are `prefix` and a number, or
    /// several with points between them.
    pub async fn of_object(&self, prefix: &str) -> Result<Vec<Edit>, DbError> {
        let rows = self.database.rows(OF_OBJECT, [prefix.into(), format!("{prefix}{LAST}").into()]).await?;
        rows.iter().map(read).collect()
    }

    /// The edits of one route, newest first; the version in which the object is written does not matter.
    pub async fn of_route(&self, object: &ObjectRef, route_index: usize, limit: usize) -> Result<Vec<Edit>, DbError> {
        let values = [
            (&object.kind).into(),
            (&object.namespace).into(),
            (&object.name).into(),
            route_index.into(),
            limit.into(),
        ];
        let rows = self
            .database
            .rows(
                "SELECT * FROM edits WHERE kind = $1 AND namespace = $2 AND name = $3 AND route_index = $4 \
                 AND revision_after <> '' ORDER BY at_ms DESC, id DESC LIMIT $5",
                values,
            )
            .await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<Edit, DbError> {
    Ok(Edit {
        id: row.get("id")?,
        at_ms: row.number("at_ms")?,
        by: row.get("made_by")?,
        object: ObjectRef {
            api_version: row.get("api_version")?,
            kind: row.get("kind")?,
            namespace: row.get("namespace")?,
            name: row.get("name")?,
        },
        route_index: usize::try_from(row.number("route_index")?).unwrap_or_default(),
        weights_before: serde_json::from_str(&row.get::<String>("weights_before")?)?,
        weights_after: serde_json::from_str(&row.get::<String>("weights_after")?)?,
        revision_before: row.get("revision_before")?,
        revision_after: row.get("revision_after")?,
        undoes: row.get("undoes")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{DatabaseUrl, State};

    fn edit(at_ms: u64) -> Edit {
        Edit {
            id: format!("{at_ms}"),
            at_ms,
            by: "ada".to_owned(),
            object: ObjectRef {
                api_version: "networking.istio.io/v1".to_owned(),
                kind: "VirtualService".to_owned(),
                namespace: "shop".to_owned(),
                name: "cart".to_owned(),
            },
            route_index: 0,
            weights_before: vec![90, 10],
            weights_after: vec![80, 20],
            revision_before: "a".to_owned(),
            revision_after: String::new(),
            undoes: None,
        }
    }

    #[tokio::test]
    async fn an_edit_does_not_fail_because_old_ones_cannot_be_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&DatabaseUrl::in_directory(dir.path())).await.unwrap();
        let edits = state.edits.clone();
        for at_ms in [1, 2] {
            edits.intend(&edit(at_ms)).await.unwrap();
        }
        let kept = "CREATE TRIGGER kept BEFORE DELETE ON edits BEGIN SELECT RAISE(ABORT, 'kept'); END";
        edits.database.run(kept, []).await.unwrap();
        // The first of a console deletes what another one left.
        let another = Edits::new(edits.database.clone()).keeping(1);
        another.prune().await.expect_err("they cannot be deleted");
        another.intend(&edit(3)).await.unwrap();
        another.complete("3", "b").await.unwrap();
        assert!(another.get("3").await.unwrap().is_some());
    }

    #[tokio::test]
    async fn what_an_edit_of_an_object_did_is_found_by_an_index() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&DatabaseUrl::in_directory(dir.path())).await.unwrap();
        let values = vec!["e1.".into(), format!("e1.{LAST}").into()];
        let plan = state.edits.database.explain(OF_OBJECT, values).await.unwrap();
        assert!(plan.iter().any(|step| step.contains("(id>? AND id<?)")), "{plan:?}");
    }
}
