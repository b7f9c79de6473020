use weft_api::Kind;

use super::Rule;

/// Groups whose objects route, secure and observe traffic: what an operator of services changes.
const TRAFFIC: [&str; 4] =
    ["networking.istio.io", "security.istio.io", "telemetry.istio.io", "gateway.networking.k8s.io"];

/// `role:viewer` reads, `role:operator` also changes what steers traffic, `role:admin` may everything.
pub(super) fn rules() -> Vec<Rule> {
    let rule = |subject: &str, resource: &str, action: &str| Rule {
        subject: subject.to_owned(),
        resource: resource.to_owned(),
        action: action.to_owned(),
        object: "*".to_owned(),
        allow: true,
    };
    let mut rules = vec![rule(super::ADMIN, "*", "*")];
    for role in [super::VIEWER, "role:operator"] {
        rules.extend(["get", "list"].map(|action| rule(role, "*", action)));
    }
    for kind in Kind::ALL.iter().filter(|kind| TRAFFIC.contains(&kind.group())) {
        let resource = format!("{}.{}", kind.plural(), kind.group());
        rules.extend(["create", "update", "patch", "delete"].map(|action| rule("role:operator", &resource, action)));
    }
    rules
}
