//! Proxies that run on although no Mesh is there to look after them, as after one that was removed by force.

use k8s_openapi::api::core::v1::Pod;
use weft_operator::reconcile::conditions::first;

use super::Finding;
use crate::{
    cluster::{
        Cluster,
        pods::{self, Proxied},
    },
    output::plural,
};

const CHECK: &str = "proxies";
/// How many are named.
const NAMED: usize = 10;

/// Nothing when there is none. Another mesh's proxies are none of ours, nor are those whose control plane is elsewhere.
pub(super) async fn orphans(cluster: &Cluster) -> Option<Finding> {
    match cluster.pods().await {
        Ok(pods) => found(&pods, &cluster.system),
        // Nothing is installed, so nothing fails by it.
        Err(error) => Some(Finding::warning(
            CHECK,
            error.to_string(),
            "without that it is not seen whether a Mesh that went left pods with proxies behind",
        )),
    }
}

fn found(pods: &[Pod], system: &str) -> Option<Finding> {
    let ours = |proxy: &Proxied<'_>| proxy.control_plane().is_some_and(|address| is_in(address, system));
    let left = |proxy: &Proxied<'_>| !proxy.over() && pods::stays(proxy.pod) && ours(proxy);
    let all: Vec<String> = pods::proxied(pods).filter(left).map(|proxy| proxy.id()).collect();
    (!all.is_empty()).then(|| {
        Finding::warning(
            CHECK,
            format!(
                "{} still run with a proxy and no Mesh: {}. They stop reaching each other when their certificates run \
                 out, at the latest 24 h after the Mesh went, where it set no other lifetime",
                plural(all.len(), "pod"),
                first(&all, NAMED, ", ")
            ),
            "weft install takes them up again where the authority is kept; else restart them without a proxy: kubectl rollout \
             restart",
        )
    })
}

/// Whether an address, `host:port`, is that of a Service in namespace `system`, as injection writes it.
fn is_in(address: &str, system: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let mut labels = host.split('.').skip(1);
    labels.next() == Some(system) && labels.next() == Some("svc")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{check::Outcome, cluster::pods::testing::pod};

    #[test]
    fn what_a_mesh_left_behind_is_a_warning_and_anothers_proxies_are_not() {
        let one = |name: &str, address: &str| {
            let mut one = pod("shop", name, "weft/proxy:1", "default");
            for container in one.spec.iter_mut().flat_map(|spec| spec.init_containers.iter_mut().flatten()) {
                let variables = json!([{"name": "WEFT_CONTROL_PLANE", "value": address}]);
                container.env = Some(serde_json::from_value(variables).unwrap());
            }
            one
        };
        let found = |pods: &[Pod]| found(pods, "mesh");
        assert_eq!(found(&[pod("shop", "web-1-a", "istio/proxyv2:1", "default")]), None);
        // Injected with weft inject for a mesh whose control plane is in another cluster.
        for address in ["east.example.com:15012", "192.0.2.7:15012", "weft-control-plane.weft-system.svc:15012"] {
            assert_eq!(found(&[one("web-1-a", address)]), None, "{address}");
        }
        let ours = one("web-1-a", "weft-control-plane.mesh.svc:15012");
        let told = found(&[ours, one("cart-1-a", "weft-control-plane-v2.mesh.svc:15012")]).unwrap();
        assert_eq!(told.outcome, Outcome::Warning);
        assert!(told.message.starts_with("2 pods still run with a proxy and no Mesh: shop/web-1-a, shop/cart-1-a."));
        assert!(told.message.contains("24 h"), "{told:?}");
    }
}
