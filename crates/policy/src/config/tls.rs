//! TLS settings. Certificates are named, never held here.
//!
//! Files at the proxy have names too, Istio's: `file-cert:<chain>~<key>` and `file-root:<roots>`.

use std::sync::Arc;

use super::StringMatch;

/// TLS that a listener terminates.
#[derive(Debug)]
pub struct DownstreamTls {
    /// SDS name of the server certificate (`default`, `kubernetes://…`).
    pub certificate: Arc<str>,
    /// SDS name of the roots that client certificates are verified against.
    pub roots: Option<Arc<str>>,
    /// Whether a client without a certificate is refused.
    pub require_client_certificate: bool,
    /// ALPN in order of preference.
    pub alpn: Vec<Arc<str>>,
    /// URI names of which the client's certificate must have one; empty accepts any. See [`accepts_san`].
    pub client_san: Vec<StringMatch>,
    /// Lowest version.
    pub min_version: TlsVersion,
    /// Highest version.
    pub max_version: TlsVersion,
}

/// TLS that a connection to an endpoint speaks.
#[derive(Debug, PartialEq)]
pub struct UpstreamTls {
    /// SDS name of our certificate; `None` for one-way TLS.
    pub certificate: Option<Arc<str>>,
    /// SDS name of the roots that the server is verified against; `None` verifies nothing.
    pub roots: Option<Arc<str>>,
    /// Names of which the server's certificate must have one; empty accepts any that verifies.
    pub server_san: Vec<StringMatch>,
    /// SNI; empty sends none.
    pub sni: Arc<str>,
    /// ALPN in order of preference.
    pub alpn: Vec<Arc<str>>,
    /// Lowest version.
    pub min_version: TlsVersion,
    /// Highest version.
    pub max_version: TlsVersion,
}

/// TLS protocol versions in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}

/// Whether one of a certificate's names satisfies one of the matchers. No matchers accept everything. A `*.` name
/// covers one label more, as in RFC 6125 §6.4.3.
pub fn accepts_san<'a>(matchers: &[StringMatch], names: impl IntoIterator<Item = &'a str>) -> bool {
    matchers.is_empty() || names.into_iter().any(|name| matchers.iter().any(|m| m.matches(name) || covers(name, m)))
}

fn covers(name: &str, matcher: &StringMatch) -> bool {
    let (StringMatch::Exact(wanted) | StringMatch::ExactNoCase(wanted)) = matcher else { return false };
    match (name.strip_prefix("*."), wanted.split_once('.')) {
        (Some(parent), Some((label, rest))) => !label.is_empty() && rest.eq_ignore_ascii_case(parent),
        _ => false,
    }
}
