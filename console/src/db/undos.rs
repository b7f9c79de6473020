use super::{
    DbError,
    database::{Database, Row, Value},
};

/// Edits of one person that can be taken back at a time.
pub const MAX_UNDOS: usize = 64;
/// Bytes kept for them; an object has at most two million, and its file may hold several.
pub const MAX_UNDO_BYTES: usize = 8 * 1024 * 1024;
/// Bytes kept for everybody.
const MAX_BYTES: usize = 16 * MAX_UNDO_BYTES;

/// An edit, of a whole object or of weights, that can be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndoRecord {
    /// Names the edit.
    pub id: String,
    /// Who made it.
    pub owner: String,
    /// When, milliseconds since the epoch.
    pub at_ms: u64,
    /// How it is taken back; nobody reads it here.
    pub sealed: Vec<u8>,
}

/// Edits that can be taken back, each for a while.
#[derive(Clone, Debug)]
pub struct Undos {
    database: Database,
}

impl Undos {
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Keeps one; the oldest ones of its owner make room for it. `false` when it is too large for that.
    pub async fn keep(&self, undo: &UndoRecord) -> Result<bool, DbError> {
        if undo.sealed.len() > MAX_UNDO_BYTES {
            return Ok(false);
        }
        let values: [Value; 5] = [
            (&undo.id).into(),
            (&undo.owner).into(),
            undo.at_ms.into(),
            undo.sealed.len().into(),
            undo.sealed.as_slice().into(),
        ];
        let insert = "INSERT INTO undos (id, owner, at_ms, bytes, sealed) VALUES ($1, $2, $3, $4, $5)";
        self.database.run(insert, values).await?;
        let values: [Value; 3] = [(&undo.owner).into(), MAX_UNDOS.into(), MAX_UNDO_BYTES.into()];
        self.database
            .run(
                "DELETE FROM undos WHERE id IN (SELECT id FROM (SELECT id, \
                 ROW_NUMBER() OVER (ORDER BY at_ms DESC, id DESC) AS place, \
                 CAST(SUM(bytes) OVER (ORDER BY at_ms DESC, id DESC) AS BIGINT) AS total \
                 FROM undos WHERE owner = $1) AS own WHERE place > $2 OR total > $3)",
                values,
            )
            .await?;
        self.database
            .run(
                "DELETE FROM undos WHERE id IN (SELECT id FROM (SELECT id, \
                 CAST(SUM(bytes) OVER (ORDER BY at_ms DESC, id DESC) AS BIGINT) AS total FROM undos) AS everybodys \
                 WHERE total > $1)",
                [MAX_BYTES.into()],
            )
            .await?;
        Ok(true)
    }

    /// One of its owner's, by its id.
    pub async fn get(&self, id: &str, owner: &str) -> Result<Option<UndoRecord>, DbError> {
        let sql = "SELECT id, owner, at_ms, sealed FROM undos WHERE id = $1 AND owner = $2";
        let row = self.database.row(sql, [id.into(), owner.into()]).await?;
        row.as_ref().map(read).transpose()
    }

    /// Forgets one.
    pub async fn forget(&self, id: &str) -> Result<(), DbError> {
        self.database.run("DELETE FROM undos WHERE id = $1", [id.into()]).await?;
        Ok(())
    }

    /// Forgets those that were made before a time.
    pub async fn delete_older(&self, at_ms: u64) -> Result<(), DbError> {
        self.database.run("DELETE FROM undos WHERE at_ms < $1", [at_ms.into()]).await?;
        Ok(())
    }
}

fn read(row: &Row) -> Result<UndoRecord, DbError> {
    Ok(UndoRecord {
        id: row.get("id")?,
        owner: row.get("owner")?,
        at_ms: row.number("at_ms")?,
        sealed: row.get("sealed")?,
    })
}
