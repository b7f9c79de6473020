//! What the operator found and the console cannot see: whether there are the Secrets that objects name. The console reads no
//! Secrets; the operator tells in the objects' status, which the console's own watches leave out.

use std::{sync::Arc, time::Duration};

use kube::{
    Api, Client, Error,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};
use tokio::sync::watch;
use weft_api::{Kind, ObjectKey};
use weft_lint::code::{CREDENTIAL_NOT_FOUND, CREDENTIAL_UNUSABLE, Code};
use weft_mesh::Snapshot;
use weft_model::{Diagnostic, ObjectRef, Severity};

/// As whom the operator writes findings into a status.
const FIELD_MANAGER: &str = "weft-operator-findings";
/// Kinds that name Secrets.
const KINDS: [Kind; 2] = [Kind::Gateway, Kind::DestinationRule];
/// What takes Secrets to be found. Everything else the console's own lint finds.
static CODES: [Code; 2] = [CREDENTIAL_NOT_FOUND, CREDENTIAL_UNUSABLE];
/// How often it is read.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// Objects of one answer.
const PAGE: u32 = 500;

/// Findings of the operator.
pub type Told = Arc<[Diagnostic]>;

/// Reads what the operator tells, again and again. What cannot be read leaves what was read last.
pub async fn follow(client: Client, publish: watch::Sender<Told>) {
    loop {
        match read(&client).await {
            Ok(found) => {
                publish.send_if_modified(|present| {
                    let changed = present[..] != found[..];
                    if changed {
                        *present = found.into();
                    }
                    changed
                });
            }
            Err(error) => tracing::debug!(%error, "what the operator found cannot be read"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn read(client: &Client) -> Result<Vec<Diagnostic>, Error> {
    let mut found = Vec::new();
    for kind in KINDS {
        for version in kind.versions() {
            let resource = GroupVersionKind::gvk(kind.group(), version, kind.name());
            let resource = ApiResource::from_gvk_with_plural(&resource, kind.plural());
            match each(&Api::all_with(client.clone(), &resource), kind, version, &mut found).await {
                // The next version may be served.
                Err(Error::Api(status)) if status.code == 404 => {}
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
    }
    Ok(found)
}

async fn each(api: &Api<DynamicObject>, kind: Kind, version: &str, found: &mut Vec<Diagnostic>) -> Result<(), Error> {
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = api.list(&params).await?;
        page.items.iter().for_each(|object| found.extend(of_object(kind, version, object)));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(()),
        }
    }
}

/// What the operator tells in the status of an object.
fn of_object(kind: Kind, version: &str, object: &DynamicObject) -> Vec<Diagnostic> {
    let ours = object.metadata.managed_fields.iter().flatten().any(|entry| {
        entry.manager.as_deref() == Some(FIELD_MANAGER)
            && entry.fields_v1.as_ref().is_some_and(|fields| !fields.0["f:status"]["f:validationMessages"].is_null())
    });
    if !ours {
        return Vec::new();
    }
    let about = ObjectRef {
        api_version: format!("{}/{version}", kind.group()),
        kind: kind.name().to_owned(),
        namespace: object.metadata.namespace.clone().unwrap_or_default(),
        name: object.metadata.name.clone().unwrap_or_default(),
    };
    let messages = object.data["status"]["validationMessages"].as_array().into_iter().flatten();
    messages
        .filter_map(|message| {
            let name = message["type"]["name"].as_str()?;
            let code = CODES.iter().find(|code| code.id == name)?;
            Some(Diagnostic {
                code: code.id.to_owned(),
                aliases: code.aliases.iter().map(|alias| (*alias).to_owned()).collect(),
                severity: if message["level"] == "ERROR" { Severity::Error } else { Severity::Warning },
                message: message["message"].as_str()?.to_owned(),
                object: Some(about.clone()),
                field: String::new(),
                file: None,
                line: None,
                column: None,
                suggestion: None,
            })
        })
        .collect()
}

/// Those about objects that are still there, as these are written, without what `known` says already.
pub(super) fn present(told: &[Diagnostic], known: &[Diagnostic], snapshot: &Snapshot) -> Vec<Diagnostic> {
    let here = told.iter().filter_map(|finding| {
        let object = snapshot.object(&ObjectKey::from(finding.object.as_ref()?))?;
        Some(Diagnostic { object: Some(object.reference.clone()), ..finding.clone() })
    });
    let double =
        |finding: &Diagnostic| known.iter().any(|known| known.code == finding.code && known.object == finding.object);
    here.filter(|finding| !double(finding)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use weft_api::Change;
    use weft_mesh::{Settings, Store};

    use super::*;

    fn gateway(manager: &str, code: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "shop", "managedFields": [{
                "manager": manager, "operation": "Apply", "fieldsType": "FieldsV1", "subresource": "status",
                "fieldsV1": {"f:status": {"f:validationMessages": {}}},
            }]},
            "status": {"validationMessages": [
                {"type": {"name": code, "code": "IST0101"}, "level": "ERROR", "message": "there is no Secret \"x\""},
            ]},
        }))
        .unwrap()
    }

    fn parsed(value: &Value) -> weft_api::Object {
        weft_api::parse(value, "default").unwrap().object
    }

    #[test]
    fn what_takes_secrets_is_taken_from_the_operators_word() {
        let of = |manager: &str, code: &str| of_object(Kind::Gateway, "v1", &gateway(manager, code));
        let found = of(FIELD_MANAGER, "WEFT0115");
        assert_eq!((found.len(), found[0].severity), (1, Severity::Error));
        assert_eq!(found[0].message, "there is no Secret \"x\"");
        assert!(of(FIELD_MANAGER, "WEFT0101").is_empty(), "the console's own lint finds it");
        assert!(of("pilot-discovery", "WEFT0115").is_empty(), "it is another's word");
    }

    #[test]
    fn a_finding_is_of_an_object_that_is_there_and_is_told_once() {
        let found = of_object(Kind::Gateway, "v1", &gateway(FIELD_MANAGER, "WEFT0115"));
        let mut store = Store::new(Settings::default());
        assert!(present(&found, &[], &store.snapshot()).is_empty());
        let object = parsed(&json!({
            "apiVersion": "networking.istio.io/v1beta1", "kind": "Gateway",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]},
        }));
        store.apply(vec![Change::Put(Arc::new(object))]);
        let shown = present(&found, &[], &store.snapshot());
        assert_eq!(shown.len(), 1);
        assert_eq!(shown[0].object.as_ref().unwrap().api_version, "networking.istio.io/v1beta1");
        assert!(present(&found, &shown, &store.snapshot()).is_empty());
    }
}
