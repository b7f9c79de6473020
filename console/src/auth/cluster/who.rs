use std::collections::BTreeSet;

use futures::future::join_all;
use weft_model::config::{Right, Who};
use weft_source::ClusterError;

use super::{Reviewer, Whose, attributes};

/// Namespaces that are asked about at once; nobody reads a longer list.
const MAX_NAMESPACES: usize = 20;

impl Reviewer {
    /// Who it is, and where they may change VirtualServices, with the API server's reasons.
    pub async fn who(&self, whose: &Whose, namespaces: BTreeSet<String>) -> Result<Who, ClusterError> {
        let user = match whose {
            Whose::Token(token) => self.owner(token).await?,
            Whose::User(user) => user.clone(),
        };
        let asked = namespaces.into_iter().take(MAX_NAMESPACES).map(|namespace| async move {
            let attributes = attributes("patch", "networking.istio.io", "virtualservices", &namespace, "");
            let status = self.review(whose, &attributes).await?;
            Ok::<_, ClusterError>(Right {
                namespace,
                allowed: status["allowed"] == true && status["denied"] != true,
                reason: status["reason"].as_str().unwrap_or_default().to_owned(),
            })
        });
        let rights = join_all(asked).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Who { user: user.name, groups: user.groups, rights })
    }
}
