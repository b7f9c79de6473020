//! The demo's own directory: a copy of the manifests, state, logs. One per port base, gone when the demo ends.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use weft_runtime::StartupError;

use super::plan::Plan;

/// A directory that nobody else uses while this value lives.
pub struct Directory {
    root: PathBuf,
    /// Held for the life of the demo; the system lets go of it however the demo ends.
    _lock: File,
}

impl Directory {
    /// Takes the port base's directory, clears what a killed demo left there, and copies the manifests into it.
    pub fn create(plan: &Plan, manifests: &Path) -> anyhow::Result<Self> {
        if !manifests.is_dir() {
            let why = if manifests.exists() { "not a directory" } else { "no such directory" };
            return Err(StartupError::new(
                format!("cannot read manifests from {}", manifests.display()),
                why,
                "run from Weft's checkout, or name a directory with --manifests",
            )
            .into());
        }
        let cache = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
            .unwrap_or_else(std::env::temp_dir)
            .join("weft");
        let unusable = |error: io::Error| {
            let remedy = "make it writable, or name another directory with the variable XDG_CACHE_HOME";
            StartupError::new(format!("cannot write below {}", cache.display()), error, remedy)
        };
        private_dir(&cache).map_err(unusable)?;
        let root = cache.join(format!("demo-{}", plan.base()));
        let lock = File::create(cache.join(format!("demo-{}.lock", plan.base()))).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StartupError::new(
                    format!("cannot start a demo at port base {}", plan.base()),
                    "one is running",
                    format!("stop it, or add --port-base {}", plan.base().wrapping_add(100).max(1024)),
                )
                .into());
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        match fs::remove_dir_all(&root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error).into()),
            _ => {}
        }
        private_dir(&root).map_err(unusable)?;
        let mut directory = Self { root, _lock: lock };
        if let Err(error) = directory.fill(manifests, plan) {
            // What made it fail says more than what may keep the rest from going.
            drop(directory.remove());
            return Err(error);
        }
        Ok(directory)
    }

    fn fill(&self, manifests: &Path, plan: &Plan) -> anyhow::Result<()> {
        for name in ["state", "logs", "console", "prometheus", "tokens"] {
            private_dir(&self.root.join(name))?;
        }
        copy_manifests(manifests, &self.manifests(), plan)?;
        self.write_gateway_secret()
    }

    /// The copy of the manifests.
    pub fn manifests(&self) -> PathBuf {
        self.root.join("manifests")
    }

    /// The operator's state.
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// One file per process.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The console's databases.
    pub fn console(&self) -> PathBuf {
        self.root.join("console")
    }

    /// The link that signs in to the console.
    pub fn sign_in_link(&self) -> PathBuf {
        self.root.join("sign-in-link")
    }

    /// Prometheus' configuration and data.
    pub fn prometheus(&self) -> PathBuf {
        self.root.join("prometheus")
    }

    /// Join tokens, one file per instance.
    pub fn tokens(&self) -> PathBuf {
        self.root.join("tokens")
    }

    /// The certificate that curl has to trust.
    pub fn gateway_certificate(&self) -> PathBuf {
        self.root.join("gateway-ca.pem")
    }

    /// Removes everything.
    pub fn remove(&mut self) -> io::Result<()> {
        let name = self.root.with_extension("lock");
        fs::remove_dir_all(&self.root)?;
        fs::remove_file(name)
    }

    /// The gateway's key is made here and now, so that no key is ever checked in.
    fn write_gateway_secret(&self) -> anyhow::Result<()> {
        let names = ["api.example.com", "shop.example.com", "localhost"].map(String::from);
        let made = rcgen::generate_simple_self_signed(names).context("cannot make the gateway's certificate")?;
        fs::write(self.gateway_certificate(), made.cert.pem())?;
        let secret = format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: api-tls-cert\n  namespace: istio-ingress\ntype: kubernetes.io/tls\ndata:\n  tls.crt: {}\n  tls.key: {}\n",
            STANDARD.encode(made.cert.pem()),
            STANDARD.encode(made.signing_key.serialize_pem()),
        );
        write_private(&self.manifests().join("gateway-secret.yaml"), secret.as_bytes())?;
        Ok(())
    }
}

/// Writes a file that only its owner can read.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(bytes)
}

fn private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn copy_manifests(from: &Path, to: &Path, plan: &Plan) -> anyhow::Result<()> {
    private_dir(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            // The application's sources lie beside the manifests; they are not configuration.
            if !path.join("Cargo.toml").exists() {
                copy_manifests(&path, &target, plan)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            fs::write(&target, plan.localize(&text))?;
        }
    }
    Ok(())
}
