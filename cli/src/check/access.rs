//! Whether there is a cluster of a version that works, and whether we may install into it.

use futures::future::join_all;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::{Api, api::PostParams};

use super::Finding;
use crate::cluster::{Cluster, explain};

/// The oldest Kubernetes whose objects are all that rendering needs.
const OLDEST_MINOR: u32 = 29;

/// Asks for the version.
pub async fn api_server(cluster: &Cluster) -> Finding {
    const CHECK: &str = "API server";
    match cluster.client.apiserver_version().await {
        Ok(version) => {
            let minor = version.minor.trim_end_matches(|letter: char| !letter.is_ascii_digit()).parse().unwrap_or(0);
            version_finding(&version.git_version, &version.major, minor, &cluster.server)
        }
        Err(error) => Finding::unchecked(CHECK, &explain(&format!("reach {}", cluster.server), &error)),
    }
}

fn version_finding(name: &str, major: &str, minor: u32, server: &str) -> Finding {
    const CHECK: &str = "API server";
    if major == "1" && minor < OLDEST_MINOR {
        let hint = format!(
            "upgrade the cluster to 1.{OLDEST_MINOR} or newer: sidecars need init containers that keep running"
        );
        return Finding::failed(CHECK, format!("{server} is Kubernetes {name}"), hint);
    }
    Finding::ok(CHECK, format!("{server} is Kubernetes {name}"))
}

/// What an installation creates: group, resource, namespaced.
const NEEDED: [(&str, &str, bool); 11] = [
    ("apiextensions.k8s.io", "customresourcedefinitions", false),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", false),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations", false),
    ("rbac.authorization.k8s.io", "clusterroles", false),
    ("rbac.authorization.k8s.io", "clusterrolebindings", false),
    ("scheduling.k8s.io", "priorityclasses", false),
    ("", "namespaces", false),
    ("", "serviceaccounts", true),
    ("", "services", true),
    ("", "secrets", true),
    ("apps", "deployments", true),
];

/// Whether we may create what an installation consists of.
pub async fn rights(cluster: &Cluster) -> Vec<Finding> {
    const CHECK: &str = "rights to install";
    let reviews: Api<SelfSubjectAccessReview> = Api::all(cluster.client.clone());
    let asked = NEEDED.iter().map(|(group, resource, namespaced)| {
        let attributes = ResourceAttributes {
            group: Some((*group).to_owned()),
            resource: Some((*resource).to_owned()),
            verb: Some("create".to_owned()),
            namespace: namespaced.then(|| cluster.system.clone()),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..Default::default() };
        let reviews = reviews.clone();
        async move { (*resource, reviews.create(&PostParams::default(), &review).await) }
    });
    let mut refused = Vec::new();
    for (resource, answer) in join_all(asked).await {
        match answer {
            Ok(review) if review.status.as_ref().is_some_and(|status| status.allowed) => {}
            Ok(_) => refused.push(resource),
            Err(error) => return vec![Finding::unchecked(CHECK, &explain("ask what is allowed", &error))],
        }
    }
    vec![rights_finding(&refused)]
}

fn rights_finding(refused: &[&str]) -> Finding {
    const CHECK: &str = "rights to install";
    if refused.is_empty() {
        return Finding::ok(CHECK, "everything that an installation consists of may be created");
    }
    Finding::failed(
        CHECK,
        format!("may not create {}", refused.join(", ")),
        "install as a cluster administrator, or choose another user with --context",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Outcome;

    #[test]
    fn versions_and_rights_are_judged() {
        assert_eq!(version_finding("v1.35.0", "1", 35, "x").outcome, Outcome::Ok);
        let old = version_finding("v1.28.3", "1", 28, "x");
        assert!(old.outcome == Outcome::Failed && old.hint.unwrap().contains("1.29"));
        assert_eq!(rights_finding(&[]).outcome, Outcome::Ok);
        assert!(rights_finding(&["clusterroles"]).message.contains("clusterroles"));
    }
}
