//! Certificates that gateways show to clients from outside: what every control plane tells of them.

use std::net::IpAddr;

use weft_model::mesh::ServingCertificate;

use crate::operator::{Operator, OperatorError};

/// Certificates listed at most, those that expire first.
const MOST: usize = 1_000;

/// What each control plane answered.
type Answers = Vec<Result<Vec<ServingCertificate>, OperatorError>>;

/// Asks every control plane; `None` without an operator.
pub async fn ask(operator: Option<&Operator>, replicas: &[IpAddr]) -> Option<Answers> {
    let answers = operator?.ask(replicas, "/debug/serving").await;
    Some(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// Those that a reader may see, the earliest expiry first, and why they are not known if so. A certificate is shown to who
/// sees both its Gateway's namespace and that of its Secret.
pub fn seen(answers: Option<Answers>, sees: &dyn Fn(&str) -> bool) -> (Vec<ServingCertificate>, Option<String>) {
    let answers = answers.unwrap_or_default();
    let silent = answers.iter().filter(|answer| answer.is_err()).count();
    let note = if silent == answers.len() {
        Some("No operator tells which certificates gateways show: it cannot be asked, or is of an older version.")
    } else if silent > 0 {
        // Those of another revision's gateways may be known to nobody else.
        Some(
            "Not every operator tells which certificates gateways show, so these may be only some: one cannot be asked, \
             or is of an older version.",
        )
    } else {
        None
    };
    let mut all: Vec<ServingCertificate> = Vec::new();
    for one in answers.into_iter().flatten().flatten() {
        // Replicas read the same objects.
        if sees(&one.gateway.namespace) && sees(&one.namespace) && !all.contains(&one) {
            all.push(one);
        }
    }
    let order = |one: &ServingCertificate| (one.not_after_ms, one.gateway.clone(), one.namespace.clone());
    all.sort_by_cached_key(order);
    all.truncate(MOST);
    (all, note.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use weft_model::ObjectRef;

    use super::*;

    fn one(gateway: &str, namespace: &str, not_after_ms: u64) -> ServingCertificate {
        ServingCertificate {
            gateway: ObjectRef { namespace: gateway.into(), name: "web".into(), ..ObjectRef::default() },
            namespace: namespace.into(),
            secret: "web-tls".into(),
            not_after_ms,
            ..ServingCertificate::default()
        }
    }

    #[test]
    fn what_is_hidden_is_not_listed_and_replicas_are_one() {
        let told =
            || vec![one("shop", "edge", 9), one("bank", "edge", 1), one("shop", "vault", 2), one("shop", "shop", 3)];
        let answers = || Some(vec![Ok(told()), Ok(told()), Err(OperatorError::NotConfigured)]);
        let (all, note) = seen(answers(), &|_| true);
        assert_eq!(all.iter().map(|one| one.not_after_ms).collect::<Vec<_>>(), [1, 2, 3, 9]);
        assert!(note.is_some_and(|note| note.contains("only some")), "one of three did not tell");
        assert_eq!(seen(Some(vec![Ok(told()), Ok(told())]), &|_| true).1, None);
        let (own, _) = seen(answers(), &|namespace| ["shop", "edge"].contains(&namespace));
        assert_eq!(own.iter().map(|one| one.not_after_ms).collect::<Vec<_>>(), [3, 9]);
        assert!(seen(Some(vec![Err(OperatorError::NotConfigured)]), &|_| true).1.is_some());
        assert!(seen(None, &|_| true).1.is_some());
    }
}
