//! Signing in with a real OpenID provider, and everything that must not sign anybody in.

mod attacks;
mod audit;
mod page;
mod sessions;

use std::path::{Path, PathBuf};

use serde_json::json;
use weft_tests::{
    http::Answer,
    jar::{Jar, location},
    oidc::{GuardedConsole, Provider, free_address},
};

/// The cookie that holds a session.
pub const SESSION: &str = "__Host-weft-session";
const LOGIN: &str = "__Host-weft-login";
/// Who may what: the shop's people see the shop, leads see everything, and nobody else anything.
const ROLES: &str = "
p, role:shop, namespaces, get, shop/*, allow
p, role:shop, *, get, shop/*, allow
p, role:shop, virtualservices, patch, shop/*, allow
g, shop-team, role:shop
g, leads, role:viewer
g, root@example.org, role:admin
";

/// A provider and a console of two namespaces that signs people in with it.
struct Stage {
    provider: Provider,
    console: GuardedConsole,
    dir: tempfile::TempDir,
}

impl Stage {
    async fn start(id_token_seconds: u64, flags: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("weft-sign-in-").tempdir().unwrap();
        let address = free_address();
        let people = json!({"ada": ["leads"], "bob": ["shop-team"], "eve": ["others"], "root": []});
        let provider = Provider::start(&format!("http://{address}"), people, id_token_seconds, dir.path()).await;
        let mut all = GuardedConsole::oidc_flags(&provider, dir.path());
        let roles = dir.path().join("roles.csv");
        std::fs::write(&roles, ROLES).unwrap();
        all.push(format!("--roles-file={}", roles.display()));
        all.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let console = GuardedConsole::start(address, &configuration(dir.path()), &all, dir.path()).await;
        Self { provider, console, dir }
    }

    async fn signed_in(&self, login: &str) -> Jar {
        let mut jar = Jar::default();
        let answer = jar.sign_in(&self.console, &self.provider, login).await;
        assert_eq!(location(&answer), "/#/graph", "{}", self.console.log());
        assert!(jar.cookie(self.console.address, SESSION).is_some());
        jar
    }

    async fn api(&self, jar: &mut Jar, path: &str) -> Answer {
        jar.get(self.console.address, &format!("/api/v1{path}"), &[]).await
    }
}

/// Two namespaces with a weighted route each.
fn configuration(dir: &Path) -> PathBuf {
    let config = dir.join("config");
    std::fs::create_dir_all(&config).unwrap();
    for namespace in ["shop", "bank"] {
        let text = format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: till, namespace: {namespace}}}\nspec:\n  selector: {{app: till}}\n  \
             ports: [{{name: http, port: 80}}]\n---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: till, \
             namespace: {namespace}}}\nspec:\n  host: till\n  subsets:\n    - {{name: v1, labels: {{version: v1}}}}\n    - {{name: v2, labels: \
             {{version: v2}}}}\n---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: till, namespace: \
             {namespace}}}\nspec:\n  hosts: [till]\n  http:\n    - route:\n        - destination: {{host: till, subset: v1}}\n          weight: \
             90\n        - destination: {{host: till, subset: v2}}\n          weight: 10\n"
        );
        std::fs::write(config.join(format!("{namespace}.yaml")), text).unwrap();
    }
    config
}
