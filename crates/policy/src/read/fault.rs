//! Fault filter configuration.

use envoy_types::pb::envoy::extensions::filters::{
    common::fault::v3::fault_delay::FaultDelaySecifier,
    http::fault::v3::{HttpFault, fault_abort::ErrorType},
};
use http::StatusCode;

use super::{
    At, Result, fail, headers,
    proto::{duration, fraction, uint32},
    unsupported,
};
use crate::config::{Abort, AbortStatus, Delay, Fault};

/// `None` when it injects nothing.
pub(super) fn read(m: &HttpFault) -> Result<Option<Fault>> {
    unsupported(!m.upstream_cluster.is_empty(), "upstream_cluster")?;
    unsupported(!m.downstream_nodes.is_empty(), "downstream_nodes")?;
    unsupported(m.response_rate_limit.is_some(), "response_rate_limit")?;
    let fault = Fault {
        delay: delay(m).at("delay")?,
        abort: abort(m).at("abort")?,
        headers: headers::header_matches("headers", &m.headers)?,
        max_active: uint32(&m.max_active_faults),
        active: Default::default(),
    };
    Ok(Some(fault).filter(|f| f.delay.is_some() || f.abort.is_some()))
}

fn delay(m: &HttpFault) -> Result<Option<Delay>> {
    let Some(delay) = &m.delay else { return Ok(None) };
    let length = match &delay.fault_delay_secifier {
        Some(FaultDelaySecifier::FixedDelay(d)) => duration(d).at("fixed_delay")?,
        Some(FaultDelaySecifier::HeaderDelay(_)) => return Err(fail("is not supported")).at("header_delay"),
        None => return Err(fail("is needed")).at("fixed_delay"),
    };
    Ok(Some(Delay { duration: length, share: fraction(&delay.percentage).at("percentage")? }))
}

fn abort(m: &HttpFault) -> Result<Option<Abort>> {
    let Some(abort) = &m.abort else { return Ok(None) };
    unsupported(!abort.response_body.is_empty(), "response_body")?;
    let status = match &abort.error_type {
        Some(ErrorType::HttpStatus(code)) => {
            let code = u16::try_from(*code).ok().filter(|c| (200..600).contains(c));
            let code = code.and_then(|c| StatusCode::from_u16(c).ok());
            AbortStatus::Http(code.ok_or_else(|| fail("must be between 200 and 599")).at("http_status")?)
        }
        Some(ErrorType::GrpcStatus(code)) => {
            let code = u8::try_from(*code).ok().filter(|c| *c <= 16);
            AbortStatus::Grpc(code.ok_or_else(|| fail("must be between 0 and 16")).at("grpc_status")?)
        }
        Some(ErrorType::HeaderAbort(_)) => return Err(fail("is not supported")).at("header_abort"),
        None => return Err(fail("is needed")).at("http_status"),
    };
    Ok(Some(Abort { status, share: fraction(&abort.percentage).at("percentage")? }))
}
