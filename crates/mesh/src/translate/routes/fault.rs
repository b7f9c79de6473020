//! Faults on purpose.

use envoy_types::pb::envoy::extensions::filters::{
    common::fault::v3::{FaultDelay, fault_delay::FaultDelaySecifier},
    http::fault::v3::{FaultAbort, HttpFault, fault_abort::ErrorType},
};
use weft_api::networking::virtual_service::Fault;

use crate::translate::proto::{duration, fraction};

/// `None` when neither a delay nor an abort comes of it.
pub(super) fn translate(fault: &Fault) -> Option<HttpFault> {
    let delay = fault.delay.as_ref().and_then(|delay| {
        let share = delay.percentage.map(|p| p.value).or(delay.percent.map(f64::from)).unwrap_or(0.0);
        Some(FaultDelay {
            percentage: Some(fraction(share)),
            fault_delay_secifier: Some(FaultDelaySecifier::FixedDelay(duration(delay.fixed_delay?.get()))),
        })
    });
    let abort = fault.abort.as_ref().and_then(|abort| {
        let http = abort.http_status.and_then(|s| u32::try_from(s).ok()).filter(|s| (200..600).contains(s));
        let error = match (http, &abort.grpc_status) {
            (Some(status), _) => ErrorType::HttpStatus(status),
            (None, Some(status)) => ErrorType::GrpcStatus(grpc_status(status)?),
            (None, None) => return None,
        };
        Some(FaultAbort {
            percentage: Some(fraction(abort.percentage.map_or(0.0, |p| p.value))),
            error_type: Some(error),
            ..FaultAbort::default()
        })
    });
    (delay.is_some() || abort.is_some()).then(|| HttpFault { delay, abort, ..HttpFault::default() })
}

/// A gRPC status by number or name.
fn grpc_status(text: &str) -> Option<u32> {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    let by_name = NAMES.iter().position(|name| name.eq_ignore_ascii_case(text)).and_then(|at| u32::try_from(at).ok());
    by_name.or_else(|| text.parse().ok().filter(|code| *code <= 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_statuses_have_names_and_numbers() {
        assert_eq!(grpc_status("UNAVAILABLE"), Some(14));
        assert_eq!(grpc_status("14"), Some(14));
        assert_eq!(grpc_status("99"), None);
        assert_eq!(grpc_status("nonsense"), None);
    }
}
