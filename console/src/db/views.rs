use super::{
    DbError,
    database::{Database, Row, Value},
};

/// Views of one person at most.
pub const MAX_OF_OWNER: usize = 100;
/// Views listed at once: one's own and those that others share.
const MAX_LISTED: usize = 500;

/// A saved view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewRecord {
    /// Names it.
    pub id: String,
    /// Who saved it.
    pub owner: String,
    /// Its name; one owner has each name once.
    pub name: String,
    /// The page's address, at most 4 kB.
    pub location: String,
    /// Whether everybody sees it.
    pub shared: bool,
    /// When it was saved last, milliseconds since the epoch.
    pub created_ms: u64,
}

/// Views that people named.
#[derive(Clone, Debug)]
pub struct Views {
    database: Database,
}

impl Views {
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Keeps a view, in place of the owner's one of the same name if there is one, which keeps its id. `None` when the
    /// owner has as many as fit.
    pub async fn save(&self, view: &ViewRecord) -> Result<Option<ViewRecord>, DbError> {
        let values = [
            (&view.id).into(),
            (&view.owner).into(),
            (&view.name).into(),
            (&view.location).into(),
            view.shared.into(),
            view.created_ms.into(),
            MAX_OF_OWNER.into(),
        ];
        let row = self
            .database
            .row(
                "INSERT INTO views (id, owner, name, location, shared, created_ms) SELECT $1, $2, $3, $4, $5, $6 \
                 WHERE (SELECT COUNT(*) FROM views WHERE owner = $2) < $7 \
                 OR EXISTS (SELECT 1 FROM views WHERE owner = $2 AND name = $3) \
                 ON CONFLICT (owner, name) DO UPDATE SET location = excluded.location, shared = excluded.shared, \
                 created_ms = excluded.created_ms RETURNING id, owner, name, location, shared, created_ms",
                values,
            )
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// One's own views and those that others share, by name.
    pub async fn list(&self, owner: &str) -> Result<Vec<ViewRecord>, DbError> {
        let sql = "SELECT * FROM views WHERE owner = $1 OR shared ORDER BY (CASE WHEN owner = $1 THEN 0 ELSE 1 END), \
                   name, id LIMIT $2";
        let values: [Value; 2] = [owner.into(), MAX_LISTED.into()];
        self.database.rows(sql, values).await?.iter().map(read).collect()
    }

    /// Deletes one of one's own, or with `any_owner` anybody's; gives it, if there was one.
    pub async fn delete(&self, id: &str, owner: &str, any_owner: bool) -> Result<Option<ViewRecord>, DbError> {
        let values: [Value; 3] = [id.into(), owner.into(), any_owner.into()];
        let sql = "DELETE FROM views WHERE id = $1 AND (owner = $2 OR $3) \
                   RETURNING id, owner, name, location, shared, created_ms";
        self.database.row(sql, values).await?.as_ref().map(read).transpose()
    }
}

fn read(row: &Row) -> Result<ViewRecord, DbError> {
    Ok(ViewRecord {
        id: row.get("id")?,
        owner: row.get("owner")?,
        name: row.get("name")?,
        location: row.get("location")?,
        shared: row.get("shared")?,
        created_ms: row.number("created_ms")?,
    })
}
