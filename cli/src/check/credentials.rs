//! Whether there are the certificates that Gateways and DestinationRules name. Who checks may not read Secrets: the operator
//! tells in the status of the object.

use kube::{
    Api, Error,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};
use weft_lint::code::{CREDENTIAL_NOT_FOUND, CREDENTIAL_UNUSABLE};
use weft_operator::reconcile::conditions::first;

use super::Finding;
use crate::cluster::{Cluster, explain};

const CHECK: &str = "credentials";
/// Words of objects that are told; of more, how many.
const TOLD: usize = 5;

/// Kinds that name credentials.
const KINDS: [(&str, &str); 2] = [("Gateway", "gateways"), ("DestinationRule", "destinationrules")];

/// Looks at every object that may name one.
pub async fn credentials(cluster: &Cluster) -> Vec<Finding> {
    let (mut told, mut findings) = (Vec::new(), Vec::new());
    for (kind, plural) in KINDS {
        let resource =
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("networking.istio.io", "v1", kind), plural);
        let api: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &resource);
        match api.list(&ListParams::default()).await {
            Ok(list) => told.extend(list.items.iter().flat_map(|object| of_object(kind, object))),
            // The check of the kinds tells.
            Err(Error::Api(status)) if status.code == 404 => {}
            Err(error) => findings.push(Finding::unchecked(CHECK, &explain(&format!("list {plural}"), &error))),
        }
    }
    findings.extend(judge(&told));
    findings
}

/// Nothing where all is well: most meshes have no certificates of their own.
fn judge(told: &[String]) -> Option<Finding> {
    if told.is_empty() {
        return None;
    }
    let hint = "make the Secret where the pods run that use it, with a certificate and its key, and for a DestinationRule \
                with the server's roots: kubectl create secret";
    Some(Finding::failed(CHECK, first(told, TOLD, "; "), hint))
}

fn of_object(kind: &str, object: &DynamicObject) -> Vec<String> {
    let codes = [CREDENTIAL_NOT_FOUND.id, CREDENTIAL_UNUSABLE.id];
    let (namespace, name) = (&object.metadata.namespace, &object.metadata.name);
    let place = format!("{kind} {}/{}", namespace.as_deref().unwrap_or_default(), name.as_deref().unwrap_or_default());
    let messages = object.data["status"]["validationMessages"].as_array().into_iter().flatten();
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
    fn an_object_without_its_certificate_fails() {
        let object = |code: &str| -> DynamicObject {
            serde_json::from_value(json!({
                "metadata": {"name": "web", "namespace": "shop"},
                "status": {"validationMessages": [{"type": {"name": code}, "message": "there is no Secret \"x\""}]},
            }))
            .unwrap()
        };
        let told = |codes: &[&str], kind: &str| -> Vec<String> {
            codes.iter().flat_map(|code| of_object(kind, &object(code))).collect()
        };
        let finding = judge(&told(&["WEFT0115"], "Gateway")).unwrap();
        assert_eq!(finding.outcome, Outcome::Failed);
        assert_eq!(finding.message, "Gateway shop/web: there is no Secret \"x\"");
        let rule = judge(&told(&["WEFT0115"], "DestinationRule")).unwrap();
        assert!(rule.message.starts_with("DestinationRule shop/web: there"), "{rule:?}");
        assert!(judge(&told(&["WEFT0116"; 7], "Gateway")).unwrap().message.ends_with("and 2 more"));
        let bare: DynamicObject =
            serde_json::from_value(json!({"metadata": {"name": "web", "namespace": "shop"}})).unwrap();
        assert!(told(&["WEFT0103"], "Gateway").is_empty() && of_object("Gateway", &bare).is_empty());
        assert_eq!(judge(&[]), None);
    }
}
