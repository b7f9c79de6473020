//! Join tokens: what a new proxy shows once, to be given its first certificate.
//!
//! A token is `weft1.<id>.<secret>.<root hash>`. The record in `tokens/<id>.json` holds only the secret's SHA-256; the
//! secret is 256 random bits, so a plain hash cannot be searched. The hash of the root lets the proxy authenticate the
//! operator on first contact.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use weft_model::SpiffeId;
use weft_runtime::StartupError;

use super::{
    authority::hex,
    state_dir::{self, Lock, StateDir},
};

/// First part of every join token.
pub const PREFIX: &str = "weft1";
/// Records larger than this are not ours.
const MAX_RECORD: u64 = 16 * 1024;

/// A join token. Neither `Debug` nor an error shows its secret.
#[derive(Clone)]
pub struct JoinToken {
    id: String,
    secret: [u8; 32],
    root_hash: String,
}

/// The text is not a join token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a join token (weft1.<id>.<secret>.<root hash>)")]
pub struct InvalidToken;

impl JoinToken {
    /// Names the record; not secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Hex SHA-256 of the root certificate that the operator must show.
    pub fn root_hash(&self) -> &str {
        &self.root_hash
    }

    /// The whole token, secret included.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}.{}.{}.{}", self.id, URL_SAFE_NO_PAD.encode(self.secret), self.root_hash)
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinToken({})", self.id)
    }
}

impl FromStr for JoinToken {
    type Err = InvalidToken;
    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let mut parts = text.trim().split('.');
        let (Some(PREFIX), Some(id), Some(secret), Some(root), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidToken);
        };
        if !valid_id(id) || root.len() != 64 || !root.bytes().all(lower_hex) {
            return Err(InvalidToken);
        }
        let secret = URL_SAFE_NO_PAD.decode(secret).map_err(|_| InvalidToken)?;
        let secret = secret.try_into().map_err(|_| InvalidToken)?;
        Ok(Self { id: id.to_owned(), secret, root_hash: root.to_owned() })
    }
}

fn lower_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

/// Only such ids ever become part of a path.
pub(super) fn valid_id(id: &str) -> bool {
    id.len() == 16 && id.bytes().all(lower_hex)
}

/// What the operator keeps of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRecord {
    /// The token's id and the file's name.
    pub id: String,
    /// Hex SHA-256 of the secret.
    pub secret_sha256: String,
    /// Namespace that the token speaks for.
    pub namespace: String,
    /// Service account that the token speaks for.
    pub service_account: String,
    /// When it was made, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// From when on it is refused, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// Certificates that it can still obtain; never zero in a file.
    pub uses_left: u32,
}

/// Wishes for a new token.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Namespace to speak for.
    pub namespace: String,
    /// Service account to speak for.
    pub service_account: String,
    /// How long it is good.
    pub ttl: Duration,
    /// How many certificates it obtains; at least 1.
    pub uses: u32,
}

/// Why a token was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Not a Kubernetes name.
    #[error("{0:?} is no name: namespaces and service accounts are lower-case letters, digits, '-' and '.'")]
    Name(String),
    /// Zero uses or no lifetime.
    #[error("a token needs at least one use and a lifetime between a second and ten years")]
    Empty,
    /// The record could not be written.
    #[error("cannot write the token's record: {0}")]
    Io(#[from] io::Error),
    /// The record could not be written to the cluster.
    #[error("cannot write the token's record: {0}")]
    Cluster(#[source] Box<kube::Error>),
}

/// Why a token was refused. Whoever shows it is told only that it was; the log has the reason.
#[derive(Debug, thiserror::Error)]
pub enum RedeemError {
    /// Not the shape of a token.
    #[error(transparent)]
    Invalid(#[from] InvalidToken),
    /// Never made, used up, revoked or swept away.
    #[error("no such token (used up, revoked, expired or never made)")]
    Unknown,
    /// The secret does not belong to the id.
    #[error("the secret is wrong")]
    Secret,
    /// Too late.
    #[error("expired at {0}")]
    Expired(OffsetDateTime),
    /// Made for another root, or altered on the way to the proxy.
    #[error("it names a root certificate that is not ours")]
    Root,
    /// The record could not be read or written.
    #[error("the token's record: {0}")]
    Io(#[from] io::Error),
    /// The cluster's record could not be read or written.
    #[error("the token's record: {0}")]
    Cluster(#[source] Box<kube::Error>),
    /// Others changed the records again and again.
    #[error("the token's record is being changed by others")]
    Contended,
}

/// Makes a token and its record; keeping the record is the caller's.
pub(super) fn mint(
    wish: &NewToken,
    root_hash: &str,
    now: OffsetDateTime,
) -> Result<(JoinToken, TokenRecord), CreateError> {
    for name in [&wish.namespace, &wish.service_account] {
        // Whatever may stand in an identity is a name.
        let sample = SpiffeId::new("cluster.local", name, name).to_string();
        sample.parse::<SpiffeId>().map_err(|_| CreateError::Name(name.clone()))?;
    }
    let now = now.replace_nanosecond(0).unwrap_or(now);
    let ttl_allowed = (Duration::from_secs(1)..=Duration::from_secs(10 * 365 * 24 * 3600)).contains(&wish.ttl);
    if wish.uses == 0 || !ttl_allowed {
        return Err(CreateError::Empty);
    }
    let token = JoinToken {
        id: format!("{:016x}", rand::random::<u64>()),
        secret: rand::random(),
        root_hash: root_hash.to_owned(),
    };
    let record = TokenRecord {
        id: token.id.clone(),
        secret_sha256: hex(&Sha256::digest(token.secret)),
        namespace: wish.namespace.clone(),
        service_account: wish.service_account.clone(),
        created_at: now,
        expires_at: now + wish.ttl,
        uses_left: wish.uses,
    };
    Ok((token, record))
}

/// Takes one use of a record, if the token is good. A record without uses left is to be removed.
pub(super) fn spend(
    token: &JoinToken,
    record: TokenRecord,
    trusts_root: impl Fn(&str) -> bool,
    now: OffsetDateTime,
) -> Result<TokenRecord, RedeemError> {
    let shown = hex(&Sha256::digest(token.secret));
    if !bool::from(shown.as_bytes().ct_eq(record.secret_sha256.as_bytes())) {
        return Err(RedeemError::Secret);
    }
    if record.expires_at <= now {
        return Err(RedeemError::Expired(record.expires_at));
    }
    if !trusts_root(&token.root_hash) {
        return Err(RedeemError::Root);
    }
    Ok(TokenRecord { uses_left: record.uses_left.saturating_sub(1), ..record })
}

/// The records of outstanding tokens. Several processes may use one directory; every change is made under its lock.
#[derive(Clone, Debug)]
pub struct TokenStore {
    dir: PathBuf,
}

impl TokenStore {
    /// Opens `tokens/` of the state directory.
    pub fn open(state: &StateDir) -> Result<Self, StartupError> {
        Ok(Self { dir: state.subdir("tokens")? })
    }

    /// Makes a token and its record.
    pub fn create(
        &self,
        wish: &NewToken,
        root_hash: &str,
        now: OffsetDateTime,
    ) -> Result<(JoinToken, TokenRecord), CreateError> {
        let minted = mint(wish, root_hash, now)?;
        let _lock = Lock::take(&self.dir)?;
        self.write(&minted.1)?;
        Ok(minted)
    }

    /// Outstanding tokens, soonest to expire first. Expired ones are removed on the way.
    pub fn list(&self, now: OffsetDateTime) -> io::Result<Vec<TokenRecord>> {
        let _lock = Lock::take(&self.dir)?;
        let mut records = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let id = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| valid_id(stem));
            let (Some(id), Some("json")) = (id, path.extension().and_then(|extension| extension.to_str())) else {
                continue;
            };
            match self.read(id) {
                Ok(Some(record)) if record.expires_at > now => records.push(record),
                Ok(Some(_)) => fs::remove_file(&path)?,
                Ok(None) => {}
                Err(error) => tracing::warn!(path = %path.display(), %error, "token record not readable"),
            }
        }
        records.sort_by(|a, b| (a.expires_at, &a.id).cmp(&(b.expires_at, &b.id)));
        Ok(records)
    }

    /// Removes a token; tells whether there was one.
    pub fn revoke(&self, id: &str) -> io::Result<bool> {
        if !valid_id(id) {
            return Ok(false);
        }
        let _lock = Lock::take(&self.dir)?;
        match fs::remove_file(self.path(id)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes one use of a token and tells whom it speaks for: namespace and service account. Blocks on the disk. Of any
    /// number of callers at once, as many get through as the token has uses.
    pub fn redeem(
        &self,
        presented: &str,
        trusts_root: impl Fn(&str) -> bool,
        now: OffsetDateTime,
    ) -> Result<TokenRecord, RedeemError> {
        let token: JoinToken = presented.parse()?;
        let _lock = Lock::take(&self.dir)?;
        let record = self.read(&token.id)?.ok_or(RedeemError::Unknown)?;
        let id = record.id.clone();
        let record = match spend(&token, record, trusts_root, now) {
            Err(RedeemError::Expired(at)) => {
                fs::remove_file(self.path(&id))?;
                return Err(RedeemError::Expired(at));
            }
            spent => spent?,
        };
        if record.uses_left == 0 {
            fs::remove_file(self.path(&record.id))?;
        } else {
            self.write(&record)?;
        }
        Ok(record)
    }

    fn path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.json"))
    }

    fn read(&self, id: &str) -> io::Result<Option<TokenRecord>> {
        let path = self.path(id);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.len() > MAX_RECORD => return Err(invalid(&path, "too long")),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        let record: TokenRecord =
            serde_json::from_slice(&fs::read(&path)?).map_err(|error| invalid(&path, &error.to_string()))?;
        if record.id == id && record.uses_left > 0 { Ok(Some(record)) } else { Err(invalid(&path, "inconsistent")) }
    }

    fn write(&self, record: &TokenRecord) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(record).map_err(io::Error::other)?;
        state_dir::write_private(&self.path(&record.id), &text)
    }
}

fn invalid(path: &Path, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()))
}
