//! Changes of headers.

use envoy_types::pb::envoy::config::core::v3::{
    HeaderValue, HeaderValueOption, header_value_option::HeaderAppendAction,
};
use weft_api::networking::virtual_service::{HeaderOperations, Headers};

/// Changes on both ways.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    pub(super) request_add: Vec<HeaderValueOption>,
    pub(super) request_remove: Vec<String>,
    pub(super) response_add: Vec<HeaderValueOption>,
    pub(super) response_remove: Vec<String>,
    /// A new authority, which is set like a header but is none.
    pub(super) authority: Option<String>,
}

impl Changes {
    pub(super) fn read(headers: Option<&Headers>) -> Self {
        let mut changes = Self::default();
        if let Some(request) = headers.and_then(|h| h.request.as_ref()) {
            changes.authority = request.set.iter().find(|(name, _)| is_authority(name)).map(|(_, value)| value.clone());
            (changes.request_add, changes.request_remove) = operations(request);
        }
        if let Some(response) = headers.and_then(|h| h.response.as_ref()) {
            (changes.response_add, changes.response_remove) = operations(response);
        }
        changes
    }

    /// Both after one another.
    pub(super) fn then(mut self, later: Self) -> Self {
        self.request_add.extend(later.request_add);
        self.request_remove.extend(later.request_remove);
        self.response_add.extend(later.response_add);
        self.response_remove.extend(later.response_remove);
        self.authority = later.authority.or(self.authority);
        self
    }
}

fn is_authority(name: &str) -> bool {
    name.eq_ignore_ascii_case("host") || name == ":authority"
}

fn operations(operations: &HeaderOperations) -> (Vec<HeaderValueOption>, Vec<String>) {
    let set = operations.set.iter().map(|entry| (entry, HeaderAppendAction::OverwriteIfExistsOrAdd));
    let add = operations.add.iter().map(|entry| (entry, HeaderAppendAction::AppendIfExistsOrAdd));
    let values =
        set.chain(add).filter(|((name, _), _)| !is_authority(name)).map(|((name, value), action)| HeaderValueOption {
            header: Some(HeaderValue { key: name.clone(), value: value.clone(), ..HeaderValue::default() }),
            append_action: action as i32,
            // A header that is set to nothing is there, and empty.
            keep_empty_value: value.is_empty(),
            ..HeaderValueOption::default()
        });
    (values.collect(), operations.remove.iter().filter(|name| !is_authority(name)).cloned().collect())
}
