//! What a Kubernetes Service's port speaks
//! (<https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/>).

use weft_api::networking::Protocol;

/// `appProtocol` first, then the port's name. `None` when neither says: then the first bytes tell.
pub fn of_service_port(app_protocol: Option<&str>, name: Option<&str>, transport: Option<&str>) -> Option<Protocol> {
    if transport == Some("UDP") {
        return Some(Protocol::Udp);
    }
    match app_protocol.filter(|p| !p.is_empty()) {
        Some(declared) => Protocol::of_app_protocol(declared),
        None => Protocol::of_port_name(name.unwrap_or_default()),
    }
}

/// Whether bytes on such a port are carried without being looked into.
pub fn is_opaque(protocol: Option<Protocol>) -> bool {
    matches!(
        protocol,
        Some(Protocol::Https | Protocol::Tls | Protocol::Tcp | Protocol::Mongo | Protocol::Mysql | Protocol::Redis)
    )
}

/// Whether such a port can carry HTTP that is routed request by request: declared, or to be found out.
pub fn may_be_http(protocol: Option<Protocol>) -> bool {
    protocol.is_none_or(Protocol::is_http)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_protocol_wins_over_the_name() {
        assert_eq!(of_service_port(Some("tcp"), Some("http-web"), Some("TCP")), Some(Protocol::Tcp));
        assert_eq!(of_service_port(Some("kubernetes.io/h2c"), None, None), Some(Protocol::Http2));
        assert_eq!(of_service_port(Some("example.com/odd"), Some("http"), None), None);
        assert_eq!(of_service_port(Some(""), Some("http"), None), Some(Protocol::Http));
    }

    #[test]
    fn datagrams_are_told_by_the_transport() {
        assert_eq!(of_service_port(None, Some("http"), Some("UDP")), Some(Protocol::Udp));
    }
}
