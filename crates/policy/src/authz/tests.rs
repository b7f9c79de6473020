use proptest::prelude::*;

use super::*;
use crate::{
    config::{HeaderKey, HeaderTest},
    testing::Request,
};

const CHECKOUT: &str = "spiffe://cluster.local/ns/production/sa/checkout-bff";
const INVENTORY: &str = "spiffe://cluster.local/ns/production/sa/inventory-service";

fn exact(s: &str) -> StringMatch {
    StringMatch::Exact(s.into())
}

fn method(name: &str) -> Rule {
    header(HeaderKey::Method, HeaderTest::Value(exact(name)))
}

fn header(key: HeaderKey, test: HeaderTest) -> Rule {
    Rule::Header(Box::new(HeaderMatch { key, test, invert: false, missing_as_empty: false }))
}

fn rbac(action: RbacAction, policies: Vec<(Vec<Rule>, Vec<Rule>)>) -> Rbac {
    let policy = |(i, (permissions, principals))| Policy { name: format!("p{i}").into(), permissions, principals };
    Rbac { action, policies: policies.into_iter().enumerate().map(policy).collect() }
}

/// The handbook's policy: checkout may GET and POST orders, inventory may GET single ones.
fn orders() -> Rbac {
    let below = || Rule::Path(StringMatch::Prefix("/api/v1/orders/".into()));
    let paths = Rule::AnyOf(vec![Rule::Path(exact("/api/v1/orders")), below()]);
    let methods = Rule::AnyOf(vec![method("GET"), method("POST")]);
    rbac(
        RbacAction::Allow,
        vec![
            (vec![Rule::All(vec![methods, paths])], vec![Rule::Peer(Some(exact(CHECKOUT)))]),
            (vec![Rule::All(vec![method("GET"), below()])], vec![Rule::Peer(Some(exact(INVENTORY)))]),
        ],
    )
}

#[test]
fn the_handbooks_policy() {
    let rbac = orders();
    let allowed = |r: Request| r.with(|f| rbac.check_request(f).allowed);
    for (method, path, peer, wanted) in [
        ("GET", "/api/v1/orders", Some(CHECKOUT), true),
        ("POST", "/api/v1/orders", Some(CHECKOUT), true),
        ("POST", "/api/v1/orders/7?x=1", Some(CHECKOUT), true),
        ("DELETE", "/api/v1/orders/7", Some(CHECKOUT), false),
        ("GET", "/api/v1/ordersX", Some(CHECKOUT), false),
        ("GET", "/api/v1/orders/7", Some(INVENTORY), true),
        ("GET", "/api/v1/orders", Some(INVENTORY), false),
        ("POST", "/api/v1/orders/7", Some(INVENTORY), false),
        ("get", "/api/v1/orders", Some(CHECKOUT), false),
        ("GET", "/api/v1/orders", None, false),
        ("GET", "/api/v1/orders", Some("spiffe://cluster.local/ns/production/sa/checkout-bff2"), false),
    ] {
        let mut request = Request::get(path).method(method);
        request.peer_uri = peer.map(Into::into);
        assert_eq!(allowed(request), wanted, "{method} {path} {peer:?}");
    }
}

#[test]
fn actions_and_the_policy_that_decided() {
    let any = || (vec![Rule::Constant(true)], vec![Rule::Constant(true)]);
    let none = || (vec![Rule::Constant(true)], vec![Rule::Constant(false)]);
    let check = |action, policies| {
        let rbac = rbac(action, policies);
        Request::get("/").with(|f| {
            let verdict = rbac.check_request(f);
            (verdict.allowed, verdict.policy.map(|p| p.to_string()))
        })
    };
    let first = Some("p0".to_owned());
    assert_eq!(check(RbacAction::Allow, vec![any()]), (true, first.clone()));
    assert_eq!(check(RbacAction::Allow, vec![none()]), (false, None));
    assert_eq!(check(RbacAction::Allow, vec![]), (false, None), "nobody is let in");
    assert_eq!(check(RbacAction::Deny, vec![none(), any()]), (false, Some("p1".to_owned())));
    assert_eq!(check(RbacAction::Deny, vec![]), (true, None));
    assert_eq!(check(RbacAction::Log, vec![any()]), (true, first));
}

#[test]
fn filters_are_run_in_order() {
    let deny = Arc::new(rbac(RbacAction::Deny, vec![(vec![method("DELETE")], vec![Rule::Constant(true)])]));
    let filters = [deny, Arc::new(orders())];
    let refused = |r: Request| r.with(|f| refused_request(&filters, f).map(|v| v.policy.cloned()));
    assert_eq!(refused(Request::get("/").method("DELETE").peer(CHECKOUT)), Some(Some("p0".into())));
    assert_eq!(refused(Request::get("/").peer(CHECKOUT)), Some(None));
    assert_eq!(refused(Request::get("/api/v1/orders").peer(CHECKOUT)), None);
}

#[test]
fn addresses_ports_and_names() {
    let range = |s: &str, bits| Cidr { network: s.parse().unwrap(), bits };
    let mut request = Request::get("/");
    request.sni = Some("api.example.com".into());
    let check = |rule: Rule, wanted: bool| {
        let shown = format!("{rule:?}");
        assert_eq!(request.with(|f| rule.matches(f.connection, Some(f))), wanted, "{shown}");
    };
    check(Rule::DirectRemoteIp(range("10.1.0.0", 16)), true);
    check(Rule::DirectRemoteIp(range("192.0.2.0", 24)), false);
    check(Rule::RemoteIp(range("192.0.2.0", 24)), true);
    check(Rule::RemoteIp(range("::", 0)), false);
    check(Rule::RemoteIp(range("0.0.0.0", 0)), true);
    check(Rule::DestinationIp(range("10.0.0.1", 32)), true);
    check(Rule::DestinationPort(8000, 8080), true);
    check(Rule::DestinationPort(8081, 9000), false);
    check(Rule::ServerName(StringMatch::Suffix(".example.com".into())), true);
    check(Rule::Peer(None), false);
}

#[test]
fn on_opaque_connections_http_conditions_never_match() {
    let request = Request::get("/").peer(CHECKOUT);
    request.with(|f| {
        let rule = |r: Rule| r.matches(f.connection, None);
        assert!(!rule(method("GET")));
        assert!(!rule(Rule::Path(StringMatch::Prefix("/".into()))));
        assert!(rule(Rule::Peer(Some(exact(CHECKOUT)))));
        let deny = rbac(RbacAction::Deny, vec![(vec![Rule::DestinationPort(8080, 8080)], vec![Rule::Peer(None)])]);
        assert!(!deny.check_connection(f.connection).allowed);
    });
}

/// Rules over four facts, and the same as a plain boolean formula.
#[derive(Clone, Debug)]
enum Formula {
    Fact(usize),
    All(Vec<Formula>),
    AnyOf(Vec<Formula>),
    Not(Box<Formula>),
}

impl Formula {
    fn holds(&self, facts: &[bool; 4]) -> bool {
        match self {
            Self::Fact(i) => facts[*i],
            Self::All(f) => f.iter().all(|f| f.holds(facts)),
            Self::AnyOf(f) => f.iter().any(|f| f.holds(facts)),
            Self::Not(f) => !f.holds(facts),
        }
    }

    fn rule(&self) -> Rule {
        match self {
            Self::Fact(0) => Rule::Peer(Some(exact(CHECKOUT))),
            Self::Fact(1) => method("POST"),
            Self::Fact(2) => Rule::Path(StringMatch::Prefix("/admin".into())),
            Self::Fact(_) => header(HeaderKey::Name("x-a".parse().unwrap()), HeaderTest::Present(true)),
            Self::All(f) => Rule::All(f.iter().map(Self::rule).collect()),
            Self::AnyOf(f) => Rule::AnyOf(f.iter().map(Self::rule).collect()),
            Self::Not(f) => Rule::Not(Box::new(f.rule())),
        }
    }
}

fn formula() -> impl Strategy<Value = Formula> {
    (0usize..4).prop_map(Formula::Fact).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Formula::All),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Formula::AnyOf),
            inner.prop_map(|f| Formula::Not(Box::new(f))),
        ]
    })
}

proptest! {
    #[test]
    fn agrees_with_its_truth_table(permission in formula(), principal in formula()) {
        for row in 0..16u8 {
            let facts: [bool; 4] = std::array::from_fn(|i| row >> i & 1 == 1);
            let mut request = Request::get(if facts[2] { "/admin/x" } else { "/" });
            request.peer_uri = facts[0].then(|| CHECKOUT.into());
            if facts[1] {
                request = request.method("POST");
            }
            if facts[3] {
                request = request.header("x-a", "1");
            }
            let wanted = permission.holds(&facts) && principal.holds(&facts);
            for (action, allowed) in [(RbacAction::Allow, wanted), (RbacAction::Deny, !wanted), (RbacAction::Log, true)] {
                let rbac = rbac(action, vec![(vec![permission.rule()], vec![principal.rule()])]);
                prop_assert_eq!(request.with(|f| rbac.check_request(f).allowed), allowed);
            }
        }
    }
}
