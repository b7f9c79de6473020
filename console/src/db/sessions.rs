use super::{
    DbError,
    database::{Database, Row, Value},
    logins,
};

/// Sessions kept at most; the ones that were idle longest go first.
const MAX_SESSIONS: usize = 100_000;

/// What ended at a provider (OpenID Connect Back-Channel Logout 1.0, 2.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndedThere {
    /// Everything of one person.
    Person {
        /// The provider's name for them (`sub`).
        subject: String,
    },
    /// One session of the provider, whose it may be.
    Session {
        /// The provider's id of it (`sid`).
        sid: String,
    },
    /// One session of one person.
    SessionOf {
        /// The provider's name for them (`sub`).
        subject: String,
        /// The provider's id of the session (`sid`).
        sid: String,
    },
}

/// Which limit a session reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// Nobody used it.
    Idle,
    /// Its absolute end came.
    Longest,
}

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

    /// Ends what ended at the provider, as a token says that counts once and until `until_ms`; gives whose sessions they
    /// were, `None` when the token was used already. All of it happens or nothing, so that a token whose sessions could
    /// not be ended counts when it is sent again.
    pub async fn end_there(
        &self,
        issuer: &str,
        ended: &EndedThere,
        token_hash: &[u8; 32],
        until_ms: u64,
    ) -> Result<Option<Vec<String>>, DbError> {
        let (sql, values): (_, Vec<Value>) = match ended {
            EndedThere::Person { subject } => (
                "DELETE FROM sessions WHERE issuer = $1 AND subject = $2 RETURNING name",
                vec![issuer.into(), subject.into()],
            ),
            EndedThere::Session { sid } => {
                ("DELETE FROM sessions WHERE issuer = $1 AND sid = $2 RETURNING name", vec![issuer.into(), sid.into()])
            }
            // One whose session at the provider is not known may be the one.
            EndedThere::SessionOf { subject, sid } => (
                "DELETE FROM sessions WHERE issuer = $1 AND subject = $2 AND (sid = $3 OR sid IS NULL) RETURNING name",
                vec![issuer.into(), subject.into(), sid.into()],
            ),
        };
        let ending = async {
            let mut transaction = self.database.begin().await?;
            if !logins::spend(&mut transaction, token_hash, until_ms).await? {
                return Ok(None);
            }
            let rows = transaction.rows(sql, values).await?;
            transaction.commit().await?;
            let names: Vec<String> = rows.iter().map(|row| row.get("name")).collect::<Result<_, DbError>>()?;
            Ok(Some(names))
        };
        self.database.watched(ending).await
    }

    /// Ends some of those not seen since `idle_before_ms` and of those whose end has come, at most `most`; gives whose
    /// they were and why. Of several consoles that ask at once each is given others.
    pub async fn lapse(&self, idle_before_ms: u64, now_ms: u64, most: usize) -> Result<Vec<(String, Lapse)>, DbError> {
        let values: [Value; 3] = [idle_before_ms.into(), now_ms.into(), most.into()];
        // The condition stands twice: somebody may be seen between the two.
        let sql = "DELETE FROM sessions WHERE (last_seen_ms <= $1 OR expires_ms <= $2) AND id_hash IN \
                   (SELECT id_hash FROM sessions WHERE last_seen_ms <= $1 OR expires_ms <= $2 LIMIT $3) \
                   RETURNING name, expires_ms";
        let rows = self.database.rows(sql, values).await?;
        let read = |row: &Row| {
            let lapse = if row.number("expires_ms")? <= now_ms { Lapse::Longest } else { Lapse::Idle };
            Ok::<_, DbError>((row.get::<String>("name")?, lapse))
        };
        rows.iter().map(read).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{DatabaseUrl, State};

    /// The database fails between the token and the sessions: the provider tries again, and is heard.
    #[tokio::test]
    async fn a_logout_that_failed_counts_when_it_is_sent_again() {
        let dir = tempfile::tempdir().unwrap();
        let State { sessions, .. } = State::open(&DatabaseUrl::in_directory(dir.path())).await.unwrap();
        let ada = SessionRecord {
            id_hash: [1; 32],
            created_ms: 1,
            last_seen_ms: 1,
            expires_ms: 1000,
            subject: "ada".into(),
            name: "ada@example.org".into(),
            email: None,
            groups: Vec::new(),
            issuer: "https://id.example".into(),
            sid: Some("s".into()),
            tokens: None,
            tokens_expire_ms: None,
        };
        sessions.create(&ada).await.unwrap();
        let fails = "CREATE TRIGGER held BEFORE DELETE ON sessions BEGIN SELECT RAISE(ABORT, 'held by the test'); END";
        sessions.database.run(fails, []).await.unwrap();
        let ended = EndedThere::Session { sid: "s".into() };
        let end = async || sessions.end_there("https://id.example", &ended, &[9; 32], 1000).await;
        end().await.unwrap_err();
        sessions.database.run("DROP TRIGGER held", []).await.unwrap();
        assert_eq!(end().await.unwrap(), Some(vec!["ada@example.org".to_owned()]));
        assert_eq!(end().await.unwrap(), None, "it counts once");
    }
}
