//! What a canary's card says of its verdict, of what a move did, and of the routes before it.

use weft_model::canary::{ArmCourse, ArmTotal, MoveEffect, TesterRoute, Verdict};

use crate::{format, shown::visible, words};

/// A verdict as a short title, with what fails whatever the shares are.
pub fn pill(verdict: Verdict, lost: &[String]) -> String {
    let title = words::verdict_title(verdict);
    match lost {
        [] => title.to_owned(),
        [one] => format!("{title}, {one} fails"),
        all => format!("{title}, {} fail", all.join(" and ")),
    }
}

/// Of what and of which minutes the errors around a move are.
pub fn spans(effect: &MoveEffect) -> Option<String> {
    let long = |seconds: u64| format::span(seconds as f64 * 1000.0);
    let parts = [(effect.before_s, "before"), (effect.after_s, "after")];
    let parts = parts.into_iter().filter(|(seconds, _)| *seconds > 0);
    let parts: Vec<String> = parts.map(|(seconds, way)| format!("{} {way}", long(seconds))).collect();
    (!parts.is_empty()).then(|| format!("Of everything sent to its hosts in the {}", parts.join(" and the ")))
}

/// More requests than these, and than one of ten, come by other ways: fewer are of how rates are rounded.
const SOME: u64 = 10;

/// Whether destinations receive more than a weighted route sends them: by routes before it, or by whatever their counts tell.
pub fn comes_by_others(testers: bool, arms: &[ArmCourse]) -> bool {
    let more = |arm: &ArmCourse| {
        let ArmTotal { requests, picked, .. } = arm.whole;
        let more = picked.map_or(0, |picked| requests.saturating_sub(picked));
        more > SOME.max(requests / 10)
    };
    testers || arms.iter().any(|arm| arm.is_called_elsewhere() || more(arm))
}

/// Words of a condition that are about no header, as the console writes them.
const NO_HEADERS: [&str; 10] =
    ["path ", "method ", "host ", "scheme ", "query ", "port ", "from ", "through ", "without ", "every request"];

/// A route that comes before the weighted one: what stands before its condition, that condition, and what stands before its
/// destination. Whoever carries a header is a tester; a path takes anybody's requests. Of several destinations none gets
/// them always.
pub fn earlier(route: &TesterRoute) -> (&'static str, String, &'static str) {
    let by_header = |one: &str| one.split(" and ").any(|part| NO_HEADERS.iter().all(|word| !part.starts_with(word)));
    let several = route.destination.contains(" and ");
    let matches = visible(&route.matches);
    if route.matches.split(" or ").all(by_header) {
        return ("Testers (", matches, if several { ") go to " } else { ") always go to " });
    }
    match route.matches.strip_prefix("path ").filter(|path| !path.contains(' ')) {
        Some(path) => ("Requests to ", visible(path), if several { " go to " } else { " always go to " }),
        None => ("Requests (", matches, if several { ") go to " } else { ") always go to " }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_no_tester_and_a_split_is_not_always() {
        let told = |matches: &str, destination: &str| {
            let (route, destination) = (String::new(), destination.to_owned());
            let (before, matches, after) =
                earlier(&TesterRoute { route, matches: matches.to_owned(), destination, requests: 0 });
            format!("{before}{matches}{after}")
        };
        assert_eq!(told("x-canary: true", "order v2"), "Testers (x-canary: true) always go to ");
        assert_eq!(told("path /x* and x-canary", "order v2"), "Testers (path /x* and x-canary) always go to ");
        assert_eq!(told("path /x*", "pay, stock and 1 more"), "Requests to /x* go to ");
        assert_eq!(told("path /x*", "pay"), "Requests to /x* always go to ");
        assert_eq!(told("x-canary: true or path /x*", "pay and stock"), "Requests (x-canary: true or path /x*) go to ");
        assert_eq!(told("every request", "pay"), "Requests (every request) always go to ");
    }

    #[test]
    fn what_came_by_other_routes_is_told_where_any_did() {
        let arm = |requests: u64, picked: Option<u64>| ArmCourse {
            whole: ArmTotal { requests, picked, ..ArmTotal::default() },
            ..ArmCourse::default()
        };
        let own = arm(1_000, Some(990));
        assert!(!comes_by_others(false, &[own.clone(), arm(20, Some(12)), arm(900, None)]));
        assert!(comes_by_others(true, std::slice::from_ref(&own)), "testers are among them, however few there were");
        assert!(comes_by_others(false, &[own, arm(400, Some(300))]), "not most of them, but many");
        assert!(comes_by_others(false, &[arm(10, Some(0))]));
    }

    #[test]
    fn the_verdict_names_what_fails() {
        let lost = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(pill(Verdict::Consistent, &lost(&[])), "Consistent");
        assert_eq!(pill(Verdict::Consistent, &lost(&["v9"])), "Consistent, v9 fails");
        assert_eq!(pill(Verdict::Diverging, &lost(&["v1", "v9"])), "Diverging, v1 and v9 fail");
    }

    #[test]
    fn an_effect_says_of_which_minutes_it_is() {
        let effect = MoveEffect { before_s: 300, after_s: 90, ..MoveEffect::default() };
        let told = spans(&effect).unwrap();
        assert_eq!(told, "Of everything sent to its hosts in the 5 min before and the 1 min 30 s after");
        assert_eq!(spans(&MoveEffect { before_s: 0, ..effect }).unwrap().matches("the").count(), 1);
        assert_eq!(spans(&MoveEffect::default()), None);
    }
}
