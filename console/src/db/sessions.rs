use super::{
    DbError,
    database::{Database, Row, Value},
};

/// Sessions kept at most; the ones that were idle longest go first.
const MAX_SESSIONS: usize = 100_000;

/// Somebody who is signed in.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// SHA-256 of the cookie's secret.
    pub id_hash: [u8; 32],
    /// When they signed in, milliseconds since the epoch.
    pub created_ms: u64,
    /// When they were last seen.
    pub last_seen_ms: u64,
    /// When the session ends, whatever happens until then.
    pub expires_ms: u64,
    /// The provider's name for them (`sub`).
    pub subject: String,
    /// The name that people know.
    pub name: String,
    /// Their address.
    pub email: Option<String>,
    /// Their groups.
    pub groups: Vec<String>,
    /// Who said so (`iss`).
    pub issuer: String,
    /// The provider's id of its own session (`sid`).
    pub sid: Option<String>,
    /// The provider's tokens, encrypted by the caller.
    pub tokens: Option<Vec<u8>>,
    /// When the access token among them ends.
    pub tokens_expire_ms: Option<u64>,
}

impl std::fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionRecord").field("name", &self.name).field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Who is signed in.
#[derive(Clone, Debug)]
pub struct Sessions {
    database: Database,
}

impl Sessions {
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Keeps a new session.
    pub async fn create(&self, session: &SessionRecord) -> Result<(), DbError> {
        let values = [
            (&session.id_hash).into(),
            session.created_ms.into(),
            session.last_seen_ms.into(),
            session.expires_ms.into(),
            (&session.subject).into(),
            (&session.name).into(),
            (&session.email).into(),
            serde_json::to_string(&session.groups)?.into(),
            (&session.issuer).into(),
            (&session.sid).into(),
            session.tokens.as_deref().into(),
            session.tokens_expire_ms.into(),
        ];
        self.database
            .run(
                "INSERT INTO sessions (id_hash, created_ms, last_seen_ms, expires_ms, subject, name, email, member_of, \
                 issuer, sid, tokens, tokens_expire_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                values,
            )
            .await?;
        self.database
            .run(
                "DELETE FROM sessions WHERE id_hash IN \
                 (SELECT id_hash FROM sessions ORDER BY last_seen_ms DESC LIMIT 100 OFFSET $1)",
                [MAX_SESSIONS.into()],
            )
            .await?;
        Ok(())
    }

    /// One session. Whether it has ended already is for the caller to say.
    pub async fn get(&self, id_hash: &[u8; 32]) -> Result<Option<SessionRecord>, DbError> {
        let row = self.database.row("SELECT * FROM sessions WHERE id_hash = $1", [id_hash.into()]).await?;
        row.as_ref().map(|row| read(row, *id_hash)).transpose()
    }

    /// Notes that somebody was seen; never sets the time back.
    pub async fn touch(&self, id_hash: &[u8; 32], last_seen_ms: u64) -> Result<(), DbError> {
        self.database
            .run(
                "UPDATE sessions SET last_seen_ms = $2 WHERE id_hash = $1 AND last_seen_ms < $2",
                [id_hash.into(), last_seen_ms.into()],
            )
            .await?;
        Ok(())
    }

    /// Says when tokens are due again, if it still says `due_ms`; tells whether it did. Of several consoles that want to
    /// renew them one gets the turn, because a refresh token works once.
    pub async fn claim_renewal(&self, id_hash: &[u8; 32], due_ms: u64, next_ms: u64) -> Result<bool, DbError> {
        let values = [id_hash.into(), due_ms.into(), next_ms.into()];
        let sql = "UPDATE sessions SET tokens_expire_ms = $3 WHERE id_hash = $1 AND tokens_expire_ms = $2";
        Ok(self.database.run(sql, values).await? > 0)
    }

    /// Keeps what a renewal gave: tokens, and the name and groups that the provider tells by now. A session that ended
    /// meanwhile stays ended.
    pub async fn renew(&self, session: &SessionRecord) -> Result<(), DbError> {
        let values = [
            (&session.id_hash).into(),
            (&session.name).into(),
            (&session.email).into(),
            serde_json::to_string(&session.groups)?.into(),
            session.tokens.as_deref().into(),
            session.tokens_expire_ms.into(),
        ];
        let sql = "UPDATE sessions SET name = $2, email = $3, member_of = $4, tokens = $5, tokens_expire_ms = $6 \
                   WHERE id_hash = $1";
        self.database.run(sql, values).await?;
        Ok(())
    }

    /// Ends one; says whether there was one.
    pub async fn delete(&self, id_hash: &[u8; 32]) -> Result<bool, DbError> {
        Ok(self.database.run("DELETE FROM sessions WHERE id_hash = $1", [id_hash.into()]).await? > 0)
    }

    /// Ends those that belong to one session at the provider; gives whose they were.
    pub async fn delete_by_sid(&self, issuer: &str, sid: &str) -> Result<Vec<String>, DbError> {
        let sql = "DELETE FROM sessions WHERE issuer = $1 AND sid = $2 RETURNING name";
        let rows = self.database.rows(sql, [issuer.into(), sid.into()]).await?;
        rows.iter().map(|row| row.get("name")).collect()
    }

    /// Ends all of one person; gives whose they were, each by its own name for the person.
    pub async fn delete_by_subject(&self, issuer: &str, subject: &str) -> Result<Vec<String>, DbError> {
        let sql = "DELETE FROM sessions WHERE issuer = $1 AND subject = $2 RETURNING name";
        let rows = self.database.rows(sql, [issuer.into(), subject.into()]).await?;
        rows.iter().map(|row| row.get("name")).collect()
    }

    /// Ends those not seen since `idle_before_ms` and those whose end has come; gives how many.
    pub async fn delete_older(&self, idle_before_ms: u64, now_ms: u64) -> Result<u64, DbError> {
        let values: [Value; 2] = [idle_before_ms.into(), now_ms.into()];
        self.database.run("DELETE FROM sessions WHERE last_seen_ms < $1 OR expires_ms <= $2", values).await
    }

    /// How many there are, ended ones that nobody deleted yet included.
    pub async fn count(&self) -> Result<u64, DbError> {
        let row = self.database.row("SELECT COUNT(*) AS held FROM sessions", []).await?;
        row.map_or(Ok(0), |row| row.number("held"))
    }
}

fn read(row: &Row, id_hash: [u8; 32]) -> Result<SessionRecord, DbError> {
    Ok(SessionRecord {
        id_hash,
        created_ms: row.number("created_ms")?,
        last_seen_ms: row.number("last_seen_ms")?,
        expires_ms: row.number("expires_ms")?,
        subject: row.get("subject")?,
        name: row.get("name")?,
        email: row.get("email")?,
        groups: serde_json::from_str(&row.get::<String>("member_of")?)?,
        issuer: row.get("issuer")?,
        sid: row.get("sid")?,
        tokens: row.get("tokens")?,
        tokens_expire_ms: row.maybe_number("tokens_expire_ms")?,
    })
}
