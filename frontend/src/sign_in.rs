//! Who looks at a page that is open, and what to do when nobody is let in, in words.

use weft_model::session::{Person, SessionInfo};

use crate::drafts;

/// Who looks at a page that is open, as an answer tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// Nobody in particular any more: what stands there waits for whoever had it.
    Nobody,
    /// Whoever did up to now, or who goes on with what nobody in particular had.
    Same,
    /// Somebody else, or somebody who may see nothing any more.
    Another,
}

/// Who looks at a page by `info`. `known` is who did up to now, `owner` whose the tab's drafts are, as far as that is known.
pub fn looks(info: &SessionInfo, known: Option<&Person>, owner: Option<&str>) -> Looks {
    let Some(person) = &info.person else { return Looks::Nobody };
    let name = if info.guarded { drafts::owner(Some(person)) } else { "" };
    let known = drafts::owner(known);
    let is_anothers = |owner: &str| drafts::is_anothers(Some(owner), name);
    if info.guarded && !person.sees_any {
        Looks::Another
    } else if name.is_empty() {
        if known.is_empty() { Looks::Same } else { Looks::Nobody }
    } else if is_anothers(known) || owner.is_some_and(is_anothers) {
        Looks::Another
    } else {
        Looks::Same
    }
}

/// Comings and goings of whoever looks at a page that the browser keeps. A question of before, whose answer comes after the
/// page was left and shown again, says who looked then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Visits(u64);

impl Visits {
    /// The page was left, or is shown again: no question of before counts any more.
    pub fn turn(&mut self) -> Self {
        self.0 += 1;
        *self
    }
}

/// What a code of `/auth` means, and what to do.
pub fn words(code: &str) -> (&'static str, &'static str) {
    match code {
        "unknown" => (
            "This sign-in is not known here.",
            "It took more than ten minutes, was finished already, or began in another browser. Begin again.",
        ),
        "link" => (
            "This link does not work, or no longer.",
            "Each link signs in once. The newest one stands in the file that --sign-in-link-file names: with weft demo it \
             is sign-in-link in the mesh's directory.",
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

    fn person(name: &str) -> Person {
        let how = if name.is_empty() { "anonymous" } else { "session" };
        Person { name: name.into(), how: how.into(), sees_any: true, ..Person::default() }
    }

    fn answer(person: Option<Person>) -> SessionInfo {
        SessionInfo { guarded: true, person, ..SessionInfo::default() }
    }

    #[test]
    fn a_page_is_for_whoever_it_was_made_for() {
        let (ada, guest) = (person("ada"), person(""));
        let by =
            |name: &str, known: &Person, owner: Option<&str>| looks(&answer(Some(person(name))), Some(known), owner);
        assert_eq!(by("ada", &ada, Some("ada")), Looks::Same);
        assert_eq!(by("bo", &ada, Some("ada")), Looks::Another);
        assert_eq!(by("ada", &guest, Some("")), Looks::Same, "who signs in goes on");
        assert_eq!(by("bo", &guest, Some("ada")), Looks::Another, "who signs in after somebody else left does not");
        assert_eq!(by("", &guest, Some("")), Looks::Same);
        assert_eq!(by("", &ada, Some("ada")), Looks::Nobody, "what is hers waits for her");
        assert_eq!(looks(&answer(None), Some(&ada), Some("ada")), Looks::Nobody);
    }

    #[test]
    fn an_answer_of_before_says_nothing_of_who_came() {
        let mut visits = Visits::default();
        visits.turn();
        let asked = visits.turn();
        assert_eq!(asked, visits, "whoever came is asked about");
        visits.turn();
        assert_ne!(asked, visits, "they left before the answer");
        visits.turn();
        assert_ne!(asked, visits, "and somebody came");
    }

    #[test]
    fn rights_and_guards_change_under_a_page() {
        let ada = person("ada");
        let blind = Person { sees_any: false, ..ada.clone() };
        assert_eq!(looks(&answer(Some(blind)), Some(&ada), Some("ada")), Looks::Another);
        let open = |known: Option<&Person>| {
            let info = SessionInfo { guarded: false, person: Some(person("local")), ..SessionInfo::default() };
            looks(&info, known, None)
        };
        assert_eq!(open(None), Looks::Same, "where nobody signs in anybody is the same");
        assert_eq!(open(Some(&ada)), Looks::Nobody);
    }

    #[test]
    fn who_has_no_rights_hears_of_what_applies_only() {
        let elsewhere = whom_to_ask("cleo", false);
        assert!(elsewhere.contains("g, cleo, role:viewer") && !elsewhere.contains("cluster"), "{elsewhere}");
        let cluster = whom_to_ask("cleo", true);
        assert!(cluster.contains("cleo") && !cluster.contains("role file"), "{cluster}");
    }
}
