//! Ports and their protocols, as Gateway, ServiceEntry and Sidecar write them.

use schemars::JsonSchema;
use serde::Deserialize;

/// A port.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Port {
    /// 1 to 65535 (0 only where the port is implied).
    pub number: u32,
    /// Protocol as written; see [`Port::protocol`].
    pub protocol: String,
    /// Name.
    pub name: String,
    /// Port of the endpoint, when it is another one.
    pub target_port: Option<u32>,
}

/// What is spoken on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1 (and HTTP/2 by upgrade).
    Http,
    /// HTTP over TLS.
    Https,
    /// HTTP/2 in cleartext.
    Http2,
    /// gRPC.
    Grpc,
    /// gRPC-Web.
    GrpcWeb,
    /// TLS, opaque.
    Tls,
    /// TCP, opaque.
    Tcp,
    /// UDP; not proxied.
    Udp,
    /// MongoDB; treated as TCP.
    Mongo,
    /// MySQL; treated as TCP.
    Mysql,
    /// Redis; treated as TCP.
    Redis,
    /// HTTP CONNECT tunnels between proxies.
    Hbone,
}

impl Protocol {
    /// Reads a protocol's name, in whatever case. `None` for words that Istio does not know either.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "http" => Self::Http,
            "https" => Self::Https,
            "http2" => Self::Http2,
            "grpc" => Self::Grpc,
            "grpc-web" => Self::GrpcWeb,
            "tls" => Self::Tls,
            "tcp" => Self::Tcp,
            "udp" => Self::Udp,
            "mongo" => Self::Mongo,
            "mysql" => Self::Mysql,
            "redis" => Self::Redis,
            "hbone" => Self::Hbone,
            _ => return None,
        })
    }

    /// Reads the protocol out of a port's name, which is `<protocol>` or `<protocol>-<suffix>`.
    pub fn of_port_name(name: &str) -> Option<Self> {
        if name == "grpc-web" || name.starts_with("grpc-web-") {
            return Some(Self::GrpcWeb);
        }
        Self::parse(name.split('-').next().unwrap_or_default())
    }

    /// Reads Kubernetes' `appProtocol`, standard names and Istio's.
    pub fn of_app_protocol(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "kubernetes.io/h2c" => Some(Self::Http2),
            "kubernetes.io/ws" => Some(Self::Http),
            "kubernetes.io/wss" => Some(Self::Https),
            other => Self::parse(other),
        }
    }

    /// Whether requests can be seen, and so routed, on such a port.
    pub fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Http2 | Self::Grpc | Self::GrpcWeb)
    }

    /// Whether HTTP on such a port is known to be HTTP/2.
    pub fn is_http2(self) -> bool {
        matches!(self, Self::Http2 | Self::Grpc | Self::GrpcWeb)
    }

    /// Whether the bytes are TLS that the mesh does not end by itself.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }
}

impl Port {
    /// The protocol: the one declared, else what the name says. `None` when neither is known.
    pub fn protocol(&self) -> Option<Protocol> {
        if self.protocol.is_empty() { Protocol::of_port_name(&self.name) } else { Protocol::parse(&self.protocol) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_protocols() {
        assert_eq!(Protocol::of_port_name("http-orders"), Some(Protocol::Http));
        assert_eq!(Protocol::of_port_name("grpc-web-ui"), Some(Protocol::GrpcWeb));
        assert_eq!(Protocol::of_port_name("grpc"), Some(Protocol::Grpc));
        assert_eq!(Protocol::of_port_name("orders-http"), None);
        assert_eq!(Protocol::of_app_protocol("kubernetes.io/h2c"), Some(Protocol::Http2));
    }
}
