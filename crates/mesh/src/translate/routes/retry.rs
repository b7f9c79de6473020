//! Retry policies.

use envoy_types::pb::envoy::{
    config::route::v3::{
        RetryPolicy,
        retry_policy::{RetryBackOff, RetryHostPredicate, RetryPriority, retry_host_predicate, retry_priority},
    },
    extensions::retry::{
        host::previous_hosts::v3::PreviousHostsPredicate, priority::previous_priorities::v3::PreviousPrioritiesConfig,
    },
};
use weft_api::networking::virtual_service::Retry;

use crate::{
    canonical::pack_plain,
    snapshot::MeshSettings,
    translate::proto::{duration, uint32},
};

/// Istio's conditions where nothing is said. 503 is not among them: the request may have had an effect.
const DEFAULT_CONDITIONS: &str = "connect-failure,refused-stream,unavailable,cancelled";
const BY_STATUS: &str = "retriable-status-codes";

/// What holds for routes that say nothing. `sticky` is whether the destination is picked by a hash.
pub(super) fn default(mesh: &MeshSettings, sticky: bool) -> Option<RetryPolicy> {
    translate(&mesh.retries, mesh, sticky)
}

/// `None` when there are no attempts.
pub(super) fn translate(retry: &Retry, mesh: &MeshSettings, sticky: bool) -> Option<RetryPolicy> {
    let attempts = u32::try_from(retry.attempts).ok().filter(|n| *n > 0)?;
    let said = [retry.retry_on.as_str(), mesh.retries.retry_on.as_str(), DEFAULT_CONDITIONS];
    let (retry_on, retriable_status_codes) =
        conditions(said.into_iter().find(|text| !text.trim().is_empty()).unwrap_or_default());
    let mut policy = RetryPolicy {
        retry_on,
        retriable_status_codes,
        num_retries: uint32(attempts),
        per_try_timeout: retry.per_try_timeout.map(|d| duration(d.get())).filter(|d| d.seconds > 0 || d.nanos > 0),
        retry_back_off: retry
            .backoff
            .map(|d| RetryBackOff { base_interval: Some(duration(d.get())), ..RetryBackOff::default() }),
        ..RetryPolicy::default()
    };
    // A hash would pick the same host again however often it is asked to avoid it.
    if !sticky && retry.retry_ignore_previous_hosts != Some(false) {
        policy.host_selection_retry_max_attempts = 5;
        policy.retry_host_predicate = vec![RetryHostPredicate {
            name: "envoy.retry_host_predicates.previous_hosts".into(),
            config_type: Some(retry_host_predicate::ConfigType::TypedConfig(pack_plain(&PreviousHostsPredicate {}))),
        }];
    }
    if retry.retry_remote_localities == Some(true) {
        policy.retry_priority = Some(RetryPriority {
            name: "envoy.retry_priorities.previous_priorities".into(),
            config_type: Some(retry_priority::ConfigType::TypedConfig(pack_plain(&PreviousPrioritiesConfig {
                update_frequency: 2,
            }))),
        });
    }
    Some(policy)
}

/// Splits status codes from conditions: `5xx,503` is a condition and a code.
fn conditions(text: &str) -> (String, Vec<u32>) {
    let mut words: Vec<&str> = Vec::new();
    let mut codes = Vec::new();
    for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        match part.parse::<u32>() {
            Ok(code) if (100..600).contains(&code) => {
                if !codes.contains(&code) {
                    codes.push(code);
                }
            }
            _ => words.push(part),
        }
    }
    if !codes.is_empty() && !words.contains(&BY_STATUS) {
        words.push(BY_STATUS);
    }
    (words.join(","), codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_codes_are_told_from_conditions() {
        assert_eq!(
            conditions("connect-failure, refused-stream,503,503"),
            ("connect-failure,refused-stream,retriable-status-codes".into(), vec![503])
        );
        assert_eq!(conditions("5xx"), ("5xx".into(), vec![]));
        assert_eq!(conditions("retriable-status-codes,500"), ("retriable-status-codes".into(), vec![500]));
    }
}
