//! What a canary's card says of its verdict, and of what a move did.

use weft_model::canary::{MoveEffect, Verdict};

use crate::{format, words};

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

#[cfg(test)]
mod tests {
    use super::*;

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
