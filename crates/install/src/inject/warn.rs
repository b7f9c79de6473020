//! What an injected pod's author should know, though nothing is refused.

use serde_json::Value;

use weft_api::{
    error::did_you_mean,
    mesh::{LOG_LEVELS, MeshConfig},
};

use super::{
    annotations::{Annotations, LOG_LEVEL, TEMPLATES},
    decide::{self, INJECT},
    known::{unknown, unknown_settings},
    spans,
};
use crate::proxy::{USER, log_level};

/// One sentence for each thing. `pod` is a Pod's JSON, or `{metadata, spec}` of a template.
pub fn warnings(pod: &Value) -> Vec<String> {
    unclear(pod).into_iter().chain(passing_by(pod)).chain(unknown(pod)).chain(without_effect(pod)).collect()
}

/// Annotations whose value means nothing here: they are left out, as Istio's proxies would refuse to start with some of them.
fn without_effect(pod: &Value) -> Vec<String> {
    let annotations = Annotations::of(pod);
    let level = annotations.get(LOG_LEVEL).filter(|written| log_level(written).is_none()).map(|written| {
        let shown: String = written.chars().take(64).collect();
        let meant =
            did_you_mean(written, LOG_LEVELS).unwrap_or_else(|| format!("write one of {}", LOG_LEVELS.join(", ")));
        format!("annotation {LOG_LEVEL:?}: {shown:?} is no level and has no effect: {meant}")
    });
    let templates = annotations.get(TEMPLATES).into_iter().flat_map(|names| names.split(',')).map(str::trim);
    let others = templates.filter(|name| !["sidecar", "gateway", ""].contains(name)).map(|name| {
        let shown: String = name.chars().take(64).collect();
        format!(
            "annotation {TEMPLATES:?}: Weft has no template {shown:?}, only sidecar and gateway; the pod gets a sidecar"
        )
    });
    level.into_iter().chain(others).collect()
}

/// What a Mesh's author should know, one sentence each: fields of `defaultConfig` that nobody knows, and spans that go nowhere.
pub fn mesh_warnings(config: &MeshConfig) -> Vec<String> {
    let settings = config.default_config.as_ref().and_then(Value::as_object).map(unknown_settings);
    let unknown = settings.into_iter().flatten().map(|words| format!("spec.meshConfig.defaultConfig: {words}"));
    unknown.chain(spans::mesh_warnings(config)).collect()
}

/// A typo must not take a pod out of the mesh, nor stay unseen.
fn unclear(pod: &Value) -> Option<String> {
    let said: String = decide::unclear(pod)?.chars().take(64).collect();
    Some(format!(
        "{INJECT}: {said:?} is neither \"true\" nor \"false\" and counts as if it were not there: correct or remove it"
    ))
}

/// One sentence for each container that would pass by the mesh: capture leaves the proxy's own user alone, so that a
/// container of the same user is not captured either.
fn passing_by(pod: &Value) -> Vec<String> {
    let spec = &pod["spec"];
    let user = |context: &Value| context["securityContext"]["runAsUser"].as_u64();
    let containers = ["initContainers", "containers"].into_iter().filter_map(|list| spec[list].as_array()).flatten();
    let passes_by = |container: &&Value| {
        let name = container["name"].as_str().unwrap_or_default();
        !name.starts_with("istio-") && user(container).or_else(|| user(spec)) == Some(u64::from(USER))
    };
    let sentence = |container: &Value| {
        format!(
            "container {} runs as user {USER}, which is the proxy's own: its traffic is not captured and passes by mTLS and \
             policies. Give it another securityContext.runAsUser",
            container["name"].as_str().unwrap_or_default()
        )
    };
    containers.filter(passes_by).map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_word_that_is_neither_yes_nor_no_is_told() {
        let told = |map: &str, word: &str| warnings(&json!({"metadata": {map: {"sidecar.istio.io/inject": word}}}));
        for word in ["true", "False", "no", "on", ""] {
            assert_eq!(told("labels", word), Vec::<String>::new(), "{word}");
        }
        for map in ["labels", "annotations"] {
            let found = told(map, "maybe");
            assert!(
                found.len() == 1 && found[0].starts_with("sidecar.istio.io/inject: \"maybe\" is neither"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_mesh_is_warned_of_settings_that_nobody_knows() {
        let config: MeshConfig =
            serde_json::from_value(json!({"defaultConfig": {"concurency": 4, "tracing": {}}})).unwrap();
        let found = mesh_warnings(&config);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("spec.meshConfig.defaultConfig: field \"concurency\"")
                && found[0].contains("concurrency")
        );
    }

    #[test]
    fn values_that_mean_nothing_are_told() {
        let told = |key: &str, value: &str| warnings(&json!({"metadata": {"annotations": {key: value}}}));
        for level in ["debug", "warning", "off", "critical", "rbac:debug,http:trace"] {
            assert_eq!(told(LOG_LEVEL, level), Vec::<String>::new(), "{level}");
        }
        let found = told(LOG_LEVEL, "debugg");
        assert!(found.len() == 1 && found[0].ends_with("did you mean \"debug\"?"), "{found:?}");
        assert_eq!(told(TEMPLATES, "sidecar"), Vec::<String>::new());
        let found = told(TEMPLATES, "sidecar,custom");
        assert!(found.len() == 1 && found[0].contains("no template \"custom\""), "{found:?}");
    }

    #[test]
    fn containers_of_the_proxys_user_are_named() {
        let pod = json!({"spec": {
            "securityContext": {"runAsUser": 1337},
            "containers": [
                {"name": "inherits"},
                {"name": "other", "securityContext": {"runAsUser": 1000}},
                {"name": "istio-proxy", "securityContext": {"runAsUser": 1337}},
            ],
        }});
        let found = warnings(&pod);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("container inherits runs as user 1337"), "{found:?}");
        assert_eq!(warnings(&json!({"spec": {"containers": [{"name": "a"}]}})), Vec::<String>::new());
        assert_eq!(warnings(&json!(null)), Vec::<String>::new());
    }
}
