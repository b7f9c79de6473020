//! Who may do what to a test cluster: its certificate authority, the key of service accounts, the administrator's token.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use serde_json::json;

use super::address::Addresses;

/// Files that the programs of a cluster are started with.
pub struct Credentials {
    dir: PathBuf,
    token: String,
}

const DNS_NAMES: [&str; 5] =
    ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"];

impl Credentials {
    /// Makes them in `dir`.
    pub fn make(dir: &Path, addresses: Addresses) -> Result<Self> {
        let dir = dir.join("credentials");
        fs::create_dir_all(&dir).context("cannot create credentials")?;
        let authority = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "test-cluster");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let certificate = params.self_signed(&authority)?;
        let issuer = Issuer::new(params, authority);

        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(DNS_NAMES.map(str::to_owned))?;
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        params.subject_alt_names.extend(addresses.api_names().map(SanType::IpAddress));
        let server = params.signed_by(&key, &issuer)?;
        let accounts = KeyPair::generate()?;

        // A public key that nobody is told is a random number.
        let secret = KeyPair::generate()?;
        let token = secret.public_key_raw().iter().rev().take(16).map(|byte| format!("{byte:02x}")).collect();
        let made = Self { dir, token };
        made.write("ca.crt", &certificate.pem())?;
        made.write("api.crt", &server.pem())?;
        made.write("api.key", &key.serialize_pem())?;
        made.write("accounts.key", &accounts.serialize_pem())?;
        made.write("accounts.pub", &accounts.public_key_pem())?;
        made.write("tokens.csv", &format!("{},admin,admin,system:masters\n", made.token))?;
        Ok(made)
    }

    /// Path of one of the files.
    pub fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// Writes an administrator's kubeconfig.
    pub fn kubeconfig(&self, path: &Path, addresses: Addresses) -> Result<()> {
        // Every YAML reader reads JSON.
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "weft-test",
            "contexts": [{"name": "weft-test", "context": {"cluster": "weft-test", "user": "admin"}}],
            "clusters": [{"name": "weft-test", "cluster": {
                "server": format!("https://{}:6443", addresses.node()),
                "certificate-authority": self.path("ca.crt"),
            }}],
            "users": [{"name": "admin", "user": {"token": self.token}}],
        });
        write_private(path, &config.to_string())
    }

    fn write(&self, name: &str, content: &str) -> Result<()> {
        write_private(&self.dir.join(name), content)
    }
}

fn write_private(path: &Path, content: &str) -> Result<()> {
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).with_context(|| path.display().to_string())
}
