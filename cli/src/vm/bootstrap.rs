//! The directory that goes to the machine. It is written whole or not at all.

use std::{
    fs::{self, DirBuilder},
    io,
    net::IpAddr,
    os::unix::fs::DirBuilderExt,
    path::{Component, Path, PathBuf},
};

use weft_operator::ca::state_dir::write_with_mode;
use weft_runtime::StartupError;

use super::{Capture, mesh::Mesh};

const TOKEN: &str = "join-token";
const ROOT: &str = "root-cert.pem";
const SETTINGS: &str = "weft-proxy.env";
const UNIT: &str = "weft-proxy.service";
/// Every file that is written.
const ALL: [&str; 4] = [TOKEN, ROOT, SETTINGS, UNIT];
/// Where the proxy keeps its certificate, on the machine: what its user may write to holds nothing that root obeys.
pub const IDENTITY: &str = "/var/lib/weft/identity.pem";
/// User of the proxy, whose connections capture leaves alone.
const USER: u32 = 1337;

/// The machine that joins.
pub struct Machine<'a> {
    /// Namespace of its WorkloadEntry.
    pub namespace: &'a str,
    /// Name of its WorkloadEntry.
    pub name: &'a str,
    /// Its address.
    pub address: IpAddr,
    /// Its service account.
    pub service_account: &'a str,
    /// How connections get to its proxy.
    pub capture: Capture,
    /// Where the directory lies there.
    pub directory: &'a Path,
}

/// One file.
pub struct File {
    name: &'static str,
    mode: u32,
    text: String,
}

/// What the directory holds.
pub fn files(machine: &Machine<'_>, mesh: &Mesh, token: &str) -> Vec<File> {
    vec![
        File { name: TOKEN, mode: 0o600, text: format!("{token}\n") },
        File { name: ROOT, mode: 0o644, text: mesh.roots.clone() },
        File { name: SETTINGS, mode: 0o644, text: settings(machine, mesh) },
        File { name: UNIT, mode: 0o644, text: unit(machine) },
    ]
}

fn settings(machine: &Machine<'_>, mesh: &Mesh) -> String {
    let config = &mesh.config;
    let within = |name: &str| machine.directory.join(name).display().to_string();
    let access_log = match config.access_log.as_str() {
        "" => "off",
        "/dev/stdout" => "-",
        path => path,
    };
    let pairs = [
        ("CONTROL_PLANE", mesh.address.clone()),
        ("WORKLOAD", machine.name.to_owned()),
        ("NAMESPACE", machine.namespace.to_owned()),
        ("SERVICE_ACCOUNT", machine.service_account.to_owned()),
        ("ADDRESS", machine.address.to_string()),
        ("CAPTURE", if machine.capture == Capture::Redirect { "redirect" } else { "none" }.to_owned()),
        ("JOIN_TOKEN_FILE", within(TOKEN)),
        ("IDENTITY_FILE", IDENTITY.to_owned()),
        ("REVISION", config.revision.clone()),
        ("TRUST_DOMAIN", config.trust_domain.clone()),
        ("DOMAIN", config.domain.clone()),
        ("ROOT_NAMESPACE", config.root_namespace.clone()),
        ("CLUSTER_ID", config.cluster_id.clone()),
        ("ACCESS_LOG", access_log.to_owned()),
    ];
    let lines = pairs.iter().map(|(name, value)| format!("WEFT_{name}={value}\n"));
    head(machine.namespace, machine.name) + &lines.collect::<String>()
}

/// The first line of the settings: whose they are.
fn head(namespace: &str, name: &str) -> String {
    format!("# Settings of weft-proxy for {namespace}/{name}.\n")
}

/// Redirects again at each start, which changes nothing where it is done already. SSH to the machine is never redirected.
/// Starts are never given up: with the redirection in place, a machine without its proxy is cut off.
fn unit(machine: &Machine<'_>) -> String {
    let directory = machine.directory.display();
    let capture = match machine.capture {
        Capture::Redirect => "ExecStartPre=+/usr/local/bin/weft-proxy capture -d 22,15020,15021,15090\n",
        Capture::None => "",
    };
    format!(
        "[Unit]
Description=Weft proxy of {}/{}
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
EnvironmentFile={directory}/{SETTINGS}
{capture}ExecStart=/usr/local/bin/weft-proxy
User={USER}
Group={USER}
Restart=always
RestartSec=1
LimitNOFILE=65536
StateDirectory=weft
StateDirectoryMode=0700
NoNewPrivileges=true
ProtectSystem=strict

[Install]
WantedBy=multi-user.target
",
        machine.namespace, machine.name
    )
}

/// Whether a directory of the machine can stand in settings without quotes, and be given to the proxy as a whole: printed
/// commands change the owner of all that is in it.
pub fn plain(directory: &Path) -> Result<(), StartupError> {
    let text = directory.to_str().unwrap_or_default();
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-' | b'+');
    let unusable = |why: &str| {
        Err(StartupError::new(
            format!("cannot use --machine-dir {}", directory.display()),
            why,
            "name the directory on the machine that the files will lie in, such as /etc/weft",
        ))
    };
    if !directory.is_absolute() || !text.bytes().all(known) {
        return unusable("it is not an absolute path of letters, digits and ./_-+");
    }
    let mut parts = directory.components().skip(1);
    if parts.clone().any(|part| !matches!(part, Component::Normal(_))) || parts.nth(1).is_none() {
        return unusable("it is not a directory of its own below another one, and all that is in it goes to the proxy");
    }
    Ok(())
}

/// Where the directory will be. Until [`Self::fill`] nothing is there that was not before.
pub struct Place {
    target: PathBuf,
    staging: PathBuf,
}

impl Place {
    /// Makes sure that the directory can be written, and that nothing of anybody else's is in it: nor of another machine
    /// than the one of this namespace and name, whose token would be lost, where one is given.
    pub fn prepare(target: &Path, machine: Option<(&str, &str)>) -> Result<Self, StartupError> {
        let failed = |why: String, remedy: &str| {
            StartupError::new(format!("cannot write the directory {}", target.display()), why, remedy)
        };
        let Some(name) = target.file_name() else {
            return Err(failed(
                "it is made anew as a whole".into(),
                "name one for this machine alone with --output-dir",
            ));
        };
        match others(target) {
            Ok(None) => {}
            Ok(Some(other)) => {
                let why = format!("it holds {other}, which is not of this command");
                return Err(failed(why, "name another one with --output-dir"));
            }
            Err(error) => return Err(failed(error.to_string(), "name another one with --output-dir")),
        }
        if let Some(other) = machine.and_then(|(namespace, name)| another(target, namespace, name)) {
            let why = format!("it holds the files of {other}");
            return Err(failed(why, "name another one with --output-dir, or write over them with --force"));
        }
        let staging = target.with_file_name(beside(name, "new"));
        DirBuilder::new().mode(0o700).create(&staging).map_err(|error| {
            failed(error.to_string(), "name one in a directory that you may write to with --output-dir")
        })?;
        Ok(Self { target: target.to_owned(), staging })
    }

    /// Where it will be.
    pub fn path(&self) -> &Path {
        &self.target
    }

    /// Puts the files there, in the place of those of an earlier run; gives their names.
    pub fn fill(self, files: &[File]) -> Result<Vec<String>, StartupError> {
        let write = || {
            for file in files {
                write_with_mode(&self.staging.join(file.name), file.text.as_bytes(), file.mode)?;
            }
            self.place()
        };
        write().map_err(|error: io::Error| {
            let what = format!("cannot write the directory {}", self.target.display());
            StartupError::new(what, error, "make room or name another one with --output-dir, and run this again")
        })?;
        Ok(files.iter().map(|file| file.name.to_owned()).collect())
    }

    /// An earlier directory steps aside first: a rename replaces only an empty one.
    fn place(&self) -> io::Result<()> {
        let Some(name) = self.target.file_name().filter(|_| self.target.exists()) else {
            return fs::rename(&self.staging, &self.target);
        };
        let aside = self.target.with_file_name(beside(name, "old"));
        fs::rename(&self.target, &aside)?;
        if let Err(error) = fs::rename(&self.staging, &self.target) {
            fs::rename(&aside, &self.target)?;
            return Err(error);
        }
        fs::remove_dir_all(&aside)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // After success it has another name.
        drop(fs::remove_dir_all(&self.staging));
    }
}

fn beside(name: &std::ffi::OsStr, end: &str) -> String {
    format!(".{}.{}.{end}", name.to_string_lossy(), std::process::id())
}

/// Something in the directory that this command does not write; none when there is no directory.
fn others(target: &Path) -> io::Result<Option<String>> {
    let entries = match fs::read_dir(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        if !ALL.iter().any(|ours| name == **ours) {
            return Ok(Some(name.to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

/// Whose files the directory holds, when it is not this machine; none when there are none. Settings that cannot be read as
/// those of this machine are another's.
fn another(target: &Path, namespace: &str, name: &str) -> Option<String> {
    if !ALL.iter().any(|ours| target.join(ours).exists()) {
        return None;
    }
    let settings = fs::read_to_string(target.join(SETTINGS)).unwrap_or_default();
    if settings.starts_with(&head(namespace, name)) {
        return None;
    }
    let line = settings.lines().next().unwrap_or_default();
    let whose = line.strip_prefix("# Settings of weft-proxy for ").map(|whose| whose.trim_end_matches('.').to_owned());
    Some(whose.unwrap_or_else(|| "another machine".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use weft_install::InjectConfig;

    use super::*;

    const DB_1: Option<(&str, &str)> = Some(("vms", "db-1"));

    fn some(token: &str, capture: Capture) -> Vec<File> {
        let config = InjectConfig { trust_domain: "td".into(), access_log: "/dev/stdout".into(), ..Default::default() };
        let mesh = Mesh { config, address: "192.0.2.7:15012".into(), roots: "PEM\n".into(), root_hash: "00".into() };
        let machine = Machine {
            namespace: "vms",
            name: "db-1",
            address: "10.0.0.5".parse().unwrap(),
            service_account: "db",
            capture,
            directory: Path::new("/etc/weft"),
        };
        files(&machine, &mesh, token)
    }

    fn text<'a>(files: &'a [File], name: &str) -> &'a str {
        &files.iter().find(|file| file.name == name).unwrap().text
    }

    #[test]
    fn the_machine_is_told_all_that_its_proxy_asks() {
        let redirected = some("weft1.a.b.c", Capture::Redirect);
        let settings = text(&redirected, SETTINGS);
        for line in [
            "WEFT_CONTROL_PLANE=192.0.2.7:15012",
            "WEFT_WORKLOAD=db-1",
            "WEFT_NAMESPACE=vms",
            "WEFT_SERVICE_ACCOUNT=db",
            "WEFT_ADDRESS=10.0.0.5",
            "WEFT_CAPTURE=redirect",
            "WEFT_JOIN_TOKEN_FILE=/etc/weft/join-token",
            "WEFT_IDENTITY_FILE=/var/lib/weft/identity.pem",
            "WEFT_TRUST_DOMAIN=td",
            "WEFT_ACCESS_LOG=-",
        ] {
            assert!(settings.lines().any(|found| found == line), "{line}: {settings}");
        }
        assert!(text(&redirected, UNIT).contains("weft-proxy capture -d 22,"));
        let dialled = some("t", Capture::None);
        assert!(text(&dialled, SETTINGS).contains("WEFT_CAPTURE=none") && !text(&dialled, UNIT).contains("capture"));
        assert!(redirected.iter().all(|file| file.name == TOKEN || !file.text.contains("weft1.")), "in one file only");
    }

    #[test]
    fn a_directory_is_made_and_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("db-1");
        for token in ["one", "two"] {
            let names = Place::prepare(&target, DB_1).unwrap().fill(&some(token, Capture::Redirect)).unwrap();
            assert_eq!(names, ALL);
            assert_eq!(fs::read_to_string(target.join(TOKEN)).unwrap(), format!("{token}\n"));
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&target), mode(&target.join(TOKEN))), (0o700, 0o600));
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
        }
    }

    #[test]
    fn what_is_somebody_elses_stays() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("notes"), "mine").unwrap();
        for (target, why) in [(dir.path().to_owned(), "holds notes"), (dir.path().join("notes"), "irectory")] {
            let error = Place::prepare(&target, DB_1).err().unwrap().to_string();
            assert!(error.contains(why) && error.contains("--output-dir"), "{error}");
        }
        for odd in [dir.path().join("no/such"), PathBuf::from("/"), PathBuf::from("..")] {
            assert!(Place::prepare(&odd, DB_1).err().unwrap().to_string().contains("--output-dir"));
        }
        // Given up on the way: nothing is left.
        drop(Place::prepare(&dir.path().join("db-1"), DB_1).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn another_machines_files_stay_unless_they_may_go() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out");
        Place::prepare(&target, DB_1).unwrap().fill(&some("one", Capture::None)).unwrap();
        for other in [("vms", "db-2"), ("vms", "db"), ("other", "db-1")] {
            let error = Place::prepare(&target, Some(other)).err().unwrap().to_string();
            assert!(error.contains("files of vms/db-1") && error.contains("--force"), "{error}");
        }
        assert_eq!(fs::read_to_string(target.join(TOKEN)).unwrap(), "one\n");
        Place::prepare(&target, None).unwrap().fill(&some("two", Capture::None)).unwrap();
        assert_eq!(fs::read_to_string(target.join(TOKEN)).unwrap(), "two\n");
        // A token alone is somebody's as well.
        fs::remove_file(target.join(SETTINGS)).unwrap();
        assert!(Place::prepare(&target, DB_1).err().unwrap().to_string().contains("another machine"));
    }

    #[test]
    fn directories_of_the_machine_are_plain() {
        assert!(plain(Path::new("/etc/weft")).is_ok());
        for bad in ["weft", "/var/my dir", "/srv/a'b", "/srv/a\nb", "/", "/etc", "/etc/", "/etc/.", "/etc/../srv"] {
            assert!(plain(Path::new(bad)).unwrap_err().to_string().contains("--machine-dir"), "{bad}");
        }
    }
}
