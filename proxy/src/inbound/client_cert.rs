//! `x-forwarded-client-cert`
//! (<https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert>).

use http::{HeaderMap, HeaderValue, header::Entry};
use weft_model::SpiffeId;
use weft_policy::config::{ClientCertDetails, ForwardClientCert};

use crate::{http::headers::FORWARDED_CLIENT_CERT, listener::Peer};

/// Brings the header in line with what this connection proves.
pub fn forward_client_cert(
    headers: &mut HeaderMap,
    how: ForwardClientCert,
    details: ClientCertDetails,
    peer: Option<&Peer>,
    own: Option<&SpiffeId>,
) {
    match (how, peer) {
        (ForwardClientCert::AlwaysForwardOnly, _) | (ForwardClientCert::ForwardOnly, Some(_)) => {}
        (ForwardClientCert::AppendForward, Some(peer)) => {
            let hop = element(details, peer, own);
            let value = match headers.entry(FORWARDED_CLIENT_CERT) {
                Entry::Occupied(before) => [before.get().as_bytes(), b",", hop.as_bytes()].concat(),
                Entry::Vacant(_) => hop.into_bytes(),
            };
            set(headers, &value);
        }
        (ForwardClientCert::SanitizeSet, Some(peer)) => set(headers, element(details, peer, own).as_bytes()),
        _ => drop(headers.remove(FORWARDED_CLIENT_CERT)),
    }
}

fn element(details: ClientCertDetails, peer: &Peer, own: Option<&SpiffeId>) -> String {
    let mut element = match own {
        Some(own) => format!("By={own};Hash={}", peer.hash),
        None => format!("Hash={}", peer.hash),
    };
    if details.subject {
        element.push_str(&format!(";Subject=\"{}\"", peer.subject.replace('"', "\\\"")));
    }
    if details.uri {
        element.push_str(&format!(";URI={}", peer.uri));
    }
    if details.dns {
        peer.dns.iter().for_each(|name| element.push_str(&format!(";DNS={name}")));
    }
    element
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
        let peer = Peer {
            spiffe: uri.parse().unwrap(),
            uri: uri.into(),
            hash: "ab".into(),
            subject: "".into(),
            dns: Vec::new(),
        };
        let own = "spiffe://cluster.local/ns/shop/sa/payment".parse().unwrap();
        let all = ClientCertDetails { subject: true, uri: true, dns: true };
        let spoofed = || HeaderMap::from_iter([(FORWARDED_CLIENT_CERT, HeaderValue::from_static("By=me"))]);

        let mut headers = spoofed();
        forward_client_cert(&mut headers, ForwardClientCert::SanitizeSet, all, None, Some(&own));
        assert!(headers.is_empty());

        let mut headers = spoofed();
        forward_client_cert(&mut headers, ForwardClientCert::SanitizeSet, all, Some(&peer), Some(&own));
        assert_eq!(headers[FORWARDED_CLIENT_CERT], format!("By={own};Hash=ab;Subject=\"\";URI={uri}"));

        let mut headers = spoofed();
        forward_client_cert(&mut headers, ForwardClientCert::AppendForward, all, Some(&peer), Some(&own));
        assert_eq!(headers[FORWARDED_CLIENT_CERT], format!("By=me,By={own};Hash=ab;Subject=\"\";URI={uri}"));
    }
}
