use super::*;

fn component(ready: i32, replicas: i32) -> Option<BTreeMap<String, ComponentStatus>> {
    let status = ComponentStatus { ready, replicas, image: "weft/operator:1".into() };
    Some([("control-plane".to_owned(), status)].into())
}

fn facts() -> Facts {
    Facts {
        generation: 4,
        components: component(3, 3),
        hindrances: BTreeMap::new(),
        old: BTreeMap::new(),
        going: Vec::new(),
        control_plane_ready: Some(true),
        authority: Some(AuthorityFacts {
            usable: Ok(OffsetDateTime::UNIX_EPOCH),
            rotation: None,
            kept: None,
            spreading: None,
        }),
        problem: None,
        disputed: Vec::new(),
        unread: None,
        clock_ahead_s: None,
    }
}

fn of<'c>(conditions: &'c [Condition], kind: &str) -> &'c Condition {
    conditions.iter().find(|condition| condition.kind == kind).unwrap()
}

#[test]
fn everything_well() {
    let (all, waiting) = conditions(&facts());
    assert!(waiting.is_empty());
    assert_eq!(of(&all, CERTIFICATES_VALID).message, "certificates are issued until 1970-01-01T00:00:00Z");
    for kind in [READY, RECONCILED, WEBHOOKS_READY, CERTIFICATES_VALID] {
        assert_eq!(of(&all, kind).status, ConditionStatus::True, "{kind}");
    }
    assert_eq!(of(&all, PROGRESSING).status, ConditionStatus::False);
    assert!(all.iter().all(|condition| condition.observed_generation == 4));
}

#[test]
fn what_others_add_again_and_again_is_told_and_nothing_stops_for_it() {
    let disputed = vec!["Service mesh/a has what the Mesh does not say: spec.ports[9999/TCP]".to_owned()];
    let (all, waiting) = conditions(&Facts { disputed: disputed.clone(), ..facts() });
    let told = of(&all, RECONCILED);
    assert_eq!((told.status, told.reason.as_str(), &told.message), (ConditionStatus::True, DISPUTED, &disputed[0]));
    assert!(wants_a_look(told), "and yet somebody should look");
    assert_eq!((of(&all, READY).status, waiting.len()), (ConditionStatus::True, 0));
}

#[test]
fn what_is_waited_for_is_said() {
    let (all, waiting) =
        conditions(&Facts { components: component(0, 3), control_plane_ready: Some(false), ..facts() });
    assert_eq!(waiting, ["control-plane: 0 of 3 pods are ready (image weft/operator:1)"]);
    assert_eq!(of(&all, READY).reason, "ComponentsNotReady");
    assert_eq!(of(&all, PROGRESSING).status, ConditionStatus::True);
    assert_eq!(of(&all, WEBHOOKS_READY).reason, "NoReplicaReady");
    // While the new image cannot be had, the old pod serves on.
    let hindrances =
        [("control-plane".to_owned(), Hindrance::of("pod weft-control-plane-1: ImagePullBackOff".to_owned()))].into();
    let old = [("control-plane".to_owned(), 1)].into();
    let (all, _) = conditions(&Facts { components: component(0, 1), hindrances, old, ..facts() });
    let expected = "control-plane: 0 of 1 new pods are ready (image weft/operator:1), 1 of the old serve, pod \
                    weft-control-plane-1: ImagePullBackOff";
    assert_eq!((of(&all, READY).message.as_str(), of(&all, PROGRESSING).message.as_str()), (expected, expected));
    assert_eq!(of(&all, WEBHOOKS_READY).status, ConditionStatus::True);
    // What waiting does not mend has a reason of its own, so that it is told when it comes.
    let homeless = Hindrance { words: "pods a, b: Unschedulable (Insufficient cpu)".to_owned(), unschedulable: true };
    let hindrances = [("control-plane".to_owned(), homeless)].into();
    let (all, _) = conditions(&Facts { components: component(0, 2), hindrances, ..facts() });
    assert_eq!(of(&all, READY).reason, UNSCHEDULABLE);
}

#[test]
fn what_is_still_going_keeps_a_mesh_from_being_settled() {
    let going = vec!["Deployment weft-console is being removed".to_owned()];
    let (all, waiting) = conditions(&Facts { going: going.clone(), ..facts() });
    let told = of(&all, PROGRESSING);
    assert_eq!((told.status, told.message.as_str()), (ConditionStatus::True, going[0].as_str()));
    assert_eq!((waiting, of(&all, READY).status), (going, ConditionStatus::True), "what is asked for runs");
}

#[test]
fn a_lasting_problem_is_told_and_a_passing_one_does_not_cry_wolf() {
    let with = |reason| Facts { problem: Some(Problem::new(reason, "why; remedy")), components: None, ..facts() };
    let (all, _) = conditions(&with(Reason::RevisionTaken));
    assert_eq!(of(&all, READY).reason, "RevisionTaken");
    assert!(of(&all, RECONCILED).message.ends_with("What runs is left as it is"));
    let (all, _) = conditions(&with(Reason::TooManyRequests));
    assert!(all.iter().all(|condition| condition.kind != READY));
}

#[test]
fn an_authority_that_cannot_sign_is_not_ready() {
    let authority =
        AuthorityFacts { usable: Err("it expired; replace it".into()), rotation: None, kept: None, spreading: None };
    let (all, _) = conditions(&Facts { authority: Some(authority), ..facts() });
    assert_eq!(of(&all, CERTIFICATES_VALID).status, ConditionStatus::False);
    assert_eq!(of(&all, READY).reason, "InvalidAuthority");
}

/// A node whose clock drifts is worth a word long before it is worth an alarm.
#[test]
fn a_clock_that_is_off_is_told_and_one_that_is_far_off_is_not_ready() {
    let told = |seconds: i64| {
        let (all, _) = conditions(&Facts { clock_ahead_s: Some(seconds), ..facts() });
        assert_eq!(of(&all, CERTIFICATES_VALID).status, ConditionStatus::True, "the authority is well: {seconds}");
        let word = |kind: &str| of(&all, kind).reason.clone();
        (word(CLOCKS_AGREE), word(READY))
    };
    for (seconds, clocks, ready) in [
        (0, "Agree", "Ready"),
        (60, "Agree", "Ready"),
        (61, "ClockOff", "Ready"),
        (-300, "ClockOff", "Ready"),
        (301, "ClockOff", "ClockOff"),
        (-301, "ClockOff", "ClockOff"),
    ] {
        assert_eq!(told(seconds), (clocks.to_owned(), ready.to_owned()), "{seconds}");
    }
    let (all, _) = conditions(&facts());
    assert!(all.iter().all(|condition| condition.kind != CLOCKS_AGREE), "nobody told");
}

#[test]
fn a_rotation_is_told_and_settled() {
    let rotation = Some("the new root signs".to_owned());
    let authority = AuthorityFacts { usable: Ok(OffsetDateTime::UNIX_EPOCH), rotation, kept: None, spreading: None };
    let (all, waiting) = conditions(&Facts { authority: Some(authority), ..facts() });
    assert_eq!(waiting, ["root rotation: the new root signs"]);
    assert_eq!(of(&all, CERTIFICATES_VALID).reason, "Rotating");
    assert_eq!((of(&all, PROGRESSING).status, of(&all, READY).status), (ConditionStatus::False, ConditionStatus::True));
}

#[test]
fn roots_that_are_kept_are_told_as_such() {
    let authority = AuthorityFacts {
        usable: Ok(OffsetDateTime::UNIX_EPOCH),
        rotation: Some("the new root signs".to_owned()),
        kept: Some("1 root is trusted".to_owned()),
        spreading: Some("another root signs".to_owned()),
    };
    let (all, waiting) = conditions(&Facts { authority: Some(authority), ..facts() });
    let told = of(&all, CERTIFICATES_VALID);
    assert_eq!((told.status, told.reason.as_str()), (ConditionStatus::True, ROOTS_KEPT));
    let words = "rotating: the new root signs; another root signs; 1 root is trusted";
    assert!(told.message.ends_with(words), "{}", told.message);
    assert_eq!(waiting, ["root rotation: the new root signs", "new root: another root signs"]);
    assert_eq!(of(&all, READY).status, ConditionStatus::True, "what is connected goes on");
}

/// A type or reason that is never written would make the check say nothing for ever.
#[test]
fn the_health_check_for_argo_cd_knows_what_is_written() {
    let page = include_str!("../../../../docs/argo-cd.md");
    let (_, script) = page.split_once("health.weft.dev_Mesh: |").unwrap();
    let (script, _) = script.split_once("```").unwrap();
    let types: Vec<&str> =
        script.split("condition.type == \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(types, [READY, RECONCILED, CERTIFICATES_VALID]);
    let (written, _) = conditions(&facts());
    assert!(types.iter().all(|kind| written.iter().any(|condition| condition.kind == *kind)));
    let passing = script.split("passing = {").nth(1).and_then(|rest| rest.split('}').next()).unwrap();
    let mut named: Vec<&str> = passing.split(',').filter_map(|entry| entry.split('=').next()).map(str::trim).collect();
    let mut passes: Vec<&str> = Reason::ALL.iter().filter(|r| r.passes()).map(|r| r.as_str()).collect();
    named.sort_unstable();
    passes.sort_unstable();
    assert_eq!(named, passes);
    // What it calls degraded.
    let broken = Facts { problem: Some(Problem::new(Reason::Forbidden, "no; remedy")), ..facts() };
    let told = of(&conditions(&broken).0, RECONCILED).clone();
    assert_eq!((told.status, told.reason.as_str()), (ConditionStatus::False, "Forbidden"));
    // A clock that is far off is told by `Ready` alone, which otherwise only waits.
    let (_, ready) = script.split_once("condition.type == \"Ready\" then").unwrap();
    let (ready, _) = ready.split_once("local passing").unwrap();
    let branches = ready.split("condition.reason == \"").skip(1).filter_map(|rest| rest.split_once("\" then"));
    let branches: Vec<_> =
        branches.map(|(reason, then)| (reason, then.split("end").next().unwrap_or_default().trim())).collect();
    assert_eq!(branches, [(Reason::ClockOff.as_str(), "hs.status = \"Degraded\"")]);
    let (off, _) = conditions(&Facts { clock_ahead_s: Some(301), ..facts() });
    let told = of(&off, READY);
    assert_eq!((told.status, told.reason.as_str()), (ConditionStatus::False, Reason::ClockOff.as_str()));
    let rest = [RECONCILED, CERTIFICATES_VALID].map(|kind| of(&off, kind).status);
    assert_eq!(rest, [ConditionStatus::True; 2], "the second loop leaves it as it is");
}

#[test]
fn what_is_not_read_is_told_and_the_rest_runs_on() {
    let (all, _) = conditions(&facts());
    assert!(all.iter().all(|condition| condition.kind != CONFIGURATION_READ), "nobody has looked yet");
    let (all, _) = conditions(&Facts { unread: Some(Vec::new()), ..facts() });
    assert_eq!(of(&all, CONFIGURATION_READ).status, ConditionStatus::True);
    let unread = (0..7).map(|n| format!("kind {n} cannot be read")).collect();
    let (all, _) = conditions(&Facts { unread: Some(unread), ..facts() });
    let told = of(&all, CONFIGURATION_READ);
    assert_eq!((told.status, told.reason.as_str()), (ConditionStatus::False, "Incomplete"));
    assert!(told.message.starts_with("kind 0 cannot be read; kind 1"), "{}", told.message);
    assert!(told.message.ends_with("kind 4 cannot be read; and 2 more"), "{}", told.message);
    assert_eq!(of(&all, READY).status, ConditionStatus::True);
}

#[test]
fn long_lists_are_cut_and_say_so() {
    let all = ["a", "b", "c"];
    assert_eq!((first(&all, 2, "; "), first(&all, 3, ", ")), ("a; b and 1 more".into(), "a, b, c".into()));
}

#[test]
fn spans_are_read_at_a_glance() {
    let told = |seconds| span(Duration::from_secs(seconds));
    assert_eq!([told(24 * 3600), told(90 * 60), told(61)], ["24 h", "90 min", "61 s"]);
}

#[test]
fn ten_pods_are_named_and_the_rest_counted() {
    let pods: Vec<String> = (0..12).map(|n| format!("shop/web-{n}")).collect();
    let text = pods_wait(&pods, Duration::from_secs(3600));
    assert!(text.starts_with("12 injected pods still run: shop/web-0, "), "{text}");
    assert!(text.contains("shop/web-9 and 2 more") && text.contains(FORCE) && !text.contains("web-10"));
    assert!(text.contains("without injection or onto another revision; or annotate the Mesh with weft.dev/"), "{text}");
}
