//! How the endpoints of a cluster are found.

use weft_api::networking::service_entry::Resolution;

use crate::{Class, snapshot::Service};

/// Where a cluster's endpoints come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Discovery {
    /// They are told (EDS).
    Endpoints,
    /// Names are looked up, all addresses count.
    Names,
    /// A name is looked up, one address counts.
    OneName,
    /// The address that the application dialled.
    Dialled,
    /// There are none.
    Nothing,
}

/// Our own proxy looks no names up. Captured, it does not have to: the application has done so. Elsewhere only those
/// endpoints count that are written as addresses.
pub(super) fn of(client: &Class, service: &Service) -> Discovery {
    match service.resolution {
        Resolution::Static if service.headless && client.captured => Discovery::Dialled,
        Resolution::Static => Discovery::Endpoints,
        Resolution::Dns if client.envoy => Discovery::Names,
        Resolution::DnsRoundRobin if client.envoy => Discovery::OneName,
        Resolution::Dns | Resolution::DnsRoundRobin | Resolution::DynamicDns => {
            let addresses = service.endpoints.iter().any(|e| !is_name(&e.address)) || !service.selector.is_empty();
            match (addresses, client.captured) {
                (false, true) => Discovery::Dialled,
                _ => Discovery::Endpoints,
            }
        }
        Resolution::None if client.captured => Discovery::Dialled,
        Resolution::None => Discovery::Nothing,
    }
}

/// Whether an endpoint is written as a DNS name.
pub(super) fn is_name(address: &str) -> bool {
    !address.starts_with("unix://") && address.parse::<std::net::IpAddr>().is_err()
}
