//! Whether gateways have the certificates that Gateways name. Who checks may not read Secrets: the operator tells in the status
//! of the Gateway.

use kube::{
    Api, Error,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};
use weft_lint::code::{CREDENTIAL_NOT_FOUND, CREDENTIAL_UNUSABLE};

use super::Finding;
use crate::cluster::{Cluster, explain};

const CHECK: &str = "credentials";
/// Words of Gateways that are told; of more, how many.
const TOLD: usize = 5;

/// Looks at every Gateway.
pub async fn credentials(cluster: &Cluster) -> Vec<Finding> {
    let kind = GroupVersionKind::gvk("networking.istio.io", "v1", "Gateway");
    let api: Api<DynamicObject> =
        Api::all_with(cluster.client.clone(), &ApiResource::from_gvk_with_plural(&kind, "gateways"));
    match api.list(&ListParams::default()).await {
        Ok(list) => judge(&list.items).into_iter().collect(),
        // The check of the kinds tells.
        Err(Error::Api(status)) if status.code == 404 => Vec::new(),
        Err(error) => vec![Finding::unchecked(CHECK, &explain("list Gateways", &error))],
    }
}

/// Nothing where all is well: most meshes have no certificates of their own.
fn judge(gateways: &[DynamicObject]) -> Option<Finding> {
    let told: Vec<String> = gateways.iter().flat_map(of_gateway).collect();
    if told.is_empty() {
        return None;
    }
    let first = told.iter().take(TOLD).cloned().collect::<Vec<_>>().join("; ");
    let more = told.len().saturating_sub(TOLD);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let hint =
        "make the Secret where the gateway's pods run, with a certificate and its key: kubectl create secret tls";
    Some(Finding::failed(CHECK, format!("{first}{more}"), hint))
}

fn of_gateway(gateway: &DynamicObject) -> Vec<String> {
    let codes = [CREDENTIAL_NOT_FOUND.id, CREDENTIAL_UNUSABLE.id];
    let (namespace, name) = (&gateway.metadata.namespace, &gateway.metadata.name);
    let place = format!("Gateway {}/{}", namespace.as_deref().unwrap_or_default(), name.as_deref().unwrap_or_default());
    let messages = gateway.data["status"]["validationMessages"].as_array().into_iter().flatten();
    messages
        .filter(|message| message["type"]["name"].as_str().is_some_and(|code| codes.contains(&code)))
        .map(|message| format!("{place}: {}", message["message"].as_str().unwrap_or_default()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::Outcome;

    #[test]
    fn a_gateway_without_its_certificate_fails() {
        let gateway = |code: &str| -> DynamicObject {
            serde_json::from_value(json!({
                "metadata": {"name": "web", "namespace": "shop"},
                "status": {"validationMessages": [{"type": {"name": code}, "message": "there is no Secret \"x\""}]},
            }))
            .unwrap()
        };
        let finding = judge(&[gateway("WEFT0115")]).unwrap();
        assert_eq!(finding.outcome, Outcome::Failed);
        assert_eq!(finding.message, "Gateway shop/web: there is no Secret \"x\"");
        assert!(judge(&vec![gateway("WEFT0116"); 7]).unwrap().message.ends_with("and 2 more"));
        let bare = serde_json::from_value(json!({"metadata": {"name": "web", "namespace": "shop"}})).unwrap();
        assert_eq!(judge(&[gateway("WEFT0103"), bare]), None);
    }
}
