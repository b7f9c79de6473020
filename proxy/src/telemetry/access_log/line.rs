//! One line, with the names and the order of Istio's default JSON format
//! (<https://istio.io/latest/docs/tasks/observability/logs/access-log/>). Absent values are `null`.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use http::{HeaderValue, Version};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use crate::telemetry::{LogFields, RequestRecord, ResponseFlags, TcpRecord};

#[derive(Serialize)]
pub(super) struct Line<'a> {
    start_time: Timestamp,
    method: Option<&'a str>,
    path: Option<&'a str>,
    protocol: Option<&'static str>,
    response_code: u16,
    response_flags: Shown<ResponseFlags>,
    response_code_details: Option<&'static str>,
    connection_termination_details: Option<&'a str>,
    upstream_transport_failure_reason: Option<&'a str>,
    bytes_received: u64,
    bytes_sent: u64,
    duration: Millis,
    upstream_service_time: Option<Millis>,
    x_forwarded_for: Option<Header<'a>>,
    user_agent: Option<Header<'a>>,
    request_id: Option<Header<'a>>,
    authority: Option<Header<'a>>,
    upstream_host: Option<Host<'a>>,
    upstream_cluster: Option<&'a str>,
    upstream_local_address: Option<SocketAddr>,
    downstream_local_address: Option<SocketAddr>,
    downstream_remote_address: Option<SocketAddr>,
    requested_server_name: Option<&'a str>,
    route_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<Shown<crate::telemetry::TraceId>>,
}

impl<'a> Line<'a> {
    pub fn of_request(record: &'a RequestRecord) -> Self {
        Self {
            method: Some(record.method.as_str()),
            path: record.log.path.as_ref().map(|path| path.as_str()),
            protocol: Some(match record.version {
                Version::HTTP_09 | Version::HTTP_10 => "HTTP/1.0",
                Version::HTTP_2 => "HTTP/2",
                Version::HTTP_3 => "HTTP/3",
                _ => "HTTP/1.1",
            }),
            response_code: record.status,
            bytes_received: record.bytes_received,
            bytes_sent: record.bytes_sent,
            trace_id: record.trace.as_ref().map(|(context, _)| Shown(context.trace)),
            ..Self::of(record.start, record.duration, record.flags, &record.log)
        }
    }

    pub fn of_tcp(record: &'a TcpRecord) -> Self {
        Self {
            bytes_received: record.bytes_received,
            bytes_sent: record.bytes_sent,
            ..Self::of(record.start, record.duration, record.flags, &record.log)
        }
    }

    fn of(start: SystemTime, duration: Duration, flags: ResponseFlags, log: &'a LogFields) -> Self {
        Self {
            start_time: Timestamp(start),
            method: None,
            path: None,
            protocol: None,
            response_code: 0,
            response_flags: Shown(flags),
            response_code_details: Some(log.response_code_details).filter(|details| !details.is_empty()),
            connection_termination_details: log.connection_termination_details.as_deref(),
            upstream_transport_failure_reason: log.upstream_transport_failure_reason.as_deref(),
            bytes_received: 0,
            bytes_sent: 0,
            duration: Millis(duration),
            upstream_service_time: log.upstream_service_time.map(Millis),
            x_forwarded_for: log.x_forwarded_for.as_ref().map(Header),
            user_agent: log.user_agent.as_ref().map(Header),
            request_id: log.request_id.as_ref().map(Header),
            authority: log.authority.as_ref().map(Header),
            upstream_host: match (&log.upstream_path, log.upstream_host) {
                (Some(path), _) => Some(Host::Pipe(path)),
                (None, Some(address)) => Some(Host::Socket(address)),
                (None, None) => None,
            },
            upstream_cluster: log.upstream_cluster.as_deref(),
            upstream_local_address: log.upstream_local_address,
            downstream_local_address: log.downstream_local_address,
            downstream_remote_address: log.downstream_remote_address,
            requested_server_name: log.requested_server_name.as_deref(),
            route_name: log.route_name.as_deref(),
            trace_id: None,
        }
    }

    /// The line with its end.
    pub fn to_json(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(900);
        // Nothing in the struct can fail to serialize into memory.
        let _ = serde_json::to_writer(&mut line, self);
        line.push(b'\n');
        line
    }
}

struct Timestamp(SystemTime);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at = OffsetDateTime::from(self.0);
        let (year, month, day) = at.to_calendar_date();
        let (hour, minute, second, millis) = at.to_hms_milli();
        let month = u8::from(month);
        serializer
            .collect_str(&format_args!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"))
    }
}

struct Millis(Duration);

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Bytes that are not UTF-8 are shown as replacement characters.
struct Header<'a>(&'a HeaderValue);

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&String::from_utf8_lossy(self.0.as_bytes()))
    }
}

struct Shown<T>(T);

impl<T: std::fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Host<'a> {
    Socket(SocketAddr),
    Pipe(&'a str),
}
