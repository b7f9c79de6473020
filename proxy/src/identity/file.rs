//! The identity in a file, for machines: a pod gets its tokens anew, a machine's join token is spent after the first
//! certificate. One file, replaced as a whole, so that key and certificate always belong together.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use parking_lot::Mutex;
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use weft_runtime::StartupError;

use crate::{
    state::NodeInfo,
    tls::{self, Identity},
};

/// Longest file that is read.
const MAX_FILE: u64 = 1024 * 1024;
/// What stands between the chain and the roots. Readers of PEM skip it.
const ROOTS: &str = "# Roots of the mesh:\n";
/// Before the name of the join token that the identity began with.
const TOKEN: &str = "# Join token: ";

/// Where the identity is kept.
pub struct IdentityFile {
    path: PathBuf,
    kept: Mutex<Kept>,
}

/// What became of the last identity that was to be kept.
#[derive(Default)]
struct Kept {
    written: Option<Arc<Identity>>,
    /// Whether it was told that it could not be.
    told: bool,
    /// Which join token it began with.
    token: Option<String>,
}

/// Why a file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is too long to be one of ours.
    #[error("it is longer than {MAX_FILE} bytes")]
    TooLong,
    /// Others can read the key.
    #[error("others may read it (mode {0:04o}), so its key may have leaked")]
    Open(u32),
    /// Not what was written.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// Too late.
    #[error("its certificate expired at {0}")]
    Expired(humantime::Rfc3339Timestamp),
    /// This proxy is somebody else now.
    #[error("it is for {found}, and this proxy is {wanted}")]
    Other {
        /// Whom it is for.
        found: String,
        /// Who we are.
        wanted: String,
    },
}

impl IdentityFile {
    /// A file that need not be there yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, kept: Mutex::default() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The join token that the identity began with, where that is known.
    pub fn token(&self) -> Option<String> {
        self.kept.lock().token.clone()
    }

    /// The next identity that is kept began with this join token.
    pub fn joined(&self, token: String) {
        self.kept.lock().token = Some(token);
    }

    /// Whether it could be written: before a token is spent for what could not be kept.
    pub fn check(&self) -> Result<(), StartupError> {
        let written = create(&fresh(&self.path), b"").and_then(fs::remove_file);
        written.map_err(|error| {
            StartupError::new(
                format!("cannot write the identity file {}", self.path.display()),
                error,
                "name a file in a directory that this user may write to with --identity-file",
            )
        })
    }

    /// What was kept, when it is good for `node` now; `None` when there is no file.
    pub fn read(&self, node: &NodeInfo) -> Result<Option<Identity>, FileError> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        // Of the file that is read, not of one that has just taken its place.
        let metadata = file.metadata()?;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(FileError::Open(mode));
        }
        if metadata.len() > MAX_FILE {
            return Err(FileError::TooLong);
        }
        let mut text = String::new();
        file.take(MAX_FILE).read_to_string(&mut text)?;
        let identity = parse(&text)?;
        if identity.not_after <= SystemTime::now() {
            return Err(FileError::Expired(humantime::format_rfc3339_seconds(identity.not_after)));
        }
        if identity.spiffe != node.spiffe() {
            let (found, wanted) = (identity.spiffe.to_string(), node.spiffe().to_string());
            return Err(FileError::Other { found, wanted });
        }
        let mut head = text.lines().take_while(|line| line.starts_with('#'));
        self.kept.lock().token = head.find_map(|line| line.strip_prefix(TOKEN)).map(str::to_owned);
        Ok(Some(identity))
    }

    /// Writes the identity unless it is the one that was written last. What fails is told once and tried again at the
    /// next call: the identity is in force all the same.
    pub async fn keep(&self, identity: &Arc<Identity>) {
        if self.kept.lock().written.as_ref().is_some_and(|written| Arc::ptr_eq(written, identity)) {
            return;
        }
        let (path, text) = (self.path.clone(), text(identity, self.token().as_deref()));
        let written = tokio::task::spawn_blocking(move || replace(&path, text.as_bytes())).await;
        let mut kept = self.kept.lock();
        match written.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(()) => (kept.written, kept.told) = (Some(identity.clone()), false),
            Err(error) if !kept.told => {
                kept.told = true;
                tracing::warn!(
                    file = %self.path.display(), %error, remedy = "make room or give this user the directory",
                    "cannot keep the certificate: after a restart another join token would be needed"
                );
            }
            Err(_) => {}
        }
    }
}

fn text(identity: &Identity, token: Option<&str>) -> String {
    let mut text = format!(
        "# Identity of weft-proxy, {} until {}. Its private key is in here: keep it secret.\n",
        identity.spiffe,
        humantime::format_rfc3339_seconds(identity.not_after)
    );
    text.extend(token.map(|token| format!("{TOKEN}{token}\n")));
    text += &block("PRIVATE KEY", identity.private_key().secret_pkcs8_der());
    text.extend(identity.chain().iter().map(|certificate| block("CERTIFICATE", certificate)));
    text += ROOTS;
    text.extend(identity.root_certificates.iter().map(|root| block("CERTIFICATE", root)));
    text
}

fn block(label: &str, der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut block = format!("-----BEGIN {label}-----\n");
    for start in (0..encoded.len()).step_by(64) {
        block += &encoded[start..encoded.len().min(start + 64)];
        block.push('\n');
    }
    block + &format!("-----END {label}-----\n")
}

fn parse(text: &str) -> Result<Identity, FileError> {
    let damaged = |why: String| FileError::Damaged(why);
    let (own, roots) = text.split_once(ROOTS).ok_or_else(|| damaged("its end is missing".into()))?;
    let key =
        PrivatePkcs8KeyDer::from_pem_slice(own.as_bytes()).map_err(|error| damaged(format!("private key: {error}")))?;
    let certificates = |name: &str, pem: &str| tls::certificates(name, pem.as_bytes());
    let identity =
        certificates("certificate", own).and_then(|chain| Identity::new(chain, certificates("roots", roots)?, key));
    identity.map_err(|error| damaged(error.to_string()))
}

/// A name beside `path` that nobody else uses.
fn fresh(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{:016x}.new", rand::random::<u64>()));
    path.with_file_name(name)
}

/// A new file for this user alone, on the disk when this returns.
fn create(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).inspect_err(|_| drop(fs::remove_file(path)))?;
    Ok(path.to_owned())
}

/// A reader sees the old file or the new one, never half of it.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = create(&fresh(path), bytes)?;
    fs::rename(&fresh, path).inspect_err(|_| drop(fs::remove_file(&fresh)))?;
    // The name, too, has to outlive a loss of power: a token was spent for it. Not every file system can promise that.
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    drop(File::open(directory).and_then(|directory| directory.sync_all()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{state::testing::node, tls::testing::TestCa};

    fn kept(dir: &tempfile::TempDir) -> IdentityFile {
        IdentityFile::new(dir.path().join("identity.pem"))
    }

    #[tokio::test]
    async fn what_is_kept_is_read_again_and_is_for_nobody_else() {
        let (dir, ca) = (tempfile::tempdir().unwrap(), TestCa::new());
        let file = kept(&dir);
        file.check().unwrap();
        assert!(file.read(&node()).unwrap().is_none());
        let identity = Arc::new(ca.issue(&node().spiffe().to_string()));
        file.keep(&identity).await;
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
        let read = file.read(&node()).unwrap().unwrap();
        assert_eq!((&read.serial, read.chain().len()), (&identity.serial, identity.chain().len()));
        assert_eq!(read.root_certificates, identity.root_certificates);

        assert_eq!((file.token(), kept(&dir).token()), (None, None));

        // Other roots beside the same certificate are kept too, and with which token it began.
        file.joined("00ff".into());
        let both = vec![ca.root.clone(), TestCa::new().root];
        file.keep(&Arc::new(identity.with_roots(both.clone()).unwrap())).await;
        let again = kept(&dir);
        assert_eq!(again.read(&node()).unwrap().unwrap().root_certificates, both);
        assert_eq!(again.token().as_deref(), Some("00ff"));

        let other = NodeInfo { service_account: "db".into(), ..node() };
        let error = file.read(&other).unwrap_err().to_string();
        assert!(error.contains("/sa/web") && error.contains("/sa/db"), "{error}");
    }

    #[tokio::test]
    async fn what_is_of_no_use_says_why() {
        let (dir, ca) = (tempfile::tempdir().unwrap(), TestCa::new());
        let file = kept(&dir);
        let refused = || file.read(&node()).unwrap_err().to_string();
        file.keep(&Arc::new(ca.issue_for(&node().spiffe().to_string(), Duration::ZERO))).await;
        assert!(refused().contains("expired at 20"), "{}", refused());

        file.keep(&Arc::new(ca.issue(&node().spiffe().to_string()))).await;
        let whole = fs::read_to_string(file.path()).unwrap();
        for end in [0, 100, whole.len() / 2, whole.len() - 30] {
            fs::write(file.path(), &whole[..end]).unwrap();
            assert!(refused().contains("damaged"), "{end}: {}", refused());
        }
        // The key of another certificate.
        let other = text(&ca.issue(&node().spiffe().to_string()), None);
        let after_key = |text: &str| text.find("-----BEGIN CERT").unwrap();
        fs::write(file.path(), format!("{}{}", &other[..after_key(&other)], &whole[after_key(&whole)..])).unwrap();
        assert!(refused().contains("damaged"), "{}", refused());

        fs::write(file.path(), &whole).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(refused().contains("0644"), "{}", refused());
    }

    #[test]
    fn a_directory_that_is_not_there_is_told_before_a_token_is_spent() {
        let error = IdentityFile::new("/does/not/exist/identity.pem".into()).check().unwrap_err().to_string();
        assert!(error.contains("/does/not/exist") && error.contains("--identity-file"), "{error}");
    }
}
