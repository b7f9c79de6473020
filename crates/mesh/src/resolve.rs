//! What follows from several objects together: who sees whom, which policy holds, where a port leads. Everything here
//! answers from a [`crate::Snapshot`] and keeps nothing.

pub mod authorization;
pub mod delegate;
pub mod destination_rule;
pub mod endpoints;
pub mod gateway;
pub mod mutual_tls;
pub mod protocol;
pub mod scope;
pub mod telemetry;
pub mod virtual_service;

use std::collections::BTreeMap;

/// Whether `labels` has everything that `selector` asks for; an empty selector asks for nothing.
pub fn labels_match(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}
