//! What an API server's refusal means, and what to do about it.

use kube::Error;
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
                403 => StartupError::new(what, why, "ask for a role that allows it, or choose another --context"),
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

#[cfg(test)]
mod tests {
    use kube::core::Status;

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
}
