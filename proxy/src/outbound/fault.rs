//! Injected faults: a pause, then perhaps an answer that nobody sent.

use http::{Response, StatusCode};
use weft_policy::{config::AbortStatus, fault::FaultDecision};

use crate::{
    http::{Exchange, ResponseBody, grpc_reply, reply},
    telemetry::Flag,
};

/// Envoy's body of an injected failure.
const BODY: &str = "fault filter abort";

/// Carries out a decision. `Ok` gives the exchange back: the request goes on.
pub async fn inject(
    decision: FaultDecision,
    mut exchange: Box<Exchange>,
) -> Result<Box<Exchange>, Response<ResponseBody>> {
    let FaultDecision { delay, abort, permit } = decision;
    if let Some(delay) = delay {
        exchange.record.flags.set(Flag::DelayInjected);
        tokio::time::sleep(delay).await;
    }
    let Some(abort) = abort else {
        drop(permit);
        return Ok(exchange);
    };
    exchange.record.flags.set(Flag::FaultInjected);
    exchange.record.log.response_code_details = "fault_filter_abort";
    Err(match abort {
        AbortStatus::Http(status) => reply(exchange, status, BODY, "fault_filter_abort"),
        AbortStatus::Grpc(code) if exchange.record.grpc => grpc_reply(exchange, u16::from(code), BODY.as_bytes()),
        // A caller that does not speak gRPC still has to learn that it failed.
        AbortStatus::Grpc(_) => reply(exchange, StatusCode::SERVICE_UNAVAILABLE, BODY, "fault_filter_abort"),
    })
}
