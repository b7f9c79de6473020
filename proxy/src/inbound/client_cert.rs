//! `x-forwarded-client-cert`
//! (<https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert>).

use http::{HeaderMap, HeaderValue, header::Entry};
use weft_model::SpiffeId;
use weft_policy::config::ForwardClientCert;

use crate::{http::headers::FORWARDED_CLIENT_CERT, listener::Peer};

/// Brings the header in line with what this connection proves.
pub fn forward_client_cert(
    headers: &mut HeaderMap,
    how: ForwardClientCert,
    peer: Option<&Peer>,
    own: Option<&SpiffeId>,
) {
    match (how, peer) {
        (ForwardClientCert::AlwaysForwardOnly, _) | (ForwardClientCert::ForwardOnly, Some(_)) => {}
        (ForwardClientCert::AppendForward, Some(peer)) => {
            let hop = element(peer, own);
            let value = match headers.entry(FORWARDED_CLIENT_CERT) {
                Entry::Occupied(before) => [before.get().as_bytes(), b",", hop.as_bytes()].concat(),
                Entry::Vacant(_) => hop.into_bytes(),
            };
            set(headers, &value);
        }
        (ForwardClientCert::SanitizeSet, Some(peer)) => set(headers, element(peer, own).as_bytes()),
        _ => drop(headers.remove(FORWARDED_CLIENT_CERT)),
    }
}

fn element(peer: &Peer, own: Option<&SpiffeId>) -> String {
    match own {
        Some(own) => format!("By={own};Hash={};URI={}", peer.hash, peer.uri),
        None => format!("Hash={};URI={}", peer.hash, peer.uri),
    }
}

fn set(headers: &mut HeaderMap, value: &[u8]) {
    // Names of the mesh's form and hexadecimal digits need no quoting.
    match HeaderValue::from_bytes(value) {
        Ok(value) => drop(headers.insert(FORWARDED_CLIENT_CERT, value)),
        Err(_) => drop(headers.remove(FORWARDED_CLIENT_CERT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spoofed_header_never_reaches_the_application() {
        let uri = "spiffe://cluster.local/ns/shop/sa/order";
        let peer = Peer { spiffe: uri.parse().unwrap(), uri: uri.into(), hash: "ab".into() };
        let own = "spiffe://cluster.local/ns/shop/sa/payment".parse().unwrap();
        let spoofed = || HeaderMap::from_iter([(FORWARDED_CLIENT_CERT, HeaderValue::from_static("By=me"))]);

        let mut headers = spoofed();
        forward_client_cert(&mut headers, ForwardClientCert::SanitizeSet, None, Some(&own));
        assert!(headers.is_empty());

        let mut headers = spoofed();
        forward_client_cert(&mut headers, ForwardClientCert::SanitizeSet, Some(&peer), Some(&own));
        assert_eq!(headers[FORWARDED_CLIENT_CERT], format!("By={own};Hash=ab;URI={uri}"));

        let mut headers = spoofed();
        forward_client_cert(&mut headers, ForwardClientCert::AppendForward, Some(&peer), Some(&own));
        assert_eq!(headers[FORWARDED_CLIENT_CERT], format!("By=me,By={own};Hash=ab;URI={uri}"));
    }
}
