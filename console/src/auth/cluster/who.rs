use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::json;
use weft_model::config::{Right, Who};
use weft_source::{BearerToken, ClusterError};

use super::{Reviewer, attributes, review};

/// Namespaces that are asked about at once; nobody reads a longer list.
const MAX_NAMESPACES: usize = 20;

impl Reviewer {
    /// Who has this token, and where its owner may change VirtualServices, with the API server's reasons.
    pub async fn who(&self, token: &BearerToken, namespaces: BTreeSet<String>) -> Result<Who, ClusterError> {
        let user = self.owner(token).await?;
        let asked = namespaces.into_iter().take(MAX_NAMESPACES).map(|namespace| async move {
            let attributes = attributes("patch", "networking.istio.io", "virtualservices", &namespace, "");
            let review = review("SelfSubjectAccessReview", json!({"resourceAttributes": attributes}));
            let answer = self.post(Some(token), "authorization.k8s.io/v1/selfsubjectaccessreviews", &review).await?;
            let status = &answer["status"];
            Ok::<_, ClusterError>(Right {
                namespace,
                allowed: status["allowed"] == true,
                reason: status["reason"].as_str().unwrap_or_default().to_owned(),
            })
        });
        let rights = join_all(asked).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Who { user: user.name, groups: user.groups, rights })
    }
}
