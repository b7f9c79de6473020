//! What an API server's refusal means, and what to do about it.

use kube::Error;
use weft_operator::reconcile::problem::of_ending_namespace;
use weft_runtime::StartupError;

use super::innermost;

/// Says what could not be done, why, and the remedy.
pub fn explain(what: &str, error: &Error) -> StartupError {
    let what = format!("cannot {what}");
    match error {
        Error::Api(status) => {
            let why = status.message.clone();
            match status.code {
                401 => {
                    StartupError::new(what, why, "sign in again: the credentials in the kubeconfig are not accepted")
                }
                403 if of_ending_namespace(status) => StartupError::new(
                    what,
                    why,
                    "nothing can be made in a namespace that is being removed: try again when it is gone; kubectl describe \
                     namespace says what it waits for",
                ),
                403 => {
                    let may = right(&why).map_or_else(|| "allows it".to_owned(), |right| format!("may {right}"));
                    StartupError::new(what, why, format!("ask for a role that {may}, or choose another --context"))
                }
                404 => StartupError::new(what, why, "install Weft first, with weft install or its Helm chart"),
                429 | 503 | 504 => StartupError::new(what, why, "the API server is busy: try again in a moment"),
                _ => StartupError::new(what, why, "look at the API server's log"),
            }
        }
        Error::Auth(_) => {
            StartupError::new(what, innermost(error), "look at the user that this context of the kubeconfig names")
        }
        Error::SerdeError(_) => {
            StartupError::new(what, innermost(error), "the cluster and this command may be of very different versions")
        }
        _ => StartupError::new(
            what,
            innermost(error),
            "check that the cluster runs, and that --context names the one that you mean",
        ),
    }
}

/// An error in the API server's own words, or else the cause at the bottom: what the client prints of an answer is its fields.
pub fn words(error: &Error) -> String {
    match error {
        Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        Error::Api(status) => format!("the API server answers {} {}", status.code, status.reason).trim_end().to_owned(),
        _ => innermost(error),
    }
}

/// For those that wait anyway: the words of an error that may be gone in a moment, because the API server is busy, restarts
/// or is not reached.
///
/// # Errors
/// What does not pass by itself.
pub fn passing(what: &str, error: &Error) -> Result<String, StartupError> {
    let passes = match error {
        Error::Api(status) => matches!(status.code, 429 | 500 | 502..=504),
        Error::Service(_) | Error::HyperError(_) => true,
        _ => false,
    };
    let told = explain(what, error);
    if passes { Ok(told.to_string()) } else { Err(told) }
}

/// The right that a refusal says is missing, such as `get deployments.apps in namespace weft-system`. The API server
/// writes it in prose alone.
fn right(message: &str) -> Option<String> {
    let (_, wish) = message.split_once("\" cannot ")?;
    let (verb, rest) = wish.split_once(" resource \"")?;
    let (resource, rest) = rest.split_once("\" in API group \"")?;
    let (group, rest) = rest.split_once('"')?;
    let dot = if group.is_empty() { "" } else { "." };
    let namespace = rest.split_once("in the namespace \"").and_then(|(_, name)| Some(name.split_once('"')?.0));
    let place = namespace.map_or_else(|| "in the whole cluster".to_owned(), |name| format!("in namespace {name}"));
    Some(format!("{verb} {resource}{dot}{group} {place}"))
}

#[cfg(test)]
mod tests {
    use kube::core::{
        Status,
        response::{StatusCause, StatusDetails},
    };

    use super::*;

    #[test]
    fn refusals_have_remedies() {
        let status =
            |code| Error::Api(Box::new(Status { code, message: "pods is forbidden".into(), ..Status::default() }));
        assert!(
            explain("list pods", &status(403))
                .to_string()
                .starts_with("cannot list pods: pods is forbidden (ask for a role")
        );
        assert!(explain("list meshes", &status(404)).to_string().contains("weft install"));
        assert!(explain("list pods", &status(503)).to_string().contains("try again"));
    }

    #[test]
    fn a_namespace_on_its_way_out_is_no_missing_right() {
        let cause = StatusCause { reason: "NamespaceTerminating".into(), message: String::new(), field: String::new() };
        let details = StatusDetails {
            name: "weft-operator".into(),
            group: String::new(),
            kind: "serviceaccounts".into(),
            uid: String::new(),
            causes: vec![cause],
            retry_after_seconds: 0,
        };
        let message = "unable to create new content in namespace mesh because it is being terminated".to_owned();
        let status = Status { code: 403, message, details: Some(details), ..Status::default() };
        let told = explain("apply it", &Error::Api(Box::new(status))).to_string();
        assert!(told.contains("try again when it is gone") && !told.contains("role"), "{told}");
    }

    #[test]
    fn a_refusal_names_the_right_that_is_wanted() {
        let told = "deployments.apps \"weft-operator\" is forbidden: User \"ann\" cannot get resource \"deployments\" in API \
                    group \"apps\" in the namespace \"weft-system\"";
        assert_eq!(right(told).as_deref(), Some("get deployments.apps in namespace weft-system"));
        let told =
            "pods is forbidden: User \"ann\" cannot list resource \"pods\" in API group \"\" at the cluster scope: no";
        assert_eq!(right(told).as_deref(), Some("list pods in the whole cluster"));
        assert_eq!(right("pods is forbidden"), None);
        let status = Status { code: 403, message: told.into(), ..Status::default() };
        let text = explain("list pods", &Error::Api(Box::new(status))).to_string();
        assert!(
            text.ends_with("(ask for a role that may list pods in the whole cluster, or choose another --context)")
        );
    }

    #[test]
    fn an_answer_is_told_by_its_message() {
        let told = |message: &str| {
            words(&Error::Api(Box::new(Status { code: 400, message: message.into(), ..Status::default() })))
        };
        assert_eq!(told("container \"a\" is waiting to start"), "container \"a\" is waiting to start");
        assert_eq!(told(""), "the API server answers 400");
    }

    #[test]
    fn what_passes_is_waited_for() {
        let status = |code| Error::Api(Box::new(Status { code, message: "x".into(), ..Status::default() }));
        for code in [429, 500, 503] {
            assert!(passing("look", &status(code)).unwrap().starts_with("cannot look: x"));
        }
        for code in [401, 403, 404, 409] {
            assert!(passing("look", &status(code)).is_err(), "{code}");
        }
    }
}
