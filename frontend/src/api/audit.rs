//! The audit: which entries, and its files.

use weft_model::audit::AuditList;

use super::{Answer, ROOT, get};
use crate::{location::encode, queries::AuditQuery};

impl AuditQuery {
    fn path(&self) -> String {
        let namespaces = self.namespaces.join(",");
        let number = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
        let (from, to) = (number(self.from_ms), number(self.to_ms));
        let limit = self.limit.map(|limit| limit.to_string()).unwrap_or_default();
        let cursor = self.cursor.clone().unwrap_or_default();
        let fields = [
            ("who", &self.who),
            ("address", &self.address),
            ("namespace", &namespaces),
            ("action", &self.action),
            ("about", &self.about),
            ("fromMs", &from),
            ("toMs", &to),
            ("cursor", &cursor),
            ("limit", &limit),
        ];
        let given = fields.into_iter().filter(|(_, value)| !value.is_empty());
        let query = given.map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&");
        format!("/audit?{query}")
    }
}

/// A page of the audit, newest first.
pub async fn audit(query: &AuditQuery) -> Answer<AuditList> {
    get(&query.path()).await
}

/// The address of such a page.
pub fn audit_address(query: &AuditQuery) -> String {
    format!("{ROOT}{}", query.path())
}

/// The address of a file with all of it, `csv` or `json`.
pub fn audit_file(query: &AuditQuery, format: &str) -> String {
    format!("{}&format={format}", audit_address(query))
}
