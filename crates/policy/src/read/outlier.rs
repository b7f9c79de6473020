//! Outlier detection settings.

use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3::OutlierDetection;

use super::{
    Result,
    proto::{duration_or, is_true, uint32},
    unsupported,
};
use crate::config::OutlierSettings;

pub(super) fn read(m: &OutlierDetection) -> Result<OutlierSettings> {
    // Envoy's success rate check is on unless switched off; control planes of meshes switch it off, and here a missing
    // value means off.
    unsupported(uint32(&m.enforcing_success_rate).unwrap_or(0) > 0, "enforcing_success_rate")?;
    let local_rate = uint32(&m.enforcing_local_origin_success_rate).unwrap_or(0);
    unsupported(local_rate > 0, "enforcing_local_origin_success_rate")?;
    unsupported(uint32(&m.enforcing_failure_percentage).unwrap_or(0) > 0, "enforcing_failure_percentage")?;
    let local_percentage = uint32(&m.enforcing_failure_percentage_local_origin).unwrap_or(0);
    unsupported(local_percentage > 0, "enforcing_failure_percentage_local_origin")?;
    unsupported(!m.monitors.is_empty(), "monitors")?;
    unsupported(is_true(&m.detect_degraded_hosts), "detect_degraded_hosts")?;
    let base_ejection = duration_or("base_ejection_time", &m.base_ejection_time, Duration::from_secs(30))?;
    let longest = base_ejection.max(Duration::from_secs(300));
    Ok(OutlierSettings {
        consecutive_5xx: uint32(&m.consecutive_5xx).unwrap_or(5),
        consecutive_gateway_failure: uint32(&m.consecutive_gateway_failure).unwrap_or(5),
        consecutive_local_origin_failure: uint32(&m.consecutive_local_origin_failure).unwrap_or(5),
        split_local_origin: m.split_external_local_origin_errors,
        interval: duration_or("interval", &m.interval, Duration::from_secs(10))?.max(Duration::from_millis(1)),
        base_ejection,
        max_ejection: duration_or("max_ejection_time", &m.max_ejection_time, longest)?,
        max_ejection_percent: uint32(&m.max_ejection_percent).unwrap_or(10).min(100),
        always_eject_one: is_true(&m.always_eject_one_host),
        enforcing_5xx: uint32(&m.enforcing_consecutive_5xx).unwrap_or(100),
        enforcing_gateway_failure: uint32(&m.enforcing_consecutive_gateway_failure).unwrap_or(0),
        enforcing_local_origin: uint32(&m.enforcing_consecutive_local_origin_failure).unwrap_or(100),
    })
}
