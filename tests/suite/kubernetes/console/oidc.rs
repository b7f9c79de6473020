//! Signing in on the cluster with a real OpenID provider, in a real Chromium: the provider is on the machine, and pods and
//! browser reach it by the same issuer, over TLS that an authority of its own vouches for.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};
use weft_tests::{
    browser::Browser,
    cluster::{
        Cluster,
        mesh::{OwnMesh, SYSTEM, mesh},
    },
    http::get,
    oidc::{CLIENT, Provider, SECRET},
    relay::Relay,
    wait::{ensure, until},
};

use super::{SOON, grant, split, weights};
use crate::sign_in::SESSION;

/// A page looks each quarter of a minute whether its session still holds.
const ENDED: Duration = Duration::from_secs(45);
const NAME: &str = "[data-testid=person-name]";

/// One at a time: each has a Mesh, a provider and browsers of its own, and two of them leave a machine with two cores no
/// time to answer.
static STAGES: Semaphore = Semaphore::const_new(1);

/// A Mesh whose console signs people in, and their provider.
pub struct Stage {
    provider: Provider,
    relay: Relay,
    cluster: &'static Cluster,
    revision: String,
    mesh: String,
    _dir: tempfile::TempDir,
    _own: OwnMesh,
    _alone: SemaphorePermit<'static>,
}

impl Stage {
    /// Installs a Mesh of its own revision beside the suite's. `people` are groups by login; `env` are settings of the
    /// console, `config` those of the mesh. The suite's Mesh has to be there.
    pub async fn start(cluster: &'static Cluster, revision: &str, people: Value, env: &Value, config: &Value) -> Self {
        let alone = STAGES.acquire().await.unwrap();
        let dir = tempfile::Builder::new().prefix("weft-people-").tempdir().unwrap();
        let mut relay = Relay::open().await;
        let public = format!("http://{}", relay.address);
        let provider = Provider::start_at(cluster.outside().into(), &public, people, 3600, dir.path()).await;
        let (secret, ca) = (format!("{revision}-client"), format!("{revision}-provider"));
        let trusted = &provider.tls.as_ref().expect("it speaks TLS").ca;
        let objects = json!({ "apiVersion": "v1", "kind": "List", "items": [
            {
                "apiVersion": "v1", "kind": "Secret", "metadata": { "name": secret, "namespace": SYSTEM },
                "stringData": { "client-secret": SECRET },
            },
            {
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": ca, "namespace": SYSTEM },
                "data": { "ca.crt": trusted },
            },
        ] });
        cluster.apply(&objects.to_string()).await;
        let own = cluster.own_mesh(revision);
        let spec = json!({
            "profile": "minimal",
            "revision": revision,
            "meshConfig": config,
            "components": { "console": { "enabled": true, "env": env }, "controlPlane": { "replicas": 1 } },
            "signIn": {
                "publicUrl": public,
                "impersonate": true,
                "oidc": {
                    "issuer": provider.issuer(), "clientId": CLIENT,
                    "clientSecret": { "name": secret, "key": "client-secret" },
                    "ca": { "name": ca, "key": "ca.crt" },
                },
            },
        });
        let mesh = mesh(revision, &spec);
        cluster.apply(&mesh).await;
        cluster.mesh_ready(revision).await;
        // As a Gateway or an Ingress would: to the console's Service.
        let service =
            cluster.read(&["service", "-n", SYSTEM, &console(revision)]).await.expect("the console's Service");
        let address = service["spec"]["clusterIP"].as_str().and_then(|ip| format!("{ip}:20001").parse().ok());
        relay.lead_to(address.unwrap_or_else(|| panic!("{service}")));
        let stage =
            Self { provider, relay, cluster, revision: revision.to_owned(), mesh, _dir: dir, _own: own, _alone: alone };
        until("the console answers behind its Service", SOON, || async {
            let answer = stage.get("/healthz/ready", "").await?;
            ensure(answer.0 == 200, || format!("{answer:?}"))
        })
        .await;
        stage
    }

    /// Takes the Mesh away, and what was made for it.
    pub async fn end(self) {
        self.cluster.delete(&self.mesh).await;
        let name = |what: &str| format!("{}-{what}", self.revision);
        self.cluster.kubectl(&["-n", SYSTEM, "delete", "secret", &name("client")]).await;
        self.cluster.kubectl(&["-n", SYSTEM, "delete", "configmap", &name("provider")]).await;
        let rights = name("impersonate");
        self.cluster.kubectl(&["delete", "--ignore-not-found", "clusterrole,clusterrolebinding", &rights]).await;
    }

    /// Lets the console act for people of these groups, as docs/sign-in.md says, and for no others.
    async fn impersonates(&self, groups: &[&str]) {
        let (api, version) = ("rbac.authorization.k8s.io", "rbac.authorization.k8s.io/v1");
        let name = format!("{}-impersonate", self.revision);
        let role = json!({
            "apiVersion": version, "kind": "ClusterRole", "metadata": { "name": name },
            "rules": [
                { "apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"] },
                { "apiGroups": [""], "resources": ["groups"], "verbs": ["impersonate"], "resourceNames": groups },
            ],
        });
        let account = console(&self.revision);
        let binding = json!({
            "apiVersion": version, "kind": "ClusterRoleBinding", "metadata": { "name": name },
            "roleRef": { "apiGroup": api, "kind": "ClusterRole", "name": name },
            "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": SYSTEM }],
        });
        let both = json!({ "apiVersion": "v1", "kind": "List", "items": [role, binding] });
        self.cluster.apply(&both.to_string()).await;
        let account = format!("--as=system:serviceaccount:{SYSTEM}:{account}");
        for group in groups {
            let group = format!("groups/{group}");
            until("the API server knows the right", SOON, || async {
                self.cluster.try_kubectl(&["auth", "can-i", "impersonate", &group, &account]).await
            })
            .await;
        }
    }

    /// A browser with a profile of its own, which knows the provider by its key.
    pub async fn browser(&self) -> Browser {
        Browser::trusting(1440, 900, &self.provider.tls.as_ref().expect("it speaks TLS").pin).await
    }

    /// Address of a room of the page.
    pub fn page(&self, room: &str) -> String {
        format!("http://{}/#/{room}", self.relay.address)
    }

    /// Opens a room as somebody who is not signed in yet, and signs in with the provider's form. The provider takes no
    /// code without PKCE.
    pub async fn enter(&self, browser: &Browser, room: &str, login: &str) {
        let at = self.relay.address;
        browser.open(&self.page(room)).await;
        let host = self.provider.address.ip().to_string();
        browser
            .text_where("the way to the provider", "[data-testid=sign-in-oidc]", SOON, |text| text.contains(&host))
            .await;
        assert_eq!(browser.script("return document.cookie").await, "", "no script sees a cookie");
        browser.click("[data-testid=sign-in-oidc]").await;
        browser.wait_for("input[name=login]").await;
        let there = browser.page.current_url().await.unwrap().to_string();
        assert!(there.starts_with(&format!("{}/", self.provider.issuer())), "{there}");
        browser.sign_in(login).await;
        browser
            .until("the provider leads back", SOON, || async {
                let url = browser.page.current_url().await.map_err(|error| error.to_string())?.to_string();
                ensure(url == format!("http://{at}/#/{room}"), || url)
            })
            .await;
    }

    /// Status and body of a `GET` with the cookie of a session; empty is none.
    pub async fn get(&self, path: &str, session: &str) -> Result<(u16, Value), String> {
        let cookie = format!("{SESSION}={session}");
        let headers = [("cookie", cookie.as_str())];
        let headers = if session.is_empty() { &headers[..0] } else { &headers[..] };
        let answer = get(self.relay.address, &self.relay.address.to_string(), path, headers).await?;
        Ok((answer.status.as_u16(), answer.json()))
    }

    /// Signs somebody out at the provider, in another tab of their browser, where nothing of the console is open.
    async fn signed_out_at_the_provider(&self, browser: &Browser) {
        let first = browser.page.window().await.unwrap();
        let second = browser.page.new_window(true).await.unwrap().handle;
        browser.page.switch_to_window(second).await.unwrap();
        browser.open(&format!("{}/session/end", self.provider.issuer())).await;
        browser.click("button[name=logout], button[autofocus]").await;
        browser
            .until("the provider ended its session", SOON, || async {
                let url = browser.page.current_url().await.map_err(|error| error.to_string())?.to_string();
                ensure(url.contains("/session/end/success"), || format!("{url}; {}", self.provider.output()))
            })
            .await;
        browser.page.close_window().await.unwrap();
        browser.page.switch_to_window(first).await.unwrap();
    }
}

/// The console of a revision: Deployment, Service and account.
fn console(revision: &str) -> String {
    format!("weft-console-{revision}")
}

/// The secret of the session that a browser has, which no script can read.
async fn session(browser: &Browser) -> String {
    let cookie = browser.page.get_named_cookie(SESSION).await;
    let cookie = cookie.unwrap_or_else(|error| panic!("no session: {error}"));
    assert_eq!((cookie.http_only(), cookie.secure(), cookie.path()), (Some(true), Some(true), Some("/")));
    cookie.value().to_owned()
}

/// Everything that the page says.
async fn text(browser: &Browser) -> String {
    browser.script("return document.body.innerText").await.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn people_sign_in_at_their_provider_and_change_what_is_theirs() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let shop = split(cluster, "signed", "").await;
    let other = split(cluster, "unseen", "").await;
    let (team, readers) = (format!("{}-team", shop.name), format!("{}-readers", shop.name));
    grant(&shop, ("Group", &team), &["get", "list", "watch", "patch"]).await;
    grant(&shop, ("User", "bob@example.org"), &["get", "list", "watch"]).await;
    let people = json!({ "ada": [team], "bob": [readers] });
    let stage = Stage::start(cluster, "oidc", people, &json!({}), &json!({})).await;
    let card = |part: &str| format!("[data-testid=canary-card][data-canary=\"{}/store/0\"] {part}", shop.name);
    let (configured, apply) =
        (card("[data-testid=canary-configured]"), card("[data-testid=canary-apply]:not(:disabled)"));
    let (refused, moved) = (card("[data-testid=canary-refused]"), json!([50, 50]));

    // Nobody in particular reads nothing. Ada comes back from the provider to the room that she wanted.
    assert_eq!(stage.get("/api/v1/graph", "").await.unwrap().0, 401);
    let ada = stage.browser().await;
    stage.enter(&ada, "canaries", "ada").await;
    ada.text_where("ada's name", NAME, SOON, |name| name == "ada@example.org").await;
    ada.attribute_where("her split", &configured, "data-percent", SOON, |value| value == "90.00,10.00").await;
    let words = text(&ada).await;
    assert!(words.contains(&shop.name) && !words.contains(&other.name), "{words}");

    // Without the right to act in her name nothing is written, and the page says what is missing before she could try.
    ada.click(&card("[data-testid=canary-preset-25]")).await;
    ada.text_where("what the console may not", &refused, SOON, |text| text.contains("impersonate")).await;
    assert_eq!(weights(cluster, &shop.name).await, json!([90, 10]));
    stage.impersonates(&[&team, &readers]).await;
    ada.click(&card("[data-testid=canary-preset-50]")).await;
    ada.text_where("the difference", &card("[data-testid=canary-diff]"), SOON, |text| text.contains("50")).await;
    ada.click(&apply).await;
    ada.attribute_where("ada's move is made", &configured, "data-percent", SOON, |value| value == "50.00,50.00").await;
    assert_eq!(weights(cluster, &shop.name).await, moved);

    // The audit says who, and what.
    ada.open(&stage.page("audit")).await;
    ada.click("[data-testid=audit-row][data-action=weights] button").await;
    ada.text_where("who moved what", "[data-testid=audit-entry]", SOON, |text| {
        ["ada@example.org", "signed in", &shop.name, "http[0]: 90/10 → 50/50"].iter().all(|part| text.contains(part))
    })
    .await;
    ada.text_where("the change", "[data-testid=audit-entry] [data-testid=diff]", SOON, |text| {
        text.contains("-spec.http[0].route[1].weight: 10") && text.contains("+spec.http[0].route[1].weight: 50")
    })
    .await;

    // Bob sees what Ada did, and the page tells him what he may not, by the API server's words.
    let bob = stage.browser().await;
    stage.enter(&bob, "canaries", "bob").await;
    bob.text_where("bob's name", NAME, SOON, |name| name == "bob@example.org").await;
    bob.attribute_where("ada's split", &configured, "data-percent", SOON, |value| value == "50.00,50.00").await;
    bob.text_where("ada's move", &card("[data-testid=canary-history]"), SOON, |text| text.contains("ada@example.org"))
        .await;
    bob.click(&card("[data-testid=canary-preset-25]")).await;
    bob.text_where("what bob may not", &refused, SOON, |text| {
        ["bob@example.org", "patch", "virtualservices", shop.name.as_str()].iter().all(|part| text.contains(part))
    })
    .await;
    bob.wait_for(&card("[data-testid=canary-apply]:disabled")).await;
    assert_eq!(weights(cluster, &shop.name).await, moved);

    // Ada signs out, here and at the provider; a copy of her cookie is worth nothing then.
    let stolen = session(&ada).await;
    assert_eq!(stage.get("/api/v1/graph", &stolen).await.unwrap().0, 200);
    ada.click("[data-testid=person] summary").await;
    ada.click("[data-testid=sign-out]").await;
    ada.click("button[name=logout], button[autofocus]").await;
    ada.wait_for("[data-testid=signed-out]").await;
    assert_eq!(stage.get("/api/v1/graph", &stolen).await.unwrap().0, 401);
    ada.close().await;

    // The provider ends Bob's session by itself: his open page says so, though he touches nothing, and no copy of his
    // cookie outlives it.
    let stolen = session(&bob).await;
    stage.signed_out_at_the_provider(&bob).await;
    bob.text_where("bob's page ends", "[data-testid=ended]", ENDED, |text| text.contains("Your session ended")).await;
    assert_eq!(stage.get("/api/v1/graph", &stolen).await.unwrap().0, 401);
    bob.open("about:blank").await;
    stage.enter(&bob, "audit", "bob").await;
    bob.click("[data-testid=audit-row][data-action=sign-out] button").await;
    bob.text_where("who ended it", "[data-testid=audit-detail]", SOON, |text| text.contains("The provider ended"))
        .await;
    assert_eq!(bob.script("return window.__weftErrors || []").await, json!([]), "the page's script failed");
    bob.close().await;
    stage.end().await;
}
