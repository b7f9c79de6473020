//! Whether a Mesh may have the versions that its images are of.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use weft_api::mesh::Profile;
use weft_install::{MeshInput, VERSION, profile::Settings, version::tag_of};

use super::{
    cluster::Cluster,
    fleet::Survey,
    injected,
    problem::{Problem, Reason},
    rollout,
    skew::{self, Proxies},
};

/// Refuses a Mesh with an image outside of the window: of this operator, of the version that is `installed`, or of its
/// proxies. `running` is the Deployment of its control plane.
pub async fn check(
    cluster: &Cluster,
    input: &MeshInput,
    installed: &str,
    running: Option<&Deployment>,
    survey: Option<&Survey>,
) -> Result<(), Problem> {
    let asked = asked(input);
    let mut proxies = BTreeMap::new();
    let running = running.and_then(rollout::image).map(tag_of);
    // Neither somebody's own image in the Deployment nor in a pod keeps what is installed from being put right.
    let moves = |from: Option<&str>| asked.first().is_some_and(|(_, wanted)| skew::moves(from, wanted));
    if moves(running) && moves(Some(installed)) && input.mesh.profile() != Profile::Remote {
        // Replicas that are silent, or have just started, know of few. Once the control plane has moved it is decided.
        proxies = injected::versions(cluster, input.mesh.revision_label()).await?;
        for (version, count) in survey.iter().flat_map(|survey| &survey.versions) {
            let known = proxies.entry(version.clone()).or_default();
            known.count = known.count.max(*count);
        }
    }
    judge(VERSION, installed, &asked, &proxies).map_err(|why| Problem::new(Reason::VersionSkew, why))
}

/// The tags of a Mesh's images, each with the field that it comes from; the control plane's first.
fn asked(input: &MeshInput) -> [(String, String); 4] {
    let settings = Settings::of(input);
    let components = &input.mesh.components;
    let gateway = &components.ingress_gateway.image;
    [
        ("controlPlane", &components.control_plane.image, &settings.operator_image),
        ("proxy", &components.proxy.image, &settings.proxy_image),
        ("ingressGateway", gateway, gateway.as_ref().unwrap_or(&settings.proxy_image)),
        ("console", &components.console.image, &settings.console_image),
    ]
    .map(|(component, written, image)| {
        let field = match written {
            Some(_) => format!("spec.components.{component}.image"),
            None => "spec.image.tag".to_owned(),
        };
        (field, tag_of(image).to_owned())
    })
}

/// What stands beside the control plane has to meet the operator, and with it meets the control plane.
fn judge(
    operator: &str,
    installed: &str,
    asked: &[(String, String)],
    proxies: &BTreeMap<String, Proxies>,
) -> Result<(), String> {
    let none = BTreeMap::new();
    for (index, (field, wanted)) in asked.iter().enumerate() {
        let (installed, proxies) = if index == 0 { (installed, proxies) } else { ("", &none) };
        skew::check(operator, installed, wanted, proxies).map_err(|error| format!("{field}: {error}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use weft_install::Capabilities;

    use super::*;
    use crate::reconcile::fake::FakeApi;

    fn input(spec: Value) -> MeshInput {
        let mesh =
            json!({"apiVersion": "weft.dev/v1alpha1", "kind": "Mesh", "metadata": {"name": "weft"}, "spec": spec});
        MeshInput::from_json(&mesh, "weft-system", Capabilities::default()).unwrap()
    }

    fn judged(spec: Value, installed: &str) -> String {
        judge("1.4.2", installed, &asked(&input(spec)), &BTreeMap::new()).err().unwrap_or_default()
    }

    #[test]
    fn an_image_of_its_own_is_no_way_around_the_window() {
        let tag = json!({"tag": "1.4.0"});
        assert_eq!(judged(json!({"image": tag}), "1.3.0"), "");
        for component in ["controlPlane", "proxy", "ingressGateway", "console"] {
            let of = |image: &str| {
                let mut spec = json!({"image": tag, "components": {}});
                spec["components"][component] = json!({"image": image});
                judged(spec, "1.4.0")
            };
            let field = format!("spec.components.{component}.image: version ");
            assert!(of("registry:5000/x:1.5.0").starts_with(&(field.clone() + "1.5.0 is newer")), "{component}");
            assert!(of("x:v1.2.9@sha256:00").starts_with(&(field + "v1.2.9 is more than one")), "{component}");
            assert_eq!((of("x:1.3.1"), of("x:mine"), of("x")), (String::new(), String::new(), String::new()));
        }
        let leap = judged(json!({"image": tag, "components": {"controlPlane": {"image": "x:1.3.0"}}}), "1.1.0");
        assert!(leap.contains("from the running 1.1.0"), "{leap}");
        assert!(judged(json!({"image": {"tag": "1.5.0"}}), "").starts_with("spec.image.tag: version 1.5.0"));
    }

    /// Where no replica answers, pods say what proxies there are.
    #[tokio::test]
    async fn silence_is_not_the_absence_of_proxies() {
        let api = FakeApi::default();
        let pod = json!({
            "metadata": {"name": "web", "namespace": "shop", "labels": {"istio.io/rev": "default"},
                "annotations": {"sidecar.istio.io/status": r#"{"revision":"default"}"#}},
            "spec": {"containers": [{"name": "web", "image": "web:1"}],
                "initContainers": [{"name": "istio-proxy", "image": "weft/proxy:9.0.0"}]},
        });
        api.answer("GET /api/v1/pods", json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": [pod]}));
        let cluster = Cluster { client: api.client() };
        let input = input(json!({}));
        let silent = Survey { silent: 1, ..Survey::default() };
        let refused = check(&cluster, &input, "", None, Some(&silent)).await.unwrap_err();
        assert_eq!(refused.reason, Reason::VersionSkew);
        assert!(refused.message.contains("version 9.0.0 (shop/web)"), "{refused}");
        assert!(refused.message.contains("sidecar.istio.io/proxyImage"), "{refused}");
        // What runs already is not asked for again.
        let image = format!("weft/operator:{VERSION}");
        let running: Deployment = serde_json::from_value(json!({"spec": {"selector": {}, "template": {"spec":
            {"containers": [{"name": "c", "image": image}]}}}}))
        .unwrap();
        check(&cluster, &input, VERSION, Some(&running), Some(&silent)).await.unwrap();
        // One pod with an image of its own keeps nobody from putting the control plane's right.
        let far = Survey { versions: [("9.0.0".to_owned(), 1)].into(), ..Survey::default() };
        check(&cluster, &input, VERSION, Some(&running), Some(&far)).await.unwrap();
        let mut others = running.clone();
        if let Some(pod) = others.spec.as_mut().and_then(|spec| spec.template.spec.as_mut()) {
            pod.containers[0].image = Some("foo:1".to_owned());
        }
        check(&cluster, &input, VERSION, Some(&others), Some(&far)).await.unwrap();
        assert_eq!(api.asked("GET /api/v1/pods").len(), 1);
    }
}
