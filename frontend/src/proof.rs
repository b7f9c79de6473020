//! How a program at a terminal shows who asks: the page's own session is the browser's alone.

use weft_model::session::{Method, Person};

use crate::command::Named;

/// How programs get in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Everybody may ask.
    Nothing,
    /// A bearer token, which comes from here.
    Token(String),
    /// A session that `weft console login` begins; there is no token.
    Link,
    /// Through the proxy that signs people in.
    Proxy,
}

impl Proof {
    /// Of a console with these ways to sign in, for whoever looks at its page; nobody where nobody signs in.
    pub fn of(person: Option<&Person>, methods: &[Method]) -> Self {
        if person.is_none_or(|person| person.how == "anonymous") {
            return Self::Nothing;
        }
        // On a cluster its own tokens count, whoever else signs people in.
        if methods.contains(&Method::Token) {
            return Self::Token("a token of the cluster, such as kubectl create token NAME prints".to_owned());
        }
        let oidc = methods.iter().find_map(|method| match method {
            Method::Oidc { provider } => Some(format!("an ID token of {provider} for this console")),
            _ => None,
        });
        match oidc {
            Some(from) => Self::Token(from),
            None if methods.contains(&Method::Link) => Self::Link,
            None => Self::Proxy,
        }
    }

    /// What else is needed, as a sentence; empty for nothing.
    pub fn note(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Token(from) => {
                format!(
                    "$TOKEN is {from}. weft reads it from the variable WEFT_CONSOLE_TOKEN, or with --token-file FILE."
                )
            }
            Self::Link => {
                "Sign in at the terminal once, with the next link: it stands in the file that the start of the \
                           mesh named. There are no commands with curl: who came with a link is known by the cookie of \
                           a session alone, and weft keeps that of its own."
                    .to_owned()
            }
            Self::Proxy => "Who asks from a terminal has to come through the proxy that signed you in; it says how \
                            programs do that."
                .to_owned(),
        }
    }

    /// The commands as they can be run; `console` is its address, such as `http://127.0.0.1:20001`.
    pub fn commands(&self, offered: &[Named], console: &str) -> Vec<Named> {
        let whole = |command: &str| command.replace("$CONSOLE", console);
        let own = offered.iter().find(|(_, command)| command.starts_with("weft console "));
        let mut out = Vec::new();
        if *self == Self::Link && own.is_some() {
            out.push(("once, to sign in".to_owned(), "weft console login LINK".to_owned()));
        }
        for (name, command) in offered {
            let shown = match (self, command.strip_prefix("curl -s ")) {
                (Self::Token(_), Some(rest)) => whole(&format!("curl -s -H \"Authorization: Bearer $TOKEN\" {rest}")),
                // The same without a token, where there is such a command.
                (Self::Link, Some(_)) => match own {
                    Some((_, own)) => format!("{} --output json", whole(own)),
                    None => continue,
                },
                _ => whole(command),
            };
            out.push((name.clone(), shown));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(how: &str) -> Person {
        Person { name: "ada".into(), how: how.into(), ..Person::default() }
    }

    fn offered() -> Vec<Named> {
        let named = |name: &str, command: &str| (name.to_owned(), command.to_owned());
        vec![
            named("the same with weft", "weft console graph -n shop --console $CONSOLE"),
            named("the same as JSON", "curl -s '$CONSOLE/api/v1/graph'"),
            named("a query", "sum(rate(istio_requests_total[1m]))"),
        ]
    }

    fn lines(proof: &Proof, offered: &[Named]) -> Vec<String> {
        proof.commands(offered, "http://127.0.0.1:1").into_iter().map(|(_, command)| command).collect()
    }

    #[test]
    fn where_nobody_signs_in_nothing_is_shown() {
        for proof in [Proof::of(None, &[Method::Link]), Proof::of(Some(&person("anonymous")), &[Method::Token])] {
            assert_eq!((&proof, proof.note().as_str()), (&Proof::Nothing, ""));
            assert_eq!(lines(&proof, &offered())[1], "curl -s 'http://127.0.0.1:1/api/v1/graph'");
        }
    }

    #[test]
    fn who_has_a_link_is_asked_for_no_token() {
        let proof = Proof::of(Some(&person("session")), &[Method::Link]);
        assert_eq!(
            lines(&proof, &offered()),
            [
                "weft console login LINK",
                "weft console graph -n shop --console http://127.0.0.1:1",
                "weft console graph -n shop --console http://127.0.0.1:1 --output json",
                "sum(rate(istio_requests_total[1m]))",
            ]
        );
        assert!(
            proof.note().contains("the next link") && proof.note().contains("the cookie of a session"),
            "{}",
            proof.note()
        );
        assert!(!proof.note().contains("token"), "no token is of any use: {}", proof.note());
        let form = [("a form".to_owned(), "curl -s $CONSOLE/api/v1/wizards/faults -d '{}'".to_owned())];
        assert_eq!(lines(&proof, &form), Vec::<String>::new());
    }

    #[test]
    fn where_a_token_comes_from_is_said() {
        let oidc = Method::Oidc { provider: "id.example.org".into() };
        let proof = Proof::of(Some(&person("session")), &[oidc.clone(), Method::Link]);
        assert!(proof.note().contains("an ID token of id.example.org"), "{}", proof.note());
        let line = &lines(&proof, &offered())[1];
        assert_eq!(line, "curl -s -H \"Authorization: Bearer $TOKEN\" 'http://127.0.0.1:1/api/v1/graph'");
        let proof = Proof::of(Some(&person("session")), &[oidc, Method::Token]);
        assert!(proof.note().contains("kubectl create token"), "{}", proof.note());
        let proof = Proof::of(Some(&person("proxy")), &[Method::Proxy]);
        assert!(proof.note().contains("the proxy that signed you in"), "{}", proof.note());
        assert!(lines(&proof, &offered()).iter().all(|line| !line.contains("TOKEN")));
    }
}
