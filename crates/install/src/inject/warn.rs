//! What an injected pod's author should know, though nothing is refused.

use serde_json::Value;

use super::{
    decide::{self, INJECT},
    known::unknown,
};
use crate::proxy::USER;

/// One sentence for each thing. `pod` is a Pod's JSON, or `{metadata, spec}` of a template.
pub fn warnings(pod: &Value) -> Vec<String> {
    unclear(pod).into_iter().chain(passing_by(pod)).chain(unknown(pod)).collect()
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
