use weft_tests::{
    http::get,
    jar::{Jar, location},
    oidc::GuardedConsole,
};

use super::{LOGIN, SESSION, Stage};

fn problem(answer: &weft_tests::http::Answer) -> String {
    let location = location(answer);
    location.strip_prefix("/signed-out?problem=").unwrap_or_else(|| panic!("{location}")).to_owned()
}

/// Everything that somebody could do with the addresses of a sign-in that is not theirs, or not any more.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_counts_once_in_one_browser_from_one_provider() {
    let stage = Stage::start(3600, &[]).await;
    let (console, provider) = (&stage.console, &stage.provider);
    let at = console.address;

    // The same answer again.
    let mut jar = Jar::default();
    let callback = jar.to_callback(console, provider, "ada").await;
    let before = jar.clone();
    assert_eq!(location(&jar.get(at, &callback, &[]).await), "/#/graph", "{}", console.log());
    assert_eq!(problem(&before.clone().get(at, &callback, &[]).await), "unknown");

    // In another browser: somebody sends a victim the answer to his own sign-in.
    let mut jar = Jar::default();
    let callback = jar.to_callback(console, provider, "ada").await;
    let mut victim = Jar::default();
    assert_eq!(problem(&victim.get(at, &callback, &[]).await), "unknown");
    assert!(victim.cookie(at, SESSION).is_none());
    let mut other = Jar::default();
    other.to_callback(console, provider, "bob").await;
    assert_eq!(problem(&other.get(at, &callback, &[]).await), "unknown", "another sign-in's cookie");
    assert_eq!(problem(&jar.get(at, &callback, &[]).await), "unknown", "it was spent by the try");

    // From another provider, or without saying from which.
    for bend in ["http%3A%2F%2Fevil.example", ""] {
        let mut jar = Jar::default();
        let callback = jar.to_callback(console, provider, "ada").await;
        let (head, _) = callback.split_once("&iss=").expect("the provider names itself");
        let bent = if bend.is_empty() { head.to_owned() } else { format!("{head}&iss={bend}") };
        assert_eq!(problem(&jar.get(at, &bent, &[]).await), "refused");
        assert_eq!(problem(&jar.get(at, &callback, &[]).await), "unknown");
    }

    // A code of one sign-in with the state of another: PKCE and nonce tie them.
    let (mut one, mut two) = (Jar::default(), Jar::default());
    let (first, second) =
        (one.to_callback(console, provider, "ada").await, two.to_callback(console, provider, "bob").await);
    let part = |url: &str, name: &str| {
        let query = url.split_once('?').unwrap().1.to_owned();
        query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")).map(str::to_owned)).unwrap()
    };
    let mixed = first.replace(&part(&first, "code"), &part(&second, "code"));
    assert_eq!(problem(&one.get(at, &mixed, &[]).await), "refused");

    // Nothing at all, and garbage.
    let mut jar = Jar::default();
    let garbage = "A".repeat(43);
    for path in ["", "?code=x", "?state=x", "?code=x&state=../../x", &format!("?code=x&state={garbage}")] {
        assert_eq!(problem(&jar.get(at, &format!("/auth/callback{path}"), &[]).await), "unknown", "{path}");
    }
    let log = console.log();
    assert!(!log.contains(&part(&first, "code")) && !log.contains(&part(&first, "state")), "the log keeps secrets");
}

/// Addresses to come back to lead nowhere else, headers of strangers name nobody, and a planted session stays empty.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_led_away_forged_or_planted() {
    let stage = Stage::start(3600, &[]).await;
    let at = stage.console.address;
    for wanted in ["https%3A%2F%2Fevil.example%2F", "%2F%2Fevil.example", "%2F%5Cevil.example", "%2F%09%2Fevil.example"]
    {
        let mut jar = Jar::default();
        let answer = jar.get(at, &format!("/auth/login?return_to={wanted}"), &[]).await;
        assert!(location(&answer).starts_with(&stage.provider.issuer()));
        let mut next = location(&answer);
        // The provider's own pages, as in any sign-in.
        for _ in 0..12 {
            let path = next.split_once(&stage.provider.address.to_string()).map(|(_, path)| path.to_owned());
            let Some(path) = path.or_else(|| next.starts_with('/').then(|| next.clone())) else { break };
            let mut step = jar.get(stage.provider.address, &path, &[]).await;
            if step.status == 200 {
                let form = [("content-type", "application/x-www-form-urlencoded")];
                step =
                    jar.send(stage.provider.address, "POST", &path, &form, "prompt=login&login=ada&password=x").await;
            }
            next = location(&step);
        }
        let callback = next.split_once(&at.to_string()).expect("back at the console").1.to_owned();
        assert_eq!(location(&jar.get(at, &callback, &[]).await), "/", "{wanted}");
    }

    // Headers that only a trusted proxy may set.
    for header in ["x-forwarded-user", "x-forwarded-email", "x-auth-request-user", "x-remote-user"] {
        let answer = stage.console.get("/api/v1/graph", &[(header, "root@example.org")]).await;
        assert_eq!(answer.status, 401, "{header}");
    }
    // A name that is not the console's, as after DNS rebinding.
    assert_eq!(get(at, "evil.example", "/api/v1/session", &[]).await.unwrap().status, 421);

    // A session's cookie that was in the browser before is not the one of the session that begins, nor is it any.
    let mut jar = Jar::default();
    let planted = "B".repeat(42) + "A";
    jar.plant(at, SESSION, &planted);
    jar.plant(at, LOGIN, &planted);
    jar.sign_in(&stage.console, &stage.provider, "ada").await;
    assert_ne!(jar.cookie(at, SESSION).unwrap(), planted);
    let cookie = format!("{SESSION}={planted}");
    assert_eq!(stage.console.get("/api/v1/graph", &[("cookie", &cookie)]).await.status, 401);
    // Of two cookies of the name neither counts.
    let doubled = format!("{SESSION}={}; {cookie}", jar.cookie(at, SESSION).unwrap());
    assert_eq!(stage.console.get("/api/v1/graph", &[("cookie", &doubled)]).await.status, 401);

    // Writes from other sites, with the browser's cookie on them.
    for headers in [
        vec![("content-type", "application/json")],
        vec![("content-type", "text/plain"), ("x-weft-request", "1")],
        vec![("content-type", "application/json"), ("x-weft-request", "1"), ("origin", "https://evil.example")],
        vec![("content-type", "application/json"), ("x-weft-request", "1"), ("sec-fetch-site", "cross-site")],
    ] {
        for path in ["/auth/logout", "/api/v1/canaries/apply"] {
            let refused = if headers[0].1 == "text/plain" { 415 } else { 403 };
            assert_eq!(jar.send(at, "POST", path, &headers, "{}").await.status, refused, "{path} {headers:?}");
        }
    }
    assert_eq!(stage.api(&mut jar, "/graph").await.status, 200, "the session is still there");

    // Too many attempts.
    let mut refused = 0;
    for _ in 0..150 {
        refused += usize::from(location(&Jar::default().get(at, "/auth/login", &[]).await).ends_with("too-many"));
    }
    assert!((1..150).contains(&refused), "{refused}");
}

/// Behind a proxy that signs people in, its word counts, and only its.
#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_names_people() {
    let dir = tempfile::Builder::new().prefix("weft-proxy-headers-").tempdir().unwrap();
    let address = weft_tests::oidc::free_address();
    let roles = dir.path().join("roles.csv");
    std::fs::write(&roles, super::ROLES).unwrap();
    let flags = ["--trusted-proxies=127.0.0.1/32".to_owned(), format!("--roles-file={}", roles.display())];
    let console = GuardedConsole::start(address, &super::configuration(dir.path()), &flags, dir.path()).await;
    let named =
        [("x-forwarded-user", "7"), ("x-forwarded-email", "bob@example.org"), ("x-forwarded-groups", "shop-team")];
    let person = console.get("/api/v1/session", &named).await.json();
    assert_eq!(person["person"]["name"], "bob@example.org");
    assert_eq!(person["person"]["how"], "proxy");
    assert_eq!(console.get("/api/v1/graph", &named).await.status, 200);
    assert_eq!(console.get("/api/v1/graph", &[]).await.status, 401);
    let twice = [("x-forwarded-user", "7"), ("x-forwarded-user", "8")];
    assert_eq!(console.get("/api/v1/graph", &twice).await.status, 403);
    let system = [("x-forwarded-user", "system:admin")];
    assert_eq!(console.get("/api/v1/graph", &system).await.status, 403);
}
