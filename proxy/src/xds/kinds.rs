//! Resource types on the wire.

use weft_model::xds::WORKLOAD_TYPE_URL;
use weft_policy::config::Kind;

/// Types that are subscribed to with the wildcard, in the order of the first requests.
pub const WILDCARD: [Kind; 6] =
    [Kind::Cluster, Kind::Endpoints, Kind::Listener, Kind::RouteConfig, Kind::VirtualHost, Kind::Workload];

/// The type URL of `kind`.
pub fn type_url(kind: Kind) -> &'static str {
    match kind {
        Kind::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        Kind::Endpoints => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        Kind::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
        Kind::RouteConfig => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        Kind::VirtualHost => "type.googleapis.com/envoy.config.route.v3.VirtualHost",
        Kind::Secret => "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        Kind::Workload => WORKLOAD_TYPE_URL,
    }
}

/// The other way round.
pub fn kind(url: &str) -> Option<Kind> {
    WILDCARD.into_iter().chain([Kind::Secret]).find(|kind| type_url(*kind) == url)
}

/// Short name, as logs and NACKs say it.
pub fn short(kind: Kind) -> &'static str {
    type_url(kind).rsplit('.').next().unwrap_or_default()
}
