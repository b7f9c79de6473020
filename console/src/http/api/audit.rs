use std::{net::IpAddr, sync::Arc};

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderValue, Uri, header},
    response::IntoResponse,
};
use schemars::JsonSchema;
use serde::Deserialize;
use weft_model::audit::{Action, AuditEntry, AuditList};

use crate::{
    app::App,
    auth::Caller,
    db::AuditFilter,
    http::{
        ApiError,
        api::{csv, pages::linked},
        routes::Shaped,
    },
};

/// Entries of one page.
const MAX_PAGE: usize = 200;
/// Entries of one exported file.
const MAX_EXPORT: usize = 10_000;
/// Entries looked at for one page; of many that the caller may not see a page may be short, and goes on with the next.
const MAX_LOOKED_AT: usize = 20_000;

/// `?who=&address=&namespace=shop,billing&action=&kind=&name=&fromMs=&toMs=&cursor=&limit=&format=`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Wanted {
    /// By whom.
    who: String,
    /// From this address.
    address: Option<IpAddr>,
    /// About objects of these namespaces, with commas between them.
    namespace: String,
    /// What was done.
    action: Option<Action>,
    /// Kind of the object.
    kind: String,
    /// Name of the object.
    name: String,
    /// Not before, milliseconds since the Unix epoch.
    from_ms: Option<u64>,
    /// Not after, milliseconds since the Unix epoch.
    to_ms: Option<u64>,
    /// Where the page begins: `next` of the page before.
    cursor: Option<u64>,
    /// Entries of a page, 1 to 200, 100 by default; of a file up to 10,000.
    limit: Option<usize>,
    /// A file instead of a page.
    format: Option<Format>,
}

/// A file to keep.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Csv,
    Json,
}

/// `GET /api/v1/audit`: for who administrates the console everything; for others what they did themselves, and what was
/// done to objects of namespaces that they see. With `format` a file of up to 10,000 entries.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    uri: Uri,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Shaped<AuditList>, ApiError> {
    let Query(wanted) = wanted?;
    let most = if wanted.format.is_some() { MAX_EXPORT } else { MAX_PAGE };
    let limit = wanted.limit.unwrap_or(if wanted.format.is_some() { MAX_EXPORT } else { 100 }).clamp(1, most);
    let list = page(&app, &caller, &wanted, limit).await?;
    let attachment = |name: &'static str| (header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
    Ok(match wanted.format {
        Some(Format::Csv) => {
            let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
            ([kind, attachment("attachment; filename=\"weft-audit.csv\"")], csv::audit(&list.entries))
                .into_response()
                .into()
        }
        Some(Format::Json) => {
            ([attachment("attachment; filename=\"weft-audit.json\"")], Json(list)).into_response().into()
        }
        None => {
            let next = list.next.clone();
            linked(list, &uri, next.as_deref())
        }
    })
}

async fn page(app: &App, caller: &Caller, wanted: &Wanted, limit: usize) -> Result<AuditList, ApiError> {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let namespaces: Vec<&str> = wanted.namespace.split(',').filter(|name| !name.is_empty()).collect();
    let filter = AuditFilter {
        who: some(&wanted.who),
        address: wanted.address,
        namespace: if let [one] = namespaces[..] { some(one) } else { None },
        action: wanted.action,
        kind: some(&wanted.kind),
        name: some(&wanted.name),
        from_ms: wanted.from_ms,
        to_ms: wanted.to_ms,
    };
    let in_scope = |entry: &AuditEntry| match &entry.object {
        _ if namespaces.is_empty() => true,
        Some(object) => namespaces.contains(&object.namespace.as_str()),
        None => false,
    };
    let mut found: Vec<AuditEntry> = Vec::new();
    let (mut before, mut looked_at) = (wanted.cursor, 0);
    loop {
        let batch = app.audit.entries().list(&filter, before, MAX_PAGE).await?;
        let last = batch.len() < MAX_PAGE;
        looked_at += batch.len();
        before = batch.last().map(|entry| entry.id).or(before);
        found.extend(batch.into_iter().filter(|entry| in_scope(entry) && may_see(caller, entry)));
        if found.len() > limit {
            found.truncate(limit);
            let next = found.last().map(|entry| entry.id.to_string());
            return Ok(AuditList { entries: found, next });
        }
        if last || looked_at >= MAX_LOOKED_AT {
            let next = before.filter(|_| !last).map(|id| id.to_string());
            return Ok(AuditList { entries: found, next });
        }
    }
}

fn may_see(caller: &Caller, entry: &AuditEntry) -> bool {
    caller.is_admin()
        || entry.who == caller.name()
        || entry.object.as_ref().is_some_and(|object| caller.sees(&object.namespace))
}
