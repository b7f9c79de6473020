//! What to do when nobody is let in, in words.

/// What a code of `/auth` means, and what to do.
pub fn words(code: &str) -> (&'static str, &'static str) {
    match code {
        "unknown" => (
            "This sign-in is not known here.",
            "It took more than ten minutes, was finished already, or began in another browser. Begin again.",
        ),
        "link" => (
            "This link does not work, or no longer.",
            "Each link signs in once. Use the newest one: it stands in the file that the start of the mesh named.",
        ),
        "provider-away" => {
            ("The sign-in service does not answer.", "Try again in a moment. The console's log says what it tried.")
        }
        "refused" => ("The sign-in service refused.", "Ask whoever runs it whether your account may use this console."),
        "nobody" => (
            "The sign-in service does not say who you are.",
            "It gave no verified name that this console can use. The console's log says which claim is missing.",
        ),
        "token" => (
            "What the sign-in service sent does not hold.",
            "Nothing was taken from it. The console's log says why; its clock and its keys are the first to look at.",
        ),
        "too-many" => ("There were too many attempts from your address.", "Wait a minute, then begin again."),
        "storage" => ("The console cannot keep sessions now.", "Its database does not answer. Try again in a moment."),
        "no-such-way" => ("This console has no such way to sign in.", "Use one of those below."),
        _ => ("The sign-in did not work.", "Begin again. The console's log says more."),
    }
}

/// What gives somebody the right to see something, where the console runs.
pub fn whom_to_ask(name: &str, by_cluster: bool) -> String {
    if by_cluster {
        return format!(
            "Ask whoever runs the cluster for the right to get a namespace: a RoleBinding or ClusterRoleBinding to the \
             user {name}, or to one of the groups above."
        );
    }
    format!(
        "Ask whoever runs the console for a role that reads a namespace: a line of its role file such as: g, {name}, role:viewer"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_no_rights_hears_of_what_applies_only() {
        let elsewhere = whom_to_ask("cleo", false);
        assert!(elsewhere.contains("g, cleo, role:viewer") && !elsewhere.contains("cluster"), "{elsewhere}");
        let cluster = whom_to_ask("cleo", true);
        assert!(cluster.contains("cleo") && !cluster.contains("role file"), "{cluster}");
    }
}
