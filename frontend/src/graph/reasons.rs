//! Why requests fail: what their codes and flags say, and which of the objects that apply can be behind it.

use weft_model::{
    details::Applies,
    graph::{CodeRate, Edge, Health},
};

use crate::{format, order::Order, words};

/// Kinds that say who may call, in the order in which a proxy asks them.
pub const POLICIES: [&str; 3] = ["PeerAuthentication", "RequestAuthentication", "AuthorizationPolicy"];

/// One way in which requests fail.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// The code of the answer; `0` for none.
    pub code: String,
    /// The flag of the proxy that decided; empty where the answer is the destination's.
    pub flag: String,
    /// What that means, as a sentence.
    pub words: &'static str,
    /// Requests per second.
    pub rate: f64,
    /// Kinds of objects that can be why; empty where configuration has no part in it.
    pub kinds: &'static [&'static str],
    /// The objects of these kinds that apply.
    pub objects: Vec<Applies>,
}

/// Calls of one node that are told as failing.
const CALLS: usize = 3;

/// The calls of `id` that fail, by their ids: those with the most failures, in the order of `edges`.
pub fn failing(edges: &[Edge], id: &str) -> Vec<String> {
    let fails = |edge: &&Edge| edge.source == id && matches!(edge.health, Health::Degraded | Health::Failing);
    let mut all: Vec<&Edge> = edges.iter().filter(fails).collect();
    while all.len() > CALLS {
        let least = all.iter().enumerate().min_by(|(_, a), (_, b)| lost(a).total_cmp(&lost(b)));
        let Some((at, _)) = least else { break };
        all.remove(at);
    }
    all.into_iter().map(|edge| edge.id.clone()).collect()
}

/// Requests per second that failed or were refused on a call: health counts both.
fn lost(edge: &Edge) -> f64 {
    edge.rate * (edge.error_share.unwrap_or(0.0) + edge.client_error_share)
}

/// The share that fails and, where there is one, the share that is refused with 4xx: what gives the health beside it.
pub fn failures(errors: Option<f64>, refused: f64) -> String {
    let errors = format::maybe(errors, format::share);
    if refused > 0.0 { format!("{errors} + {} refused", format::share(refused)) } else { errors }
}

/// Why requests that were answered by `codes` failed, the most frequent first, when `config` applies to what they called.
pub fn reasons(codes: &[CodeRate], config: &[Applies]) -> Vec<Reason> {
    let mut all: Vec<Reason> = Vec::new();
    for code in codes.iter().filter(|code| code.rate > 0.0) {
        let flags = words::response_flags(&code.flags);
        let bare = (flags.is_empty() && failed(&code.code)).then(|| (String::new(), answered(&code.code)));
        for (flag, words) in flags.into_iter().chain(bare) {
            let kinds = deciding(&flag, &code.code);
            match all.iter().position(|one| one.code == code.code && one.flag == flag) {
                Some(at) => all[at].rate += code.rate,
                None => all.push(Reason {
                    code: code.code.clone(),
                    words,
                    rate: code.rate,
                    kinds,
                    objects: of(kinds, config),
                    flag,
                }),
            }
        }
    }
    all.order(|a, b| b.rate.total_cmp(&a.rate));
    all
}

/// The objects of some kinds, in the order of the kinds.
pub fn of(kinds: &[&str], config: &[Applies]) -> Vec<Applies> {
    kinds.iter().flat_map(|kind| config.iter().filter(move |one| one.object.kind == **kind)).cloned().collect()
}

fn failed(code: &str) -> bool {
    code == "0" || code.starts_with('4') || code.starts_with('5')
}

/// Kinds of objects that can be why a request ended with a flag, or with a code without one.
fn deciding(flag: &str, code: &str) -> &'static [&'static str] {
    match (flag, code) {
        ("UAEX", _) => &["AuthorizationPolicy", "RequestAuthentication"],
        ("NR", _) => &["VirtualService", "Gateway"],
        ("NC", _) => &["VirtualService", "DestinationRule", "ServiceEntry"],
        ("FI" | "DI" | "UT" | "URX", _) => &["VirtualService"],
        ("UO" | "UH" | "DT" | "SI" | "UMSDR", _) => &["DestinationRule"],
        ("UF" | "UC", _) => &["PeerAuthentication", "DestinationRule"],
        ("", "401") => &["RequestAuthentication"],
        ("", "403") => &["AuthorizationPolicy", "RequestAuthentication"],
        _ => &[],
    }
}

/// What a code means that comes without a flag.
fn answered(code: &str) -> &'static str {
    match code {
        "401" => "Who calls was not known: the application said so, or its proxy refused the request's token.",
        "403" => "It was forbidden: the application said so, or a policy at its proxy.",
        "0" => "There was no answer.",
        _ => "The application answered so; no proxy decided it.",
    }
}

#[cfg(test)]
mod tests {
    use weft_model::ObjectRef;

    use super::*;

    fn code(code: &str, flags: &str, rate: f64) -> CodeRate {
        CodeRate { code: code.into(), flags: flags.into(), rate, ..CodeRate::default() }
    }

    fn applies(kind: &str, name: &str) -> Applies {
        let object = ObjectRef { kind: kind.into(), name: name.into(), ..ObjectRef::default() };
        Applies { object, ..Applies::default() }
    }

    fn names(objects: &[Applies]) -> Vec<&str> {
        objects.iter().map(|one| one.object.name.as_str()).collect()
    }

    #[test]
    fn a_node_is_told_with_the_calls_on_which_it_fails() {
        let edge = |source: &str, to: &str, health: Health, share: f64| Edge {
            id: format!("{source}->{to}"),
            source: source.into(),
            destination: to.into(),
            rate: 10.0,
            error_share: Some(share),
            health,
            ..Edge::default()
        };
        let mut edges = vec![
            edge("web", "bff", Health::Failing, 1.0),
            edge("bff", "cart", Health::Healthy, 0.0),
            edge("bff", "orders", Health::Failing, 1.0),
            edge("bff", "stock", Health::Degraded, 0.01),
        ];
        assert_eq!(failing(&edges, "bff"), ["bff->orders", "bff->stock"]);
        edges.extend([edge("bff", "a", Health::Failing, 0.5), edge("bff", "b", Health::Failing, 0.4)]);
        assert_eq!(failing(&edges, "bff"), ["bff->orders", "bff->a", "bff->b"], "the least is left out");
        assert!(failing(&edges, "cart").is_empty());
        let refused = Edge { client_error_share: 0.9, ..edge("bff", "payment", Health::Failing, 0.0) };
        edges.push(refused);
        assert_eq!(failing(&edges, "bff"), ["bff->orders", "bff->a", "bff->payment"], "what is refused is lost too");
    }

    #[test]
    fn what_is_refused_is_told_beside_what_fails() {
        assert_eq!(failures(Some(0.0), 0.0), format::share(0.0));
        let told = failures(Some(0.0), 0.68);
        assert!(told.starts_with(&format::share(0.0)) && told.ends_with(&format!("{} refused", format::share(0.68))));
    }

    #[test]
    fn a_refusal_names_the_policies_that_can_be_behind_it() {
        let config = [
            applies("VirtualService", "route"),
            applies("AuthorizationPolicy", "deny-all"),
            applies("RequestAuthentication", "tokens"),
            applies("AuthorizationPolicy", "readers"),
        ];
        let all = reasons(&[code("200", "-", 90.0), code("403", "UAEX", 3.0), code("503", "URX,UF", 7.0)], &config);
        let flags: Vec<&str> = all.iter().map(|one| one.flag.as_str()).collect();
        assert_eq!(flags, ["URX", "UF", "UAEX"], "the most frequent first, each flag for itself");
        assert_eq!(names(&all[0].objects), ["route"]);
        assert!(all[1].objects.is_empty() && !all[1].kinds.is_empty(), "nothing that could be why applies");
        assert_eq!(names(&all[2].objects), ["deny-all", "readers", "tokens"]);
        assert_eq!(all[2].words, "An authorization policy denied the request.");
    }

    #[test]
    fn what_an_application_answers_is_its_own() {
        let config = [applies("AuthorizationPolicy", "readers")];
        let all = reasons(&[code("500", "-", 1.0), code("403", "", 2.0), code("302", "-", 5.0)], &config);
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].code.as_str(), names(&all[0].objects)), ("403", vec!["readers"]));
        assert!(all[1].kinds.is_empty() && all[1].words.contains("application"));
        assert!(reasons(&[code("200", "-", 9.0), code("503", "UO", 0.0)], &config).is_empty(), "nothing fails");
    }

    #[test]
    fn the_same_failure_is_told_once() {
        let all = reasons(&[code("503", "UO", 1.0), code("503", "UO", 2.0)], &[]);
        assert_eq!((all.len(), all[0].rate), (1, 3.0));
    }
}
