use std::{net::IpAddr, sync::LazyLock};

use weft_model::{
    ObjectRef,
    audit::{Action, AuditEntry, How},
};

use super::{
    DbError,
    database::{Database, Row, Value},
};

/// Entries kept; the oldest go first.
pub const MAX_ENTRIES: u64 = 100_000;
/// Of each of these a tenth of all entries is kept, so that neither strangers nor a program that signs in again and again
/// push out what people changed.
const FEWER: [Action; 4] = [Action::SignIn, Action::SignOut, Action::SignInRefused, Action::Denied];
/// Old entries are deleted after every so many new ones.
const PRUNE_EVERY: u64 = 64;
/// Objects that one statement can ask about.
pub const MAX_OBJECTS: usize = 64;
/// Namespaces that one statement can ask about: those of eight things, and the mesh's root.
pub const MAX_NAMESPACES: usize = 9;
/// Entries given at once.
const MAX_PAGE: usize = 200;
/// Bytes kept of a diff; a longer one is cut, and says so.
const MAX_DIFF: usize = 64 * 1024;
/// Bytes kept of a sentence or of who somebody is.
const MAX_TEXT: usize = 4 * 1024;
/// Bytes kept of each part of an object's name. No object has longer ones, but whoever is refused may have asked for any, and
/// an entry of an index takes no more than 2.7 kB in Postgres.
const MAX_NAME: usize = 512;

/// Something that somebody does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// When, milliseconds since the epoch.
    pub at_ms: u64,
    /// Who.
    pub who: String,
    /// How the console knew.
    pub how: How,
    /// From which address.
    pub address: Option<IpAddr>,
    /// What.
    pub action: Action,
    /// To which object.
    pub object: Option<ObjectRef>,
    /// The change as a unified diff.
    pub diff: String,
    /// The rest in a sentence.
    pub detail: String,
}

/// Which entries to list; `None` is any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// By whom, exactly.
    pub who: Option<String>,
    /// From this address.
    pub address: Option<IpAddr>,
    /// About objects of this namespace.
    pub namespace: Option<String>,
    /// What was done.
    pub action: Option<Action>,
    /// About objects of this kind.
    pub kind: Option<String>,
    /// About objects of this name.
    pub name: Option<String>,
    /// Not before, milliseconds since the epoch.
    pub from_ms: Option<u64>,
    /// Not after.
    pub to_ms: Option<u64>,
    /// About these objects.
    pub about: Option<AuditAbout>,
}

/// What entries are about, of several objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditAbout {
    /// Kind, namespace and name of each; at most [`MAX_OBJECTS`].
    pub objects: Vec<[String; 3]>,
    /// Whatever was deleted in one of these namespaces counts, too; at most [`MAX_NAMESPACES`].
    pub deleted_in: Vec<String>,
}

const FITS: &str = "SELECT * FROM audit WHERE ($1 IS NULL OR who = $1) AND ($2 IS NULL OR namespace = $2) \
    AND ($3 IS NULL OR action = $3) AND ($4 IS NULL OR kind = $4) AND ($5 IS NULL OR name = $5) \
    AND ($6 IS NULL OR at_ms >= $6) AND ($7 IS NULL OR at_ms <= $7) AND ($8 IS NULL OR id < $8) \
    AND ($10 IS NULL OR address = $10)";
const NEWEST: &str = "ORDER BY id DESC LIMIT $9";

/// Entries about anything.
static ANY: LazyLock<String> = LazyLock::new(|| format!("{FITS} {NEWEST}"));
/// Entries about some objects. Each part finds its entries by an index, so that long entries are not read to be left out.
static ABOUT: LazyLock<String> = LazyLock::new(|| {
    // After those of what fits.
    let first = 11;
    let places: Vec<String> = (first..first + MAX_NAMESPACES).map(|nth| format!("${nth}")).collect();
    let triple = |nth: usize| format!("(${}, ${}, ${})", nth, nth + 1, nth + 2);
    let triples: Vec<String> = (0..MAX_OBJECTS).map(|object| triple(first + MAX_NAMESPACES + object * 3)).collect();
    format!(
        "{FITS} AND id IN (SELECT id FROM audit WHERE (kind, namespace, name) IN (VALUES {}) \
         UNION SELECT id FROM audit WHERE action = '{}' AND namespace IN ({})) {NEWEST}",
        triples.join(", "),
        Action::Delete.as_str(),
        places.join(", ")
    )
});

/// Who did what. Entries are added and grow old; nothing changes one.
#[derive(Clone, Debug)]
pub struct Audit {
    database: Database,
    max_entries: u64,
}

impl Audit {
    pub(super) fn new(database: Database) -> Self {
        Self { database, max_entries: MAX_ENTRIES }
    }

    /// The same, keeping another number of entries.
    #[must_use]
    pub fn keeping(self, max_entries: u64) -> Self {
        Self { max_entries, ..self }
    }

    /// Adds an entry and gives its id.
    pub async fn record(&self, record: &AuditRecord) -> Result<u64, DbError> {
        let object = record.object.as_ref();
        let part = |part: fn(&ObjectRef) -> &String| {
            object.map_or(Value::Text(None), |object| cut(part(object), MAX_NAME).into())
        };
        let values = [
            record.at_ms.into(),
            cut(&record.who, MAX_TEXT).into(),
            record.how.as_str().into(),
            record.action.as_str().into(),
            part(|object| &object.api_version),
            part(|object| &object.kind),
            part(|object| &object.namespace),
            part(|object| &object.name),
            cut(&record.diff, MAX_DIFF).into(),
            cut(&record.detail, MAX_TEXT).into(),
            Value::Text(record.address.map(written)),
        ];
        let row = self
            .database
            .row(
                "INSERT INTO audit (at_ms, who, how, action, api_version, kind, namespace, name, diff, detail, address) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id",
                values,
            )
            .await?;
        let id = row.map_or(Ok(0), |row| row.number("id"))?;
        if id % PRUNE_EVERY == 0
            && let Err(error) = self.prune().await
        {
            // The entry is there; it is tried again after as many more.
            tracing::warn!(%error, "old entries of the audit could not be deleted; look at the database");
        }
        Ok(id)
    }

    async fn prune(&self) -> Result<(), DbError> {
        for action in FEWER {
            let values = [action.as_str().into(), (self.max_entries / 10).into()];
            let sql = "DELETE FROM audit WHERE action = $1 AND id <= \
                       (SELECT id FROM audit WHERE action = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";
            self.database.run(sql, values).await?;
        }
        // By their number, not by their ids: what was deleted above makes room.
        let sql = "DELETE FROM audit WHERE id <= (SELECT id FROM audit ORDER BY id DESC LIMIT 1 OFFSET $1)";
        self.database.run(sql, [self.max_entries.into()]).await?;
        Ok(())
    }

    /// Entries that pass `filter`, newest first: those before the entry `before`, at most `limit` and at most 200.
    pub async fn list(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, DbError> {
        let action = filter.action.map(|action| action.as_str().to_owned());
        let mut values: Vec<Value> = vec![
            (&filter.who).into(),
            (&filter.namespace).into(),
            (&action).into(),
            (&filter.kind).into(),
            (&filter.name).into(),
            filter.from_ms.into(),
            filter.to_ms.into(),
            before.into(),
            limit.min(MAX_PAGE).into(),
            Value::Text(filter.address.map(written)),
        ];
        let sql = match &filter.about {
            None => ANY.as_str(),
            Some(about) => {
                values.extend(about.values());
                ABOUT.as_str()
            }
        };
        let rows = self.database.rows(sql, values).await?;
        rows.iter().map(read).collect()
    }

    /// How many there are.
    pub async fn count(&self) -> Result<u64, DbError> {
        let row = self.database.row("SELECT COUNT(*) AS held FROM audit", []).await?;
        row.map_or(Ok(0), |row| row.number("held"))
    }
}

impl AuditAbout {
    /// As many as the statement has places for; no object has an empty kind, and what was deleted and had no
    /// namespace is left out by whoever asks.
    fn values(&self) -> impl Iterator<Item = Value> {
        let filled = |most: usize| std::iter::repeat_n("", most);
        let namespaces = self.deleted_in.iter().map(String::as_str).chain(filled(MAX_NAMESPACES)).take(MAX_NAMESPACES);
        let parts = self.objects.iter().flatten().map(String::as_str).chain(filled(MAX_OBJECTS * 3));
        namespaces.chain(parts.take(MAX_OBJECTS * 3)).map(Value::from)
    }
}

/// An address in its one form: what comes over IPv4 is IPv4, however it was listened for.
fn written(address: IpAddr) -> String {
    address.to_canonical().to_string()
}

/// At most so many bytes; what is cut says so.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}\n… cut: {} bytes in all", &text[..end], text.len())
}

fn read(row: &Row) -> Result<AuditEntry, DbError> {
    let object = match row.get::<Option<String>>("kind")? {
        None => None,
        Some(kind) => Some(ObjectRef {
            api_version: row.get::<Option<String>>("api_version")?.unwrap_or_default(),
            kind,
            namespace: row.get::<Option<String>>("namespace")?.unwrap_or_default(),
            name: row.get::<Option<String>>("name")?.unwrap_or_default(),
        }),
    };
    Ok(AuditEntry {
        id: row.number("id")?,
        at_ms: row.number("at_ms")?,
        who: row.get("who")?,
        how: row.get::<String>("how")?.parse().unwrap_or(How::Other),
        address: row.get("address")?,
        action: row.get::<String>("action")?.parse().unwrap_or(Action::Other),
        object,
        diff: row.get("diff")?,
        detail: row.get("detail")?,
    })
}
