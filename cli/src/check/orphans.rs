//! Proxies that run on although no Mesh is there to look after them, as after one that was removed by force.

use k8s_openapi::api::core::v1::Pod;

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

/// Nothing when there is none. Another mesh's proxies are none of ours.
pub(super) async fn orphans(cluster: &Cluster) -> Option<Finding> {
    match cluster.pods().await {
        Ok(pods) => found(&pods),
        // Nothing is installed, so nothing fails by it.
        Err(error) => Some(Finding::warning(
            CHECK,
            error.to_string(),
            "without that it is not seen whether a Mesh that went left pods with proxies behind",
        )),
    }
}

fn found(pods: &[Pod]) -> Option<Finding> {
    let left = |proxy: &Proxied<'_>| !proxy.over() && pods::stays(proxy.pod) && proxy.is_ours();
    let all: Vec<String> = pods::proxied(pods).filter(left).map(|proxy| proxy.id()).collect();
    let first = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = if all.len() > NAMED { format!(" and {} more", all.len() - NAMED) } else { String::new() };
    (!all.is_empty()).then(|| {
        Finding::warning(
            CHECK,
            format!(
                "{} still run with a proxy and no Mesh: {first}{more}. They stop reaching each other when their certificates run \
                 out, at the latest 24 h after the Mesh went, where it set no other lifetime",
                plural(all.len(), "pod")
            ),
            "weft install takes them up again where the authority is kept; else restart them without a proxy: kubectl rollout \
             restart",
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{check::Outcome, cluster::pods::testing::pod};

    #[test]
    fn what_a_mesh_left_behind_is_a_warning_and_anothers_proxies_are_not() {
        let ours = |name: &str| {
            let mut one = pod("shop", name, "weft/proxy:1", "default");
            for container in one.spec.iter_mut().flat_map(|spec| spec.init_containers.iter_mut().flatten()) {
                container.env = Some(serde_json::from_value(json!([{"name": "WEFT_CONTROL_PLANE"}])).unwrap());
            }
            one
        };
        assert_eq!(found(&[pod("shop", "web-1-a", "istio/proxyv2:1", "default")]), None);
        let told = found(&[ours("web-1-a"), ours("cart-1-a")]).unwrap();
        assert_eq!(told.outcome, Outcome::Warning);
        assert!(told.message.starts_with("2 pods still run with a proxy and no Mesh: shop/web-1-a, shop/cart-1-a."));
        assert!(told.message.contains("24 h"), "{told:?}");
    }
}
