mod about;

use std::{collections::HashSet, future, net::IpAddr, sync::Arc};

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use schemars::JsonSchema;
use serde::Deserialize;
use weft_model::{
    ObjectRef,
    audit::{Action, AuditEntry, AuditList, How},
};

use self::about::{About, outside};
use crate::{
    app::App,
    auth::{Caller, Verb},
    db::AuditFilter,
    http::{
        ApiError,
        api::{
            csv,
            pages::{link, linked},
        },
        routes::Shaped,
    },
};

/// Entries of one page.
const MAX_PAGE: usize = 200;
/// Entries of one exported file.
const MAX_EXPORT: usize = 10_000;
/// Bytes of one answer, as JSON: each entry may hold a long diff.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Entries looked at for one page; of many that the caller may not see a page may be short, and goes on with the next.
const MAX_LOOKED_AT: usize = 20_000;
/// Rights that are asked for at once.
const AT_ONCE: usize = 16;
/// Stands for what is not told of a change.
const NOT_TOLD: &str = "What was changed is for those who may read the object.";

/// `?who=&address=&namespace=shop,billing&action=&kind=&name=&about=&fromMs=&toMs=&cursor=&limit=&format=`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Wanted {
    /// By whom.
    who: String,
    /// From this address; for who administrates the console.
    address: Option<IpAddr>,
    /// About objects of these namespaces, with commas between them.
    namespace: String,
    /// What was done.
    action: Option<Action>,
    /// Kind of the object.
    kind: String,
    /// Name of the object.
    name: String,
    /// About what configures one of these: `workloads/NAMESPACE/NAME`, `services/NAMESPACE/NAME`, `apps/NAMESPACE/NAME`,
    /// `namespaces/NAME`; or any of up to eight of them, with commas between them. Of objects that are gone those count
    /// that stood in its namespace or in the mesh's root namespace.
    about: String,
    /// Not before, milliseconds since the Unix epoch.
    from_ms: Option<u64>,
    /// Not after, milliseconds since the Unix epoch.
    to_ms: Option<u64>,
    /// Where the page begins: `next` of the page before.
    cursor: Option<u64>,
    /// Entries of a page, 1 to 200, 100 by default; of a file up to 10,000. There may be fewer: an answer has 8 MiB at
    /// most.
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
/// done to objects of namespaces that they see, without the addresses that people came from, and what was changed for those
/// who may read the object; for whoever has not signed in nothing. With `format` a file of up
/// to 10,000 entries; one that ends before the oldest says so, with the cursor of the next: in `next`, in the last line of
/// CSV, and in the header Link.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    uri: Uri,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Shaped<AuditList>, ApiError> {
    let Query(wanted) = wanted?;
    if caller.how() == How::Anonymous {
        let title = "Who did what is for people who have signed in.";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "no-rights", title, "Sign in to see the audit."));
    }
    if wanted.address.is_some() && !caller.is_admin() {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "Only administrators of the console see addresses.",
            "Leave the address out, or ask an administrator.",
        ));
    }
    let most = if wanted.format.is_some() { MAX_EXPORT } else { MAX_PAGE };
    let limit = wanted.limit.unwrap_or(if wanted.format.is_some() { MAX_EXPORT } else { 100 });
    if !(1..=most).contains(&limit) {
        let title = format!("limit: there cannot be {limit} entries.");
        return Err(ApiError::out_of_range(title, most));
    }
    let list = page(&app, &caller, &wanted, limit).await?;
    let next = list.next.clone();
    Ok(match wanted.format {
        Some(Format::Csv) => {
            let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
            let text = csv::audit(&list.entries, next.as_deref());
            file("attachment; filename=\"weft-audit.csv\"", ([kind], text), &uri, next.as_deref()).into()
        }
        Some(Format::Json) => {
            file("attachment; filename=\"weft-audit.json\"", Json(list), &uri, next.as_deref()).into()
        }
        None => linked(list, &uri, next.as_deref()),
    })
}

fn file(name: &'static str, body: impl IntoResponse, uri: &Uri, next: Option<&str>) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
    if let Some(link) = next.and_then(|cursor| link(uri, cursor)) {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

async fn page(app: &App, caller: &Caller, wanted: &Wanted, limit: usize) -> Result<AuditList, ApiError> {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let namespaces: Vec<&str> = wanted.namespace.split(',').filter(|name| !name.is_empty()).collect();
    let about = About::read(&app.view(), caller, &wanted.about)?;
    let filter = AuditFilter {
        who: some(&wanted.who),
        address: wanted.address,
        namespace: if let [one] = namespaces[..] { some(one) } else { None },
        action: wanted.action,
        kind: some(&wanted.kind),
        name: some(&wanted.name),
        from_ms: wanted.from_ms,
        to_ms: wanted.to_ms,
        about: about.as_ref().and_then(About::in_database),
    };
    let in_scope = |entry: &AuditEntry| match &entry.object {
        _ if namespaces.is_empty() => true,
        Some(object) => namespaces.contains(&object.namespace.as_str()),
        None => false,
    };
    let fits = |entry: &AuditEntry| in_scope(entry) && about.as_ref().is_none_or(|about| about.covers(entry));
    // Only what nothing else is asked of: a filter by who or what did it says nothing of what nobody is known to have done.
    let whole = wanted.who.is_empty()
        && wanted.address.is_none()
        && wanted.action.is_none()
        && [&wanted.namespace, &wanted.kind, &wanted.name].into_iter().all(String::is_empty);
    let mut changed = match &about {
        Some(about) if whole && wanted.cursor.is_none() => {
            let (from_ms, to_ms) = (wanted.from_ms.unwrap_or_default(), wanted.to_ms.unwrap_or(u64::MAX));
            about.changed(&app.view().list.rows, &|namespace| caller.sees(namespace), from_ms, to_ms)
        }
        _ => Vec::new(),
    };
    let mut list = AuditList::default();
    let (mut before, mut looked_at, mut bytes) = (wanted.cursor, 0, 0);
    loop {
        let batch = app.audit.entries().list(&filter, before, MAX_PAGE).await?;
        let last = batch.len() < MAX_PAGE;
        if !changed.is_empty() {
            list.outside = outside(std::mem::take(&mut changed), &batch, last);
        }
        looked_at += batch.len();
        let shown = batch.iter().filter(|entry| fits(entry) && may_see(caller, entry) && !is_theirs(caller, entry));
        let objects: HashSet<ObjectRef> = shown.filter_map(|entry| entry.object.clone()).collect();
        let readable = readable(caller, objects).await;
        for mut entry in batch {
            let id = entry.id;
            if fits(&entry) && may_see(caller, &entry) {
                let read = entry.object.as_ref().is_none_or(|object| readable.contains(object));
                if !read && !is_theirs(caller, &entry) {
                    entry.diff.clear();
                    NOT_TOLD.clone_into(&mut entry.detail);
                }
                bytes += serde_json::to_vec(&entry).map_err(|error| ApiError::internal(&error))?.len();
                // The first one fits always, so that whoever goes on gets to the end.
                if list.entries.len() == limit || (bytes > MAX_BYTES && !list.entries.is_empty()) {
                    list.next = before.map(|id| id.to_string());
                    return Ok(list);
                }
                if !caller.is_admin() {
                    entry.address = None;
                }
                list.entries.push(entry);
            }
            before = Some(id);
        }
        if last || looked_at >= MAX_LOOKED_AT {
            list.next = before.filter(|_| !last).map(|id| id.to_string());
            return Ok(list);
        }
    }
}

fn may_see(caller: &Caller, entry: &AuditEntry) -> bool {
    is_theirs(caller, entry) || entry.object.as_ref().is_some_and(|object| caller.sees(&object.namespace))
}

/// Whether the whole of an entry is told without further questions.
fn is_theirs(caller: &Caller, entry: &AuditEntry) -> bool {
    caller.is_admin() || entry.who == caller.name()
}

/// Those of these objects that somebody may read.
async fn readable(caller: &Caller, objects: HashSet<ObjectRef>) -> HashSet<ObjectRef> {
    let asked = stream::iter(objects).map(|object| async move {
        // In doubt the answer is no.
        let may = caller.may(Verb::Get, &object).await.unwrap_or(false);
        may.then_some(object)
    });
    asked.buffer_unordered(AT_ONCE).filter_map(future::ready).collect().await
}
