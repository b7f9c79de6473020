use serde_json::{Value, json};

use super::*;

fn object(namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "networking.istio.io/v1".into(),
        kind: "Gateway".into(),
        namespace: namespace.into(),
        name: name.into(),
    }
}

/// What the only Gateway of a namespace wants, in namespace `edge`.
fn want(wanted: &mut Wanted, namespace: &str, secrets: impl Iterator<Item = String>) {
    for secret in secrets {
        wanted.entry(Name::new("edge", &secret)).or_default().insert(object(namespace, "g"));
    }
}

fn numbered(prefix: &str, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |n| format!("{prefix}{n:04}"))
}

/// All of them are there.
fn following(chosen: &BTreeSet<Name>) -> Followed {
    chosen.iter().map(|name| (name.clone(), Standing::Seen)).collect()
}

/// Where none is missing.
fn chosen_of(wanted: &Wanted, followed: &Followed) -> BTreeSet<Name> {
    choose(wanted, followed, &Missed::new(), Instant::now(), 8)
}

fn refused_of(wanted: &Wanted, chosen: &BTreeSet<Name>) -> Vec<Diagnostic> {
    refused(wanted, chosen, &Missed::new(), 8)
}

#[test]
fn as_many_as_the_limit_are_followed_and_one_more_is_told() {
    let mut wanted = Wanted::new();
    want(&mut wanted, "shop", numbered("b", 8));
    let all = chosen_of(&wanted, &Followed::new());
    assert_eq!(all.len(), 8);
    assert!(refused_of(&wanted, &all).is_empty());

    // By name it comes before all of them.
    want(&mut wanted, "other", ["a".to_owned()].into_iter());
    let chosen = chosen_of(&wanted, &following(&all));
    assert_eq!(chosen, all, "what is followed stays");
    let found = refused_of(&wanted, &chosen);
    let [finding] = &found[..] else { panic!("{found:?}") };
    assert_eq!(finding.object.as_ref(), Some(&object("other", "g")));
    assert!(finding.message.contains("Secret \"a\" in namespace edge is not read"), "{}", finding.message);
    assert!(finding.message.contains("at most 8 Secrets") && finding.severity == Severity::Error);

    // Room goes to whoever waits for it.
    wanted.remove(&Name::new("edge", "b0003"));
    let chosen = chosen_of(&wanted, &following(&chosen));
    assert!(chosen.contains(&Name::new("edge", "a")) && chosen.len() == 8);
    assert!(refused_of(&wanted, &chosen).is_empty());
}

#[test]
fn nobody_takes_all_the_room_by_names_that_come_first() {
    let mut wanted = Wanted::new();
    want(&mut wanted, "greedy", numbered("0", 50));
    want(&mut wanted, "shop", numbered("shop", 3));
    want(&mut wanted, "bank", numbered("bank", 2));
    // As after a restart: nothing is followed yet.
    let chosen = chosen_of(&wanted, &Followed::new());
    let of = |prefix: &str| chosen.iter().filter(|name| name.name.starts_with(prefix)).count();
    assert_eq!((of("0"), of("shop"), of("bank")), (3, 3, 2));
    let found = refused_of(&wanted, &chosen);
    assert_eq!(found.len(), 1, "one finding for each object: {found:?}");
    assert!(found[0].message.contains("(and 46 more that it names)"), "{}", found[0].message);

    // Who holds much waits for the others, also when room comes later.
    want(&mut wanted, "late", numbered("z", 1));
    wanted.remove(&Name::new("edge", "00000"));
    let next = chosen_of(&wanted, &following(&chosen));
    assert!(next.contains(&Name::new("edge", "z0000")), "{next:?}");
}

/// What follows from one look at what is wanted: who is followed then. Those in `there` exist.
fn look(wanted: &Wanted, followed: &BTreeSet<Name>, missed: &mut Missed, there: &str, now: Instant) -> BTreeSet<Name> {
    let standing = |name: &Name| if name.name.starts_with(there) { Standing::Seen } else { Standing::Unseen };
    let standings: Followed = followed.iter().map(|name| (name.clone(), standing(name))).collect();
    note(missed, wanted, &standings, now);
    let chosen = choose(wanted, &standings, missed, now, 8);
    for name in chosen.iter().filter(|name| !followed.contains(*name)) {
        if let Some(since) = missed.get_mut(name) {
            *since = now;
        }
    }
    chosen
}

#[test]
fn names_of_nothing_keep_no_secret_out_that_is_there() {
    let (start, mut missed, mut wanted) = (Instant::now(), Missed::new(), Wanted::new());
    want(&mut wanted, "greedy", numbered("nothing", 20));
    let all_of_it = chosen_of(&wanted, &Followed::new());
    assert_eq!(all_of_it.len(), 8);
    want(&mut wanted, "shop", numbered("there", 2));
    let chosen = look(&wanted, &all_of_it, &mut missed, "there", start);
    let there = |chosen: &BTreeSet<Name>| chosen.iter().filter(|name| name.name.starts_with("there")).count();
    assert_eq!((there(&chosen), chosen.len()), (2, 8));

    // All were looked for soon, and none that is not there is told to have no room.
    let mut chosen = chosen;
    while missed.len() < 20 {
        let before = missed.len();
        chosen = look(&wanted, &chosen, &mut missed, "there", start);
        assert!(missed.len() > before, "{missed:?}");
    }
    assert!(refused(&wanted, &chosen, &missed, 8).is_empty());
    // Then they take turns.
    assert_eq!(look(&wanted, &chosen, &mut missed, "there", start), chosen, "a look takes its time");
    let mut seen = BTreeSet::new();
    for turns in 1..=4 {
        let now = start + LOOK * turns;
        chosen = look(&wanted, &chosen, &mut missed, "there", now);
        assert_eq!((there(&chosen), chosen.len()), (2, 8), "what is there stays");
        assert_eq!(next_look(&chosen, &missed), Some(now + LOOK));
        seen.extend(chosen.iter().cloned());
    }
    assert_eq!(seen.len(), 22, "each had its turn");
    // One that comes into being is found, and stays.
    let late = look(&wanted, &chosen, &mut missed, "", start + LOOK * 5);
    assert_eq!(late, chosen);
    let found = refused(&wanted, &late, &missed, 8);
    assert!(found[0].message.contains("at most 8 Secrets"), "without room for a look it is told: {found:?}");
}

/// Names of the Secrets that an object wants.
fn named(kind: &str, spec: &Value) -> Vec<String> {
    let object = json!({"apiVersion": "networking.istio.io/v1", "kind": kind,
        "metadata": {"name": "x", "namespace": "shop"}, "spec": spec});
    let parsed = weft_api::parse(&object, "shop").unwrap().object;
    credentials(&parsed).map(|(_, _, secrets)| secrets.into_iter().collect()).unwrap_or_default()
}

#[test]
fn roots_are_wanted_by_those_who_verify() {
    let gateway = |tls: Value| {
        let server = json!({"port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "hosts": ["*"], "tls": tls});
        named("Gateway", &json!({"selector": {"istio": "ingress"}, "servers": [server]}))
    };
    assert_eq!(gateway(json!({"mode": "SIMPLE", "credentialName": "c"})), ["c"]);
    assert_eq!(gateway(json!({"mode": "SIMPLE", "credentialNames": ["c", "d"]})), ["c"], "the first is shown");
    for mode in ["MUTUAL", "OPTIONAL_MUTUAL"] {
        assert_eq!(gateway(json!({"mode": mode, "credentialName": "c"})), ["c", "c-cacert"], "{mode}");
    }
    for tls in [
        json!({"mode": "SIMPLE", "credentialName": "../c"}),
        json!({"mode": "SIMPLE", "serverCertificate": "/c", "privateKey": "/k"}),
        json!({"mode": "PASSTHROUGH"}),
        json!({"mode": "ISTIO_MUTUAL"}),
    ] {
        assert!(gateway(tls.clone()).is_empty(), "{tls}");
    }
    let rule = |tls: Value| named("DestinationRule", &json!({"host": "a.test", "trafficPolicy": {"tls": tls}}));
    for mode in ["SIMPLE", "MUTUAL"] {
        assert_eq!(rule(json!({"mode": mode, "credentialName": "c"})), ["c", "c-cacert"], "{mode}");
    }
    assert_eq!(rule(json!({"mode": "MUTUAL", "credentialName": "c", "insecureSkipVerify": true})), ["c"]);
    assert!(rule(json!({"mode": "ISTIO_MUTUAL"})).is_empty());
}
