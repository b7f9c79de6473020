//! A real OpenID provider (node's oidc-provider), and a console that signs people in with it.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::Command,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    http::{Answer, get},
    process::{Process, npm_folder, program, root, tool},
    wait::{ensure, until},
};

/// The client's secret.
const SECRET: &str = "a-secret-of-the-tests-that-is-long-enough";

/// A running provider.
pub struct Provider {
    process: Process,
    /// Where it listens.
    pub address: SocketAddr,
    given: Value,
}

impl Provider {
    /// Starts one for a console at `console` (`http://…` without a slash at the end). `people` are groups by login;
    /// ID tokens live for `id_token_seconds`, and below an hour there are refresh tokens.
    pub async fn start(console: &str, people: Value, id_token_seconds: u64, dir: &Path) -> Self {
        let address = free_address();
        let given = json!({
            "issuer": format!("http://{address}"),
            "port": address.port(),
            "secret": SECRET,
            "console": console,
            "people": people,
            "idTokenSeconds": id_token_seconds,
            "keys": [key()],
        });
        let mut provider = Self { process: run(&given, dir), address, given };
        provider.ready().await;
        provider
    }

    /// Its issuer.
    pub fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts it again with another key, as a rotation does. It forgets who was signed in there.
    pub async fn rotate(&mut self, dir: &Path) {
        self.stop();
        self.given["keys"] = json!([key()]);
        self.process = run(&self.given, dir);
        self.ready().await;
    }

    /// Stops it.
    pub fn stop(&mut self) {
        self.process.kill();
    }

    /// Whether it said something.
    pub fn output(&self) -> String {
        self.process.output()
    }

    async fn ready(&mut self) {
        until("the OpenID provider answers", Duration::from_secs(30), || async {
            let answer = get(self.address, "provider", "/.well-known/openid-configuration", &[]).await?;
            ensure(answer.status == 200, || format!("{answer:?}"))
        })
        .await;
    }
}

/// A new signing key as a JWK. The provider makes keys itself better than this harness could.
fn key() -> Value {
    let script = "console.log(JSON.stringify(require('crypto').generateKeyPairSync('rsa', {modulusLength: 2048})\
                  .privateKey.export({format: 'jwk'})))";
    let output = Command::new(tool("node", "nodejs")).args(["-e", script]).output().expect("node starts");
    let mut key: Value = serde_json::from_slice(&output.stdout).expect("node prints a JWK");
    let modulus = key["n"].as_str().unwrap_or_default();
    key["kid"] = URL_SAFE_NO_PAD.encode(&modulus.as_bytes()[..12]).into();
    key["use"] = "sig".into();
    key
}

fn run(given: &Value, dir: &Path) -> Process {
    let mut command = Command::new(tool("node", "nodejs"));
    command.current_dir(npm_folder("oidc")).args(["provider.mjs", &given.to_string()]);
    Process::spawn("oidc-provider", &mut command, dir)
}

/// A console of a directory, which asks people to sign in.
pub struct GuardedConsole {
    process: Process,
    /// Where it listens; its public name, too.
    pub address: SocketAddr,
}

impl GuardedConsole {
    /// Starts one at `address` with further flags.
    pub async fn start(address: SocketAddr, config: &Path, flags: &[String], dir: &Path) -> Self {
        let mut args = vec![
            format!("--config-dir={}", config.display()),
            format!("--listen={address}"),
            format!("--public-url=http://{address}"),
            format!("--data-dir={}", dir.join("console").display()),
            format!("--assets={}", root().join("frontend/dist").display()),
        ];
        args.extend_from_slice(flags);
        let mut process = Process::start("weft-console", &program("weft-console"), args, dir);
        until("the console is ready", Duration::from_secs(30), || {
            process.assert_running();
            async move {
                let answer = get(address, &address.to_string(), "/healthz/ready", &[]).await?;
                ensure(answer.status == 200, || format!("{answer:?}"))
            }
        })
        .await;
        Self { process, address }
    }

    /// Flags that make it a client of `provider`.
    pub fn oidc_flags(provider: &Provider, dir: &Path) -> Vec<String> {
        let secret = dir.join("client-secret");
        std::fs::write(&secret, SECRET).expect("client secret");
        vec![
            format!("--oidc-issuer={}", provider.issuer()),
            "--oidc-client-id=weft".to_owned(),
            format!("--oidc-client-secret-file={}", secret.display()),
        ]
    }

    /// `GET path` as a browser that has `cookie`.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        get(self.address, &self.address.to_string(), path, headers).await.expect("the console answers")
    }

    /// Its log.
    pub fn log(&self) -> String {
        self.process.output()
    }
}

/// An address of this machine at which nothing listens.
pub fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("a free port")
}
