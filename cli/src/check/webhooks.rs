//! Whether the API server's questions to an installation are answered.

use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
    core::v1::{Pod, Service},
};
use kube::Api;
use weft_api::mesh::Profile;
use weft_install::names;

use super::{Finding, install::holders, mesh::deletion};
use crate::cluster::{
    Cluster, explain,
    meshes::{Installation, unhook},
    pods,
};

/// The check of the webhook that gives pods a proxy.
const INJECTION: &str = "injection";

/// Whether the webhooks can be called. While the operator is not `idle`, it puts back those that are deleted.
pub async fn webhooks(cluster: &Cluster, meshes: &[Installation], idle: bool) -> Vec<Finding> {
    let mutating: Api<MutatingWebhookConfiguration> = Api::all(cluster.client.clone());
    let validating: Api<ValidatingWebhookConfiguration> = Api::all(cluster.client.clone());
    let mut findings = Vec::new();
    // Where they cannot be seen, nobody is told to be silent.
    let pods = cluster.component("control-plane").await.ok();
    for mesh in holders(meshes) {
        let silence = silence(cluster, mesh, pods.as_deref()).await;
        let name = mesh.spec.revisioned(names::INJECTOR_WEBHOOK);
        let bundles = mutating.get_opt(&name).await.map(|found| {
            let hooks = |found: MutatingWebhookConfiguration| found.webhooks.into_iter().flatten();
            found.map(|found| hooks(found).all(|hook| hook.client_config.ca_bundle.is_some()))
        });
        findings.push(webhook(INJECTION, &name, bundles, mesh, silence.as_ref(), idle));
        let name = mesh.spec.revisioned(names::VALIDATOR_WEBHOOK);
        let bundles = validating.get_opt(&name).await.map(|found| {
            let hooks = |found: ValidatingWebhookConfiguration| found.webhooks.into_iter().flatten();
            found.map(|found| hooks(found).all(|hook| hook.client_config.ca_bundle.is_some()))
        });
        findings.push(webhook("validation", &name, bundles, mesh, silence.as_ref(), idle));
    }
    findings
}

/// Why nobody answers the webhooks of a Mesh.
#[derive(Debug)]
enum Silence {
    /// The Service is not there, as when the namespace of the installation was deleted.
    NoService(String),
    /// No pod is ready.
    NoPod,
}

/// Nothing when somebody answers, or when that cannot be seen. Another cluster's control plane is looked at there.
async fn silence(cluster: &Cluster, mesh: &Installation, pods: Option<&[Pod]>) -> Option<Silence> {
    if mesh.spec.profile() == Profile::Remote {
        return None;
    }
    let services: Api<Service> = Api::namespaced(cluster.client.clone(), &cluster.system);
    let name = mesh.spec.revisioned(names::CONTROL_PLANE);
    if services.get_metadata_opt(&name).await.ok()?.is_none() {
        return Some(Silence::NoService(format!("{}/{name}", cluster.system)));
    }
    let answers = |pod: &Pod| pods::of_mesh(pod, &mesh.name) && pods::stays(pod) && pods::is_ready(pod);
    (!pods?.iter().any(answers)).then_some(Silence::NoPod)
}

/// That a webhook is in place and that nobody answers it.
fn silent(check: &'static str, name: &str, silence: &Silence, mesh: &Installation, idle: bool) -> Finding {
    let (why, way) = match silence {
        Silence::NoService(service) => (
            format!("Service {service}, to which it leads, is not there"),
            format!("weft install --name {} brings back what answers", mesh.name),
        ),
        Silence::NoPod => (
            "no pod of the control plane is ready".to_owned(),
            "the finding about the control plane says why".to_owned(),
        ),
    };
    let refused = match check {
        INJECTION => "pods that ask for a proxy are refused",
        _ => "changes of Istio's objects may be refused",
    };
    let hint = match idle {
        true => format!("{way}; {} lets them pass", unhook(&mesh.name)),
        false if mesh.leaving => deletion(&mesh.name),
        false => format!(
            "weft status and kubectl describe mesh {0} say what keeps the control plane from running; where nobody needs it, \
             kubectl delete mesh {0} takes the webhooks away (the operator puts back one that is deleted alone)",
            mesh.name
        ),
    };
    Finding::failed(check, format!("the webhook {name} cannot be answered: {why}; {refused}"), hint)
}

/// `trusted`: whether the configuration is there and names whom the API server is to trust.
fn webhook(
    check: &'static str,
    name: &str,
    trusted: Result<Option<bool>, kube::Error>,
    mesh: &Installation,
    silence: Option<&Silence>,
    idle: bool,
) -> Finding {
    match trusted {
        Err(error) => Finding::unchecked(check, &explain(&format!("read the webhook {name}"), &error)),
        // The webhooks go first, and none comes back by waiting.
        Ok(None) if mesh.leaving => Finding::warning(
            check,
            format!("the webhook {name} is gone: Mesh {} is being deleted", mesh.name),
            deletion(&mesh.name),
        ),
        Ok(None) => Finding::failed(
            check,
            format!("the webhook {name} is missing"),
            "wait until the Mesh is ready; if it stays, look at the operator's log",
        ),
        Ok(Some(false)) => Finding::failed(
            check,
            format!("the webhook {name} has no caBundle, so the API server cannot call it"),
            "look at the operator's log: it writes the mesh's roots there",
        ),
        Ok(Some(true)) => match silence {
            Some(silence) => silent(check, name, silence, mesh, idle),
            None => Finding::ok(check, format!("the webhook {name} is in place")),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{check::Outcome, cluster::meshes::testing::installation};

    #[test]
    fn webhooks_need_a_bundle() {
        let mut mesh = installation(json!({}), json!({}));
        let told = |trusted, mesh: &Installation| webhook(INJECTION, "x", Ok(trusted), mesh, None, false);
        assert_eq!(told(Some(true), &mesh).outcome, Outcome::Ok);
        assert!(told(Some(false), &mesh).message.contains("caBundle"));
        assert!(told(None, &mesh).message.contains("missing"));
        mesh.leaving = true;
        assert_eq!(told(None, &mesh).outcome, Outcome::Warning);
        assert!(told(None, &mesh).message.contains("Mesh main is being deleted"));
    }

    #[test]
    fn a_webhook_that_nobody_answers_is_no_good() {
        let mesh = installation(json!({}), json!({}));
        let told = |check, silence| webhook(check, "x", Ok(Some(true)), &mesh, Some(&silence), true);
        let gone = told(INJECTION, Silence::NoService("mesh/weft-control-plane".into()));
        assert_eq!(gone.outcome, Outcome::Failed);
        assert!(
            gone.message.contains("Service mesh/weft-control-plane") && gone.message.contains("are refused"),
            "{gone:?}"
        );
        let hint = gone.hint.unwrap();
        assert!(hint.contains("weft install --name main"), "{hint}");
        // By label: those of tags refuse as well.
        let delete = "kubectl delete mutatingwebhookconfiguration,validatingwebhookconfiguration -l weft.dev/mesh=main";
        assert!(hint.contains(delete), "{hint}");
        let down = told("validation", Silence::NoPod).hint.unwrap();
        assert!(down.contains("control plane") && down.contains(delete), "{down}");
    }

    #[test]
    fn a_webhook_that_comes_back_is_not_to_be_deleted() {
        let mut mesh = installation(json!({}), json!({}));
        let told = |mesh: &Installation, silence: Silence| {
            webhook(INJECTION, "x", Ok(Some(true)), mesh, Some(&silence), false).hint.unwrap()
        };
        for silence in [Silence::NoPod, Silence::NoService("mesh/weft-control-plane".into())] {
            let hint = told(&mesh, silence);
            assert!(!hint.contains("webhookconfiguration") && hint.contains("weft status"), "{hint}");
            assert!(hint.contains("describe mesh main") && hint.contains("kubectl delete mesh main"), "{hint}");
        }
        mesh.leaving = true;
        let hint = told(&mesh, Silence::NoPod);
        assert!(hint.starts_with("kubectl wait --for=delete mesh/main"), "{hint}");
    }
}
