//! Lists in pages.

use axum::{
    Json,
    http::{HeaderValue, Uri, header},
    response::IntoResponse,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::http::{ApiError, routes::Shaped};

/// Rows given when nobody says how many.
pub(super) const ROWS: usize = 500;
/// Rows given at most.
pub(super) const MAX_ROWS: usize = 5_000;
/// Bytes of a cursor; names are shorter.
const MAX_CURSOR: usize = 32 * 1024;

/// `?limit=500&cursor=…`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Paged {
    /// Rows of one page at most.
    #[schemars(range(min = 1, max = 5_000))]
    limit: usize,
    /// Where the page begins: `next` of the page before.
    cursor: String,
}

impl Default for Paged {
    fn default() -> Self {
        Self { limit: ROWS, cursor: String::new() }
    }
}

impl Paged {
    /// Whether all of so many rows are on this page.
    pub(super) fn is_all(&self, rows: usize) -> bool {
        self.cursor.is_empty() && rows <= self.limit
    }

    /// Whether nothing comes before it.
    pub(super) fn is_first(&self) -> bool {
        self.cursor.is_empty()
    }

    /// Leaves the rows of this page, of rows that are ordered by `key`; gives the cursor of the next one. A row that
    /// comes or goes meanwhile moves no other from one page to another.
    pub(super) fn cut<T, K: Ord + Serialize + serde::de::DeserializeOwned>(
        &self,
        rows: &mut Vec<T>,
        key: impl Fn(&T) -> K,
    ) -> Result<Option<String>, ApiError> {
        if !(1..=MAX_ROWS).contains(&self.limit) {
            let title = format!("A page cannot have {} rows.", self.limit);
            return Err(ApiError::out_of_range(title, MAX_ROWS));
        }
        if !self.cursor.is_empty() {
            let read = || {
                let bytes = URL_SAFE_NO_PAD.decode(Some(&self.cursor).filter(|text| text.len() <= MAX_CURSOR)?).ok()?;
                serde_json::from_slice::<K>(&bytes).ok()
            };
            let last = read().ok_or_else(|| {
                ApiError::bad_request("This is not a cursor of this list.", "Repeat what an answer gave as next.")
            })?;
            rows.drain(..rows.partition_point(|row| key(row) <= last));
        }
        if rows.len() <= self.limit {
            return Ok(None);
        }
        rows.truncate(self.limit);
        let last = rows.last().map(|row| serde_json::to_vec(&key(row)));
        Ok(last.transpose().map_err(|error| ApiError::internal(&error))?.map(|last| URL_SAFE_NO_PAD.encode(last)))
    }
}

/// A page with where the next one begins, which is told by the header Link (RFC 8288) as well.
pub(super) fn linked<T: Serialize>(page: T, uri: &Uri, next: Option<&str>) -> Shaped<T> {
    let mut response = Json(page).into_response();
    if let Some(link) = next.and_then(|cursor| link(uri, cursor)) {
        response.headers_mut().insert(header::LINK, link);
    }
    response.into()
}

/// `<…>; rel="next"`: the same address with another cursor.
pub(super) fn link(uri: &Uri, cursor: &str) -> Option<HeaderValue> {
    let query = uri.query().unwrap_or_default();
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let cursor = format!("cursor={cursor}");
    let query = kept.chain([cursor.as_str()]).collect::<Vec<_>>().join("&");
    // Handlers see the path below the place where the API is put.
    HeaderValue::from_str(&format!("</api/v1{}?{query}>; rel=\"next\"", uri.path())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(page: &Paged, all: &[&str]) -> (Vec<String>, Option<String>) {
        let mut rows: Vec<String> = all.iter().map(|name| (*name).to_owned()).collect();
        let next = page.cut(&mut rows, Clone::clone).unwrap();
        (rows, next)
    }

    #[test]
    fn pages_follow_each_other_whatever_comes_or_goes() {
        let first = Paged { limit: 2, ..Paged::default() };
        let (rows, next) = names(&first, &["a", "b", "c", "d"]);
        assert_eq!(rows, ["a", "b"]);
        let second = Paged { limit: 2, cursor: next.unwrap() };
        assert_eq!(names(&second, &["a", "b", "c", "d"]), (vec!["c".to_owned(), "d".to_owned()], None));
        // The row that the cursor names has gone, and another has come before it.
        assert_eq!(names(&second, &["a", "aa", "c"]), (vec!["c".to_owned()], None));
        assert!(first.is_all(2) && !first.is_all(3) && !second.is_all(1));
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for page in [
            Paged { limit: 0, ..Paged::default() },
            Paged { limit: MAX_ROWS + 1, ..Paged::default() },
            Paged { cursor: "?".into(), ..Paged::default() },
            Paged { cursor: URL_SAFE_NO_PAD.encode("[1]"), ..Paged::default() },
            Paged { cursor: "A".repeat(MAX_CURSOR + 1), ..Paged::default() },
        ] {
            let mut rows = vec!["a".to_owned()];
            assert_eq!(page.cut(&mut rows, Clone::clone).unwrap_err().status(), 400, "{page:?}");
        }
    }

    #[test]
    fn a_link_keeps_the_rest_of_the_address() {
        let uri: Uri = "/config?limit=2&cursor=old".parse().unwrap();
        assert_eq!(link(&uri, "new").unwrap(), "</api/v1/config?limit=2&cursor=new>; rel=\"next\"");
    }
}
