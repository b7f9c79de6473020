use super::*;

fn all() -> Vec<(&'static str, Vec<Rule>)> {
    vec![
        ("the control plane", control_plane()),
        ("the control plane in its namespace", control_plane_namespace()),
        ("the console", console(true)),
        ("the operator", operator()),
        ("the operator in its namespace", operator_namespace()),
    ]
}

#[test]
fn secrets_are_changed_and_deleted_by_name_alone() {
    for (whose, rules) in all() {
        for rule in rules.iter().filter(|rule| rule.resources.contains(&"secrets") && rule.names.is_empty()) {
            // Who creates gives the name, which no rule can.
            let harmless = |verb: &&str| READ.contains(verb) || *verb == "create";
            assert!(rule.verbs.iter().all(harmless), "{whose}: {rule:?}");
        }
    }
}

#[test]
fn no_rule_stands_twice() {
    for (whose, rules) in all() {
        for (index, rule) in rules.iter().enumerate() {
            let rights =
                |rule: &Rule| (rule.groups.clone(), rule.resources.clone(), rule.names.clone(), rule.verbs.clone());
            let again = rules[..index].iter().find(|other| rights(other) == rights(rule));
            assert_eq!(again, None, "{whose}");
        }
    }
}

#[test]
fn nobody_grants_what_the_operator_does_not_hold() {
    for (granted, held) in
        [(control_plane(), operator()), (console(true), operator()), (control_plane_namespace(), operator_namespace())]
    {
        for rule in granted {
            assert!(held.contains(&rule), "{rule:?}");
        }
    }
}
