//! A real OpenID provider (node's oidc-provider), and a console that signs people in with it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    http::{Answer, get, get_tls},
    process::{Process, npm_folder, program, root, tool},
    wait::{ensure, until},
};

/// Name of the console at the provider.
pub const CLIENT: &str = "weft";
/// The client's secret.
pub const SECRET: &str = "a-secret-of-the-tests-that-is-long-enough";

/// A running provider.
pub struct Provider {
    process: Process,
    /// Where it listens.
    pub address: SocketAddr,
    given: Value,
    /// What proves it; none where it listens on this machine alone.
    pub tls: Option<ProviderTls>,
}

/// How a provider is known from others.
pub struct ProviderTls {
    /// Certificate of the authority that signed its own, PEM.
    pub ca: String,
    /// The same as a file.
    pub ca_file: PathBuf,
    /// SHA-256 of its public key in base64, for [`crate::browser::Browser::trusting`].
    pub pin: String,
}

impl Provider {
    /// Starts one for a console at `console` (`http://…` without a slash at the end). `people` are groups by login;
    /// ID tokens live for `id_token_seconds`, and below an hour there are refresh tokens.
    pub async fn start(console: &str, people: Value, id_token_seconds: u64, dir: &Path) -> Self {
        let given = given(free_address(), "http", console, people, id_token_seconds);
        Self::run(given, None, dir).await
    }

    /// Starts one that others than this machine reach at `host`, over TLS; otherwise as [`Self::start`].
    pub async fn start_at(host: IpAddr, console: &str, people: Value, id_token_seconds: u64, dir: &Path) -> Self {
        let mut given = given(free_address_of(host), "https", console, people, id_token_seconds);
        let tls = certify(host, &mut given, dir);
        Self::run(given, Some(tls), dir).await
    }

    async fn run(given: Value, tls: Option<ProviderTls>, dir: &Path) -> Self {
        let issuer = given["issuer"].as_str().expect("an issuer");
        let address = issuer.rsplit('/').next().and_then(|address| address.parse().ok()).expect("an address");
        let mut provider = Self { process: run(&given, dir), address, given, tls };
        provider.ready().await;
        provider
    }

    /// Its issuer.
    pub fn issuer(&self) -> String {
        self.given["issuer"].as_str().expect("an issuer").to_owned()
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
            let path = "/.well-known/openid-configuration";
            let answer = match &self.tls {
                None => get(self.address, "provider", path, &[]).await?,
                Some(tls) => get_tls(self.address, &self.address.ip().to_string(), path, &tls.ca_file).await?,
            };
            ensure(answer.status == 200, || format!("{answer:?}"))
        })
        .await;
    }
}

/// What the provider is told.
fn given(address: SocketAddr, scheme: &str, console: &str, people: Value, id_token_seconds: u64) -> Value {
    json!({
        "issuer": format!("{scheme}://{address}"),
        "host": address.ip(),
        "port": address.port(),
        "secret": SECRET,
        "console": console,
        "people": people,
        "idTokenSeconds": id_token_seconds,
        "keys": [key()],
    })
}

/// Gives the provider a certificate of an authority of its own.
fn certify(host: IpAddr, given: &mut Value, dir: &Path) -> ProviderTls {
    let pair = || KeyPair::generate().expect("a key");
    let authority = pair();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "people of the tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let ca = params.self_signed(&authority).expect("a certificate").pem();
    let issuer = Issuer::new(params, authority);

    let key = pair();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "the provider of the tests");
    params.subject_alt_names.push(SanType::IpAddress(host));
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    given["tls"] = json!({ "key": key.serialize_pem(), "cert": certificate.pem() });
    let ca_file = dir.join("provider-ca.pem");
    std::fs::write(&ca_file, &ca).expect("provider-ca.pem");
    ProviderTls { ca, ca_file, pin: STANDARD.encode(Sha256::digest(key.subject_public_key_info())) }
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
            format!("--oidc-client-id={CLIENT}"),
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
    free_address_of(Ipv4Addr::LOCALHOST.into())
}

/// A port of `host`, an address of this machine, at which nothing listens.
pub fn free_address_of(host: IpAddr) -> SocketAddr {
    TcpListener::bind((host, 0)).and_then(|listener| listener.local_addr()).expect("a free port")
}
