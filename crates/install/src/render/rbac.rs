//! Roles. Each rule says what it is for; the texts end up in an annotation of the role.

use serde_json::{Value, json};
use weft_api::Kind;

use crate::names;

/// One rule of a role and why it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// API groups.
    pub groups: Vec<&'static str>,
    /// Resources.
    pub resources: Vec<&'static str>,
    /// Names that it is limited to; empty is all.
    pub names: Vec<&'static str>,
    /// Verbs.
    pub verbs: Vec<&'static str>,
    /// What for.
    pub why: &'static str,
}

const READ: [&str; 3] = ["get", "list", "watch"];
const MANAGE: [&str; 7] = ["get", "list", "watch", "create", "patch", "update", "delete"];

fn rule(groups: &[&'static str], resources: &[&'static str], verbs: &[&'static str], why: &'static str) -> Rule {
    Rule { groups: groups.to_vec(), resources: resources.to_vec(), names: Vec::new(), verbs: verbs.to_vec(), why }
}

impl Rule {
    fn only(mut self, names: &[&'static str]) -> Self {
        self.names = names.to_vec();
        self
    }

    fn json(&self) -> Value {
        let mut value = json!({"apiGroups": self.groups, "resources": self.resources, "verbs": self.verbs});
        if !self.names.is_empty() {
            value["resourceNames"] = json!(self.names);
        }
        value
    }
}

/// Istio's kinds, by group.
fn istio_groups() -> Vec<&'static str> {
    let mut groups: Vec<_> = Kind::ALL.iter().map(|kind| kind.group()).filter(|g| g.ends_with(".istio.io")).collect();
    groups.dedup();
    groups
}

fn configuration() -> Vec<Rule> {
    vec![
        rule(&istio_groups(), &["*"], &READ, "configuration is what proxies are told"),
        rule(&["weft.dev"], &["meshes"], &READ, "mesh-wide settings are in the Mesh"),
        rule(
            &[""],
            &["services", "pods", "nodes", "namespaces"],
            &READ,
            "services are routed to; pods say who calls, nodes where, namespaces which revision",
        ),
        rule(&["discovery.k8s.io"], &["endpointslices"], &READ, "endpoints of services and their health"),
        rule(&[""], &["configmaps"], &READ, "Istio's mesh config, in the root namespace that the Mesh names")
            .only(&["istio"]),
        rule(
            &["apiextensions.k8s.io"],
            &["customresourcedefinitions"],
            &READ,
            "which kinds of configuration the cluster has",
        ),
    ]
}

/// What the control plane may in the whole cluster. It writes nothing but reviews, which change nothing.
pub fn control_plane() -> Vec<Rule> {
    let mut rules = configuration();
    rules.extend([
        rule(
            &[""],
            &["secrets"],
            &READ,
            "credentials that Gateways and DestinationRules name lie beside the pods that use them, in any namespace; only named ones are read",
        ),
        rule(
            &["authentication.k8s.io"],
            &["tokenreviews"],
            &["create"],
            "proxies prove who they are by tokens, and so do readers of debug pages",
        ),
    ]);
    rules
}

/// What the control plane may in its own namespace.
pub fn control_plane_namespace() -> Vec<Rule> {
    vec![
        rule(&[""], &["secrets"], &READ, "the certificate authority's key, and the roots that signed before").only(&[
            names::CA_SECRET,
            names::PLUGGED_IN_CA_SECRET,
            names::ROOTS_SECRET,
        ]),
        rule(
            &[""],
            &["secrets"],
            &["get", "update"],
            "records of join tokens: each use is taken by an update that only one replica can win",
        )
        .only(&[names::JOIN_TOKEN_SECRET]),
        rule(&[""], &["configmaps"], &READ, "its own settings and those of injection"),
    ]
}

/// What the console may. It reads, and writes only with the token, or in the name, of whoever writes.
pub fn console(people_sign_in: bool) -> Vec<Rule> {
    let mut rules = configuration();
    rules.extend(people_sign_in.then(reviews));
    rules
}

fn reviews() -> Rule {
    rule(
        &["authorization.k8s.io"],
        &["subjectaccessreviews"],
        &["create"],
        "the console asks what somebody who signed in may see and change",
    )
}

/// What the operator may in the whole cluster, beside what it grants: nobody can grant what they do not have.
pub fn operator() -> Vec<Rule> {
    let mut rules = control_plane();
    rules.extend([
        reviews(),
        rule(&["weft.dev"], &["meshes"], &["get", "list", "watch", "patch", "update"], "the finalizer of a Mesh"),
        rule(&["weft.dev"], &["meshes/status"], &["get", "patch", "update"], "what became of a Mesh"),
        rule(
            &["weft.dev"],
            &["meshes/finalizers"],
            &["update"],
            "objects are owned by their Mesh, which then waits for their removal",
        ),
        rule(
            &istio_groups(),
            &["*/status"],
            &["get", "patch", "update"],
            "findings about configuration are told in its status",
        ),
        rule(
            &["apiextensions.k8s.io"],
            &["customresourcedefinitions"],
            &["create"],
            "Istio's kinds are created where they are absent; nothing is replaced or deleted",
        ),
        rule(
            &["apiextensions.k8s.io"],
            &["customresourcedefinitions"],
            &["patch", "update"],
            "our own kind gains fields with a new version",
        )
        .only(&["meshes.weft.dev"]),
        rule(
            &["admissionregistration.k8s.io"],
            &["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
            &MANAGE,
            "webhooks of each revision and tag; their names follow the Mesh, so no list of names can be given",
        ),
        rule(
            &["rbac.authorization.k8s.io"],
            &["clusterroles", "clusterrolebindings"],
            &MANAGE,
            "roles of each revision's control plane and console",
        ),
        rule(&["scheduling.k8s.io"], &["priorityclasses"], &MANAGE, "the priority of our own pods"),
        rule(&[""], &["configmaps"], &["create"], "the mesh's roots are put into every namespace"),
        rule(&[""], &["configmaps"], &MANAGE, "the mesh's roots are kept as they should be, and removed with the mesh")
            .only(&[names::ROOT_CONFIG_MAP]),
        rule(&["", "events.k8s.io"], &["events"], &["create", "patch"], "what happened is told as events"),
    ]);
    rules
}

/// What the operator may in the namespace of the installation.
pub fn operator_namespace() -> Vec<Rule> {
    let mut rules = control_plane_namespace();
    rules.extend([
        rule(&[""], &["serviceaccounts", "services", "configmaps"], &MANAGE, "parts of the control plane and gateways"),
        rule(&["apps"], &["deployments"], &MANAGE, "the programs themselves"),
        rule(&["policy"], &["poddisruptionbudgets"], &MANAGE, "drains of nodes leave enough replicas"),
        rule(&["autoscaling"], &["horizontalpodautoscalers"], &MANAGE, "pods by load, where the Mesh says so"),
        rule(&["rbac.authorization.k8s.io"], &["roles", "rolebindings"], &MANAGE, "access to the authority's key"),
        rule(&["monitoring.coreos.com"], &["podmonitors"], &MANAGE, "metrics, where the Prometheus operator runs"),
        rule(&[""], &["secrets"], &["create"], "the certificate authority is made; names cannot be given for that"),
        rule(&[""], &["secrets"], &["update"], "the certificate authority is rotated, and its roots remembered")
            .only(&[names::CA_SECRET, names::ROOTS_SECRET]),
        rule(&[""], &["secrets"], &["delete"], "nothing is left when the last Mesh goes").only(&[
            names::CA_SECRET,
            names::ROOTS_SECRET,
            names::JOIN_TOKEN_SECRET,
        ]),
        rule(
            &["coordination.k8s.io"],
            &["leases"],
            &MANAGE,
            "one replica reconciles at a time; the lease is deleted when the last one ends",
        ),
        rule(&[""], &["events"], &["create", "patch"], "what happened is told as events"),
    ]);
    rules
}

/// What the Helm chart's last hook may; the second rule is for the chart's own Mesh alone.
pub fn leave() -> Vec<Rule> {
    vec![
        rule(&["weft.dev"], &["meshes"], &["get", "list"], "whether a Mesh still needs the operator"),
        rule(&["weft.dev"], &["meshes"], &["delete"], "the chart's own Mesh goes before the operator"),
    ]
}

/// The rules' reasons, one line each, in the order of the rules.
fn reasons(rules: &[Rule]) -> String {
    let line = |(index, rule): (usize, &Rule)| format!("{}. {}: {}", index + 1, rule.resources.join(", "), rule.why);
    rules.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

fn described(mut meta: Value, rules: &[Rule]) -> Value {
    meta["annotations"] = json!({names::DESCRIPTION: reasons(rules)});
    meta
}

/// A ClusterRole with the binding of `account` to it.
pub fn bind_cluster(meta: Value, rules: &[Rule], account: &str, namespace: &str) -> [Value; 2] {
    pair("ClusterRole", meta, rules, account, namespace)
}

/// A Role with the binding of `account` to it.
pub fn bind(meta: Value, rules: &[Rule], account: &str, namespace: &str) -> [Value; 2] {
    pair("Role", meta, rules, account, namespace)
}

fn pair(kind: &str, meta: Value, rules: &[Rule], account: &str, namespace: &str) -> [Value; 2] {
    let api = "rbac.authorization.k8s.io/v1";
    let name = meta["name"].clone();
    let role = json!({
        "apiVersion": api,
        "kind": kind,
        "metadata": described(meta.clone(), rules),
        "rules": rules.iter().map(Rule::json).collect::<Vec<_>>(),
    });
    let binding = json!({
        "apiVersion": api,
        "kind": format!("{kind}Binding"),
        "metadata": meta,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    });
    [role, binding]
}

#[cfg(test)]
mod tests;
