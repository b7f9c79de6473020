use super::{
    DbError,
    database::{Database, Transaction},
};

/// Sign-ins under way at most; the oldest go first, so that a flood of them takes no room.
const MAX_LOGINS: usize = 10_000;
/// Used tokens remembered at most; those that end first go first.
const MAX_USED: usize = 100_000;

/// A sign-in under way.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginRecord {
    /// SHA-256 of `state`.
    pub state_hash: [u8; 32],
    /// When it began, milliseconds since the epoch.
    pub created_ms: u64,
    /// SHA-256 of the secret in the browser that began it.
    pub browser_hash: [u8; 32],
    /// What the ID token must repeat.
    pub nonce: String,
    /// PKCE's verifier, encrypted by the caller.
    pub verifier: Vec<u8>,
    /// Where the browser goes afterwards; a path.
    pub return_to: String,
    /// Which provider.
    pub issuer: String,
}

impl std::fmt::Debug for LoginRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginRecord").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Sign-ins under way, and tokens out of use.
#[derive(Clone, Debug)]
pub struct Logins {
    database: Database,
}

impl Logins {
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Keeps one that begins.
    pub async fn begin(&self, login: &LoginRecord) -> Result<(), DbError> {
        let values = [
            (&login.state_hash).into(),
            login.created_ms.into(),
            (&login.browser_hash).into(),
            (&login.nonce).into(),
            login.verifier.as_slice().into(),
            (&login.return_to).into(),
            (&login.issuer).into(),
        ];
        self.database
            .run(
                "INSERT INTO logins (state_hash, created_ms, browser_hash, nonce, verifier, return_to, issuer) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                values,
            )
            .await?;
        self.database
            .run(
                "DELETE FROM logins WHERE state_hash IN \
                 (SELECT state_hash FROM logins ORDER BY created_ms DESC LIMIT 100 OFFSET $1)",
                [MAX_LOGINS.into()],
            )
            .await?;
        Ok(())
    }

    /// Takes one out: of all who ask, one alone gets it.
    pub async fn take(&self, state_hash: &[u8; 32]) -> Result<Option<LoginRecord>, DbError> {
        let sql = "DELETE FROM logins WHERE state_hash = $1 \
                   RETURNING created_ms, browser_hash, nonce, verifier, return_to, issuer";
        let Some(row) = self.database.row(sql, [state_hash.into()]).await? else { return Ok(None) };
        let browser_hash: Vec<u8> = row.get("browser_hash")?;
        Ok(Some(LoginRecord {
            state_hash: *state_hash,
            created_ms: row.number("created_ms")?,
            // A hash of another length equals no browser's.
            browser_hash: browser_hash.try_into().unwrap_or_default(),
            nonce: row.get("nonce")?,
            verifier: row.get("verifier")?,
            return_to: row.get("return_to")?,
            issuer: row.get("issuer")?,
        }))
    }

    /// Takes a token out of use until `until_ms`, from when on it has run out anyway.
    pub async fn retire(&self, token_hash: &[u8; 32], until_ms: u64) -> Result<(), DbError> {
        let retiring = async {
            let mut transaction = self.database.begin().await?;
            spend(&mut transaction, token_hash, until_ms).await?;
            transaction.commit().await
        };
        self.database.watched(retiring).await
    }

    /// Whether a token is out of use.
    pub async fn retired(&self, token_hash: &[u8; 32]) -> Result<bool, DbError> {
        let sql = "SELECT expires_ms FROM used_tokens WHERE jti_hash = $1";
        Ok(self.database.row(sql, [token_hash.into()]).await?.is_some())
    }

    /// Forgets those that began before `created_before_ms`, and used tokens that ended before `now_ms`.
    pub async fn delete_older(&self, created_before_ms: u64, now_ms: u64) -> Result<u64, DbError> {
        let logins = self.database.run("DELETE FROM logins WHERE created_ms < $1", [created_before_ms.into()]).await?;
        Ok(logins + self.database.run("DELETE FROM used_tokens WHERE expires_ms < $1", [now_ms.into()]).await?)
    }
}

/// Uses something up: true the first time alone. It is remembered until `expires_ms`, from when on its own end keeps it
/// from being used.
pub(super) async fn spend(
    transaction: &mut Transaction,
    jti_hash: &[u8; 32],
    expires_ms: u64,
) -> Result<bool, DbError> {
    let sql = "INSERT INTO used_tokens (jti_hash, expires_ms) VALUES ($1, $2) ON CONFLICT (jti_hash) DO NOTHING";
    if transaction.run(sql, vec![jti_hash.into(), expires_ms.into()]).await? == 0 {
        return Ok(false);
    }
    let sql = "DELETE FROM used_tokens WHERE jti_hash <> $1 AND jti_hash IN \
               (SELECT jti_hash FROM used_tokens ORDER BY expires_ms DESC LIMIT 100 OFFSET $2)";
    transaction.run(sql, vec![jti_hash.into(), MAX_USED.into()]).await?;
    Ok(true)
}
