//! Changes that the audit tells of, and those that were made outside of the console.

use weft_model::audit::{AuditEntry, AuditList, Outside};

use crate::order::Order;

/// A change of which the audit tells, or the console alone.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Through the console, or refused there.
    Entry(AuditEntry),
    /// By somebody else.
    Outside(Outside),
}

impl Change {
    /// When it was made, milliseconds since the Unix epoch.
    pub fn at_ms(&self) -> u64 {
        match self {
            Self::Entry(entry) => entry.at_ms,
            Self::Outside(one) => one.at_ms,
        }
    }
}

/// Both kinds, newest first.
pub fn together(list: &AuditList) -> Vec<Change> {
    let entries = list.entries.iter().cloned().map(Change::Entry);
    let mut all: Vec<Change> = entries.chain(list.outside.iter().cloned().map(Change::Outside)).collect();
    all.order(|a, b| b.at_ms().cmp(&a.at_ms()));
    all
}

#[cfg(test)]
mod tests {
    use weft_model::{
        ObjectRef,
        audit::{Action, How},
    };

    use super::*;

    #[test]
    fn what_changed_outside_stands_where_its_time_is() {
        let entry = |at_ms| AuditEntry {
            id: at_ms,
            at_ms,
            who: "ada".into(),
            how: How::Local,
            address: None,
            action: Action::Update,
            object: None,
            diff: String::new(),
            detail: String::new(),
        };
        let outside = vec![Outside { object: ObjectRef::default(), at_ms: 20 }];
        let list = AuditList { entries: vec![entry(30), entry(10)], outside, ..AuditList::default() };
        let times: Vec<u64> = together(&list).iter().map(Change::at_ms).collect();
        assert_eq!(times, [30, 20, 10]);
    }
}
