//! A cluster's place on the machine: a number that no other has, and the folder and control groups named by it.

use std::{
    fs,
    io::Write,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{
    address::{Addresses, SLOTS},
    cgroup, network,
};

/// A claimed place.
pub struct Slot {
    number: u8,
    dir: PathBuf,
    /// The kernel gives the name back when the process ends, however it ends.
    _claim: UnixListener,
}

/// How long the remains of ended processes may take to go.
const LIMIT: Duration = Duration::from_secs(20);

impl Slot {
    /// Claims the first free place, after removing what crashed clusters left in this and others.
    pub fn claim() -> Result<Self> {
        let mut claimed = None;
        for number in 0..SLOTS {
            let Ok(claim) = claim(number) else { continue };
            remove(number);
            claimed = claimed.or(Some((number, claim)));
        }
        let (number, claim) = claimed.context("64 clusters run on this machine already")?;
        let dir = folder(number);
        fs::create_dir(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(Self { number, dir, _claim: claim })
    }

    /// The cluster's name on this machine.
    pub fn name(&self) -> String {
        name(self.number)
    }

    /// Where it keeps its files.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its networks.
    pub fn addresses(&self) -> Addresses {
        Addresses::new(self.number)
    }

    /// Removes what the cluster left after all its processes were killed.
    pub fn clean(&self) {
        remove(self.number);
    }
}

/// An abstract socket has no file that could stay behind.
fn claim(number: u8) -> std::io::Result<UnixListener> {
    UnixListener::bind_addr(&SocketAddr::from_abstract_name(name(number))?)
}

fn name(number: u8) -> String {
    format!("weft-test{number}")
}

fn folder(number: u8) -> PathBuf {
    std::env::temp_dir().join(name(number))
}

fn remove(number: u8) {
    network::disconnect(Addresses::new(number));
    if let Err(error) = cgroup::remove(&name(number), LIMIT) {
        say(&format!("{error:#}"));
    }
    let (dir, started) = (folder(number), Instant::now());
    while dir.exists() && fs::remove_dir_all(&dir).is_err() {
        if started.elapsed() > LIMIT {
            return say(&format!("cannot remove {}", dir.display()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Says something that must be read also when the test passes, whose prints are then swallowed.
pub fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "\n*** {line} ***"));
}

/// Has `action` run when the process ends by itself.
#[allow(unsafe_code)]
pub fn at_exit(action: fn()) {
    static ACTION: std::sync::OnceLock<fn()> = std::sync::OnceLock::new();
    extern "C" fn run() {
        if let Some(action) = ACTION.get() {
            action();
        }
    }
    if ACTION.set(action).is_ok() {
        // SAFETY: `run` is a function of the program itself, so it is there as long as the process.
        unsafe { libc::atexit(run) };
    }
}
