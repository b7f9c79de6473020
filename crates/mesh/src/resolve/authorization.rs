//! Which AuthorizationPolicies hold for a workload.

use weft_api::{
    Labels,
    security::{AuthorizationPolicy, authorization_policy::Action},
};

use crate::{View, snapshot::Typed};

/// The annotation by which a policy is only tried out.
const DRY_RUN: &str = "istio.io/dry-run";

/// The policies of one workload by action, each in the order root namespace, own namespace, oldest first.
#[derive(Debug, Default)]
pub struct Policies<'a> {
    /// DENY.
    pub deny: Vec<&'a Typed<AuthorizationPolicy>>,
    /// ALLOW; when there is any, what none of them matches is kept out.
    pub allow: Vec<&'a Typed<AuthorizationPolicy>>,
    /// AUDIT.
    pub audit: Vec<&'a Typed<AuthorizationPolicy>>,
    /// CUSTOM.
    pub custom: Vec<&'a Typed<AuthorizationPolicy>>,
}

impl Policies<'_> {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.deny.is_empty() && self.allow.is_empty() && self.audit.is_empty() && self.custom.is_empty()
    }
}

/// The policies that hold for a workload. Policies that are attached to other objects (`targetRefs`) and those in a dry run
/// hold for none.
pub fn policies<'a>(view: &View<'a>, namespace: &str, labels: &Labels) -> Policies<'a> {
    let root = view.settings().root_namespace.as_str();
    let wide = (root != namespace).then(|| view.authorization_policies_in(root)).into_iter().flatten();
    let mut found = Policies::default();
    for policy in wide.chain(view.authorization_policies_in(namespace)) {
        let attached = policy.target_ref.is_some() || !policy.target_refs.is_empty();
        let dry_run = policy.object.meta.annotations.get(DRY_RUN).is_some_and(|v| v == "true");
        if attached || dry_run || !policy.selector.as_ref().is_none_or(|s| s.selects(labels)) {
            continue;
        }
        match policy.action {
            Action::Allow => found.allow.push(policy),
            Action::Deny => found.deny.push(policy),
            Action::Audit => found.audit.push(policy),
            Action::Custom => found.custom.push(policy),
        }
    }
    found
}
