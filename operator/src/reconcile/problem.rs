//! Why a reconciliation did not get through, as a condition tells it.

use std::time::Duration;

use kube::error::Status;

/// One reason, with its remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// One word for programs.
    pub reason: Reason,
    /// One or two sentences for people.
    pub message: String,
}

/// What kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The Mesh cannot be rendered.
    InvalidSpec,
    /// Another Mesh has the revision.
    RevisionTaken,
    /// Another Mesh has a tag.
    TagTaken,
    /// The version is outside the window.
    VersionSkew,
    /// RBAC says no.
    Forbidden,
    /// A kind is not served.
    MissingKind,
    /// The API server refuses an object.
    Rejected,
    /// A policy or a webhook of the cluster refuses an object.
    Denied,
    /// The API server asks to slow down.
    TooManyRequests,
    /// The API server is away, slow or broken.
    ApiUnavailable,
    /// Somebody else wrote at the same moment.
    Conflict,
    /// The certificate authority cannot be used.
    InvalidAuthority,
    /// This machine's clock is far from the API server's.
    ClockOff,
}

impl Reason {
    /// Every reason.
    #[cfg(test)]
    pub const ALL: &[Self] = &[
        Self::InvalidSpec,
        Self::RevisionTaken,
        Self::TagTaken,
        Self::VersionSkew,
        Self::Forbidden,
        Self::MissingKind,
        Self::Rejected,
        Self::Denied,
        Self::TooManyRequests,
        Self::ApiUnavailable,
        Self::Conflict,
        Self::InvalidAuthority,
        Self::ClockOff,
    ];

    /// The word in conditions and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidSpec => "InvalidSpec",
            Self::RevisionTaken => "RevisionTaken",
            Self::TagTaken => "TagTaken",
            Self::VersionSkew => "VersionSkew",
            Self::Forbidden => "Forbidden",
            Self::MissingKind => "MissingKind",
            Self::Rejected => "Rejected",
            Self::Denied => "Denied",
            Self::TooManyRequests => "TooManyRequests",
            Self::ApiUnavailable => "ApiUnavailable",
            Self::Conflict => "Conflict",
            Self::InvalidAuthority => "InvalidAuthority",
            Self::ClockOff => "ClockOff",
        }
    }

    /// Whether it may well be over at the next try, so that what was told before is still the best guess.
    pub fn passes(self) -> bool {
        matches!(self, Self::ApiUnavailable | Self::TooManyRequests | Self::Conflict)
    }

    /// When to try again. What only an edit can mend waits for that edit, and looks again now and then; the edit may be one
    /// of another Mesh.
    pub fn retry(self) -> Duration {
        Duration::from_secs(match self {
            Self::Conflict => 1,
            Self::ApiUnavailable => 3,
            Self::TooManyRequests => 5,
            Self::Forbidden
            | Self::MissingKind
            | Self::Rejected
            | Self::Denied
            | Self::InvalidAuthority
            | Self::ClockOff
            | Self::RevisionTaken
            | Self::TagTaken => 15,
            Self::InvalidSpec | Self::VersionSkew => 60,
        })
    }
}

impl Problem {
    /// One of a reason and its words.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// What the API server's answer to an attempt means. `doing` completes "cannot …".
    pub fn of(error: &kube::Error, doing: &str) -> Self {
        let kube::Error::Api(status) = error else {
            let message = format!("cannot {doing}: the API server cannot be reached ({}); trying again", chain(error));
            return Self::new(Reason::ApiUnavailable, message);
        };
        let (reason, remedy) = by_status(status);
        let said: String = status.message.chars().take(600).collect();
        Self::new(reason, format!("cannot {doing}: {said}; {remedy}"))
    }
}

/// Whether a refusal means that the namespace is on its way out, and not that a right is missing.
pub fn of_ending_namespace(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
}

/// A policy or webhook of the cluster's refuses, whatever code it gives: neither a right is missing nor is the Mesh wrong.
fn by_policy(status: &Status) -> Option<(Reason, &'static str)> {
    let of_policy =
        ["ValidatingAdmissionPolicy", "MutatingAdmissionPolicy"].iter().any(|kind| status.message.contains(kind));
    let of_webhook = status.message.contains("admission webhook ") && status.message.contains(" denied the request");
    (of_policy || of_webhook).then_some((
        Reason::Denied,
        "a policy of the cluster refuses it: let the operator's ServiceAccount, or this namespace, through it",
    ))
}

fn by_status(status: &Status) -> (Reason, &'static str) {
    if let Some(refused) = by_policy(status) {
        return refused;
    }
    match status.code {
        403 if of_ending_namespace(status) => (
            Reason::Rejected,
            "that namespace is being removed, and what waits in it is told by kubectl describe namespace; where it is the \
             installation's own, run weft install when it is gone",
        ),
        401 | 403 => (
            Reason::Forbidden,
            "give the operator's ServiceAccount that right: weft install or an upgrade of the Helm chart brings every rule",
        ),
        404 | 405 => (
            Reason::MissingKind,
            "install the missing CustomResourceDefinition or namespace (helm upgrade, weft install)",
        ),
        409 => (Reason::Conflict, "trying again"),
        429 => (Reason::TooManyRequests, "trying again later"),
        400 | 413 | 415 | 422 => (Reason::Rejected, "correct the override in the Mesh that leads to it"),
        _ => (Reason::ApiUnavailable, "trying again"),
    }
}

/// An error with its causes: what hyper says at the top level is never enough.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = next.source();
    }
    text.chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn api(code: u16, message: &str) -> kube::Error {
        kube::Error::Api(Box::new(Status::failure(message, "x").with_code(code)))
    }

    #[test]
    fn a_policys_denial_is_no_fault_of_the_mesh() {
        for (code, message) in [
            (
                422,
                "deployments.apps \"a\" is forbidden: ValidatingAdmissionPolicy 'none' with binding 'none' denied request: no",
            ),
            (400, "admission webhook \"policy.example.org\" denied the request: no"),
            (403, "admission webhook \"policy.example.org\" denied the request: no"),
        ] {
            let problem = Problem::of(&api(code, message), "apply Deployment weft-system/a");
            assert_eq!(problem.reason, Reason::Denied, "{code}");
            assert!(problem.message.contains("a policy of the cluster refuses it"), "{problem}");
        }
    }

    #[test]
    fn answers_become_reasons_with_remedies() {
        let of = |code| Problem::of(&api(code, "words of the server"), "apply Deployment weft-system/a");
        for (code, reason) in [
            (403, Reason::Forbidden),
            (404, Reason::MissingKind),
            (409, Reason::Conflict),
            (422, Reason::Rejected),
            (429, Reason::TooManyRequests),
            (410, Reason::ApiUnavailable),
            (500, Reason::ApiUnavailable),
            (503, Reason::ApiUnavailable),
        ] {
            let problem = of(code);
            assert_eq!(problem.reason, reason, "{code}");
            assert!(problem.message.starts_with("cannot apply Deployment weft-system/a: words of the server; "));
        }
        assert!(of(403).message.contains("Helm chart"));
        let status = json!({
            "code": 403, "message": "namespace mesh is being terminated",
            "details": {"causes": [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]},
        });
        let ending = kube::Error::Api(Box::new(serde_json::from_value(status).unwrap()));
        let problem = Problem::of(&ending, "apply ConfigMap mesh/a");
        assert_eq!(problem.reason, Reason::Rejected);
        assert!(problem.message.contains("is being removed") && !problem.message.contains("right"), "{problem}");
        let away = kube::Error::Service(std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into());
        let problem = Problem::of(&away, "read it");
        assert_eq!(problem.reason, Reason::ApiUnavailable);
        assert!(problem.message.contains("connection refused"), "{problem}");
    }
}
