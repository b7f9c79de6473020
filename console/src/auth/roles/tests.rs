use super::*;

const FILE: &str = "
# the shop's people
p, role:shop, virtualservices, *, shop/*, allow
p, role:shop, namespaces, get, shop/*, allow
p, role:shop, virtualservices, delete, shop/checkout, deny
g, shop-team, role:shop
g, role:lead, role:shop
g, role:lead, role:viewer
g, ada@example.org, role:lead
g, root@example.org, role:admin
";

fn user(name: &str, groups: &[&str]) -> User {
    User { name: name.to_owned(), groups: groups.iter().map(|g| (*g).to_owned()).collect(), ..User::default() }
}

fn object(api_version: &str, kind: &str, namespace: &str, name: &str) -> ObjectRef {
    ObjectRef { api_version: api_version.into(), kind: kind.into(), namespace: namespace.into(), name: name.into() }
}

fn route(namespace: &str, name: &str) -> ObjectRef {
    object("networking.istio.io/v1", "VirtualService", namespace, name)
}

#[test]
fn groups_and_roles_give_rights_where_they_say() {
    let policy = Policy::new(FILE, None).unwrap();
    let member = policy.grants(&user("bob@example.org", &["shop-team"]));
    assert!(member.may(Verb::Update, &route("shop", "reviews")));
    assert!(!member.may(Verb::Update, &route("bank", "reviews")));
    assert!(!member.may(Verb::Update, &object("networking.istio.io/v1", "DestinationRule", "shop", "reviews")));
    assert!(member.sees("shop") && !member.sees("bank") && !member.sees(""));
    assert!(!member.is_admin());
    let lead = policy.grants(&user("ada@example.org", &[]));
    assert!(lead.may(Verb::Patch, &route("shop", "reviews")));
    assert!(lead.may(Verb::Get, &route("bank", "reviews")) && !lead.may(Verb::Patch, &route("bank", "reviews")));
    assert!(lead.sees("bank") && lead.sees(""));
    assert_eq!(lead.roles(), ["role:lead", "role:shop", "role:viewer"]);
    let root = policy.grants(&user("root@example.org", &[]));
    assert!(root.is_admin() && root.may(Verb::Delete, &object("weft.dev/v1alpha1", "Mesh", "", "main")));
}

#[test]
fn a_deny_wins_and_nobody_has_anything_by_default() {
    let policy = Policy::new(FILE, None).unwrap();
    let member = policy.grants(&user("bob@example.org", &["shop-team"]));
    assert!(!member.may(Verb::Delete, &route("shop", "checkout")));
    assert!(member.may(Verb::Delete, &route("shop", "reviews")));
    let stranger = policy.grants(&user("eve@example.org", &["others"]));
    assert!(!stranger.sees("shop") && !stranger.may(Verb::Get, &route("shop", "reviews")));
    let viewers = Policy::new(FILE, Some("role:viewer")).unwrap();
    let stranger = viewers.grants(&user("eve@example.org", &[]));
    assert!(stranger.sees("bank") && !stranger.may(Verb::Create, &route("shop", "x")));
}

/// What belongs to no namespace is not all that there is.
#[test]
fn who_sees_the_mesh_as_a_whole_does_not_see_every_namespace() {
    let seen = |object: &str| {
        let policy = Policy::new(&format!("p, role:x, *, get, {object}, allow"), None).unwrap();
        let grants = policy.role("role:x");
        (grants.sees(""), grants.sees("bank"), grants.sees_all())
    };
    assert_eq!(seen("/*"), (true, false, false));
    assert_eq!(seen("*/bank"), (false, true, false));
    assert_eq!(seen("b*/*"), (false, true, false));
    for all in ["*", "*/*"] {
        assert_eq!(seen(all), (true, true, true), "{all}");
    }
}

#[test]
fn a_name_at_the_provider_is_no_role() {
    let policy = Policy::new("g, role:admin, role:viewer", None).unwrap();
    for claimed in [user("role:admin", &[]), user("eve", &["role:admin", "role:operator"])] {
        let grants = policy.grants(&claimed);
        assert!(!grants.sees("shop") && !grants.is_admin(), "{claimed:?}");
    }
}

#[test]
fn an_operator_steers_traffic_and_no_more() {
    let grants = Policy::new("", None).unwrap().role("role:operator");
    assert!(grants.may(Verb::Update, &route("shop", "reviews")));
    assert!(grants.may(Verb::Create, &object("security.istio.io/v1", "AuthorizationPolicy", "shop", "x")));
    assert!(!grants.may(Verb::Update, &object("weft.dev/v1alpha1", "Mesh", "", "main")));
    assert!(!grants.may(Verb::Update, &object("v1", "Service", "shop", "reviews")));
    assert!(grants.may(Verb::Get, &object("v1", "Service", "shop", "reviews")));
    assert!(!grants.is_admin());
}

#[test]
fn a_bad_file_says_where_and_what() {
    for (text, line, words) in [
        ("p, role:x, *, gett, */*, allow", 1, "did you mean get"),
        ("\n# x\np, role:x, *, get, */*, permit", 3, "allow or deny"),
        ("p, role:x, *, get, shop, allow", 1, "write shop/*"),
        ("p, role:x, *, get, */*", 1, "six fields"),
        ("g, team, admin", 1, "begins with role:"),
        ("g, team, role:amdin", 1, "neither built in"),
        ("q, team", 1, "p or g"),
        ("p, , *, get, */*, allow", 1, "empty"),
    ] {
        let error = Policy::new(text, None).unwrap_err();
        let PolicyError::Line { line: at, what } = &error else { panic!("{error}") };
        assert!(*at == line && what.contains(words), "{text}: {error}");
    }
    assert_eq!(Policy::new("", Some("role:non")).unwrap_err(), PolicyError::NoSuchRole("role:non".to_owned()));
    assert_eq!(Policy::new(&"\n".repeat(10_001), None).unwrap_err(), PolicyError::Long);
}

#[test]
fn globs_match_whole_texts() {
    for (pattern, text) in
        [("*", ""), ("*", "a/b"), ("a*c", "abc"), ("a*c", "ac"), ("*/b", "a/b"), ("a*b*c", "a_b_b_c")]
    {
        assert!(glob(pattern, text), "{pattern} {text}");
    }
    for (pattern, text) in [("", "a"), ("a", "ab"), ("a*c", "abd"), ("shop/*", "shopping/x"), ("*a", "ab")] {
        assert!(!glob(pattern, text), "{pattern} {text}");
    }
}
